"""The alarm machine: the cases of alarms.md by example, its invariants (section 11) by property."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.alarms.engine import GRACE_US
from protocols.model.alarm import AlarmEvent, AlarmTransition, Rule
from protocols.model.quality import Quality
from tests.edge.alarms.tank import START, S, columns, engine, feed, rule, shown


def test_a_limit_raises_at_the_limit_and_clears_below_the_deadband() -> None:
    alarms = engine(rule(deadband=2.0))
    assert feed(alarms, (1, 9.9), (2, 10), (3, 11), (4, 8.1), (5, 9), (6, 8)) == ["ACT@2", "CLR@6"]


def test_low_limits_mirror_high_ones() -> None:
    alarms = engine(rule(kind="lolo", deadband=2.0))
    assert feed(alarms, (1, 10.1), (2, 10), (3, 11.9), (4, 12)) == ["ACT@2", "CLR@4"]


def test_off_normal() -> None:
    alarms = engine(rule(kind="off_normal", limit=1))
    assert feed(alarms, (1, 1), (2, 0), (3, 2), (4, 1)) == ["ACT@2", "CLR@4"]


def test_the_on_delay_runs_on_source_time() -> None:
    alarms = engine(rule(on_delay_s=3))
    assert feed(alarms, (1, 11), (2, 11), (3, 9), (4, 11), (6, 11), (7, 11)) == ["ACT@7"]


def test_the_off_delay_is_cancelled_by_a_violation() -> None:
    alarms = engine(rule(off_delay_s=3))
    assert feed(alarms, (1, 11), (2, 5), (4, 11), (5, 5), (7, 5), (8, 5)) == ["ACT@1", "CLR@8"]


def test_a_delay_that_ended_between_two_samples_counts() -> None:
    alarms = engine(rule(on_delay_s=3))
    assert feed(alarms, (1, 11), (9, 5)) == ["ACT@4", "CLR@9"]


def test_the_clock_ends_a_delay_when_no_more_samples_come() -> None:
    alarms = engine(rule(on_delay_s=3))
    assert feed(alarms, (1, 11)) == []
    assert alarms.tick(START + 4 * S) == [], "a sample under way may still decide"
    (step,) = alarms.tick(START + 4 * S + GRACE_US + 1)
    assert shown([step]) == ["ACT@4"]
    assert (step.sample_us, step.value) == (START + S, 11)
    assert alarms.tick(START + 60 * S) == []


def test_a_source_clock_that_is_behind_does_not_hurry_a_delay() -> None:
    alarms = engine(rule(on_delay_s=3))
    alarms.evaluate(columns([(-3600, 11)]), START)
    assert alarms.tick(START + 3 * S) == []
    assert shown(alarms.tick(START + 4 * S)) == ["ACT@-3597"]


def test_bad_quality_holds_and_stops_the_delay() -> None:
    bad = Quality.BAD_TIMEOUT
    alarms = engine(rule(on_delay_s=3))
    assert feed(alarms, (1, 11), (2, np.nan, bad)) == []
    assert alarms.tick(START + 60 * S) == []
    assert feed(alarms, (100, 11), (101, 11)) == []
    assert feed(alarms, (102, 11)) == ["ACT@102"], "one second before, two after"
    assert feed(alarms, (103, np.nan, bad), (104, np.nan, bad)) == []
    assert feed(alarms, (105, 5)) == ["CLR@105"]


def test_an_uncertain_value_is_judged_and_its_quality_kept() -> None:
    alarms = engine()
    (step,) = alarms.evaluate(columns([(1, 11, Quality.UNCERTAIN)]), START + S)
    assert step.quality == Quality.UNCERTAIN


def test_late_samples_decide_nothing() -> None:
    alarms = engine()
    assert feed(alarms, (10, 5)) == []
    assert alarms.evaluate(columns([(3, 11)]), START + 11 * S) == []
    assert feed(alarms, (12, 11)) == ["ACT@12"]
    assert alarms.evaluate(columns([(11, 5)]), START + 13 * S) == []


def test_a_clock_set_back_does_not_blind_the_alarms() -> None:
    alarms = engine()
    assert feed(alarms, (1000, 5)) == []
    assert feed(alarms, (100, 11)) == ["ACT@100"]


def test_a_device_clock_far_ahead_does_not_blind_the_alarms() -> None:
    alarms = engine()
    alarms.evaluate(columns([(86_400, 5)]), START)
    assert feed(alarms, (2, 11)) == ["ACT@2"]


def test_no_data() -> None:
    alarms = engine(rule(kind="no_data", limit=30))
    assert alarms.tick(START + 29 * S) == []
    assert feed(alarms, (29.5, 1)) == []
    assert feed(alarms, (40, np.nan, Quality.BAD_TIMEOUT)) == []
    assert shown(alarms.tick(START + 60 * S)) == ["ACT@59.5"]
    assert alarms.tick(START + 90 * S) == []
    assert feed(alarms, (91, np.nan, Quality.BAD_TIMEOUT)) == []
    assert feed(alarms, (92, 1)) == ["CLR@92"]


def test_rules_of_one_point_are_independent() -> None:
    alarms = engine(
        rule(), rule(id="tank.veryhigh", kind="hihi", limit=20.0), rule(id="f", point="tank.flow")
    )
    steps = alarms.evaluate(columns([(1, 11), (2, 21), (3, 15)]), START + 3 * S)
    judged = {(step.rule, step.event.value) for step in steps if step.event in {"ACT", "CLR"}}
    assert judged == {("tank.high", "ACT"), ("tank.veryhigh", "ACT"), ("tank.veryhigh", "CLR")}


def test_a_restart_neither_raises_again_nor_forgets() -> None:
    alarms = engine(rule(deadband=2.0))
    (raised,) = alarms.evaluate(columns([(1, 11)]), START + S)
    again = engine(rule(deadband=2.0), restored=alarms.state())
    assert again.evaluate(columns([(5, 11)]), START + 5 * S) == []
    (cleared,) = again.evaluate(columns([(6, 1)]), START + 6 * S)
    assert (cleared.occurrence, cleared.number) == (raised.occurrence, 2)


def test_an_alarm_whose_rule_is_gone_is_cleared() -> None:
    alarms = engine()
    (raised,) = alarms.evaluate(columns([(1, 11)]), START + S)
    again = engine(rule(id="tank.other"), restored=alarms.state())
    (cleared,) = again.tick(START + 9 * S)
    assert (cleared.occurrence, cleared.event) == (raised.occurrence, AlarmEvent.CLR)
    assert cleared.quality == Quality.BAD_OUT_OF_SERVICE
    assert again.standings() == []


# ---- invariants of alarms.md section 11 ----

_VALUES = st.sampled_from([5.0, 7.9, 8.0, 8.5, 9.0, 9.9, 10.0, 11.0, 30.0])
_SAMPLES = st.lists(
    st.tuples(
        st.integers(1, 8),
        _VALUES,
        st.sampled_from([0, 0, 0, Quality.UNCERTAIN, Quality.BAD_TIMEOUT]),
    ),
    min_size=1,
    max_size=40,
)
_RULES = st.builds(
    rule,
    kind=st.sampled_from(["hi", "hihi", "lo", "lolo", "off_normal"]),
    deadband=st.sampled_from([0.0, 2.0]),
    on_delay_s=st.sampled_from([0.0, 3.0, 10.0]),
    off_delay_s=st.sampled_from([0.0, 4.0]),
)


def _rows(samples: list[tuple[int, float, int]]) -> list[tuple[float, float, int]]:
    second, rows = 0, []
    for gap, value, quality in samples:
        second += gap
        rows.append((float(second), value, int(quality)))
    return rows


def _journal(one: Rule, rows: list[Any], cuts: list[int] | None = None) -> list[AlarmTransition]:
    alarms = engine(one)
    edges = sorted({0, len(rows), *(cuts if cuts is not None else range(len(rows)))})
    out = []
    for start, stop in pairwise(edge for edge in edges if edge <= len(rows)):
        part = rows[start:stop]
        out += alarms.evaluate(columns(part), START + round(part[-1][0] * S))
    return out


@given(_RULES, _SAMPLES)
def test_steps_alternate_and_times_never_go_back(one: Rule, samples: list[tuple[int, float, int]]) -> None:
    steps = _journal(one, _rows(samples))
    assert [step.event for step in steps] == [
        AlarmEvent.ACT if i % 2 == 0 else AlarmEvent.CLR for i in range(len(steps))
    ]
    assert all(a.event_us <= b.event_us for a, b in pairwise(steps))
    for raised, cleared in zip(steps[::2], steps[1::2], strict=False):
        assert raised.occurrence == cleared.occurrence
        assert (raised.number, cleared.number) == (1, 2)
    assert len({step.occurrence for step in steps}) == (len(steps) + 1) // 2


@given(st.lists(st.floats(8.001, 9.999), min_size=1, max_size=50), st.booleans())
def test_inside_the_deadband_nothing_toggles(values: list[float], active: bool) -> None:
    """Invariant 2."""
    alarms = engine(rule(deadband=2.0))
    feed(alarms, (0, 11.0 if active else 5.0))
    assert feed(alarms, *[(i + 1.0, value) for i, value in enumerate(values)]) == []


@given(_RULES, _SAMPLES, st.lists(st.integers(1, 100), min_size=1, max_size=20))
def test_bad_quality_never_clears_nor_raises(
    one: Rule, samples: list[tuple[int, float, int]], gaps: list[int]
) -> None:
    """Invariant 3."""
    rows = _rows(samples)
    alarms = engine(one)
    alarms.evaluate(columns(rows), START + round(rows[-1][0] * S))
    end = rows[-1][0]
    bad = (end + 0.001, np.nan, int(Quality.BAD_NO_COMMUNICATION))
    alarms.evaluate(columns([bad]), START + round(bad[0] * S))
    before = repr(alarms.standings())
    second = end
    for gap in gaps:
        second += gap
        at = START + round(second * S)
        assert alarms.evaluate(columns([(second, np.nan, int(Quality.BAD_NO_COMMUNICATION))]), at) == []
        assert alarms.tick(at) == []
    assert repr(alarms.standings()) == before


@given(_RULES, _SAMPLES, st.lists(st.integers(1, 40), max_size=6))
def test_the_same_samples_give_the_same_journal_however_they_are_cut(
    one: Rule, samples: list[tuple[int, float, int]], cuts: list[int]
) -> None:
    """Invariant 5; and columns are a matter of speed only."""
    rows = _rows(samples)
    assert _journal(one, rows) == _journal(one, rows) == _journal(one, rows, cuts)


@given(_RULES, _SAMPLES)
def test_ticks_in_time_change_nothing_in_the_journal(
    one: Rule, samples: list[tuple[int, float, int]]
) -> None:
    """Invariant 5 with a running clock: a tick may see the end of a delay first, with the same result."""
    rows = _rows(samples)
    alarms, steps = engine(one), []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        steps += alarms.evaluate(columns([row]), START + round(row[0] * S))
        quarter = round(row[0] * 4) + 1
        while following is not None and quarter < following[0] * 4:
            steps += alarms.tick(START + quarter * S // 4)
            quarter += 1

    def essence(step: AlarmTransition) -> tuple[str, AlarmEvent, int, str]:
        return step.rule, step.event, step.event_us, step.occurrence

    assert [essence(step) for step in steps] == [essence(step) for step in _journal(one, rows)]


@given(_RULES, _SAMPLES, st.lists(st.tuples(st.integers(0, 300), _VALUES), min_size=1, max_size=20))
def test_late_samples_never_annunciate(
    one: Rule, samples: list[tuple[int, float, int]], late: list[tuple[int, float]]
) -> None:
    """Invariant 6."""
    rows = _rows(samples)
    alarms = engine(one)
    alarms.evaluate(columns(rows), START + round(rows[-1][0] * S))
    before = repr(alarms.standings())
    old = [(min(second, rows[-1][0] - 0.5), value, 0) for second, value in late]
    assert alarms.evaluate(columns(old), START + round(rows[-1][0] * S)) == []
    assert repr(alarms.standings()) == before


@given(_RULES, _SAMPLES, st.sets(st.integers(0, 40), max_size=5))
def test_a_restart_anywhere_doubles_and_forgets_nothing(
    one: Rule, samples: list[tuple[int, float, int]], cuts: set[int]
) -> None:
    """Delays under way go on: the journal over any restarts is that without one."""
    rows = _rows(samples)
    alarms, steps = engine(one), []
    for i, row in enumerate(rows):
        if i in cuts:
            alarms = engine(one, now=row[0], restored=alarms.state())
        steps += alarms.evaluate(columns([row]), START + round(row[0] * S))
    assert steps == _journal(one, rows)


def test_an_engine_that_nobody_uses_is_gone_at_once() -> None:
    """After a change of configuration no collection looks at what lived before: a ring would stay."""
    gc.disable()
    try:
        used = engine()
        assert feed(used, (1, 12)) == ["ACT@1"]
        gone = weakref.ref(used)
        del used
        assert gone() is None
    finally:
        gc.enable()
