"""Reading the casebook: lists by page, single records, and the links from alarms to events and cases."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from central.casebook import schemas, views
from central.casebook.lifecycle import FINAL_CASE_STATES, EventState, TaskState
from central.casebook.models import Case, Event, EventAlarm, Task, Unit
from central.kernel.problem import not_found
from central.store.paging import newest_first

OpenOrClosed = Literal["open", "closed", "all"]


@dataclass(frozen=True, slots=True)
class Link:
    """The event, and the case, that an alarm led to."""

    event_id: str
    case_id: str | None


async def links(session: AsyncSession, alarms: Collection[str]) -> dict[str, Link]:
    """Return the link of each alarm that led to an event."""
    statement = (
        select(EventAlarm.alarm, Event.id, Event.case_id)
        .join(Event, Event.id == EventAlarm.event_id)
        .where(EventAlarm.alarm.in_(alarms))
    )
    return {alarm: Link(event, case) for alarm, event, case in await session.execute(statement)}


async def event(session: AsyncSession, event_id: str) -> schemas.Event:
    """Return an event; Problem 404 where there is none."""
    row = await session.get(Event, event_id)
    if row is None:
        raise not_found("event", event_id)
    return views.event(row)


async def events(
    session: AsyncSession,
    *,
    state: OpenOrClosed | EventState = "all",
    site: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> schemas.EventPage:
    """Return events, newest first."""
    statement = select(Event)
    if state == "open":
        statement = statement.where(Event.state != EventState.CLOSED)
    elif state != "all":
        statement = statement.where(Event.state == state)
    if site is not None:
        statement = statement.where(Event.site == site)
    shown, following = await newest_first(session, statement, Event.opened_at, Event.id, limit, cursor)
    return schemas.EventPage(items=[views.event(row) for row in shown], next_cursor=following)


async def case(session: AsyncSession, case_id: str, now: datetime) -> schemas.Case:
    """Return a case with its whole story; Problem 404 where there is none."""
    row = await session.get(Case, case_id)
    if row is None:
        raise not_found("case", case_id)
    return views.case(row, now)


async def cases(
    session: AsyncSession,
    now: datetime,
    *,
    state: OpenOrClosed = "all",
    site: str | None = None,
    unit: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> schemas.CasePage:
    """Return cases, newest first."""
    statement = select(Case)
    if state == "open":
        statement = statement.where(Case.state.not_in(FINAL_CASE_STATES))
    elif state == "closed":
        statement = statement.where(Case.state.in_(FINAL_CASE_STATES))
    if site is not None:
        statement = statement.where(Case.site == site)
    if unit is not None:
        statement = statement.where(Case.unit == unit)
    shown, following = await newest_first(session, statement, Case.opened_at, Case.id, limit, cursor)
    return schemas.CasePage(items=[views.case(row, now) for row in shown], next_cursor=following)


async def tasks(
    session: AsyncSession,
    now: datetime,
    *,
    unit: str | None = None,
    state: TaskState | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> schemas.TaskPage:
    """Return tasks, newest first."""
    statement = select(Task).options(selectinload(Task.case).selectinload(Case.tasks))
    if unit is not None:
        statement = statement.where(Task.unit == unit)
    if state is not None:
        statement = statement.where(Task.state == state)
    shown, following = await newest_first(session, statement, Task.assigned_at, Task.id, limit, cursor)
    return schemas.TaskPage(items=[views.task(row, row.case, now) for row in shown], next_cursor=following)


async def units(session: AsyncSession) -> schemas.UnitPage:
    """Return every unit, by id."""
    rows = await session.scalars(select(Unit).order_by(Unit.id))
    return schemas.UnitPage(items=[views.unit(row) for row in rows])


@dataclass(frozen=True, slots=True)
class Counts:
    """Cases that are open, and those of them past their due time."""

    open: int
    overdue: int


async def counts(session: AsyncSession, now: datetime) -> Counts:
    """Count the open and the overdue cases."""
    statement = select(func.count(), func.count().filter(Case.due_at < now)).where(
        Case.state.not_in(FINAL_CASE_STATES)
    )
    total, overdue = (await session.execute(statement)).one()
    return Counts(total, overdue)
