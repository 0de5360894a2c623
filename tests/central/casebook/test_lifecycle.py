"""The chain of a case, walked in every order that its table allows and in some that it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.casebook.lifecycle import (
    CASE_ACTIONS,
    CHAIN,
    EVENT_OF_CASE,
    FINAL_CASE_STATES,
    TASK_ACTIONS,
    Action,
    CaseState,
    TaskState,
    possible,
    step,
)
from protocols.errors import Rejected

STRAIGHT = ("open", "assign", "accept", "on_site", "done", "verify", "close")


def walk(actions: tuple[str, ...]) -> tuple[CaseState | None, TaskState | None]:
    case: CaseState | None = None
    task: TaskState | None = None
    for action in actions:
        row = step(case, task, Action(action))
        case = row.case_after
        task = None if row.task_after is TaskState.REFUSED else row.task_after
    return case, task


def test_straight_chain_ends_closed() -> None:
    assert walk(STRAIGHT) == (CaseState.CLOSED, TaskState.VERIFIED)


def test_rework_goes_back_to_the_same_unit_and_through_every_step_again() -> None:
    again = (*STRAIGHT[:5], "rework", "accept", "on_site", "done", "verify", "close")
    assert walk(again) == (CaseState.CLOSED, TaskState.VERIFIED)


def test_refused_case_can_be_given_to_another_unit_or_voided() -> None:
    assert walk(("open", "assign", "refuse", *STRAIGHT[1:])) == (CaseState.CLOSED, TaskState.VERIFIED)
    assert walk(("open", "assign", "accept", "refuse", "void")) == (CaseState.VOIDED, None)


def test_no_row_twice_and_every_state_is_reached() -> None:
    keys = [(row.case, row.task, row.action) for row in CHAIN]
    assert len(keys) == len(set(keys))
    assert {row.case_after for row in CHAIN} == set(CaseState)
    assert {row.task_after for row in CHAIN} == {None, *TaskState}
    assert set(EVENT_OF_CASE) == set(CaseState)
    assert {Action.OPEN, *TASK_ACTIONS, *CASE_ACTIONS} == set(Action)


@given(st.lists(st.sampled_from(list(Action)), max_size=40))
def test_any_order_of_actions_keeps_the_promises(actions: list[Action]) -> None:
    case: CaseState | None = None
    task: TaskState | None = None
    done: list[Action] = []
    for action in actions:
        if action not in possible(case, task):
            with pytest.raises(Rejected, match="possible") as refusal:
                step(case, task, action)
            assert refusal.value.reason == "not-allowed"
            continue
        row = step(case, task, action)
        case, task = row.case_after, None if row.task_after is TaskState.REFUSED else row.task_after
        done.append(action)
    if case in FINAL_CASE_STATES:
        assert possible(case, task) == ()
    if case is CaseState.CLOSED:
        # Nobody closes what was not done and then checked, in this order, in the last round.
        last = {action: len(done) - 1 - done[::-1].index(action) for action in set(done)}
        order = [last[Action(name)] for name in STRAIGHT]
        assert order == sorted(order)
        assert done.count(Action.DONE) == done.count(Action.REWORK) + 1
    assert done.count(Action.OPEN) <= 1


@given(st.sampled_from(list(CaseState)), st.sampled_from([None, *TaskState]), st.sampled_from(list(Action)))
def test_a_pair_without_a_row_is_refused_with_what_is_possible(
    case: CaseState, task: TaskState | None, action: Action
) -> None:
    choices = possible(case, task)
    if action in choices:
        return
    with pytest.raises(Rejected) as refusal:
        step(case, task, action)
    for choice in choices:
        assert choice in str(refusal.value)
