"""What people answer at the centre: acknowledge, reset, shelve, take out of service.

Each answer is one transaction here, then told on the bus as `alarm`, then handed to `forward` for the
gateway, whose machine is the same: it comes to the same state, and its report of the act is known by its id.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.bus import Bus
from central.live import alarm_overlays
from central.live.alarm_effects import uncovered
from central.live.alarm_rows import AlarmRow, JournalRow
from central.live.alarm_rules import Rules
from central.live.alarm_views import AlarmView, view
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.alarm import (
    MAX_SHELVE_S,
    AlarmEvent,
    AlarmState,
    Overlay,
    Policy,
    Rule,
    policy_of,
    step,
    unhidden,
)
from protocols.model.clock import Clock, from_datetime, to_datetime
from protocols.model.order import AlarmAct, AlarmVerb

MAX_SHELVE_MINUTES = 24 * 60
SYSTEM = "system"
Forward = Callable[[str, AlarmAct], Awaitable[None]]
"""Hands an act to a gateway; called after the commit, and never raises."""


async def nobody(gateway: str, act: AlarmAct) -> None:
    """Forward to nobody: a centre without a link."""


@dataclass(slots=True)
class _Change:
    """One occurrence under change. act is set by what the gateway must hear of."""

    session: AsyncSession
    row: AlarmRow
    rule: Rule | None
    act: AlarmAct | None = None

    @property
    def policy(self) -> Policy:
        """The guards of the rule as it was declared."""
        return policy_of(self.rule) if self.rule else Policy()


class Answers:
    """Changes occurrences by what people say. KeyError for an unknown alarm, Rejected with a code."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, forward: Forward = nobody) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._forward = forward

    async def acknowledge(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Acknowledge (确认); acknowledging again changes nothing. KeyError for an unknown alarm."""
        return await self._answer(alarm_id, AlarmEvent.ACK, "ack", actor, comment)

    async def reset(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Reset a latched alarm (复位) that is acknowledged and no longer active.

        Raises KeyError; Rejected: `acknowledge-first`, `still-active`, `not-allowed`.
        """
        return await self._answer(alarm_id, AlarmEvent.RESET, "reset", actor, comment)

    async def shelve(self, alarm_id: str, actor: str, minutes: int, reason: str) -> AlarmView:
        """Shelve (搁置) for 1 to 1440 minutes, or as long as the rule allows.

        Raises KeyError; Rejected: `closed`, `already-shelved`, `not-shelvable`, `shelving-time`,
        `reason-missing`.
        """
        if not reason.strip():
            raise Rejected("reason-missing", "say why the alarm is shelved; the next shift will want to know")
        async with self._changing(alarm_id) as change:
            row = change.row
            longest = (change.rule.max_shelve_s if change.rule else MAX_SHELVE_S) / 60
            if not longest:
                raise Rejected("not-shelvable", "this alarm is never shelved; its rule says so")
            if not 0 < minutes <= min(longest, MAX_SHELVE_MINUTES):
                allowed = min(longest, MAX_SHELVE_MINUTES)
                raise Rejected("shelving-time", f"shelve for 1 to {allowed:g} minutes, not {minutes}")
            if row.closed_at is not None:
                raise Rejected("closed", "the alarm is closed; there is nothing to shelve")
            if row.shelved_until is not None:
                raise Rejected("already-shelved", f"it is shelved until {row.shelved_until:%H:%M} UTC")
            until = to_datetime(self._clock()) + timedelta(minutes=minutes)
            change.act = self._act(row, "shelve", actor, reason, until_us=from_datetime(until))
            await self._put(change, Overlay.SHLVD, "SHELVE", f"{minutes} min: {reason}")
            return view(row)

    async def unshelve(self, alarm_id: str, actor: str) -> AlarmView:
        """End the shelving; an active alarm annunciates again. Raises KeyError, Rejected(`not-shelved`)."""
        async with self._changing(alarm_id) as change:
            if change.row.shelved_until is None:
                raise Rejected("not-shelved", "the alarm is not shelved")
            change.act = self._act(change.row, "unshelve", actor, "")
            await self._take(change, Overlay.SHLVD, "UNSHELVE", actor, "")
            return view(change.row)

    async def suspend(self, alarm_id: str, actor: str, permit: str) -> AlarmView:
        """Take the alarm's rule out of service (停用) under a permit, until somebody returns it.

        Raises KeyError; Rejected: `closed`, `already-out-of-service`, `reason-missing`.
        """
        if not permit.strip():
            raise Rejected("reason-missing", "say by which permit the alarm is taken out of service")
        async with self._changing(alarm_id) as change:
            if change.row.closed_at is not None:
                raise Rejected("closed", "the alarm is closed; take its rule out of service at the gateway")
            if Overlay.OOSRV.value in change.row.overlays:
                raise Rejected("already-out-of-service", "the alarm is out of service already")
            change.act = self._act(change.row, "suspend", actor, permit)
            await self._put(change, Overlay.OOSRV, "SUSPEND", permit)
            return view(change.row)

    async def return_to_service(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Bring it back into service. Raises KeyError, Rejected(`not-out-of-service`)."""
        async with self._changing(alarm_id) as change:
            if Overlay.OOSRV.value not in change.row.overlays:
                raise Rejected("not-out-of-service", "the alarm is in service")
            change.act = self._act(change.row, "return", actor, comment)
            await self._take(change, Overlay.OOSRV, "RETURN", actor, comment)
            return view(change.row)

    async def expire_shelves(self) -> int:
        """Unshelve every occurrence whose time is over; return how many. Called by a timer.

        The gateway does so too, by the same time: whoever is second finds nothing to do.
        """
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            due = select(AlarmRow).where(AlarmRow.shelved_until <= now).order_by(AlarmRow.id)
            rows = (await session.scalars(due.with_for_update(skip_locked=True))).all()
            for row in rows:
                rule = await Rules(session, row.gateway).get(row.declaration, row.rule_id)
                change = _Change(session, row, rule)
                await self._take(change, Overlay.SHLVD, "UNSHELVE", SYSTEM, "its time is over")
        for row in rows:
            self._bus.publish("alarm", view(row))
        return len(rows)

    async def _answer(
        self, alarm_id: str, event: AlarmEvent, verb: AlarmVerb, actor: str, comment: str
    ) -> AlarmView:
        async with self._changing(alarm_id) as change:
            row = change.row
            before = AlarmState(row.state)
            after = step(before, event, change.policy)
            if after is before:
                return view(row)
            now = to_datetime(self._clock())
            if event is AlarmEvent.ACK:
                row.acked_at, row.acked_by = now, actor
            if after is AlarmState.NORM:
                row.closed_at = now
                alarm_overlays.bare(row)
            row.state = after.value
            change.act = self._act(row, verb, actor, comment)
            self._record(change, event.value, before.value, actor, comment)
            return view(row)

    @asynccontextmanager
    async def _changing(self, alarm_id: str) -> AsyncIterator[_Change]:
        """Lock one occurrence for a change; tell the bus and the gateway after the commit."""
        async with self._database.session() as session:
            row = await session.get(AlarmRow, alarm_id, with_for_update=True)
            if row is None:
                raise KeyError(alarm_id)
            rule = await Rules(session, row.gateway).get(row.declaration, row.rule_id)
            change = _Change(session, row, rule)
            yield change
        self._bus.publish("alarm", view(row))
        if change.act is not None:
            await self._forward(row.gateway, change.act)

    def _act(
        self, row: AlarmRow, verb: AlarmVerb, actor: str, comment: str, until_us: int | None = None
    ) -> AlarmAct:
        return AlarmAct(
            id=str(uuid.uuid4()),
            verb=verb,
            rule=row.rule_id,
            actor=actor,
            at_us=self._clock(),
            occurrence=row.id,
            comment=comment,
            until_us=until_us,
        )

    async def _put(self, change: _Change, overlay: Overlay, event: str, comment: str) -> None:
        row, act = change.row, change.act
        actor, reason = (act.actor, act.comment) if act else ("", comment)
        until = None if act is None or act.until_us is None else to_datetime(act.until_us)
        alarm_overlays.put(row, overlay, until=until, actor=actor, reason=reason)
        await alarm_overlays.enter(
            change.session,
            row.gateway,
            row.rule_id,
            overlay,
            at=to_datetime(self._clock()),
            actor=actor,
            reason=reason,
            until=until,
            act=act.id if act else "",
        )
        self._record(change, event, row.state, actor, comment)

    async def _take(self, change: _Change, overlay: Overlay, event: str, actor: str, comment: str) -> None:
        row, now = change.row, to_datetime(self._clock())
        before = AlarmState(row.state)
        alarm_overlays.take(row, overlay)
        await alarm_overlays.leave(
            change.session, row.gateway, row.rule_id, overlay, at=now, actor=actor, why=comment
        )
        if not row.overlays:
            after = unhidden(before, change.policy)
            uncovered(row, before, after, now)
            row.state = after.value
        self._record(change, event, before.value, actor, comment)

    def _record(self, change: _Change, event: str, before: str, actor: str, comment: str) -> None:
        now = to_datetime(self._clock())
        change.session.add(
            JournalRow(
                alarm=change.row.id,
                at=now,
                recorded_at=now,
                event=event,
                from_state=before,
                to_state=change.row.state,
                actor=actor,
                comment=comment,
                late=False,
                act=change.act.id if change.act else "",
            )
        )
