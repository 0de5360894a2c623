"""Rollups of 1 min, 1 h and 1 d that stay right under late data.

Whoever stores readings also stores a mark (gateway, minute) in the same transaction. The roller takes
marks away and computes those minutes again from the readings, the hours from the minutes and the days
from the hours, all in one transaction. Its statements see everything that was committed before they
begin, so whatever a taken mark stands for is in the sum; what comes later brings a mark of its own.
Minutes that still have a mark are computed from the readings when somebody asks (`store.history`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection

from central.store.base import Database
from protocols.model.clock import SECOND_US, Clock, to_datetime

MINUTE_US = 60 * SECOND_US
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GRACE_US = 5 * SECOND_US
"""A minute is rolled when it has been over for so long; until then it is read from the readings."""
MAX_MARKS = 500
"""Distinct (gateway, minute) pairs of one transaction, so that a day's backlog does not hold it for long."""
ROLLER_LOCK = 0x43_4E_5F_52_4F
"""Advisory lock of the roller: "CN_RO"; of many centres one rolls."""

USABLE = "((quality::bigint & 3221225472) IN (0, 1073741824) AND abs(value) <= 1e290)"
"""Good and uncertain numbers count; 0xC0000000 is the class mask, 0x40000000 uncertain.

A number beyond 1e290 is a device's way of saying that it has none (DBL_MAX, Infinity); a sum of a few of
them overflows, which PostgreSQL refuses, and with it all that is rolled up together.
"""
IS_BAD = "(quality::bigint & 2147483648) <> 0"
# float8 NaN never enters the table: a reading without a number is NULL.

TAKE = """
WITH chosen AS (
    SELECT DISTINCT gateway, minute FROM rollup_dirty WHERE minute <= %(before)s
    ORDER BY minute DESC LIMIT %(limit)s
), taken AS (
    DELETE FROM rollup_dirty d USING chosen c WHERE d.gateway = c.gateway AND d.minute = c.minute
    RETURNING d.gateway, d.minute
)
SELECT DISTINCT gateway, minute FROM taken
"""

AGGREGATE = f"""
    count(*) FILTER (WHERE {USABLE}) AS n,
    sum(value) FILTER (WHERE {USABLE}) AS sum,
    min(value) FILTER (WHERE {USABLE}) AS min,
    max(value) FILTER (WHERE {USABLE}) AS max,
    (array_agg(value ORDER BY time DESC) FILTER (WHERE {USABLE}))[1] AS last,
    max(time) FILTER (WHERE {USABLE}) AS last_time,
    count(*) FILTER (WHERE {IS_BAD}) AS bad
"""

COMBINE = """
    sum(n)::bigint AS n, sum(sum) AS sum, min(min) AS min, max(max) AS max,
    (array_agg(last ORDER BY last_time DESC) FILTER (WHERE n > 0))[1] AS last,
    max(last_time) AS last_time, sum(bad)::bigint AS bad
"""

STORE = """
ON CONFLICT (series, bucket) DO UPDATE SET n = excluded.n, sum = excluded.sum, min = excluded.min,
    max = excluded.max, last = excluded.last, last_time = excluded.last_time, bad = excluded.bad
WHERE excluded.n + excluded.bad >= rollup_{name}.n + rollup_{name}.bad
"""
"""Readings only come: a sum over fewer than before was made where older ones are deleted (`store.keeping`),
and the rollup that saw them all stays."""

ROLL_MINUTES = f"""
INSERT INTO rollup_1m (series, bucket, n, sum, min, max, last, last_time, bad)
SELECT series, date_trunc('minute', time, 'UTC'), {AGGREGATE}
FROM readings
WHERE series = ANY(%(series)s) AND time >= %(start)s AND time < %(end)s
    AND date_trunc('minute', time, 'UTC') = ANY(%(minutes)s)
GROUP BY 1, 2
{STORE.format(name="1m")}
"""  # noqa: S608 - made of the constants above

ROLL_UP = {
    name: f"""
INSERT INTO rollup_{name} (series, bucket, n, sum, min, max, last, last_time, bad)
SELECT series, %(start)s, {COMBINE}
FROM rollup_{finer} WHERE series = ANY(%(series)s) AND bucket >= %(start)s AND bucket < %(end)s
GROUP BY series
{STORE.format(name=name)}
"""  # noqa: S608 - made of the constants above
    for name, finer in (("1h", "1m"), ("1d", "1h"))
}

MARK = """
INSERT INTO rollup_dirty (gateway, minute)
SELECT %s, unnest(%s::timestamptz[])
"""


async def mark(connection: AsyncConnection[Any], gateway: str, times_us: NDArray[np.int64]) -> None:
    """Say, in the transaction that stores them, that a gateway has new readings at these times."""
    minutes = np.unique(times_us // MINUTE_US) * MINUTE_US
    await connection.execute(MARK, (gateway, [to_datetime(minute) for minute in minutes.tolist()]))


class Roller:
    """Rolls marked minutes. Call `roll` every few seconds; of many centres only one does it at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def roll(self, *, grace_us: int = GRACE_US) -> int:
        """Roll what is due, the newest first; return how many (gateway, minute) pairs were rolled."""
        total = 0
        while True:
            done = await self._some(self._clock() - MINUTE_US - grace_us)
            total += done
            if done < MAX_MARKS:
                return total

    async def _some(self, before_us: int) -> int:
        async with self._database.pool.connection() as connection, connection.transaction():
            locked = await (
                await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (ROLLER_LOCK,))
            ).fetchone()
            if locked is None or not locked[0]:
                return 0
            taken: list[Any] = await (
                await connection.execute(TAKE, {"before": to_datetime(before_us), "limit": MAX_MARKS})
            ).fetchall()
            hours: dict[tuple[str, Any], list[Any]] = defaultdict(list)
            for gateway, minute in taken:
                hours[gateway, minute.replace(minute=0)].append(minute)
            days = {(gateway, hour.replace(hour=0)) for gateway, hour in hours}
            series = await self._series(connection, {gateway for gateway, _ in hours})
            for (gateway, hour), minutes in hours.items():
                span = {
                    "series": series[gateway],
                    "minutes": minutes,
                    "start": min(minutes),
                    "end": max(minutes) + MINUTE,
                }
                await connection.execute(ROLL_MINUTES, span)
                span = {"series": series[gateway], "start": hour, "end": hour + HOUR}
                await connection.execute(ROLL_UP["1h"], span)
            for gateway, day in days:
                span = {"series": series[gateway], "start": day, "end": day + DAY}
                await connection.execute(ROLL_UP["1d"], span)
            return len(taken)

    async def _series(self, connection: AsyncConnection[Any], gateways: set[str]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {gateway: [] for gateway in gateways}
        rows = await connection.execute(
            "SELECT gateway, series FROM points WHERE gateway = ANY(%s)", (list(gateways),)
        )
        async for gateway, series in rows:
            found[gateway].append(series)
        return found
