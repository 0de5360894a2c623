"""The alarm board: every occurrence with its present state, and the journal of all that happened to it.

The gateway judges the condition (ACT, CLR); people answer here (ACK, RESET, shelve). Both go through
`protocols.model.alarm.step`. Shelving is an overlay beside the state (alarms.md sections 1 to 3).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
from sqlalchemy import ColumnElement, and_, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.bus import Bus
from central.kernel.shapes import decode_cursor, encode_cursor
from central.live.alarm_intake import Applied, Intake
from central.live.alarm_rows import AlarmRow, JournalRow
from central.live.alarm_views import (
    AlarmCounts,
    AlarmPage,
    AlarmQuery,
    AlarmView,
    Evidence,
    JournalEntry,
    StateFilter,
    entry,
    view,
)
from central.store.base import Database
from central.store.registry import RuleRow
from protocols.errors import Rejected
from protocols.model.alarm import (
    ACTIVE_STATES,
    UNACKED_STATES,
    AlarmEvent,
    AlarmState,
    AlarmTransition,
    Policy,
    Rule,
    step,
)
from protocols.model.clock import Clock, from_datetime, to_datetime

__all__ = [
    "AlarmBoard",
    "AlarmCounts",
    "AlarmPage",
    "AlarmQuery",
    "AlarmRow",
    "AlarmView",
    "Applied",
    "Evidence",
    "JournalEntry",
    "JournalRow",
    "StateFilter",
]

MAX_SHELVE_MINUTES = 24 * 60
SYSTEM = "system"

_ACTIVE = AlarmRow.state.in_([state.value for state in ACTIVE_STATES])
_UNACKED = AlarmRow.state.in_([state.value for state in UNACKED_STATES])
_OPEN = AlarmRow.closed_at.is_(None)
_SHELVED = AlarmRow.shelved_until.is_not(None)
_SHOWN = and_(_OPEN, ~_SHELVED)
_BY_STATE: dict[StateFilter, list[ColumnElement[bool]]] = {
    "active": [_OPEN, _ACTIVE],
    "unacked": [_OPEN, _UNACKED],
    "open": [_OPEN],
    "closed": [~_OPEN],
    "all": [],
}


class AlarmBoard:
    """Reads and changes occurrences. Every change is one transaction, then told on the bus as `alarm`."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock

    async def list(self, query: AlarmQuery) -> AlarmPage:
        """Return a page, the newest raised first. Problem 400 for a cursor that was not made here."""
        where = [*_BY_STATE[query.state]]
        if query.priority is not None:
            where.append(AlarmRow.priority == query.priority)
        if query.site is not None:
            where.append(AlarmRow.site == query.site)
        if query.device is not None:
            where.append(AlarmRow.device == query.device)
        if query.shelved is not None:
            where.append(_SHELVED if query.shelved else ~_SHELVED)
        page = select(AlarmRow).where(*where)
        if query.cursor is not None:
            raised_us, last = decode_cursor(query.cursor, int, str)
            page = page.where(tuple_(AlarmRow.raised_at, AlarmRow.id) < (to_datetime(raised_us), last))
        page = page.order_by(AlarmRow.raised_at.desc(), AlarmRow.id.desc()).limit(query.limit + 1)
        async with self._database.session() as session:
            rows = (await session.scalars(page)).all()
            total = await session.scalar(select(func.count()).select_from(AlarmRow).where(*where))
        cursor = None
        if len(rows) > query.limit:
            last_row = rows[query.limit - 1]
            cursor = encode_cursor(from_datetime(last_row.raised_at), last_row.id)
        return AlarmPage([view(row) for row in rows[: query.limit]], cursor, total or 0)

    async def get(self, alarm_id: str) -> AlarmView | None:
        """Return one occurrence, or None."""
        async with self._database.session() as session:
            row = await session.get(AlarmRow, alarm_id)
            return None if row is None else view(row)

    async def evidence(self, alarm_id: str) -> Evidence | None:
        """Return one occurrence with its rule as declared and its journal in order, or None."""
        async with self._database.session() as session:
            row = await session.get(AlarmRow, alarm_id)
            if row is None:
                return None
            rule = await session.get(RuleRow, (row.gateway, row.declaration, row.rule_id))
            journal = await session.scalars(
                select(JournalRow).where(JournalRow.alarm == alarm_id).order_by(JournalRow.id)
            )
            return Evidence(view(row), {} if rule is None else rule.body, [entry(step_) for step_ in journal])

    async def counts(self) -> AlarmCounts:
        """Count the open occurrences for the overview; shelved ones are counted as shelved only."""
        statement = (
            select(
                AlarmRow.priority,
                func.count().filter(and_(_SHOWN, _ACTIVE)),
                func.count().filter(and_(_SHOWN, _UNACKED)),
                func.count().filter(_SHELVED),
            )
            .where(_OPEN)
            .group_by(AlarmRow.priority)
        )
        async with self._database.session() as session:
            rows = (await session.execute(statement)).all()
        active, unacked, shelved = (sum(int(row[column]) for row in rows) for column in (1, 2, 3))
        by_priority = dict.fromkeys(("P1", "P2", "P3", "P4"), 0) | {row[0]: row[1] for row in rows}
        return AlarmCounts(active, unacked, shelved, by_priority)

    async def worst_by_site(self) -> dict[str, tuple[str | None, int, int]]:
        """Return site -> (worst active priority, active, unacknowledged); open and not shelved ones only."""
        statement = (
            select(
                AlarmRow.site,
                func.min(case((_ACTIVE, AlarmRow.priority))),
                func.count().filter(_ACTIVE),
                func.count().filter(_UNACKED),
            )
            .where(_SHOWN)
            .group_by(AlarmRow.site)
        )
        async with self._database.session() as session:
            return {row[0]: (row[1], row[2], row[3]) for row in (await session.execute(statement)).all()}

    async def acknowledge(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Acknowledge (确认); acknowledging again changes nothing. KeyError for an unknown alarm."""
        return await self._answer(alarm_id, AlarmEvent.ACK, actor, comment)

    async def reset(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Reset a latched alarm (复位) that is acknowledged and no longer active.

        Raises KeyError; Rejected: `acknowledge-first`, `still-active`, `not-allowed`.
        """
        return await self._answer(alarm_id, AlarmEvent.RESET, actor, comment)

    async def shelve(self, alarm_id: str, actor: str, minutes: int, reason: str) -> AlarmView:
        """Shelve (搁置) for 1 to 1440 minutes.

        Raises KeyError; Rejected: `closed`, `already-shelved`, `shelving-time`, `reason-missing`.
        """
        if not 0 < minutes <= MAX_SHELVE_MINUTES:
            raise Rejected("shelving-time", f"shelve for 1 to {MAX_SHELVE_MINUTES} minutes, not {minutes}")
        if not reason.strip():
            raise Rejected("reason-missing", "say why the alarm is shelved; the next shift will want to know")
        async with self._changing(alarm_id) as (session, row):
            if row.closed_at is not None:
                raise Rejected("closed", "the alarm is closed; there is nothing to shelve")
            if row.shelved_until is not None:
                raise Rejected("already-shelved", f"it is shelved until {row.shelved_until:%H:%M} UTC")
            now = to_datetime(self._clock())
            row.shelved_until = now + timedelta(minutes=minutes)
            row.shelved_by, row.shelve_reason = actor, reason
            self._record(session, row, "SHELVE", row.state, actor=actor, comment=f"{minutes} min: {reason}")
            return view(row)

    async def unshelve(self, alarm_id: str, actor: str) -> AlarmView:
        """End the shelving; an active alarm annunciates again. Raises KeyError, Rejected(`not-shelved`)."""
        async with self._changing(alarm_id) as (session, row):
            if row.shelved_until is None:
                raise Rejected("not-shelved", "the alarm is not shelved")
            self._unshelve(session, row, actor, "")
            return view(row)

    async def expire_shelves(self) -> int:
        """Unshelve every occurrence whose time is over; return how many. Called by a timer."""
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            due = select(AlarmRow).where(_SHELVED, AlarmRow.shelved_until <= now)
            rows = (await session.scalars(due.order_by(AlarmRow.id).with_for_update(skip_locked=True))).all()
            for row in rows:
                self._unshelve(session, row, SYSTEM, "its time is over")
        for row in rows:
            self._bus.publish("alarm", view(row))
        return len(rows)

    async def apply(
        self,
        session: AsyncSession,
        gateway: str,
        transitions: Sequence[AlarmTransition],
        received_us: int,
    ) -> Applied:
        """Apply a gateway's transitions inside the caller's transaction; the caller publishes after it.

        Raises WireError(`shape`) for a rule, point or occurrence that is not this gateway's.
        """
        intake = Intake(session, gateway, received_us)
        await intake.apply(transitions)
        return intake.applied

    async def publish(self, alarm_ids: Sequence[str]) -> None:
        """Tell the bus the present state of these occurrences; called after the commit."""
        if not alarm_ids:
            return
        async with self._database.session() as session:
            rows = {
                row.id: row
                for row in await session.scalars(select(AlarmRow).where(AlarmRow.id.in_(alarm_ids)))
            }
        for alarm_id in alarm_ids:
            self._bus.publish("alarm", view(rows[alarm_id]))

    async def _answer(self, alarm_id: str, event: AlarmEvent, actor: str, comment: str) -> AlarmView:
        async with self._changing(alarm_id) as (session, row):
            before = AlarmState(row.state)
            after = step(before, event, await self._policy(session, row))
            if after is before:
                return view(row)
            now = to_datetime(self._clock())
            if event is AlarmEvent.ACK:
                row.acked_at, row.acked_by = now, actor
            if after is AlarmState.NORM:
                row.closed_at = now
                row.shelved_until = None
            row.state = after.value
            self._record(session, row, event.value, before.value, actor=actor, comment=comment)
            return view(row)

    @asynccontextmanager
    async def _changing(self, alarm_id: str) -> AsyncIterator[tuple[AsyncSession, AlarmRow]]:
        """Lock one occurrence for a change, and tell the bus after the commit."""
        async with self._database.session() as session:
            row = await session.get(AlarmRow, alarm_id, with_for_update=True)
            if row is None:
                raise KeyError(alarm_id)
            yield session, row
        self._bus.publish("alarm", view(row))

    async def _policy(self, session: AsyncSession, row: AlarmRow) -> Policy:
        found = await session.get(RuleRow, (row.gateway, row.declaration, row.rule_id))
        if found is None:
            return Policy()
        rule = msgspec.convert(found.body, Rule)
        return Policy(rule.latching, rule.ack_required, rule.rtn_ack)

    def _unshelve(self, session: AsyncSession, row: AlarmRow, actor: str, comment: str) -> None:
        before = row.state
        row.shelved_until = row.shelved_by = row.shelve_reason = None
        if before == AlarmState.ACKED.value:
            row.state = step(AlarmState.ACKED, AlarmEvent.REALARM).value
            row.acked_at = row.acked_by = None
        self._record(session, row, "UNSHELVE", before, actor=actor, comment=comment)

    def _record(
        self, session: AsyncSession, row: AlarmRow, event: str, before: str, *, actor: str, comment: str
    ) -> None:
        now = to_datetime(self._clock())
        session.add(
            JournalRow(
                alarm=row.id,
                at=now,
                recorded_at=now,
                event=event,
                from_state=before,
                to_state=row.state,
                actor=actor,
                comment=comment,
                late=False,
            )
        )
