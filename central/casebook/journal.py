"""The steps of a case: appended, never changed, each sealed to the one before."""

from __future__ import annotations

from datetime import datetime

from central.casebook.lifecycle import EVENT_OF_CASE, Action, CaseState
from central.casebook.models import Case, CaseStep, Task
from protocols.model.chain import Scalar, first_break, seal
from protocols.model.clock import from_datetime


def record(
    case: Case,
    before: CaseState | None,
    after: CaseState,
    action: Action,
    *,
    actor: str,
    comment: str,
    now: datetime,
    task: Task | None = None,
) -> None:
    """Append a step, and let the case and its event take the new state."""
    step = CaseStep(
        case_id=case.id,
        number=len(case.steps) + 1,
        at=now,
        actor=actor,
        action=action,
        state_before=before,
        state_after=after,
        unit=task.unit if task else None,
        task=task.id if task else None,
        comment=comment,
        prev_hash=case.chain,
    )
    step.hash = seal(case.chain, content(step))
    case.steps.append(step)
    case.chain = step.hash
    case.state = after
    if case.event is not None:
        case.event.state = EVENT_OF_CASE[after]


def content(step: CaseStep) -> dict[str, Scalar]:
    """Return what the hash of a step covers: everything but the hashes."""
    return {
        "case": step.case_id,
        "number": step.number,
        "at_us": from_datetime(step.at),
        "actor": step.actor,
        "action": step.action,
        "from": step.state_before,
        "to": step.state_after,
        "unit": step.unit,
        "task": step.task,
        "comment": step.comment,
    }


def broken_step(case: Case) -> int | None:
    """Return the number of the first step that was changed, removed or added behind our back; None if none.

    A cut tail shows as well: the case keeps the hash of its last step.
    """
    place = first_break((content(step), step.prev_hash, step.hash) for step in case.steps)
    if place is not None:
        return case.steps[place].number
    last = case.steps[-1].hash if case.steps else None
    return None if last == case.chain else len(case.steps) + 1
