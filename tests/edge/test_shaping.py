"""Shaping: exact decimals, sentinels, ranges, deadbands; and back again for writes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.shaping import MAX_TEXT, Shaper, engineering, unshape
from protocols.errors import Rejected
from protocols.field.base import BoundPoint
from protocols.model.clock import SECOND_US
from protocols.model.device import PointProfile, Text
from protocols.model.quality import Quality
from protocols.model.reading import Readings

NOW = 1_780_000_000_000_000
HEARTBEAT = 60 * SECOND_US


def profile(**changes: Any) -> PointProfile:
    return PointProfile(**{"key": "x", "name": Text(zh="值", en="Value"), "type": "u16", **changes})


def shaper(*profiles: PointProfile) -> Shaper:
    return Shaper([BoundPoint(i, "d", p) for i, p in enumerate(profiles)], HEARTBEAT)


def readings(*rows: tuple[int, float], quality: int = 0, at: int = NOW, step: int = 0) -> Readings:
    n = len(rows)
    return Readings(
        np.array([row[0] for row in rows], np.int32),
        at + step * np.arange(n, dtype=np.int64),
        np.array([row[1] for row in rows]),
        np.full(n, quality, np.uint32),
    )


@pytest.mark.parametrize(
    ("scale", "raw", "expected"),
    [(0.1, 2302, 230.2), (0.01, 1234, 12.34), (0.001, 3, 0.003), (0.1, 3, 0.3), (0.25, 3, 0.75), (10, 7, 70)],
)
def test_a_scale_is_a_decimal_fraction(scale: float, raw: float, expected: float) -> None:
    shaped, _ = shaper(profile(scale=scale)).shape(readings((0, raw)), NOW)
    assert shaped.value[0] == expected
    assert engineering(profile(scale=scale), raw) == expected


@given(raw=st.integers(-(2**31), 2**31), places=st.integers(0, 6))
def test_a_scaled_register_is_the_nearest_double_of_its_decimal(raw: int, places: int) -> None:
    scale = float(f"1e-{places}")
    shaped, _ = shaper(profile(type="i32", scale=scale, decimals=places)).shape(readings((0, raw)), NOW)
    assert shaped.value[0] == float(f"{raw}e-{places}")


def test_offset_then_rounding() -> None:
    point = profile(type="i16", scale=0.1, offset=-273.15, decimals=2)
    shaped, _ = shaper(point).shape(readings((0, 2932)), NOW)
    assert shaped.value[0] == 20.05


def test_huge_values_survive_rounding() -> None:
    shaped, _ = shaper(profile(type="f64", decimals=3)).shape(readings((0, 1e300), (0, 1e15 + 0.5)), NOW)
    assert shaped.value.tolist() == [1e300, 1e15 + 0.5]


def test_sentinel_missing_and_range() -> None:
    points = shaper(
        profile(sentinels=(65535, 32768)), profile(min=0, max=100, scale=0.1), profile(type="f32")
    )
    raw = readings((0, 65535), (0, 32768), (0, 5), (1, 1001), (1, 999), (2, np.nan), (2, np.inf))
    shaped, _ = points.shape(raw, NOW)
    assert shaped.quality.tolist() == [
        Quality.BAD_SENSOR_FAILURE,
        Quality.BAD_SENSOR_FAILURE,
        Quality.GOOD,
        Quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
        Quality.GOOD,
        Quality.BAD_SENSOR_FAILURE,
        Quality.BAD_SENSOR_FAILURE,
    ]
    assert np.isnan(shaped.value[[0, 1, 5, 6]]).all()
    assert shaped.value[3] == 100.1


def test_a_bad_reading_has_no_number_and_keeps_its_reason() -> None:
    shaped, _ = shaper(profile(sentinels=(5,))).shape(readings((0, 5), quality=Quality.BAD_TIMEOUT), NOW)
    assert np.isnan(shaped.value[0])
    assert shaped.quality[0] == Quality.BAD_TIMEOUT


def test_what_the_driver_gave_is_not_changed() -> None:
    raw = readings((0, 65535))
    shaper(profile(sentinels=(65535,))).shape(raw, NOW)
    assert (raw.quality[0], raw.value[0]) == (0, 65535)


def test_a_time_that_no_clock_can_have_told_is_replaced() -> None:
    points = shaper(profile())
    early, _ = points.shape(readings((0, 1), at=5), NOW)
    ahead, _ = points.shape(readings((0, 1), at=NOW + 3600 * SECOND_US), NOW)
    old, _ = points.shape(readings((0, 1), at=NOW - 86_400 * SECOND_US), NOW)
    assert (early.time_us[0], ahead.time_us[0]) == (NOW, NOW)
    assert old.time_us[0] == NOW - 86_400 * SECOND_US, "late is not wrong"


def test_the_deadband_compares_with_what_was_forwarded() -> None:
    points = shaper(profile(deadband=5))
    drifting = readings(*[(0, float(v)) for v in (100, 102, 104, 105, 107, 110)], step=SECOND_US)
    assert points.shape(drifting, NOW).forward.tolist() == [True, False, False, True, False, True]


def test_the_deadband_works_across_calls_and_points() -> None:
    points = shaper(profile(deadband=5), profile())
    forwards = [
        points.shape(readings((0, v), (1, v), at=NOW + i * SECOND_US), NOW).forward.tolist()
        for i, v in enumerate((100.0, 101.0, 106.0))
    ]
    assert forwards == [[True, True], [False, True], [True, True]]


def test_a_quality_change_and_the_heartbeat_pass_the_deadband() -> None:
    points = shaper(profile(deadband=5))
    assert points.shape(readings((0, 1)), NOW).forward[0]
    bad = readings((0, 1), quality=Quality.UNCERTAIN, at=NOW + SECOND_US)
    assert points.shape(bad, NOW).forward[0]
    still = readings((0, 1), quality=Quality.UNCERTAIN, at=NOW + 2 * SECOND_US)
    assert not points.shape(still, NOW).forward[0]
    later = readings((0, 1), quality=Quality.UNCERTAIN, at=NOW + SECOND_US + HEARTBEAT)
    assert points.shape(later, NOW + HEARTBEAT).forward[0]


def test_a_bad_reading_is_told_once_and_by_heartbeat() -> None:
    points = shaper(profile())
    seconds = [0, 1, 2, 59, 60, 61]
    told = [
        bool(
            points.shape(
                readings((0, np.nan), quality=Quality.BAD_TIMEOUT, at=NOW + s * SECOND_US),
                NOW + s * SECOND_US,
            ).forward[0]
        )
        for s in seconds
    ]
    assert told == [True, False, False, False, True, False]


def test_when_a_point_was_last_usable_outlives_what_came_since() -> None:
    s = shaper(profile(), profile())
    both = np.array([0, 1], np.int32)
    s.shape(readings((0, 5)), NOW)
    lost = int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
    for n, quality in enumerate((lost, int(Quality.BAD_NO_COMMUNICATION), int(Quality.BAD_TIMEOUT)), 1):
        s.shape(readings((0, 5), (1, 5), quality=quality, at=NOW + n * SECOND_US), NOW + n * SECOND_US)
        assert s.usable_us(both).tolist() == [NOW, 0]
    mixed = readings((0, 6), (0, 7), at=NOW + 9 * SECOND_US, step=SECOND_US)
    mixed.quality[1] = Quality.BAD_TIMEOUT
    s.shape(mixed, NOW + 10 * SECOND_US)
    assert s.usable_us(both).tolist() == [NOW + 9 * SECOND_US, 0], "good and bad in one batch"
    after = shaper(profile(), profile())
    after.carry(s, np.array([1, 0], np.int32))
    assert after.usable_us(both).tolist() == [0, NOW + 9 * SECOND_US]


def test_text_is_forwarded_when_it_changes() -> None:
    points = shaper(profile(type="text"))
    told = []
    for i, words in enumerate(("slow", "slow", "closed")):
        raw = Readings.at(np.array([0], np.int32), NOW + i, np.array([np.nan]), 0, {0: words})
        shaped, forward = points.shape(raw, NOW)
        assert shaped.quality[0] == Quality.GOOD
        assert shaped.text == {0: words}
        told.append(bool(forward[0]))
    assert told == [True, False, True]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.booleans()), min_size=1, max_size=60),
    st.lists(st.integers(1, 60), max_size=5),
)
def test_one_call_or_many_forward_the_same(rows: list[tuple[int, int, bool]], cuts: list[int]) -> None:
    """Columns are a matter of speed: cutting the same readings anywhere changes nothing."""
    profiles = (profile(deadband=3), profile(deadband=0.5), profile())
    raw = Readings(
        np.array([row[0] for row in rows], np.int32),
        NOW + np.arange(len(rows), dtype=np.int64) * 7 * SECOND_US,
        np.array([float(row[1]) for row in rows]),
        np.array([Quality.BAD_TIMEOUT if row[2] else 0 for row in rows], np.uint32),
    )
    late = NOW + len(rows) * 7 * SECOND_US
    whole = shaper(*profiles).shape(raw, late).forward.tolist()
    points, parts = shaper(*profiles), []
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for start, stop in pairwise(edges):
        parts += points.shape(raw.take(np.arange(start, stop)), late).forward.tolist()
    assert parts == whole


@pytest.mark.parametrize(
    ("changes", "value", "raw"),
    [
        ({"scale": 0.1}, 12.3, 123.0),
        ({"scale": 0.1, "offset": 5.0}, 12.3, 73.0),
        ({"type": "bool"}, 1, 1.0),
        ({"type": "f32", "scale": 2.0}, 5.0, 2.5),
        ({"type": "text"}, "open", "open"),
    ],
)
def test_unshape(changes: dict[str, Any], value: float | str, raw: float | str) -> None:
    assert unshape(profile(writable=True, **changes), value) == raw


@pytest.mark.parametrize(
    ("changes", "value", "reason"),
    [
        ({"writable": False}, 1, "not-writable"),
        ({"write_min": 0, "write_max": 10}, 10.1, "out-of-limits"),
        ({"write_min": 0}, -0.1, "out-of-limits"),
        ({"min": 2}, 1, "out-of-limits"),
        ({}, 70000, "not-representable"),
        ({"type": "i16"}, -40000, "not-representable"),
        ({}, float("nan"), "wrong-type"),
        ({}, "words", "wrong-type"),
        ({"type": "text"}, 1, "wrong-type"),
    ],
)
def test_unshape_refuses(changes: dict[str, Any], value: float | str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        unshape(profile(**{"writable": True, **changes}), value)
    assert caught.value.reason == reason


@given(st.integers(0, 65535), st.integers(0, 4))
def test_there_and_back(raw: int, places: int) -> None:
    point = profile(scale=float(f"1e-{places}"), decimals=places, writable=True)
    assert unshape(point, engineering(point, raw)) == raw


def test_text_is_made_such_that_it_can_be_sent_and_stored() -> None:
    told = replace(readings((0, np.nan)), text={0: "open\0\ud800" + "x" * 10_000})
    shaped, _ = shaper(profile(type="text")).shape(told, NOW)
    assert shaped.text[0] == "open\ufffd\ufffd" + "x" * (MAX_TEXT - 6)
