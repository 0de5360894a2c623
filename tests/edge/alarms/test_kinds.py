"""Kinds of rules beyond a limit: by example, and the window behind them against numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alarms.window import Window
from protocols.model.quality import Quality
from tests.edge.alarms.tank import S, at, columns, engine, feed, rule, shown, take

BAD = int(Quality.BAD_TIMEOUT)


def test_deviation_from_a_value() -> None:
    alarms = engine(rule(kind="deviation", setpoint=20.0, limit=5.0, deadband=1.0))
    assert feed(alarms, (1, 24.9), (2, 25), (3, 24.1), (4, 24), (5, 14.9)) == ["ACT@2", "CLR@4", "ACT@5"]


def test_deviation_from_another_point() -> None:
    alarms = engine(rule(kind="deviation", reference="tank.flow", limit=5.0, deadband=1.0))
    assert feed(alarms, (1, 30)) == [], "the other point has not been heard"
    (step,) = take(alarms, (2, 20), point=1)
    assert (shown([step]), step.value) == (["ACT@2"], 10.0)
    assert feed(alarms, (3, 25.5), point=1) == []
    assert feed(alarms, (4, 29)) == ["CLR@4"]


def test_either_point_of_a_deviation_holds_it_by_its_bad_quality() -> None:
    alarms = engine(rule(kind="deviation", reference="tank.flow", limit=5.0))
    take(alarms, (1, 30))
    assert feed(alarms, (2, 20), point=1) == ["ACT@2"]
    assert feed(alarms, (3, np.nan, BAD), point=1) == []
    assert feed(alarms, (4, 20)) == [], "the reference is not known"
    assert feed(alarms, (5, 20), point=1) == ["CLR@5"]


@pytest.mark.parametrize(("per", "limit"), [("s", 0.5), ("min", 30.0), ("h", 1800.0)])
def test_rate_of_change(per: Any, limit: float) -> None:
    alarms = engine(rule(kind="rate", limit=limit, deadband=limit / 10, window_s=10.0, per=per))
    assert feed(alarms, *[(i, 0.4 * i) for i in range(20)]) == []
    rising = take(alarms, *[(20 + i, 8 + 0.6 * i) for i in range(12)])
    assert len(rising) == 1
    assert rising[0].value is not None
    assert rising[0].value >= limit
    assert [step.event for step in take(alarms, *[(32 + i, 15.2) for i in range(12)])] == ["CLR"]


def test_falling_is_a_rate_too() -> None:
    alarms = engine(rule(kind="rate", limit=0.5, window_s=10.0))
    assert [step.event for step in take(alarms, *[(i, -0.6 * i) for i in range(12)])] == ["ACT"]


def test_a_rate_needs_three_good_samples_that_span_half_the_window() -> None:
    alarms = engine(rule(kind="rate", limit=0.5, window_s=10.0))
    assert feed(alarms, (0, 0), (1, 5), (2, 10), (4, 20)) == [], "they span four seconds"
    uncertain = int(Quality.UNCERTAIN)
    assert feed(alarms, (5, 25, uncertain)) == [], "only a good one counts"
    assert feed(alarms, (6, 30)) == ["ACT@6"]


def test_discrepancy_after_the_travel_time() -> None:
    alarms = engine(
        rule(kind="discrepancy", point="tank.actual", reference="tank.command", limit=10.0, deadband=0.5)
    )
    assert feed(alarms, (0, 0), point=2) == []
    assert feed(alarms, (0, 0), point=3) == []
    assert feed(alarms, (5, 1), point=2) == []
    assert feed(alarms, (10, 0), (14, 0), point=3) == []
    assert feed(alarms, (15, 0), point=3) == ["ACT@15"]
    assert feed(alarms, (16, 1), point=3) == ["CLR@16"]


def test_a_new_command_begins_its_own_travel_time() -> None:
    alarms = engine(rule(kind="discrepancy", point="tank.actual", reference="tank.command", limit=10.0))
    take(alarms, (0, 0), point=3)
    take(alarms, (0, 50), point=2)
    take(alarms, (8, 80), point=2)
    assert feed(alarms, (12, 20), (17, 40), point=3) == []
    assert feed(alarms, (18, 40), point=3) == ["ACT@18"]


def test_flatline() -> None:
    alarms = engine(rule(kind="flatline", limit=30.0, deadband=0.01))
    assert feed(alarms, *[(i * 5, 4.2 + 0.1 * (i % 2)) for i in range(20)]) == []
    still = feed(alarms, *[(100 + i * 5, 4.205) for i in range(10)])
    assert still == ["ACT@130"]
    assert feed(alarms, (160, 4.209)) == [], "within the deadband"
    assert feed(alarms, (165, 4.5)) == ["CLR@165"]


def test_a_flat_line_over_a_restart() -> None:
    one = rule(kind="flatline", limit=30.0)
    alarms = engine(one)
    assert feed(alarms, (0, 4.2), (10, 4.2)) == []
    again = engine(one, restored=alarms.state())
    assert feed(again, (20, 4.2), (30, 4.2)) == ["ACT@30"]
    moved = engine(one, restored=again.state())
    assert feed(moved, (40, 4.3)) == ["CLR@40"]


def test_bad_quality() -> None:
    alarms = engine(rule(kind="bad_quality", on_delay_s=5))
    assert feed(alarms, (1, np.nan, BAD), (3, 1), (4, np.nan, BAD), (9, np.nan, BAD)) == ["ACT@9"]
    assert feed(alarms, (10, 5, int(Quality.UNCERTAIN))) == [], "only a good one clears"
    assert feed(alarms, (11, 5)) == ["CLR@11"]


@pytest.mark.parametrize("kind", ["hi", "lo", "off_normal", "deviation", "rate", "flatline"])
def test_bad_quality_holds_or_forces(kind: Any) -> None:
    rows = [(float(i), 5.0 if kind == "flatline" else 0.1 * (i % 2)) for i in range(20)]
    limit = -1000.0 if kind == "lo" else 0.0 if kind == "off_normal" else 1000.0
    shape = {"kind": kind, "limit": limit, "deadband": 1.0, "window_s": 5.0}
    holding, forced = engine(rule(**shape)), engine(rule(**shape, on_bad="force_active"))
    for alarms in (holding, forced):
        assert feed(alarms, *rows) == []
    assert feed(holding, (30, np.nan, BAD)) == []
    if kind == "flatline":
        return  # what it forces is the time of standing still, which takes its limit
    (step,) = take(forced, (30, np.nan, BAD))
    assert (shown([step]), step.quality, step.value) == (["ACT@30"], BAD, None)


def test_force_clear() -> None:
    alarms = engine(rule(on_bad="force_clear"))
    assert feed(alarms, (1, 11), (2, np.nan, BAD), (3, 11)) == ["ACT@1", "CLR@2", "ACT@3"]


def test_a_condition_over_several_points() -> None:
    dry = "tank.command == 1 and avg(tank.flow, 60 s) < 2 and not bad(tank.level)"
    alarms = engine(rule(kind="condition", expression=dry, on_delay_s=5))
    assert feed(alarms, (0, 1), point=2) == []
    assert feed(alarms, (0, 7)) == []
    assert feed(alarms, *[(i, 1.0) for i in range(0, 60, 5)], point=1) == ["ACT@35"]
    assert feed(alarms, (60, np.nan, BAD)) == ["CLR@60"]
    assert feed(alarms, (61, 7)) == []
    assert feed(alarms, (62, np.nan, BAD), point=1) == []
    assert feed(alarms, (90, 7)) == [], "unknown holds, and its delay waits"
    assert feed(alarms, (91, 1.0), point=1) == []
    assert feed(alarms, (95, 7)) == ["ACT@95"], "one second before, four after"
    assert feed(alarms, (96, 0), point=2) == ["CLR@96"]


def test_an_uncertain_input_marks_the_condition() -> None:
    alarms = engine(rule(kind="condition", expression="tank.flow > 3 and tank.level > 3"))
    take(alarms, (0, 5))
    (step,) = take(alarms, (1, 5, int(Quality.UNCERTAIN)), point=1)
    assert (step.event, step.quality, step.value) == ("ACT", Quality.UNCERTAIN, 5.0)


def test_a_condition_takes_points_that_are_a_little_behind() -> None:
    alarms = engine(rule(kind="condition", expression="tank.flow > 3 and tank.level > 3"))
    take(alarms, (10, 5))
    (step,) = take(alarms, (9.5, 5), point=1)
    assert shown([step]) == ["ACT@10"], "its time does not go back"
    assert feed(alarms, (9, 1), point=1) == [], "that one is late for its own point"
    assert feed(alarms, (9.8, 1), point=1) == ["CLR@10"]


# ---- the window ----

_SERIES = st.lists(st.tuples(st.integers(1, 3_000_000), st.floats(-1e6, 1e6)), min_size=3, max_size=80)


@given(_SERIES, st.sampled_from([10 * S, 60 * S]))
def test_the_window_agrees_with_numpy(series: list[tuple[int, float]], length: int) -> None:
    window, t = Window(length), at(0)
    kept: list[tuple[int, float]] = []
    part = length // 600
    for gap, value in series:
        t += max(gap, part)
        window.add(t, value)
        kept = [(u, v) for u, v in [*kept, (t, value)] if u >= t - length]
    values = [v for _, v in kept]
    assert window.low() == min(values)
    assert window.high() == max(values)
    mean = window.mean()
    assert mean is not None
    assert math.isclose(mean, float(np.mean(values)), rel_tol=1e-9, abs_tol=1e-6)
    slope = window.slope()
    span = kept[-1][0] - kept[0][0]
    if len(kept) < 3 or 2 * span < length:
        assert slope is None
        return
    assert slope is not None
    seconds = np.array([(u - kept[0][0]) / S for u, _ in kept])
    expected = float(np.polyfit(seconds, np.array(values), 1)[0])
    assert math.isclose(slope * S, expected, rel_tol=1e-6, abs_tol=1e-3)


@given(st.floats(-1e9, 1e9), st.integers(1, 300))
def test_the_mean_of_equal_values_is_exactly_that_value(value: float, n: int) -> None:
    window = Window(60 * S)
    for i in range(n):
        window.add(at(i), value)
    assert window.mean() == value


def test_a_fast_point_costs_no_more_than_a_slow_one() -> None:
    window = Window(60 * S)
    for i in range(100_000):
        window.add(at(i / 1000), math.sin(i))
    assert len(window._parts) <= 601
    assert len(window) >= 59_000


def test_a_window_of_many_batches_is_that_of_one() -> None:
    rows = [(i / 2, math.sin(i)) for i in range(400)]
    one = rule(kind="rate", limit=0.3, deadband=0.1, window_s=5.0)
    whole, single = engine(one), engine(one)
    assert shown(whole.evaluate(columns(rows), at(200))) == feed(single, *rows)
