"""Reading the past of a point: raw readings, or rollups that are right although some are not rolled yet.

Each question sees one moment of the tables: what the roller has finished comes from its rows, what is still
marked is computed from the readings, and nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection, sql

from central.store.base import Database
from central.store.columns import Columns, fetch_columns
from central.store.rollups import AGGREGATE, COMBINE
from protocols.model.clock import SECOND_US, to_datetime

ALL_BITS = 0xFFFF_FFFF
"""The table holds a status code's 32 bits as a signed integer."""
Resolution = Literal["raw", "1m", "1h", "1d"]
Rolled = Literal["1m", "1h", "1d"]

BUCKET_US: dict[Rolled, int] = {
    "1m": 60 * SECOND_US, "1h": 3600 * SECOND_US, "1d": 86_400 * SECOND_US
}  # fmt: skip
NEWEST_DAYS = 31
"""How many daily partitions are searched for a point's newest reading; older is as good as none."""

NAN = "'NaN'::float8"
"""Stands for "no number" on the way out: the table never holds a NaN."""

RAW = f"""
SELECT array_agg(time), array_agg(coalesce(value, {NAN})), array_agg(quality),
    json_object_agg((extract(epoch FROM time) * 1000000)::bigint, text) FILTER (WHERE text IS NOT NULL)
FROM (
    SELECT time, value, quality, text FROM readings
    WHERE series = %(series)s AND time >= %(start)s AND time < %(end)s
    ORDER BY time LIMIT %(limit)s
) r
"""  # noqa: S608 - made of constants

DIRTY = """
SELECT min(d.minute), max(d.minute) + interval '1 minute' FROM rollup_dirty d
JOIN points p ON p.gateway = d.gateway
WHERE p.series = %(series)s AND d.minute >= %(start)s AND d.minute < %(end)s
"""
"""Asked first, in the same snapshot: with its answer only the days in which something is marked are planned
for. A year has a partition for each of its days, and to plan for all of them takes half a second."""
ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_MINUTES = f"""
WITH dirty AS MATERIALIZED (
    SELECT DISTINCT d.minute FROM rollup_dirty d JOIN points p ON p.gateway = d.gateway
    WHERE p.series = %(series)s AND d.minute >= %(start)s AND d.minute < %(end)s
), minutes AS (
    SELECT bucket, n, sum, min, max, last, last_time, bad FROM rollup_1m
    WHERE series = %(series)s AND bucket >= %(start)s AND bucket < %(end)s
        AND bucket NOT IN (SELECT minute FROM dirty){{within}}
    UNION ALL
    SELECT d.minute, r.* FROM dirty d CROSS JOIN LATERAL (
        SELECT {AGGREGATE} FROM readings
        WHERE series = %(series)s AND time >= d.minute AND time < d.minute + interval '1 minute'
            AND time >= %(oldest)s AND time < %(newest)s
        HAVING count(*) > 0
    ) r
)"""  # noqa: S608 - made of constants

_HOURS = f""", dirty_hours AS MATERIALIZED (
    SELECT DISTINCT date_trunc('hour', minute, 'UTC') AS hour FROM dirty
), hours AS (
    SELECT bucket, n, sum, min, max, last, last_time, bad FROM rollup_1h
    WHERE series = %(series)s AND bucket >= %(start)s AND bucket < %(end)s
        AND bucket NOT IN (SELECT hour FROM dirty_hours){{within}}
    UNION ALL
    SELECT date_trunc('hour', bucket, 'UTC'), {COMBINE} FROM minutes GROUP BY 1
)"""  # noqa: S608 - made of constants

_DAYS = f""", dirty_days AS MATERIALIZED (
    SELECT DISTINCT date_trunc('day', minute, 'UTC') AS day FROM dirty
), days AS (
    SELECT bucket, n, sum, min, max, last, last_time, bad FROM rollup_1d
    WHERE series = %(series)s AND bucket >= %(start)s AND bucket < %(end)s
        AND bucket NOT IN (SELECT day FROM dirty_days)
    UNION ALL
    SELECT date_trunc('day', bucket, 'UTC'), {COMBINE} FROM hours GROUP BY 1
)"""  # noqa: S608 - made of constants

_IN_DIRTY_HOURS = """
        AND bucket IN (SELECT date_trunc('hour', minute, 'UTC') + m * interval '1 minute'
                       FROM dirty, generate_series(0, 59) m)"""
_IN_DIRTY_DAYS = """
        AND bucket IN (SELECT date_trunc('day', minute, 'UTC') + h * interval '1 hour'
                       FROM dirty, generate_series(0, 23) h)"""


def _select(table: str) -> str:
    numbers = ", ".join(f"array_agg(coalesce({name}, {NAN}))" for name in ("sum", "min", "max", "last"))
    return f"""
SELECT array_agg(bucket), array_agg(n), {numbers}, array_agg(bad)
FROM (SELECT * FROM {table} ORDER BY bucket LIMIT %(limit)s) r
"""  # noqa: S608 - made of constants


ROLLED: dict[Rolled, str] = {
    "1m": _MINUTES.format(within="") + _select("minutes"),
    "1h": _MINUTES.format(within=_IN_DIRTY_HOURS) + _HOURS.format(within="") + _select("hours"),
    "1d": _MINUTES.format(within=_IN_DIRTY_HOURS)
    + _HOURS.format(within=_IN_DIRTY_DAYS)
    + _DAYS
    + _select("days"),
}

