"""What dispatch does: each change is one transaction, told to the bus after its commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from central.casebook import queries, service
from central.casebook import schemas as casebook
from central.casebook.due import Limits
from central.casebook.lifecycle import Action, EventState, TaskState
from central.casebook.queries import OpenOrClosed
from central.kernel.bus import Bus
from central.kernel.problem import Problem, not_found
from central.link.outbox import Outbox
from central.link.schemas import Command, CommandPage
from central.security.principal import Principal
from central.security.sight import Sight
from central.store.base import Database
from central.store.registry import Site
from central.systems.dispatch import schemas
from protocols.model.clock import Clock, to_datetime

NEEDS_WORDS = frozenset({Action.REWORK, Action.REFUSE})


class Dispatch:
    """Events, cases, tasks and commands; what is out of the asker's sight is as if it were not there."""

    def __init__(self, database: Database, bus: Bus, outbox: Outbox, clock: Clock, limits: Limits) -> None:
        self._database = database
        self._bus = bus
        self._outbox = outbox
        self._clock = clock
        self._limits = limits

    async def events(
        self,
        sight: Sight,
        *,
        state: OpenOrClosed | EventState,
        site: str | None,
        limit: int,
        cursor: str | None,
    ) -> casebook.EventPage:
        """Return events, newest first."""
        async with self._database.session() as session:
            return await queries.events(
                session, state=state, site=site, sites=sight.sites, limit=limit, cursor=cursor
            )

    async def event(self, event_id: str, sight: Sight) -> casebook.Event:
        """Return one event; Problem 404."""
        async with self._database.session() as session:
            return await queries.event(session, event_id, sight.sites)

    async def close_event(self, event_id: str, who: Principal, reason: str) -> casebook.Event:
        """Close an event that needs no case."""
        async with self._database.session() as session:
            await queries.require_event(session, event_id, who.sight.sites)
            event = await service.close_event(
                session, event_id, actor=who.username, reason=reason, now=self._now()
            )
        self._bus.publish("event", event)
        return event

    async def cases(
        self,
        sight: Sight,
        *,
        state: OpenOrClosed,
        site: str | None,
        unit: str | None,
        limit: int,
        cursor: str | None,
    ) -> casebook.CasePage:
        """Return cases, newest first."""
        async with self._database.session() as session:
            return await queries.cases(
                session,
                self._now(),
                state=state,
                site=site,
                unit=unit,
                sites=sight.sites,
                limit=limit,
                cursor=cursor,
            )

    async def case(self, case_id: str, sight: Sight) -> casebook.Case:
        """Return one case; Problem 404."""
        async with self._database.session() as session:
            return await queries.case(session, case_id, self._now(), sight.sites)

    async def open_case(self, asked: schemas.NewCaseIn, who: Principal) -> casebook.Case:
        """Open a case (立案). Problem 404 for an unknown event or site, 422 `title-missing`, `site-missing`.

        Who sees a part of the city only says where: a case of no site would be out of their own sight.
        """
        if asked.event_id is None and asked.title is None:
            detail = "A case without an event needs a `title`."
            errors = [{"field": "body.title", "problem": "missing"}]
            raise Problem(422, "title-missing", "The case has no title", detail, errors=errors)
        if asked.event_id is None and asked.site is None and not who.sight.whole:
            detail = "Your rights reach some sites only: name the `site` of the case."
            errors = [{"field": "body.site", "problem": "missing"}]
            raise Problem(422, "site-missing", "The case has no site", detail, errors=errors)
        title = asked.title
        new = service.NewCase(
            description=asked.description,
            event_id=asked.event_id,
            title_zh=title.zh if isinstance(title, schemas.TitleIn) else title,
            title_en=title.en if isinstance(title, schemas.TitleIn) else title,
            site=asked.site,
            category=asked.category,
            priority=asked.priority,
        )

        async def work(session: AsyncSession, now: datetime) -> casebook.Case:
            if asked.event_id is not None:
                await queries.require_event(session, asked.event_id, who.sight.sites)
            if asked.site is not None:
                known = who.sight.sees(asked.site) and await session.get(Site, asked.site) is not None
                if not known:
                    raise not_found("site", asked.site)
            return await service.open_case(session, new, actor=who.username, now=now, limits=self._limits)

        return await self._change(work)

    async def assign(self, case_id: str, asked: schemas.Assign, who: Principal) -> casebook.Case:
        """Give the case to a unit (派遣)."""

        async def work(session: AsyncSession, now: datetime) -> casebook.Case:
            await queries.require_case(session, case_id, who.sight.sites)
            return await service.assign(
                session,
                case_id,
                unit=asked.unit,
                actor=who.username,
                now=now,
                comment=asked.comment,
                due_in_minutes=asked.due_in_minutes,
            )

        return await self._change(work)

    async def decide(self, case_id: str, action: Action, who: Principal, comment: str) -> casebook.Case:
        """Close (结案) or void (作废) a case."""

        async def work(session: AsyncSession, now: datetime) -> casebook.Case:
            await queries.require_case(session, case_id, who.sight.sites)
            return await service.decide(
                session, case_id, action, actor=who.username, now=now, comment=comment
            )

        return await self._change(work)

    async def act(self, task_id: str, action: Action, who: Principal, comment: str) -> casebook.Task:
        """Move a task; Problem 422 `comment-missing` where a refusal or rework gives no reason."""
        if action in NEEDS_WORDS and not comment.strip():
            detail = f"Say in `comment` why: the next person reads it. {action} needs a reason."
            errors = [{"field": "body.comment", "problem": "missing"}]
            raise Problem(422, "comment-missing", "A reason is needed", detail, errors=errors)

        async def work(session: AsyncSession, now: datetime) -> casebook.Case:
            await queries.require_task(session, task_id, who.sight.sites)
            return await service.act(session, task_id, action, actor=who.username, now=now, comment=comment)

        case = await self._change(work)
        return next(task for task in case.tasks if task.id == task_id)

    async def tasks(
        self, sight: Sight, *, unit: str | None, state: TaskState | None, limit: int, cursor: str | None
    ) -> casebook.TaskPage:
        """Return tasks, newest first."""
        async with self._database.session() as session:
            return await queries.tasks(
                session,
                self._now(),
                unit=unit,
                state=state,
                sites=sight.sites,
                limit=limit,
                cursor=cursor,
            )

    async def units(self) -> casebook.UnitPage:
        """Return every unit, by id."""
        async with self._database.session() as session:
            return await queries.units(session)

    async def command(self, asked: schemas.NewCommand, who: Principal) -> Command:
        """Leave a command in the outbox; Problem 404 for an unknown point."""
        try:
            view = await self._outbox.send(
                asked.point,
                asked.value,
                issued_by=who.username,
                expires_in_s=asked.expires_in_s,
                expected=asked.expected,
                step=asked.step,
                sites=who.sight.sites,
            )
        except KeyError:
            raise not_found("point", asked.point) from None
        return Command.of(view)

    async def commands(
        self, sight: Sight, *, device: str | None, point: str | None, limit: int, cursor: str | None
    ) -> CommandPage:
        """Return commands, newest first."""
        page = await self._outbox.commands.list(
            device=device, point=point, sites=sight.sites, limit=limit, cursor=cursor
        )
        return CommandPage(items=[Command.of(item) for item in page.items], next_cursor=page.next_cursor)

    async def one_command(self, command_id: str, sight: Sight) -> Command:
        """Return one command; Problem 404."""
        view = await self._outbox.commands.get(command_id, sight.sites)
        if view is None:
            raise not_found("command", command_id)
        return Command.of(view)

    async def _change(
        self, work: Callable[[AsyncSession, datetime], Awaitable[casebook.Case]]
    ) -> casebook.Case:
        async with self._database.session() as session:
            case = await work(session, self._now())
            event = None if case.event_id is None else await queries.event(session, case.event_id)
        self._bus.publish("case", case)
        if event is not None:
            self._bus.publish("event", event)
        return case

    def _now(self) -> datetime:
        return to_datetime(self._clock())
