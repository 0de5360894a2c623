"""What may be done to events and cases. The caller owns the transaction and tells others after its commit."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload

from central.casebook import schemas, views
from central.casebook.due import Limits
from central.casebook.journal import record
from central.casebook.lifecycle import EVENT_OF_CASE, Action, CaseState, EventState, TaskState
from central.casebook.lifecycle import step as next_row
from central.casebook.models import Case, Event, EventAlarm, RaisedAlarm, Task, Unit
from central.casebook.numbers import next_number
from central.kernel.problem import not_found
from central.store.reach import among
from protocols.errors import Rejected
from protocols.model.alarm import Priority
from protocols.model.chain import START
from protocols.model.clock import now_us, to_datetime

OPENS_EVENT: Final = frozenset({"P1", "P2"})
TOLD: Final = 100
"""An event that is told of as it grows names so many of its alarms, the first; asked for, it names all."""
JOIN_WITHIN: Final = timedelta(hours=24)
_PRIORITIES: Final[tuple[Priority, ...]] = ("P1", "P2", "P3", "P4")
_INTAKE_LOCK: Final = 0x636E_0001
"""Advisory lock of the intake, so that two batches at once cannot open one event twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """What a case is opened with. With an event, what is None comes from the event."""

    description: str
    event_id: str | None = None
    title_zh: str | None = None
    title_en: str | None = None
    site: str | None = None
    category: str | None = None
    priority: Priority | None = None


async def alarms_raised(
    session: AsyncSession, raised: Sequence[RaisedAlarm], *, now: datetime | None = None
) -> list[schemas.Event]:
    """Open or join an event for each P1 or P2 alarm; return the events that changed.

    An alarm joins the open event of its (site, category) that is younger than 24 h (alarms.md
    section 9). An alarm that is already known changes nothing, so a repeated batch does no harm.
    """
    urgent = {alarm.id: alarm for alarm in raised if alarm.priority in OPENS_EVENT}
    if not urgent:
        return []
    now = now or to_datetime(now_us())
    await session.execute(select(func.pg_advisory_xact_lock(_INTAKE_LOCK)))
    known = await session.scalars(select(EventAlarm.alarm).where(among(EventAlarm.alarm, urgent)))
    for alarm_id in known:
        del urgent[alarm_id]
    changed: dict[str, Event] = {}
    joined: dict[tuple[str, str], Event] = {}
    """In a storm hundreds join one event: it is looked up only once, and without those that it has."""
    for alarm in sorted(urgent.values(), key=lambda item: item.raised_us):
        place = (alarm.site, alarm.category)
        if place not in joined:
            joined[place] = await _event_for(session, alarm, now)
        event = joined[place]
        session.add(
            EventAlarm(
                alarm=alarm.id,
                event_id=event.id,
                rule=alarm.rule,
                name_zh=alarm.name_zh,
                name_en=alarm.name_en,
                point=alarm.point,
                device=alarm.device,
                priority=alarm.priority,
                raised_at=to_datetime(alarm.raised_us),
            )
        )
        event.level = min(event.level, alarm.priority)
        changed[event.id] = event
    await session.flush()
    return [views.event(event, await _first_alarms(session, event.id)) for event in changed.values()]


async def _first_alarms(session: AsyncSession, event_id: str) -> Sequence[EventAlarm]:
    """Return the alarms that tell what an event is: thousands of a storm would say no more than the first."""
    statement = select(EventAlarm).where(EventAlarm.event_id == event_id)
    return (await session.scalars(statement.order_by(EventAlarm.raised_at).limit(TOLD))).all()


async def _event_for(session: AsyncSession, alarm: RaisedAlarm, now: datetime) -> Event:
    """Return the open event that the alarm belongs to, or a new one."""
    statement = (
        select(Event)
        .where(
            Event.site == alarm.site,
            Event.category == alarm.category,
            Event.state != EventState.CLOSED,
            Event.opened_at > now - JOIN_WITHIN,
        )
        .order_by(Event.opened_at.desc(), Event.id)
        .limit(1)
        .options(lazyload(Event.alarms))
        .with_for_update()
    )
    event = (await session.scalars(statement)).one_or_none()
    if event is None:
        event = Event(
            id=str(uuid.uuid4()),
            number=await next_number(session, "event", now),
            title_zh=alarm.name_zh,
            title_en=alarm.name_en,
            site=alarm.site,
            device=alarm.device,
            category=alarm.category,
            level=alarm.priority,
            state=EventState.REPORTED,
            opened_at=now,
            alarms=[],
        )
        session.add(event)
    return event


async def close_event(
    session: AsyncSession, event_id: str, *, actor: str, reason: str, now: datetime
) -> schemas.Event:
    """Close an event that needs no case; one that has a case is closed by its case."""
    event = await _event(session, event_id)
    if event.state == EventState.CLOSED:
        raise Rejected("not-allowed", f"event {event.number} is closed already")
    if event.case_id is not None:
        raise Rejected("has-case", f"event {event.number} has a case; close the case, the event follows")
    event.state = EventState.CLOSED
    event.closed_at, event.closed_by, event.closing_note = now, actor, reason
    await session.flush()
    return views.event(event)