NEWEST = """
SELECT s.series, l.time_us, l.value, l.quality, l.text FROM unnest(%(series)s::int[]) AS s (series)
CROSS JOIN LATERAL (
    SELECT (extract(epoch FROM time) * 1000000)::bigint AS time_us, value, quality, text
    FROM {} r WHERE r.series = s.series ORDER BY time DESC LIMIT 1
) l
"""


@dataclass(frozen=True, slots=True)
class RawHistory:
    """Readings of one series in time order, columns of shape (n,). value NaN where there is no number."""

    series: int
    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]
    text: dict[int, str]
    truncated: bool


@dataclass(frozen=True, slots=True)
class RolledHistory:
    """Buckets of one series in time order, columns of shape (n,); time_us is the bucket's start, UTC.

    n counts the good and uncertain numbers; sum, min, max, last are NaN where n is 0; bad counts the
    readings of bad quality.
    """

    series: int
    time_us: NDArray[np.int64]
    n: NDArray[np.int64]
    sum: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    bad: NDArray[np.int64]
    truncated: bool

    @property
    def avg(self) -> NDArray[np.float64]:
        """Return the mean of each bucket; NaN where n is 0."""
        empty = np.full(len(self.n), np.nan)
        return cast(NDArray[np.float64], np.divide(self.sum, self.n, out=empty, where=self.n > 0))


@dataclass(frozen=True, slots=True)
class LastReading:
    """The stored reading of one series with the greatest source time."""

    series: int
    time_us: int
    value: float | None
    quality: int
    text: str | None


class History:
    """Answers history questions. Times are µs UTC, `[from_us, to_us)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def raw(self, series: int, from_us: int, to_us: int, limit: int = 10_000) -> RawHistory:
        """Return at most `limit` readings, the oldest first; `truncated` says that there were more."""
        found = await self._fetch(RAW, series, (from_us, to_us), limit)
        time_us = found.time(0)
        truncated = len(time_us) > limit
        words = found.words(3)
        rows = np.searchsorted(time_us, np.array([int(key) for key in words], np.int64)).tolist()
        return RawHistory(
            series=series,
            time_us=time_us[:limit],
            value=found.number(1)[:limit],
            quality=found.bits(2)[:limit],
            text={row: text for row, text in zip(rows, words.values(), strict=True) if row < limit},
            truncated=truncated,
        )

    async def rolled(
        self, series: int, resolution: Rolled, from_us: int, to_us: int, limit: int = 10_000
    ) -> RolledHistory:
        """Return the buckets that overlap the span, the not yet rolled part computed from raw readings."""
        bucket = BUCKET_US[resolution]
        whole = (from_us // bucket * bucket, -(-to_us // bucket) * bucket)
        found = await self._fetch(ROLLED[resolution], series, whole, limit)
        time_us = found.time(0)
        return RolledHistory(
            series=series,
            time_us=time_us[:limit],
            n=found.count(1)[:limit],
            sum=found.number(2)[:limit],
            min=found.number(3)[:limit],
            max=found.number(4)[:limit],
            last=found.number(5)[:limit],
            bad=found.count(6)[:limit],
            truncated=len(time_us) > limit,
        )

    async def _fetch(self, statement: str, series: int, span: tuple[int, int], limit: int) -> Columns:
        values: dict[str, object] = {
            "series": series,
            "start": to_datetime(span[0]),
            "end": to_datetime(span[1]),
            "limit": limit + 1,
        }
        async with self._database.pool.connection() as connection:
            if statement == RAW:
                return await fetch_columns(connection, statement, values)
            async with connection.transaction():
                await connection.execute(ONE_MOMENT)
                row: Any = await (await connection.execute(DIRTY, values)).fetchone()
                values["oldest"], values["newest"] = row[0] or values["start"], row[1] or values["start"]
                return await fetch_columns(connection, statement, values)


def choose_resolution(from_us: int, to_us: int, period_s: float, points: int = 1000) -> Resolution:
    """Return the finest resolution that shows the span in about `points` points.

    period_s is the point's period: its readings are expected that far apart.
    """
    span_s = max(to_us - from_us, 0) / SECOND_US
    steps: tuple[tuple[Resolution, float], ...] = (
        ("raw", max(period_s, 0.001)), ("1m", 60.0), ("1h", 3600.0)
    )  # fmt: skip
    for resolution, step_s in steps:
        if span_s / step_s <= points * 1.5:
            return resolution
    return "1d"


async def newest_readings(
    connection: AsyncConnection[Any], series: NDArray[np.int32] | Sequence[int]
) -> list[LastReading]:
    """Return the newest stored reading of each of these series; one without readings is left out."""
    missing = {int(number) for number in series}
    found: list[LastReading] = []
    names = await (
        await connection.execute(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'readings'::regclass"
            " AND inhrelid::regclass::text <> 'readings_other' ORDER BY name DESC LIMIT %s",
            (NEWEST_DAYS,),
        )
    ).fetchall()
    for (name,) in names:
        if not missing:
            break
        statement = sql.SQL(NEWEST).format(sql.Identifier(name))
        rows = await (await connection.execute(statement, {"series": list(missing)})).fetchall()
        for number, time_us, value, quality, text in rows:
            missing.discard(number)
            found.append(LastReading(number, time_us, value, quality & ALL_BITS, text))
    return found
