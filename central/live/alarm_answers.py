"""What people answer at the centre: acknowledge, reset, shelve, take out of service, assign, comment.

Each answer is one transaction here, then told on the bus as `alarm`, then handed to `forward` for the
gateway, whose machine is the same: it comes to the same state, and its report of the act is known by its id.
Many answers at once go in transactions of CHUNK occurrences, each of which succeeds or is refused by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.bus import Bus
from central.live import alarm_overlays
from central.live.alarm_effects import uncovered
from central.live.alarm_rows import AlarmRow, JournalRow
from central.live.alarm_rules import CENTRE, Rules
from central.live.alarm_tally import Tally
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
CHUNK = 200
Forward = Callable[[str, Sequence[AlarmAct]], Awaitable[None]]
"""Hands acts to a gateway; called after the commit, and never raises."""


async def nobody(gateway: str, acts: Sequence[AlarmAct]) -> None:
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


Deed = Callable[[_Change], Awaitable[None]]
"""Does something to one occurrence, or raises Rejected before it changed anything."""


class Answers:
    """Changes occurrences by what people say. KeyError for an unknown alarm, Rejected with a code."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, forward: Forward = nobody) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._forward = forward
        self.tally = Tally(database, bus)

    async def acknowledge(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Acknowledge (确认); acknowledging again changes nothing. KeyError for an unknown alarm."""
        return await self.one(alarm_id, self.acknowledging(actor, comment))

    async def reset(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Reset (复位). Raises KeyError, Rejected: see `resetting`."""
        return await self.one(alarm_id, self.resetting(actor, comment))

    async def shelve(self, alarm_id: str, actor: str, minutes: int, reason: str) -> AlarmView:
        """Shelve (搁置). Raises KeyError, Rejected: see `shelving`."""
        return await self.one(alarm_id, self.shelving(actor, minutes, reason))

    async def unshelve(self, alarm_id: str, actor: str) -> AlarmView:
        """End the shelving. Raises KeyError, Rejected: see `unshelving`."""
        return await self.one(alarm_id, self.unshelving(actor))

    async def suspend(self, alarm_id: str, actor: str, permit: str) -> AlarmView:
        """Take out of service (停用). Raises KeyError, Rejected: see `suspending`."""
        return await self.one(alarm_id, self.suspending(actor, permit))

    async def return_to_service(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Bring back into service. Raises KeyError, Rejected: see `returning`."""
        return await self.one(alarm_id, self.returning(actor, comment))

    def acknowledging(self, actor: str, comment: str = "") -> Deed:
        """Acknowledge (确认); acknowledging again changes nothing."""
        return self._answer(AlarmEvent.ACK, "ack", actor, comment)

    def resetting(self, actor: str, comment: str = "") -> Deed:
        """Reset a latched alarm (复位) that is acknowledged and no longer active.

        Rejected: `acknowledge-first`, `still-active`, `not-allowed`.
        """
        return self._answer(AlarmEvent.RESET, "reset", actor, comment)

    def assigning(self, actor: str, assignee: str | None, comment: str = "") -> Deed:
        """Give an open alarm to somebody (指派), or to nobody. Rejected: `closed`."""

        async def deed(change: _Change) -> None:
            row = change.row
            if row.closed_at is not None:
                raise Rejected("closed", "the alarm is closed; there is nothing to see to")
            if row.assignee == assignee:
                return
            now = to_datetime(self._clock())
            row.assignee, row.assigned_by, row.assigned_at = assignee, actor, now
            said = f"{assignee or '-'}{': ' + comment if comment else ''}"
            self._record(change, "ASSIGN", row.state, actor, said)

        return deed

    def commenting(self, actor: str, comment: str) -> Deed:
        """Say something about an alarm, open or closed (备注). Rejected: `reason-missing`."""
        if not comment.strip():
            raise Rejected("reason-missing", "a comment says something")

        async def deed(change: _Change) -> None:
            self._record(change, "COMMENT", change.row.state, actor, comment.strip())

        return deed

    def shelving(self, actor: str, minutes: int, reason: str) -> Deed:
        """Shelve (搁置) for 1 to 1440 minutes, or as long as the rule allows.

        Rejected: `closed`, `already-shelved`, `not-shelvable`, `shelving-time`, `reason-missing`.
        """
        if not reason.strip():
            raise Rejected("reason-missing", "say why the alarm is shelved; the next shift will want to know")

        async def deed(change: _Change) -> None:
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
            await self._put(change, Overlay.SHLVD, "SHELVE", actor, reason, f"{minutes} min: {reason}", until)

        return deed

    def unshelving(self, actor: str, comment: str = "") -> Deed:
        """End the shelving; an active alarm annunciates again. Rejected: `not-shelved`."""

        async def deed(change: _Change) -> None:
            if change.row.shelved_until is None:
                raise Rejected("not-shelved", "the alarm is not shelved")
            change.act = self._act(change.row, "unshelve", actor, comment)
            await self._take(change, Overlay.SHLVD, "UNSHELVE", actor, comment)

        return deed

    def suspending(self, actor: str, permit: str) -> Deed:
        """Take the alarm's rule out of service (停用) under a permit, until somebody returns it.

        Rejected: `closed`, `already-out-of-service`, `reason-missing`.
        """
        if not permit.strip():
            raise Rejected("reason-missing", "say by which permit the alarm is taken out of service")

        async def deed(change: _Change) -> None:
            if change.row.closed_at is not None:
                raise Rejected("closed", "the alarm is closed; take its rule out of service at the gateway")
            if Overlay.OOSRV.value in change.row.overlays:
                raise Rejected("already-out-of-service", "the alarm is out of service already")
            change.act = self._act(change.row, "suspend", actor, permit)
            await self._put(change, Overlay.OOSRV, "SUSPEND", actor, permit, permit)

        return deed

    def returning(self, actor: str, comment: str = "") -> Deed:
        """Bring it back into service. Rejected: `not-out-of-service`, `in-a-window`."""

        async def deed(change: _Change) -> None:
            if Overlay.OOSRV.value in change.row.cover_codes and not change.row.overlays:
                raise Rejected("in-a-window", "a maintenance window lies over it; end the window instead")
            if Overlay.OOSRV.value not in change.row.overlays:
                raise Rejected("not-out-of-service", "the alarm is in service")
            change.act = self._act(change.row, "return", actor, comment)
            await self._take(change, Overlay.OOSRV, "RETURN", actor, comment)

        return deed

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

    def _answer(self, event: AlarmEvent, verb: AlarmVerb, actor: str, comment: str) -> Deed:
        async def deed(change: _Change) -> None:
            row = change.row
            before = AlarmState(row.state)
            after = step(before, event, change.policy)
            if after is before:
                return
            now = to_datetime(self._clock())
            if event is AlarmEvent.ACK:
                row.acked_at, row.acked_by = now, actor
            change.act = self._act(row, verb, actor, comment)
            row.state = after.value
            self._record(change, event.value, before.value, actor, comment)
            if after is AlarmState.NORM:
                row.closed_at = now
                alarm_overlays.bare(row)

        return deed

    async def one(self, alarm_id: str, deed: Deed) -> AlarmView:
        """Do something to one occurrence, in one transaction. Raises KeyError, and what the deed refuses."""
        async with self._database.session() as session:
            row = await session.get(AlarmRow, alarm_id, with_for_update=True)
            if row is None:
                raise KeyError(alarm_id)
            rule = await Rules(session, row.gateway).get(row.declaration, row.rule_id)
            change = _Change(session, row, rule)
            await deed(change)
        shown = view(row)
        self._bus.publish("alarm", shown)
        if change.act is not None:
            await self._forward(row.gateway, [change.act])
        return shown

    async def many(self, alarm_ids: Sequence[str], deed: Deed) -> Mapping[str, Rejected | None]:
        """Do something to many occurrences; return for each what refused it, None where it was done.

        An id that is not there is refused as `not-found`. One that is refused keeps none of the others back.
        """
        answers: dict[str, Rejected | None] = {}
        ids = sorted(set(alarm_ids))
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            changed: list[AlarmRow] = []
            acts: dict[str, list[AlarmAct]] = {}
            async with self._database.session() as session:
                named = select(AlarmRow).where(AlarmRow.id.in_(chunk)).order_by(AlarmRow.id)
                rows = {row.id: row for row in await session.scalars(named.with_for_update())}
                rules: dict[str, Rules] = {}
                for alarm_id in chunk:
                    row = rows.get(alarm_id)
                    if row is None:
                        answers[alarm_id] = Rejected("not-found", f"there is no alarm {alarm_id!r}")
                        continue
                    known = rules.setdefault(row.gateway, Rules(session, row.gateway))
                    change = _Change(session, row, await known.get(row.declaration, row.rule_id))
                    try:
                        await deed(change)
                    except Rejected as refusal:
                        answers[alarm_id] = refusal
                        continue
                    answers[alarm_id] = None
                    changed.append(row)
                    if change.act is not None:
                        acts.setdefault(row.gateway, []).append(change.act)
            for row in changed:
                self._bus.publish("alarm", view(row))
            for gateway, told in acts.items():
                await self._forward(gateway, told)
        return answers

    def _act(
        self, row: AlarmRow, verb: AlarmVerb, actor: str, comment: str, until_us: int | None = None
    ) -> AlarmAct | None:
        """Build what the gateway must hear; None for an alarm of the centre's own, which no gateway knows."""
        if row.declaration == CENTRE:
            return None
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

    async def _put(
        self,
        change: _Change,
        overlay: Overlay,
        event: str,
        actor: str,
        reason: str,
        comment: str,
        until: datetime | None = None,
    ) -> None:
        row, act = change.row, change.act
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
        if not row.hidden:
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
                hidden=change.row.hidden,
            )
        )
