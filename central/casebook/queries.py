"""Reading the casebook: lists by page, single records, and the links from alarms to events and cases."""

from __future__ import annotations

from collections.abc import Collection, Set
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
from central.store.reach import among, at_sites

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
        .where(among(EventAlarm.alarm, alarms))
    )
    return {alarm: Link(event, case) for alarm, event, case in await session.execute(statement)}


async def event(session: AsyncSession, event_id: str, sites: Set[str] | None = None) -> schemas.Event:
    """Return an event; Problem 404 where there is none at these sites."""
    row = await session.scalar(select(Event).where(Event.id == event_id, *at_sites(Event.site, sites)))
    if row is None:
        raise not_found("event", event_id)
    return views.event(row)


async def events(
    session: AsyncSession,
    *,
    state: OpenOrClosed | EventState = "all",
    site: str | None = None,
    sites: Set[str] | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> schemas.EventPage:
    """Return events at these sites, newest first."""
    statement = select(Event).where(*at_sites(Event.site, sites))
    if state == "open":
        statement = statement.where(Event.state != EventState.CLOSED)
    elif state != "all":
        statement = statement.where(Event.state == state)
    if site is not None:
        statement = statement.where(Event.site == site)
    shown, following = await newest_first(session, statement, Event.opened_at, Event.id, limit, cursor)
    return schemas.EventPage(items=[views.event(row) for row in shown], next_cursor=following)


async def case(
    session: AsyncSession, case_id: str, now: datetime, sites: Set[str] | None = None
) -> schemas.Case:
    """Return a case with its whole story; Problem 404 where there is none at these sites."""
    row = await session.scalar(select(Case).where(Case.id == case_id, *at_sites(Case.site, sites)))
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
    sites: Set[str] | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> schemas.CasePage:
    """Return cases at these sites, newest first."""
    statement = select(Case).where(*at_sites(Case.site, sites))
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
    sites: Set[str] | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> schemas.TaskPage:
    """Return tasks of cases at these sites, newest first."""
    statement = select(Task).options(selectinload(Task.case).selectinload(Case.tasks))
    if sites is not None:
        statement = statement.join(Task.case).where(*at_sites(Case.site, sites))
    if unit is not None:
        statement = statement.where(Task.unit == unit)
    if state is not None:
        statement = statement.where(Task.state == state)
    shown, following = await newest_first(session, statement, Task.assigned_at, Task.id, limit, cursor)
    return schemas.TaskPage(items=[views.task(row, row.case, now) for row in shown], next_cursor=following)


async def require_case(session: AsyncSession, case_id: str, sites: Set[str] | None) -> None:
    """Raise Problem 404 where there is no such case at these sites, as where there is none at all."""
    found = select(Case.id).where(Case.id == case_id, *at_sites(Case.site, sites))
    if await session.scalar(found) is None:
        raise not_found("case", case_id)


async def require_task(session: AsyncSession, task_id: str, sites: Set[str] | None) -> None:
    """Raise Problem 404 where there is no such task of a case at these sites."""
    found = select(Task.id).join(Task.case).where(Task.id == task_id, *at_sites(Case.site, sites))
    if await session.scalar(found) is None:
        raise not_found("task", task_id)


async def require_event(session: AsyncSession, event_id: str, sites: Set[str] | None) -> None:
    """Raise Problem 404 where there is no such event at these sites."""
    found = select(Event.id).where(Event.id == event_id, *at_sites(Event.site, sites))
    if await session.scalar(found) is None:
        raise not_found("event", event_id)


async def units(session: AsyncSession) -> schemas.UnitPage:
    """Return every unit, by id."""
    rows = await session.scalars(select(Unit).order_by(Unit.id))
    return schemas.UnitPage(items=[views.unit(row) for row in rows])


@dataclass(frozen=True, slots=True)
class Counts:
    """Cases that are open, and those of them past their due time."""

    open: int
    overdue: int


async def counts(session: AsyncSession, now: datetime, sites: Set[str] | None = None) -> Counts:
    """Count the open and the overdue cases at these sites."""
    statement = select(func.count(), func.count().filter(Case.due_at < now)).where(
        Case.state.not_in(FINAL_CASE_STATES), *at_sites(Case.site, sites)
    )
    total, overdue = (await session.execute(statement)).one()
    return Counts(total, overdue)
