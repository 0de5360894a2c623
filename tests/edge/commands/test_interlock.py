"""Interlocks: what is forbidden is refused, what is not known is refused, and minimum times are kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.commands.condition import Condition, condition
from edge.commands.interlock import Guard, groups, mutual
from edge.commands.memory import Memory, Run
from edge.config.acting import Comparison
from protocols.errors import Rejected
from protocols.model.clock import SECOND_US
from protocols.model.command import Reason

S = SECOND_US


def nothing(point: str) -> float | None:
    return None


def refused(guard: Guard, value: float | str, known: dict[str, float | None], run: Run | None = None) -> str:
    """Return the reason of a refusal, or "" where it is allowed."""
    try:
        guard.check(value, known.get, run, 1_000 * S)
    except Rejected as error:
        return error.reason
    return ""


def level(op: str, value: float) -> Condition:
    return condition(Comparison.model_validate({"point": "well.level", "op": op, "value": value}))


@pytest.mark.parametrize(
    ("op", "holds"),
    [("<", False), ("<=", True), (">", False), (">=", True), ("==", True), ("!=", False)],
)
def test_a_comparison_holds_or_does_not(op: str, holds: bool) -> None:
    assert level(op, 2.0).holds({"well.level": 2.0}.get) is holds
    assert level(op, 2.0).holds(nothing) is None


@pytest.mark.parametrize("one", [level(">", 0.5), condition("well.level > 0.5")])
def test_a_permissive_that_fails_or_is_unknown_forbids_starting(one: Condition) -> None:
    guard = Guard(permit=(one,))
    assert refused(guard, 1.0, {"well.level": 0.6}) == ""
    assert refused(guard, 1.0, {"well.level": 0.5}) == Reason.INTERLOCK
    assert refused(guard, 1.0, {"well.level": None}) == Reason.INTERLOCK_UNKNOWN
    assert refused(guard, 0.0, {"well.level": None}) == "", "stopping needs no permission"


def test_permissives_may_be_asked_for_stopping_or_always_and_for_text() -> None:
    one = level(">", 0.5)
    assert refused(Guard(permit=(one,), permit_for="off"), 0.0, {}) == Reason.INTERLOCK_UNKNOWN
    assert refused(Guard(permit=(one,), permit_for="off"), 1.0, {}) == ""
    assert refused(Guard(permit=(one,), permit_for="any"), "OPEN", {}) == Reason.INTERLOCK_UNKNOWN
    assert refused(Guard(permit=(one,)), "OPEN", {}) == ""


def test_every_permissive_must_hold_and_the_refusal_says_which_and_why() -> None:
    guard = Guard(permit=(level(">", 0.5), level("<", 9.0)), why="空转 / dry run")
    with pytest.raises(Rejected, match=r"well.level < 9 does not hold \(空转 / dry run\)"):
        guard.check(1.0, {"well.level": 9.5}.get, None, 0)


@given(st.sampled_from([0.0, 1.0, None]), st.sampled_from([0.0, 1.0, 30.0]))
def test_two_that_exclude_one_another_are_never_both_on(other: float | None, value: float) -> None:
    found = refused(Guard(excludes=("pump2.run",)), value, {"pump2.run": other})
    if value == 0 or other == 0:
        assert found == ""
    else:
        assert found == (Reason.INTERLOCK_UNKNOWN if other is None else Reason.EXCLUDED)


@given(
    st.booleans(),
    st.sampled_from([None, True, False]),
    st.integers(0, 200),
    st.integers(0, 90),
    st.integers(0, 90),
)
def test_minimum_times_are_kept_to_the_microsecond(
    on: bool, before: bool | None, age_s: int, min_on_s: int, min_off_s: int
) -> None:
    guard = Guard(min_on_us=min_on_s * S, min_off_us=min_off_s * S)
    run = None if before is None else Run(before, (1_000 - age_s) * S)
    found = refused(guard, float(on), {}, run)
    if before is None:
        assert found == (Reason.INTERLOCK_UNKNOWN if on and min_off_s else "")
    elif before == on:
        assert found == "", "what changes nothing is never too early"
    elif on:
        assert found == (Reason.MIN_OFF if age_s < min_off_s else "")
    else:
        assert found == (Reason.MIN_ON if age_s < min_on_s else "")


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"), max_size=3), max_size=6))
def test_exclusion_is_mutual_and_makes_groups(pairs: dict[str, set[str]]) -> None:
    excludes = mutual({point: others - {point} for point, others in pairs.items()})
    name = groups(excludes)
    for point, others in excludes.items():
        for other in others:
            assert point in excludes[other]
            assert name[point] == name[other]


class MinimumTimes(RuleBasedStateMachine):
    """A pump that is started, stopped, seen, lost from sight, restarted with its gateway, and re-clocked.

    However it goes: what the gateway allows never makes the pump start before it rested, nor stop before
    it ran, for the times written, as far as the gateway could see it.
    """

    guard = Guard(min_on_us=20 * S, min_off_us=50 * S)

    def __init__(self) -> None:
        super().__init__()
        self.mono, self.wall = 10 * S, 1_700_000_000 * S
        self.memory = Memory(None, self.wall, self.mono)
        self.on: bool | None = None
        self.since = 0
        """True start of the present state, on a clock that never stops."""
        self.time = 0
        self.seen = True

    @initialize(on=st.booleans())
    def begin(self, on: bool) -> None:
        self.on = on
        self.look()

    def look(self) -> None:
        self.memory.saw({"pump": float(bool(self.on)) if self.seen else None}, self.mono)

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        self.time += seconds * S
        self.mono += seconds * S
        self.wall += seconds * S
        self.look()

    @rule(hours=st.integers(-24, 24))
    def step_the_clock(self, hours: int) -> None:
        self.wall += hours * 3600 * S
        self.look()

    @rule(seen=st.booleans())
    def lose_or_find(self, seen: bool) -> None:
        self.seen = seen
        self.look()

    @rule()
    def restart(self) -> None:
        kept = self.memory.kept(self.wall, self.mono)
        self.mono = 3 * S  # the machine was started anew, and its monotonic clock with it
        self.memory = Memory(kept, self.wall, self.mono)
        self.look()

    @rule(on=st.booleans())
    def command(self, on: bool) -> None:
        self.look()
        try:
            self.guard.check(float(on), nothing, self.memory.runs.get("pump"), self.mono)
        except Rejected:
            return
        if on != self.on:
            assert self.time - self.since >= (50 if on else 20) * S
            self.on, self.since = on, self.time
            # The read-back of a write tells the new state at once, whether it is polled or not.
            self.memory.saw({"pump": float(on)}, self.mono)

    @invariant()
    def what_is_seen_is_remembered(self) -> None:
        if self.seen and self.on is not None and "pump" in self.memory.runs:
            assert self.memory.runs["pump"].on == self.on


TestMinimumTimes = MinimumTimes.TestCase
TestMinimumTimes.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
