"""Transitions from gateways become occurrences: in order of their numbers, whatever order they come in.

A step that carries out an act from here is known by the act's id, and has been applied already; where that
act met another step on its way, the gateway's order is the one that counts. Of two sides that end one
shelving (both have a clock) the second finds nothing to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from central.live import alarm_covers, alarm_overlays
from central.live.alarm_effects import stepped, taken_over, uncovered
from central.live.alarm_overlays import in_force
from central.live.alarm_rows import AlarmRow, JournalRow, OverlayRow
from central.live.alarm_rules import Rules
from central.live.desk_rows import CoverRow
from central.store.reach import among
from central.store.registry import Device, Point
from protocols.errors import Rejected, WireError
from protocols.model.alarm import (
    ENTERS,
    LEAVES,
    AlarmEvent,
    AlarmState,
    AlarmTransition,
    Overlay,
    Policy,
    policy_of,
    step,
    unhidden,
)
from protocols.model.clock import SECOND_US, to_datetime

LATE_US = 60 * SECOND_US
"""A transition that arrives so long after it happened came out of a backlog: it is marked late."""
SETTLED_US = 60 * SECOND_US
"""An act from here that is so much older than a step of the gateway has arrived there, or was refused."""
SUPERSEDED = "superseded"


@dataclass(slots=True)
class Applied:
    """What a batch of transitions did: occurrences to which somebody is called, ids of all that changed."""

    raised: list[AlarmRow] = field(default_factory=list)
    changed: dict[str, None] = field(default_factory=dict)


class Intake:
    """Applies one gateway's transitions inside one transaction."""

    def __init__(self, session: AsyncSession, gateway: str, received_us: int) -> None:
        self._session = session
        self._gateway = gateway
        self._received_us = received_us
        self._now = to_datetime(received_us)
        self._rows: dict[str, AlarmRow] = {}
        self._by_rule: defaultdict[str, list[AlarmRow]] = defaultdict(list)
        self._journal: list[dict[str, Any]] = []
        """Rows that nobody looks at again here: they are written without being made objects."""
        self._rules = Rules(session, gateway)
        self._points: dict[str, Row[str, int, str, str, str]] = {}
        """Id, series, device, unit and site of those that new occurrences name."""
        self._laid: dict[str, list[OverlayRow]] = {}
        """What lies over a rule, as long as no step of this batch changes it."""
        self._covers: list[CoverRow] = []
        self.applied = Applied()

    async def apply(self, transitions: Sequence[AlarmTransition]) -> None:
        """Apply transitions. WireError(`shape`): a rule, point or occurrence that is not this gateway's."""
        ids = {transition.occurrence for transition in transitions if transition.occurrence}
        raised = {transition.rule for transition in transitions if transition.event is AlarmEvent.ACT}
        # Locked in one order, so that nothing waits crosswise: what is named, and what it may supersede.
        known = await self._session.scalars(
            select(AlarmRow)
            .where(or_(among(AlarmRow.id, ids), and_(among(AlarmRow.rule_id, raised), *self._returned())))
            .order_by(AlarmRow.id)
            .with_for_update()
        )
        self._rows = {row.id: row for row in known}
        for row in self._rows.values():
            if row.gateway != self._gateway:
                raise WireError("shape", f"occurrence {row.id} belongs to another gateway")
            self._by_rule[row.rule_id].append(row)
        self._covers = await alarm_covers.in_force(self._session)
        await self._read(transitions)
        with self._session.no_autoflush:
            await self._apply(transitions)
        # Rows first, then their history: in a storm two statements write what hundreds of steps have done.
        await self._session.flush()
        if self._journal:
            await self._session.execute(insert(JournalRow), self._journal)

    async def _read(self, transitions: Sequence[AlarmTransition]) -> None:
        """Read what the steps will ask for, at once: one by one a storm's thousand would take minutes."""
        await self._rules.read(
            {(row.declaration, row.rule_id) for row in self._rows.values()}
            | {(one.declaration, one.rule) for one in transitions if one.occurrence}
        )
        new = [one for one in transitions if one.occurrence and one.occurrence not in self._rows]
        if new:
            self._laid = await in_force(self._session, self._gateway, {one.rule for one in new})
            await self._read_points({f"{self._gateway}.{one.point}" for one in new})

    async def _read_points(self, wanted: Collection[str]) -> None:
        found = await self._session.execute(
            select(Point.id, Point.series, Point.device, Point.unit, Device.site)
            .join(Device, Device.id == Point.device)
            .where(among(Point.id, wanted))
        )
        self._points |= {row.id: row for row in found}

    async def _apply(self, transitions: Sequence[AlarmTransition]) -> None:
        for transition in transitions:
            overlay = transition.event in ENTERS or transition.event in LEAVES
            counts = not overlay or await self._interval(transition)
            if not transition.occurrence:
                continue
            row_or_none = self._rows.get(transition.occurrence)
            row = row_or_none if row_or_none is not None else await self._open(transition)
            if transition.number <= row.number:
                await self._late(row, transition)
            else:
                row.number = transition.number
                if transition.state is not None:
                    row.told_state = transition.state.value
                    row.told_overlays = [overlay.value for overlay in transition.overlays]
                if await self._known(transition, row.id):
                    await self._agree(row, transition)
                else:
                    if counts:
                        await self._advance(row, transition)
                    await self._heal(row, transition)
            self.applied.changed[row.id] = None

    def _returned(self) -> tuple[ColumnElement[bool], ...]:
        """Occurrences of this gateway that returned to normal and are not acknowledged."""
        return (
            AlarmRow.gateway == self._gateway,
            AlarmRow.state == AlarmState.RTNUN.value,
            AlarmRow.closed_at.is_(None),
        )

    async def _open(self, transition: AlarmTransition) -> AlarmRow:
        """Make the occurrence that a first transition belongs to, still in NORM."""
        rule = await self._rules.get(transition.declaration, transition.rule)
        if rule is None:
            raise WireError(
                "shape", f"rule {transition.rule!r} is in no declaration of gateway {self._gateway!r}"
            )
        point_id = f"{self._gateway}.{transition.point}"
        found = self._points.get(point_id)
        if found is None:
            raise WireError("shape", f"point {transition.point!r} was never declared by {self._gateway!r}")
        row = AlarmRow(
            id=transition.occurrence,
            gateway=self._gateway,
            declaration=transition.declaration,
            rule_id=rule.id,
            point=point_id,
            series=found.series,
            device=found.device,
            site=found.site,
            name_zh=rule.name_zh,
            name_en=rule.name_en,
            kind=rule.kind,
            priority=rule.priority,
            category=rule.category,
            limit=rule.limit,
            deadband=rule.deadband,
            unit=found.unit,
            state=AlarmState.NORM.value,
            number=0,
            raised_at=to_datetime(transition.event_us),
            raise_value=transition.value,
            late=self._is_late(transition),
            overlays=[overlay.value for overlay in transition.overlays],
            group_key=transition.group,
            first_out=transition.first_out,
            realarms=0,
            reactivations=0,
            covers=[],
            cover_codes=[],
            muted_by="",
        )
        if rule.id not in self._laid:
            self._laid |= await in_force(self._session, self._gateway, [rule.id])
        for laid in self._laid[rule.id]:
            overlay = Overlay(laid.overlay)
            alarm_overlays.put(row, overlay, until=laid.until_at, actor=laid.entered_by, reason=laid.reason)
        for cover in self._covers:
            if alarm_covers.matches(cover, row):
                alarm_covers.put(row, cover)
        self._session.add(row)
        self._rows[row.id] = row
        self._by_rule[row.rule_id].append(row)
        if not row.hidden:
            self.applied.raised.append(row)
        if transition.event is AlarmEvent.ACT:
            self._supersede(row, transition)
        return row

    async def _advance(self, row: AlarmRow, transition: AlarmTransition) -> None:
        rule = await self._rules.get(row.declaration, row.rule_id)
        policy = policy_of(rule) if rule else Policy()
        before = AlarmState(row.state)
        if transition.event in ENTERS or transition.event in LEAVES:
            self._cover(row, transition, policy)
            return
        comment = transition.comment
        start = before
        if transition.event is AlarmEvent.CLR and before is AlarmState.NORM and row.closed_at is None:
            start = step(AlarmState.NORM, AlarmEvent.ACT, policy)
            comment = "the step that raised it has not arrived"
        try:
            after = step(start, transition.event, policy)
        except Rejected as error:
            # The gateway's machine is the same as ours: where they differ, a step of its is still on its way.
            after, comment = transition.state or start, str(error)
        else:
            stepped(row, start, after, transition)
        row.state = after.value
        row.last_value = transition.value
        row.first_out = transition.first_out
        self._record(row, transition, before, after, comment=comment, late=self._is_late(transition))

    async def _known(self, transition: AlarmTransition, alarm: str | None = None) -> bool:
        """Return whether this step reports an act that was made here (and noted at that occurrence)."""
        if not transition.act:
            return False
        noted = select(JournalRow.id).where(JournalRow.act == transition.act)
        if alarm is not None:
            noted = noted.where(JournalRow.alarm == alarm)
        return await self._session.scalar(noted.limit(1)) is not None

    async def _agree(self, row: AlarmRow, transition: AlarmTransition) -> None:
        """Take over the gateway's state after the last act from here, where it met another one on its way."""
        state = transition.state
        if state is None or state.value == row.state:
            return
        last = await self._session.scalar(
            select(JournalRow.act)
            .where(JournalRow.alarm == row.id, JournalRow.act != "")
            .order_by(JournalRow.id.desc())
            .limit(1)
        )
        if last != transition.act:
            return
        before = AlarmState(row.state)
        stepped(row, before, state, transition)
        if state is not AlarmState.NORM:
            row.closed_at = None
        row.state = state.value
        self._record(row, transition, before, state, comment="as the gateway has it", late=False)

    async def _heal(self, row: AlarmRow, transition: AlarmTransition) -> None:
        """Take over where the alarm stands at the gateway, unless an act from here may be on its way."""
        state, overlays = transition.state, [overlay.value for overlay in transition.overlays]
        over = state is AlarmState.NORM
        if state is None or (row.state == state.value and (over or row.overlays == overlays)):
            return
        since = to_datetime(max(transition.event_us - SETTLED_US, 0))
        acts = select(JournalRow.id).where(
            JournalRow.alarm == row.id,
            JournalRow.act != "",
            JournalRow.number.is_(None),
            JournalRow.recorded_at > since,
        )
        if await self._session.scalar(acts.limit(1)) is not None:
            return
        before = AlarmState(row.state)
        taken_over(row, state, overlays, to_datetime(transition.event_us))
        self._record(row, transition, before, state, comment="as the gateway has it", late=False)

    async def _interval(self, transition: AlarmTransition) -> bool:
        """Keep the interval of an overlay that people put on a rule; return whether the step counts.

        Logic's own overlays have none, and always count.
        """
        at, words = to_datetime(transition.event_us), transition.comment
        entered, left = ENTERS.get(transition.event), LEAVES.get(transition.event)
        if (entered or left) not in alarm_overlays.BY_PEOPLE:
            return True
        if await self._known(transition):
            return False
        self._laid.pop(transition.rule, None)
        actor = transition.actor or self._gateway
        if left is not None:
            return await alarm_overlays.leave(
                self._session, self._gateway, transition.rule, left, at=at, actor=actor, why=words
            )
        if entered is not None:
            until = None if transition.until_us is None else to_datetime(transition.until_us)
            await alarm_overlays.enter(
                self._session,
                self._gateway,
                transition.rule,
                entered,
                at=at,
                actor=actor,
                reason=words,
                until=until,
                act=transition.act,
            )
        return True

    def _cover(self, row: AlarmRow, transition: AlarmTransition, policy: Policy) -> None:
        """Show an overlay at its occurrence, or no longer; it is annunciated again when it was the last."""
        before = after = AlarmState(row.state)
        entered, left = ENTERS.get(transition.event), LEAVES.get(transition.event)
        if entered is not None and entered.value not in row.overlays:
            until = None if transition.until_us is None else to_datetime(transition.until_us)
            alarm_overlays.put(row, entered, until=until, actor=transition.actor, reason=transition.comment)
        elif left is not None and left.value in row.overlays:
            alarm_overlays.take(row, left)
            if not row.overlays:
                after = transition.state or unhidden(before, policy)
                uncovered(row, before, after, to_datetime(transition.event_us))
                if after is AlarmState.UNACK and not row.hidden:
                    self.applied.raised.append(row)
        else:
            return
        row.state = after.value
        self._record(
            row, transition, before, after, comment=transition.comment, late=self._is_late(transition)
        )

    async def _late(self, row: AlarmRow, transition: AlarmTransition) -> None:
        """Journal a step that came after its successor; it moves nothing that is live."""
        known = await self._session.scalar(
            select(JournalRow.id)
            .where(JournalRow.alarm == row.id, JournalRow.number == transition.number)
            .limit(1)
        )
        if known is not None:
            return
        if transition.event is AlarmEvent.ACT and transition.number == 1:
            row.raised_at = to_datetime(transition.event_us)
            row.raise_value = transition.value
        state = AlarmState(row.state)
        self._record(row, transition, state, state, comment="arrived out of order", late=True)

    def _supersede(self, row: AlarmRow, transition: AlarmTransition) -> None:
        """Close what returned to normal unacknowledged: the same rule has raised anew (table row 11)."""
        for old in self._by_rule[row.rule_id]:
            if old is row or old.state != AlarmState.RTNUN.value or old.closed_at is not None:
                continue
            old.state = AlarmState.NORM.value
            old.acked_by = SUPERSEDED
            old.acked_at = old.closed_at = to_datetime(transition.event_us)
            alarm_overlays.bare(old)
            self._journal.append(
                {
                    "alarm": old.id,
                    "at": to_datetime(transition.event_us),
                    "recorded_at": self._now,
                    "event": AlarmEvent.ACT.value,
                    "from_state": AlarmState.RTNUN.value,
                    "to_state": AlarmState.NORM.value,
                    "actor": "system",
                    "comment": f"superseded by occurrence {row.id}",
                    "value": None,
                    "quality": None,
                    "number": None,
                    "late": False,
                    "act": "",
                    "hidden": False,
                }
            )
            self.applied.changed[old.id] = None

    def _record(
        self,
        row: AlarmRow,
        transition: AlarmTransition,
        before: AlarmState,
        after: AlarmState,
        *,
        comment: str,
        late: bool,
    ) -> None:
        self._journal.append(
            {
                "alarm": row.id,
                "at": to_datetime(transition.event_us),
                "recorded_at": self._now,
                "event": transition.event.value,
                "from_state": before.value,
                "to_state": after.value,
                "actor": transition.actor or self._gateway,
                "comment": comment,
                "value": transition.value,
                "quality": transition.quality,
                "number": transition.number,
                "late": late,
                "act": transition.act,
                "hidden": row.hidden,
            }
        )

    def _is_late(self, transition: AlarmTransition) -> bool:
        return self._received_us - transition.event_us > LATE_US
