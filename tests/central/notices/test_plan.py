"""The planner of escalations: nothing doubled, nothing forgotten, whenever it is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from central.notices.bodies import Until
from central.notices.plan import Plan, ended

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

plans = st.builds(
    lambda after, repeat: Plan([n * MINUTE for n in sorted(after)], repeat * MINUTE if repeat else None),
    st.sets(st.integers(0, 100), min_size=1, max_size=5),
    st.integers(0, 40),
)
asked_at = st.lists(st.integers(0, 400), min_size=1, max_size=60).map(sorted)


@given(plans, asked_at)
def test_every_step_comes_once_in_order_and_never_early(plan: Plan, minutes: list[int]) -> None:
    fired, steps = 0, []
    for minute in minutes:
        now = START + minute * MINUTE
        for fire in plan.due(START, fired, now):
            assert fire.at <= now
            assert fire.upto > fired
            fired = fire.upto
            steps.append(fire.step)
        following = plan.at(fired, START)
        assert following is None or following > now
        assert plan.due(START, fired, now) == []
    own = len([step for step in plan.after if START + step <= START + minutes[-1] * MINUTE])
    assert steps[:own] == list(range(own))
    assert set(steps[own:]) <= {len(plan.after) - 1}


@given(plans, st.integers(0, 400))
def test_asked_each_minute_it_sends_exactly_what_is_planned(plan: Plan, end: int) -> None:
    fired, times = 0, []
    for minute in range(end + 1):
        for fire in plan.due(START, fired, START + minute * MINUTE):
            fired = fire.upto
            times.append(fire.at)
    planned, number = [], 0
    while (at := plan.at(number, START)) is not None and at <= START + end * MINUTE:
        planned.append(at)
        number += 1
    assert times == planned


@given(plans, st.integers(101, 2000))
def test_after_a_long_silence_each_step_is_one_message(plan: Plan, minute: int) -> None:
    fires = plan.due(START, 0, START + minute * MINUTE)
    assert [fire.step for fire in fires] == list(range(len(plan.after)))


def test_the_example_of_the_manual() -> None:
    plan = Plan([5 * MINUTE, 15 * MINUTE], 30 * MINUTE)
    times = [plan.at(fire, START) for fire in range(4)]
    assert [at - START for at in times if at] == [5 * MINUTE, 15 * MINUTE, 45 * MINUTE, 75 * MINUTE]


@given(
    st.sampled_from(["UNACK", "ACKED", "RTNUN", "LTUNK", "LTACK", "NORM"]),
    st.sampled_from(["acknowledged", "acknowledged_or_cleared", "cleared"]),
    st.booleans(),
    st.booleans(),
)
def test_when_it_is_over(state: str, until: Until, closed: bool, covered: bool) -> None:
    why = ended(until, state, closed=closed, covered=covered)
    unacked, active = state in ("UNACK", "RTNUN", "LTUNK"), state in ("UNACK", "ACKED")
    wanted = {"acknowledged": unacked, "cleared": active, "acknowledged_or_cleared": unacked and active}[
        until
    ]
    assert (why is None) == (wanted and not closed and not covered)
