"""Newest values written once for all browsers: as the schema says them, and never an old one."""

from __future__ import annotations

import msgspec
import numpy as np

from central.city.records import PointRecord
from central.live.latest import LatestBoard
from central.store.readings import SeriesReadings
from central.systems.monitoring import views
from central.systems.monitoring.latest_lines import KEPT_US, MOST_BATCHES, LatestLines
from central.systems.monitoring.schemas import Latest, LatestBatch
from protocols.model.clock import SECOND_US

T0 = 1_780_000_000 * SECOND_US
BAD = 0x8000_0000


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> int:
        return self.now


def point(series: int) -> PointRecord:
    return PointRecord(
        series, f"gw.dev.p{series}", "gw", "gw.dev", f"p{series}", "点", "Point", "m", "number", 1.0, 2, None,
        None, False, None, None, {}, False,
    )  # fmt: skip


def apply(board: LatestBoard, time_us: int, *values: tuple[int, float, int], text: str | None = None) -> None:
    series, value, quality = (np.array(column) for column in zip(*values, strict=True))
    words = {0: text} if text is not None else {}
    board.apply(
        SeriesReadings(
            series.astype(np.int32), np.full(len(values), time_us), value.astype(float),
            quality.astype(np.uint32), words,
        ),
        time_us + 1000,
    )  # fmt: skip


def test_a_line_says_what_the_schema_says() -> None:
    clock = Hand()
    board = LatestBoard(clock)
    board.register((series, 1.0) for series in range(1, 5))
    points = {series: point(series) for series in range(1, 5)}
    apply(board, T0 - 250_000, (1, 2.5, 0), (2, float("nan"), BAD), (3, 7.0, 0), text="“on”\n")
    apply(board, T0 - 9 * SECOND_US, (4, 0.1, 0))
    clock.now = T0 + 1
    for asked in ([1, 2, 3, 4], [4, 1]):
        told = LatestLines(board, clock).batch(asked, points)
        shown = [views.latest(points[series], board.get(series), clock.now) for series in asked]
        assert LatestBatch.model_validate_json(b'{"items":' + told + b"}").items == shown
        assert msgspec.json.decode(told) == [
            msgspec.json.decode(item.model_dump_json(by_alias=True)) for item in shown if item
        ]


def test_what_changed_is_written_anew_and_what_did_not_soon() -> None:
    clock = Hand()
    board = LatestBoard(clock)
    board.register([(1, 1.0), (2, 1.0), (5000, 1.0)])
    points = {series: point(series) for series in (1, 2, 5000)}
    lines = LatestLines(board, clock)

    def told(*series: int) -> list[Latest]:
        return [Latest.model_validate_json(line) for line in lines.of(np.array(series, np.int32), points)]

    assert told(1, 2, 5000) == []
    apply(board, T0, (1, 1.0, 0), (2, 1.0, 0))
    first = told(1, 2)
    # Two changes within one microsecond of the clock are two changes all the same.
    apply(board, T0, (1, 2.0, 0))
    assert [item.value for item in told(1, 2, 5000)] == [2.0, 1.0]
    clock.now += KEPT_US
    assert told(2) == first[1:]
    clock.now += 1
    assert told(2)[0].age_s == 0.25
    apply(board, T0, (5000, 5.0, 0))
    assert [item.value for item in told(5000, 2)] == [5.0, 1.0]


def test_screens_that_show_the_same_share_one_text_until_a_value_of_it_changes() -> None:
    clock = Hand()
    board = LatestBoard(clock)
    board.register((series, 1.0) for series in range(1, 4))
    points = {series: point(series) for series in range(1, 4)}
    apply(board, T0, (1, 1.0, 0), (2, 2.0, 0), (3, 3.0, 0))
    lines = LatestLines(board, clock)
    first = lines.batch([1, 2], points)
    apply(board, T0 + 1, (3, 9.0, 0))
    assert lines.batch([1, 2], points) is first, "another point is no reason to write them again"
    apply(board, T0 + 2, (2, 5.0, 0))
    second = msgspec.json.decode(lines.batch([1, 2], points))
    assert [line["value"] for line in second] == [1.0, 5.0]
    clock.now = T0 + KEPT_US + 1
    assert [line["age_s"] for line in msgspec.json.decode(lines.batch([1, 2], points))] == [0.25, 0.25]
    assert lines.batch([], points) == b"[]"


def test_the_texts_that_are_kept_have_an_end() -> None:
    clock = Hand()
    board = LatestBoard(clock)
    count = MOST_BATCHES + 2
    board.register((series, 1.0) for series in range(1, count + 1))
    points = {series: point(series) for series in range(1, count + 1)}
    apply(board, T0, *((series, float(series), 0) for series in range(1, count + 1)))
    lines = LatestLines(board, clock)
    first = lines.batch([1], points)
    last = [lines.batch([series], points) for series in range(2, count + 1)][-1]
    assert lines.batch([count], points) is last
    assert lines.batch([1], points) is not first