async def open_case(
    session: AsyncSession, new: NewCase, *, actor: str, now: datetime, limits: Limits
) -> schemas.Case:
    """Open a case, for an event or by itself. Rejected: `has-case`, `event-closed`, `other-site`.

    A case of an event is at the event's site: who may see one may see the other.
    """
    event = await _event(session, new.event_id) if new.event_id else None
    if event is not None and event.case_id is not None:
        raise Rejected("has-case", f"event {event.number} has its case already: {event.case_id}")
    if event is not None and event.state == EventState.CLOSED:
        raise Rejected("event-closed", f"event {event.number} is closed; open a case without it")
    if event is not None and new.site not in {None, event.site}:
        raise Rejected("other-site", f"event {event.number} is at {event.site}; leave `site` out")
    priority: Priority = new.priority or ("P3" if event is None else _priority(event.level))
    case = Case(
        id=str(uuid.uuid4()),
        number=await next_number(session, "case", now),
        title_zh=new.title_zh or (event.title_zh if event else ""),
        title_en=new.title_en or (event.title_en if event else ""),
        description=new.description,
        state=CaseState.PENDING_DISPATCH,
        priority=priority,
        category=new.category or (event.category if event else "other"),
        site=event.site if event else new.site,
        event=event,
        opened_at=now,
        opened_by=actor,
        due_at=limits.due_at(now, priority),
        reworks=0,
        chain=START,
        tasks=[],
        steps=[],
    )
    session.add(case)
    row = next_row(None, None, Action.OPEN)
    record(case, None, row.case_after, Action.OPEN, actor=actor, comment=new.description, now=now)
    if event is not None:
        event.case_id = case.id
        event.state = EVENT_OF_CASE[row.case_after]
    await session.flush()
    return views.case(case, now)


async def assign(
    session: AsyncSession,
    case_id: str,
    *,
    unit: str,
    actor: str,
    now: datetime,
    comment: str = "",
    due_in_minutes: int | None = None,
) -> schemas.Case:
    """Give the case to a unit (派遣): its task starts, and its due time is set anew where asked."""
    case = await _case(session, case_id)
    row = next_row(CaseState(case.state), _open_state(case), Action.ASSIGN)
    if await session.get(Unit, unit) is None:
        raise not_found("unit", unit)
    if due_in_minutes is not None:
        case.due_at = now + timedelta(minutes=due_in_minutes)
    task = Task(
        id=str(uuid.uuid4()),
        number=len(case.tasks) + 1,
        unit=unit,
        state=row.task_after,
        round=1,
        due_at=case.due_at,
        assigned_at=now,
    )
    case.tasks.append(task)
    case.unit = unit
    before = CaseState(case.state)
    record(case, before, row.case_after, Action.ASSIGN, actor=actor, comment=comment, now=now, task=task)
    await session.flush()
    return views.case(case, now)


async def decide(
    session: AsyncSession, case_id: str, action: Action, *, actor: str, now: datetime, comment: str
) -> schemas.Case:
    """Close (结案) or void (作废) a case; `comment` is the resolution or the reason."""
    case = await _case(session, case_id)
    before = CaseState(case.state)
    row = next_row(before, _open_state(case), action)
    case.closed_at = now
    record(case, before, row.case_after, action, actor=actor, comment=comment, now=now)
    if case.event is not None:
        case.event.closed_at, case.event.closed_by, case.event.closing_note = now, actor, comment
    await session.flush()
    return views.case(case, now)


async def act(
    session: AsyncSession, task_id: str, action: Action, *, actor: str, now: datetime, comment: str
) -> schemas.Case:
    """Move a task, and its case with it: accept, on_site, done, verify, rework, refuse."""
    owner = await session.scalar(select(Task.case_id).where(Task.id == task_id))
    if owner is None:
        raise not_found("task", task_id)
    case = await _case(session, owner)
    task = next(item for item in case.tasks if item.id == task_id)
    before = CaseState(case.state)
    row = next_row(before, TaskState(task.state), action)
    assert row.task_after is not None  # noqa: S101  every row of a task ends in a task state
    task.state = row.task_after
    match action:
        case Action.REWORK:
            task.round += 1
            case.reworks += 1
            task.assigned_at = now
            task.accepted_at = task.on_site_at = task.done_at = None
        case Action.ACCEPT:
            task.accepted_at = now
        case Action.ON_SITE:
            task.on_site_at = now
        case Action.DONE:
            task.done_at = now
        case Action.VERIFY:
            task.verified_at = now
        case Action.REFUSE:
            task.refused_at = now
    record(case, before, row.case_after, action, actor=actor, comment=comment, now=now, task=task)
    await session.flush()
    return views.case(case, now)


async def ensure_units(session: AsyncSession, units: Sequence[schemas.Unit]) -> None:
    """Create the units, or bring their names up to date; none is removed."""
    for unit in units:
        values = {"name_zh": unit.name.zh, "name_en": unit.name.en, "kind": unit.kind}
        statement = insert(Unit).values(id=unit.id, **values)
        await session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def _open_state(case: Case) -> TaskState | None:
    task = views.open_task(case)
    return None if task is None else TaskState(task.state)


def _priority(code: str) -> Priority:
    for known in _PRIORITIES:
        if known == code:
            return known
    raise ValueError(f"{code!r} is no priority; expected one of {', '.join(_PRIORITIES)}")


async def _event(session: AsyncSession, event_id: str) -> Event:
    event = await session.get(Event, event_id, with_for_update=True, populate_existing=True)
    if event is None:
        raise not_found("event", event_id)
    return event


async def _case(session: AsyncSession, case_id: str) -> Case:
    """Return the case, locked until the transaction ends: two people's steps come one after the other."""
    case = await session.get(Case, case_id, with_for_update=True, populate_existing=True)
    if case is None:
        raise not_found("case", case_id)
    return case
