"""Trends: buckets that lie about nothing, work that is bounded, and readings of older configurations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.buffer.base import Entry, Stored
from edge.buffer.sqlite import SqliteBuffer
from edge.console.history import WORK_S, History, Series, downsampled
from edge.house import House
from protocols.field.base import BoundPoint
from protocols.model.clock import SECOND_US
from protocols.model.device import PointProfile
from protocols.model.quality import Quality
from protocols.model.reading import Readings

POINT = BoundPoint(
    3,
    "pump1",
    PointProfile.model_validate(
        {"key": "level", "name": {"zh": "水位", "en": "Level"}, "type": "u16", "unit": "m"}
    ),
)
T0 = 1_790_000_000 * SECOND_US

_rows = st.lists(
    st.tuples(
        st.integers(0, 3_600),
        st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))),
        st.sampled_from([0, int(Quality.UNCERTAIN), int(Quality.BAD_TIMEOUT)]),
    ),
    max_size=200,
)


def _series(rows: list[tuple[int, float, int]]) -> Series:
    index = np.zeros(len(rows), np.int32)
    times = np.array([T0 + second * SECOND_US for second, _, _ in rows], np.int64)
    values = np.array([value for _, value, _ in rows], np.float64)
    return Series.of([Readings(index, times, values, np.array([q for _, _, q in rows], np.uint32))])


@given(_rows, st.integers(2, 50))
def test_buckets_keep_extremes_the_last_value_and_the_worst_quality(
    rows: list[tuple[int, float, int]], most: int
) -> None:
    series = _series(rows)
    told = cast(Any, downsampled(series, T0, T0 + 3_600 * SECOND_US, most))
    assert len(told["t"]) <= max(most, 0)
    assert told["t"] == sorted(set(told["t"]))
    assert set(told["t"]) <= set(series.time_us.tolist()), "no time is made up"
    finite = series.value[~np.isnan(series.value)]
    lows = [value for value in told["min"] if value is not None]
    highs = [value for value in told["max"] if value is not None]
    if len(finite):
        assert min(lows) == finite.min()
        assert max(highs) == finite.max()
    else:
        assert lows == highs == []
    if len(series.time_us):
        last = float(series.value[-1])
        assert told["value"][-1] == (None if np.isnan(last) else last)
        assert max(told["quality"]) == series.quality.max()
    for low, value, high in zip(told["min"], told["value"], told["max"], strict=True):
        if value is not None:
            assert low <= value <= high


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[SqliteBuffer]:
    opened = SqliteBuffer(tmp_path, lambda: T0 + 3_600 * SECOND_US)
    yield opened
    opened.close()


def _house(buffer: object) -> House:
    plan = SimpleNamespace(declaration="now", indexes={"pump1.level": 3})
    return cast(House, SimpleNamespace(buffer=buffer, plan=plan))


def _put(buffer: SqliteBuffer, declaration: str, index: int, second: int, value: float) -> None:
    at = T0 + second * SECOND_US
    readings = Readings.at(np.array([index, index + 7], np.int32), at, np.array([value, -1.0]))
    buffer.append([Entry("readings", declaration, at, readings)])


def test_readings_of_an_older_configuration_are_found_by_their_name(buffer: SqliteBuffer) -> None:
    points = [{"device": "pump0", "key": "level"}, {"device": "pump1", "key": "level"}]
    buffer.remember("before", msgspec.json.encode({"gateway": "gw", "points": points}))
    _put(buffer, "before", 1, 10, 5.0)
    _put(buffer, "before", 0, 20, 99.0)
    _put(buffer, "unknown", 3, 30, 98.0)
    _put(buffer, "now", 3, 40, 7.0)
    newest = Readings.at(np.array([3], np.int32), T0 + 50 * SECOND_US, np.array([8.0]))
    seen = History(_house(buffer)).read(POINT, T0, T0 + 60 * SECOND_US, 100, [("now", newest)])
    assert seen.value == [5.0, 7.0, 8.0]
    assert seen.t == [T0 + second * SECOND_US for second in (10, 40, 50)]
    assert seen.complete


def test_a_reading_in_two_slices_is_one(buffer: SqliteBuffer) -> None:
    for second in range(0, 3_600, 10):
        _put(buffer, "now", 3, second, float(second))
    seen = History(_house(buffer)).read(POINT, T0, T0 + 3_600 * SECOND_US, 5_000, [])
    assert seen.value == [float(second) for second in range(0, 3_600, 10)]


def test_a_damaged_batch_hides_nothing_else(buffer: SqliteBuffer) -> None:
    _put(buffer, "now", 3, 10, 1.0)
    whole = next(iter(buffer.recent(T0, T0 + 60 * SECOND_US)))

    class Damaged:
        def recent(self, since_us: int, until_us: int) -> Iterator[Stored]:
            yield whole._replace(data=b"\0" + whole.data[1:])
            yield whole

    seen = History(_house(Damaged())).read(POINT, T0, T0 + 60 * SECOND_US, 10, [])
    assert seen.value == [1.0]


def test_the_work_is_bounded_and_what_is_missing_is_said(buffer: SqliteBuffer) -> None:
    for second in range(0, 3_600, 10):
        _put(buffer, "now", 3, second, float(second))
    ticks = iter(range(10_000))
    # Every batch costs a twentieth of the time that a person waits.
    history = History(_house(buffer), lambda: next(ticks) * WORK_S / 20)
    seen = history.read(POINT, T0, T0 + 3_600 * SECOND_US, 5_000, [])
    assert not seen.complete
    assert T0 < seen.from_us < T0 + 3_600 * SECOND_US
    told = [(seen.from_us - T0) // SECOND_US <= second < 3_600 for second in map(int, cast(Any, seen.value))]
    assert all(told)
    assert told, "the newest part is there"
    expected = [float(s) for s in range(0, 3_600, 10) if T0 + s * SECOND_US >= seen.from_us]
    assert seen.value == expected, "and it has no hole"
