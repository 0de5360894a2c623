"""Readings through the database and back: every bit, every partition, and rollups under late data."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import defaultdict

import numpy as np
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central.store.base import Database
from central.store.history import BUCKET_US, History, Rolled, choose_resolution, newest_readings
from central.store.readings import DAY_US, Partitions, SeriesReadings, store
from central.store.rollups import MINUTE_US, Roller, mark
from protocols.model.clock import SECOND_US
from protocols.model.quality import Quality, quality_class
from tests.conftest import opened

NOON_US = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z


async def seed(database: Database, count: int = 4) -> list[int]:
    """Make one gateway with `count` points; return their series."""
    async with database.pool.connection() as connection, connection.transaction():
        await connection.execute("INSERT INTO sites VALUES ('s', '站', 'Site', 'x', '', 0, 0)")
        await connection.execute(
            "INSERT INTO gateways (id, name_zh, name_en, state, created_at)"
            " VALUES ('g', 'g', 'g', 'active', now())"
        )
        await connection.execute(
            "INSERT INTO devices VALUES ('g.d','g','d','s','d','d','pump','p',1,'modbus','','',NULL)"
        )
        made = await connection.execute(
            "INSERT INTO points (id, gateway, device, key, name_zh, name_en, unit, value_type, period_s,"
            " writable, labels) SELECT 'g.d.p' || i, 'g', 'g.d', 'p' || i, 'p', 'p', '1', 'number', 1, false,"
            " '{}' FROM generate_series(1, %s) i RETURNING series",
            (count,),
        )
        return [int(str(row[0])) for row in await made.fetchall()]


async def put(
    database: Database, rows: list[tuple[int, int, float, int]], text: dict[int, str] | None = None
) -> None:
    """Store rows of (series, time, value, quality) with their marks, as the pipeline does."""
    series, times, values, qualities = (list(column) for column in zip(*rows, strict=True))
    columns = SeriesReadings.sort(
        np.array(series, np.int32), np.array(times, np.int64), np.array(values, np.float64),
        np.array(qualities, np.uint32), text or {},
    )  # fmt: skip
    await Partitions(database.pool).ensure(columns.time_us // DAY_US)
    async with database.pool.connection() as connection, connection.transaction():
        await store(connection, columns)
        await mark(connection, "g", columns.time_us)


async def test_every_bit_comes_back(database: Database) -> None:
    first, second, *_ = await seed(database)
    rows = [
        (first, NOON_US, 1.25, Quality.GOOD),
        (first, NOON_US + 1, math.nan, Quality.BAD_TIMEOUT),
        (first, NOON_US + 2, -math.inf, Quality.UNCERTAIN_SUB_NORMAL),
        (second, NOON_US, math.nan, Quality.GOOD),
        (second, NOON_US + DAY_US, 5e-324, 0xFFFF_FFFF),
        (second, 12_345, 1.0, Quality.GOOD),
    ]
    await put(database, rows, {3: "水位正常 ✓"})
    history = History(database)
    raw = await history.raw(first, NOON_US, NOON_US + SECOND_US)
    assert raw.time_us.tolist() == [NOON_US, NOON_US + 1, NOON_US + 2]
    assert raw.value[0] == 1.25
    assert math.isnan(raw.value[1])
    assert raw.value[2] == -math.inf
    assert raw.quality.tolist() == [0, Quality.BAD_TIMEOUT, Quality.UNCERTAIN_SUB_NORMAL]
    other = await history.raw(second, 0, NOON_US + 2 * DAY_US)
    assert other.time_us.tolist() == [12_345, NOON_US, NOON_US + DAY_US]
    assert other.text == {1: "水位正常 ✓"}
    assert other.quality[2] == 0xFFFF_FFFF
    assert other.value[2] == 5e-324
    short = await history.raw(second, 0, NOON_US + 2 * DAY_US, limit=2)
    assert (len(short.time_us), short.truncated) == (2, True)


async def test_a_pair_that_is_there_already_stays_and_the_rest_is_stored(database: Database) -> None:
    first, *_ = await seed(database)
    await put(database, [(first, NOON_US, 1.0, 0), (first, NOON_US, 9.0, 0)])
    await put(database, [(first, NOON_US, 2.0, 0), (first, NOON_US + 1, 3.0, 0)])
    raw = await History(database).raw(first, 0, NOON_US * 2)
    assert raw.value.tolist() == [1.0, 3.0]


async def test_newest_readings_are_found_over_partitions(database: Database) -> None:
    first, second, third, _ = await seed(database)
    await put(database, [(first, NOON_US, 1.0, 0), (second, NOON_US - 3 * DAY_US, 2.0, 0)])
    async with database.pool.connection() as connection:
        found = {
            last.series: last.value for last in await newest_readings(connection, [first, second, third])
        }
    assert found == {first: 1.0, second: 2.0}


async def test_partitions_made_by_many_at_once(database: Database) -> None:
    days = np.arange(NOON_US // DAY_US, NOON_US // DAY_US + 3)
    await asyncio.gather(*(Partitions(database.pool).ensure(days) for _ in range(4)))


def test_resolution_follows_the_span() -> None:
    hour, day = 3600 * SECOND_US, DAY_US
    assert choose_resolution(0, hour, 5) == "raw"
    assert choose_resolution(0, day, 1) == "1m"
    assert choose_resolution(0, 30 * day, 1) == "1h"
    assert choose_resolution(0, 365 * day, 1) == "1d"


def brute_force(rows: dict[tuple[int, int], tuple[float, int]], series: int, bucket_us: int) -> list[object]:
    """Aggregate what was stored, the slow way."""
    buckets: dict[int, list[tuple[int, float, int]]] = defaultdict(list)
    for (number, time_us), (value, quality) in rows.items():
        if number == series:
            buckets[time_us // bucket_us * bucket_us].append((time_us, value, quality))
    answer: list[object] = []
    for start, items in sorted(buckets.items()):
        usable = sorted((t, v) for t, v, q in items if quality_class(q) != "bad" and not math.isnan(v))
        values = [value for _, value in usable]
        bad = sum(quality_class(q) == "bad" for _, _, q in items)
        figures = (sum(values), min(values), max(values), values[-1]) if values else (None,) * 4
        answer.append((start, len(values), *figures, bad))
    return answer


reading = st.tuples(
    st.integers(0, 1),
    # Around two midnights, so that minutes, hours and days are all crossed; a grid makes repeats likely.
    st.sampled_from([0, 1, 30, 59, 60, 61, 3599, 3600, 43_199, 43_200, 86_400, 129_600]),
    st.one_of(st.integers(-1000, 1000).map(float), st.just(math.nan)),
    st.sampled_from([0, int(Quality.UNCERTAIN), int(Quality.BAD_TIMEOUT), 0xC000_0000]),
)
act = st.one_of(st.lists(reading, min_size=1, max_size=8), st.just("roll"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(act, min_size=1, max_size=8))
def test_rolled_answers_equal_brute_force_under_late_data(database_url: str, acts: list[object]) -> None:
    asyncio.run(play(database_url, acts))


async def play(url: str, acts: list[object]) -> None:
    """Store, roll and store late again; after each step every resolution must be right."""
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE readings, rollup_1m, rollup_1h, rollup_1d, rollup_dirty")
        connection.execute("TRUNCATE sites, gateways CASCADE")
    async with opened(url) as database:
        series = await seed(database, 2)
        history, roller = History(database), Roller(database, lambda: NOON_US + 10 * DAY_US)
        stored: dict[tuple[int, int], tuple[float, int]] = {}
        for what in acts:
            if isinstance(what, list):
                rows = [(series[i], NOON_US + s * SECOND_US, v, q) for i, s, v, q in what]
                await put(database, rows)
                for number, time_us, value, quality in rows:
                    stored.setdefault((number, time_us), (value, quality))
            else:
                await roller.roll()
            resolutions: tuple[Rolled, ...] = ("1m", "1h", "1d")
            for number, resolution in itertools.product(series, resolutions):
                found = await history.rolled(number, resolution, NOON_US - DAY_US, NOON_US + 3 * DAY_US)
                rows_found = [
                    (t, n, *(None if math.isnan(f) else f for f in figures), bad)
                    for t, n, *figures, bad in zip(
                        found.time_us.tolist(), found.n.tolist(), found.sum.tolist(), found.min.tolist(),
                        found.max.tolist(), found.last.tolist(), found.bad.tolist(), strict=True,
                    )
                ]  # fmt: skip
                assert rows_found == brute_force(stored, number, BUCKET_US[resolution]), resolution


async def test_the_minute_that_runs_is_not_rolled_yet(database: Database) -> None:
    first, *_ = await seed(database)
    await put(database, [(first, NOON_US, 1.0, 0), (first, NOON_US - MINUTE_US, 3.0, 0)])
    roller = Roller(database, lambda: NOON_US + 6 * SECOND_US)
    assert await roller.roll() == 1
    assert await roller.roll() == 0
    rolled = await History(database).rolled(first, "1m", NOON_US - MINUTE_US, NOON_US + 1)
    assert rolled.avg.tolist() == [3.0, 1.0]
