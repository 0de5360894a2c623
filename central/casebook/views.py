"""From the casebook's rows to what the API shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from central.casebook import models, schemas
from central.casebook.due import is_overdue
from central.casebook.lifecycle import (
    CASE_ACTIONS,
    TASK_ACTIONS,
    CaseState,
    TaskState,
    possible,
)
from central.kernel.shapes import Name


def alarm(row: models.EventAlarm) -> schemas.AlarmBrief:
    """Show an alarm of an event."""
    return schemas.AlarmBrief.model_validate(
        {
            "id": row.alarm,
            "rule_id": row.rule,
            "name": Name(zh=row.name_zh, en=row.name_en),
            "point": row.point,
            "device": row.device,
            "priority": row.priority,
            "raised_at": row.raised_at,
        }
    )


def event(row: models.Event, alarms: Sequence[models.EventAlarm] | None = None) -> schemas.Event:
    """Show an event with its alarms, or with these of them."""
    return schemas.Event.model_validate(
        {
            "id": row.id,
            "number": row.number,
            "title": Name(zh=row.title_zh, en=row.title_en),
            "site": row.site,
            "device": row.device,
            "category": row.category,
            "level": row.level,
            "state": row.state,
            "opened_at": row.opened_at,
            "closed_at": row.closed_at,
            "closed_by": row.closed_by,
            "closing_note": row.closing_note,
            "alarms": [alarm(item) for item in (row.alarms if alarms is None else alarms)],
            "case_id": row.case_id,
        }
    )


def unit(row: models.Unit) -> schemas.Unit:
    """Show a unit."""
    return schemas.Unit(id=row.id, name=Name(zh=row.name_zh, en=row.name_en), kind=row.kind)


def task(row: models.Task, case: models.Case, now: datetime) -> schemas.Task:
    """Show a task beside the case it belongs to."""
    state = TaskState(row.state)
    allowed = possible(CaseState(case.state), state) if open_task(case) is row else ()
    return schemas.Task.model_validate(
        {
            "id": row.id,
            "case_id": row.case_id,
            "case_number": case.number,
            "title": Name(zh=case.title_zh, en=case.title_en),
            "site": case.site,
            "priority": case.priority,
            "unit": row.unit,
            "state": state,
            "round": row.round,
            "due_at": row.due_at,
            "overdue": is_overdue(row.due_at, row.done_at or row.refused_at, now),
            "assigned_at": row.assigned_at,
            "accepted_at": row.accepted_at,
            "on_site_at": row.on_site_at,
            "done_at": row.done_at,
            "verified_at": row.verified_at,
            "refused_at": row.refused_at,
            "actions": [action for action in allowed if action in TASK_ACTIONS],
        }
    )


def step(row: models.CaseStep) -> schemas.Step:
    """Show a step of a case."""
    return schemas.Step.model_validate(
        {
            "number": row.number,
            "at": row.at,
            "actor": row.actor,
            "action": row.action,
            "from": row.state_before,
            "to": row.state_after,
            "comment": row.comment,
            "unit": row.unit,
            "task": row.task,
            "hash": row.hash.hex(),
        }
    )


def open_task(case: models.Case) -> models.Task | None:
    """Return the task that the case's chain is about: the last one, unless it was refused."""
    last = case.tasks[-1] if case.tasks else None
    return None if last is None or last.state == TaskState.REFUSED else last


def case(row: models.Case, now: datetime) -> schemas.Case:
    """Show a case with its tasks, its steps and the alarms of its event."""
    current = open_task(row)
    allowed = possible(CaseState(row.state), TaskState(current.state) if current else None)
    return schemas.Case.model_validate(
        {
            "id": row.id,
            "number": row.number,
            "title": Name(zh=row.title_zh, en=row.title_en),
            "description": row.description,
            "state": row.state,
            "priority": row.priority,
            "category": row.category,
            "site": row.site,
            "event_id": row.event_id,
            "unit": row.unit,
            "opened_at": row.opened_at,
            "opened_by": row.opened_by,
            "due_at": row.due_at,
            "overdue": is_overdue(row.due_at, row.closed_at, now),
            "closed_at": row.closed_at,
            "reworks": row.reworks,
            "tasks": [task(item, row, now) for item in row.tasks],
            "steps": [step(item) for item in row.steps],
            "alarms": [alarm(item) for item in row.event.alarms] if row.event else [],
            "actions": [action for action in allowed if action in CASE_ACTIONS],
        }
    )
