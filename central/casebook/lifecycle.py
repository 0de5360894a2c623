"""The life of a case and of its task, as one table; no clock, no database.

A subset of the GB/T 30428 chain (立案 派遣 处置 反馈 核查 结案), `../shared/domain/events_and_dispatch.md`
section 4: an action either has a row for the present states, or it is refused and says what is possible.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from protocols.errors import Rejected


class CaseState(StrEnum):
    """Where a case (案件) stands."""

    PENDING_DISPATCH = "PENDING_DISPATCH"
    """待派遣: filed, no unit has it."""
    HANDLING = "HANDLING"
    """处置中: a unit has the task; the handling clock runs."""
    PENDING_CHECK = "PENDING_CHECK"
    """待核查: the unit says it is done."""
    PENDING_CLOSE = "PENDING_CLOSE"
    """待结案: the check found it done."""
    CLOSED = "CLOSED"
    """结案."""
    VOIDED = "VOIDED"
    """作废: it was no case."""


class TaskState(StrEnum):
    """Where the work of one unit stands."""

    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    ON_SITE = "on_site"
    DONE = "done"
    VERIFIED = "verified"
    REFUSED = "refused"


class EventState(StrEnum):
    """Where an event (事件) stands; it follows its case."""

    REPORTED = "reported"
    VERIFIED = "verified"
    RESPONDING = "responding"
    CONTROLLED = "controlled"
    CLOSED = "closed"


class Action(StrEnum):
    """What a person does to a case or to its task."""

    OPEN = "open"
    ASSIGN = "assign"
    ACCEPT = "accept"
    ON_SITE = "on_site"
    DONE = "done"
    VERIFY = "verify"
    REWORK = "rework"
    REFUSE = "refuse"
    CLOSE = "close"
    VOID = "void"


class Row(NamedTuple):
    """One row of the chain: from the states before to the states after. None: there is none."""

    case: CaseState | None
    task: TaskState | None
    action: Action
    case_after: CaseState
    task_after: TaskState | None


_C, _T, _A = CaseState, TaskState, Action

CHAIN: Final[tuple[Row, ...]] = (
    Row(None, None, _A.OPEN, _C.PENDING_DISPATCH, None),
    Row(_C.PENDING_DISPATCH, None, _A.ASSIGN, _C.HANDLING, _T.ASSIGNED),
    Row(_C.PENDING_DISPATCH, None, _A.VOID, _C.VOIDED, None),
    Row(_C.HANDLING, _T.ASSIGNED, _A.ACCEPT, _C.HANDLING, _T.ACCEPTED),
    Row(_C.HANDLING, _T.ASSIGNED, _A.REFUSE, _C.PENDING_DISPATCH, _T.REFUSED),
    Row(_C.HANDLING, _T.ACCEPTED, _A.ON_SITE, _C.HANDLING, _T.ON_SITE),
    Row(_C.HANDLING, _T.ACCEPTED, _A.REFUSE, _C.PENDING_DISPATCH, _T.REFUSED),
    Row(_C.HANDLING, _T.ON_SITE, _A.DONE, _C.PENDING_CHECK, _T.DONE),
    Row(_C.PENDING_CHECK, _T.DONE, _A.VERIFY, _C.PENDING_CLOSE, _T.VERIFIED),
    # 返工: the same unit, a new round; it accepts again, so that the new round has its own times.
    Row(_C.PENDING_CHECK, _T.DONE, _A.REWORK, _C.HANDLING, _T.ASSIGNED),
    Row(_C.PENDING_CLOSE, _T.VERIFIED, _A.CLOSE, _C.CLOSED, _T.VERIFIED),
)
"""The whole chain. `task` is the open task; a refused one is no longer the case's task."""

_BY_KEY: Final = {(row.case, row.task, row.action): row for row in CHAIN}

TASK_ACTIONS: Final = frozenset({_A.ACCEPT, _A.ON_SITE, _A.DONE, _A.VERIFY, _A.REWORK, _A.REFUSE})
CASE_ACTIONS: Final = frozenset({_A.ASSIGN, _A.CLOSE, _A.VOID})
FINAL_CASE_STATES: Final = frozenset({_C.CLOSED, _C.VOIDED})
FINAL_TASK_STATES: Final = frozenset({_T.VERIFIED, _T.REFUSED})

EVENT_OF_CASE: Final[dict[CaseState, EventState]] = {
    _C.PENDING_DISPATCH: EventState.VERIFIED,
    _C.HANDLING: EventState.RESPONDING,
    _C.PENDING_CHECK: EventState.CONTROLLED,
    _C.PENDING_CLOSE: EventState.CONTROLLED,
    _C.CLOSED: EventState.CLOSED,
    _C.VOIDED: EventState.CLOSED,
}
"""The state of an event that has a case; without one it is `reported`."""


def possible(case: CaseState | None, task: TaskState | None) -> tuple[Action, ...]:
    """Return the actions that have a row for these states, in the chain's order."""
    return tuple(row.action for row in CHAIN if row.case is case and row.task is task)


def step(case: CaseState | None, task: TaskState | None, action: Action) -> Row:
    """Return the row of `action`; Rejected(`not-allowed`) where the chain has none, with what it has."""
    row = _BY_KEY.get((case, task, action))
    if row is None:
        choices = ", ".join(possible(case, task)) or "nothing; it is finished"
        where = f"the case is {case or 'not opened'}" + (f" and its task {task}" if task else "")
        raise Rejected("not-allowed", f"{action} is not possible while {where}; possible: {choices}")
    return row
