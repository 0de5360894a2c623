"""Transitions from gateways become occurrences: in order of their numbers, whatever order they come in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.live.alarm_rows import AlarmRow, JournalRow
from central.store.registry import Device, Point, RuleRow
from protocols.errors import Rejected, WireError
from protocols.model.alarm import (
    AlarmEvent,
    AlarmState,
    AlarmTransition,
    Policy,
    Rule,
    step,
)
from protocols.model.clock import SECOND_US, to_datetime

LATE_US = 60 * SECOND_US
"""A transition that arrives so long after it happened came out of a backlog: it is marked late."""
SUPERSEDED = "superseded"


@dataclass(slots=True)
class Applied:
    """What a batch of transitions did: new occurrences, and the ids of all that changed."""

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
        self._rules: dict[tuple[str, str], Rule | None] = {}
        self.applied = Applied()

    async def apply(self, transitions: Sequence[AlarmTransition]) -> None:
        """Apply transitions. WireError(`shape`): a rule, point or occurrence that is not this gateway's."""
        ids = {transition.occurrence for transition in transitions}
        known = await self._session.scalars(
            select(AlarmRow).where(AlarmRow.id.in_(ids)).order_by(AlarmRow.id).with_for_update()
        )
        self._rows = {row.id: row for row in known}
        for row in self._rows.values():
            if row.gateway != self._gateway:
                raise WireError("shape", f"occurrence {row.id} belongs to another gateway")
        for transition in transitions:
            row_or_none = self._rows.get(transition.occurrence)
            row = row_or_none if row_or_none is not None else await self._open(transition)
            if transition.number <= row.number:
                await self._late(row, transition)
            else:
                await self._advance(row, transition)
            self.applied.changed[row.id] = None
        await self._session.flush()

    async def _open(self, transition: AlarmTransition) -> AlarmRow:
        """Make the occurrence that a first transition belongs to, still in NORM."""
        rule = await self._rule(transition.declaration, transition.rule)
        if rule is None:
            raise WireError(
                "shape", f"rule {transition.rule!r} is in no declaration of gateway {self._gateway!r}"
            )
        point_id = f"{self._gateway}.{transition.point}"
        found = (
            await self._session.execute(
                select(Point.series, Point.device, Point.unit, Device.site)
                .join(Device, Device.id == Point.device)
                .where(Point.id == point_id)
            )
        ).one_or_none()
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
        )
        self._session.add(row)
        await self._session.flush()
        self._rows[row.id] = row
        self.applied.raised.append(row)
        if transition.event is AlarmEvent.ACT:
            await self._supersede(row, transition)
        return row

    async def _advance(self, row: AlarmRow, transition: AlarmTransition) -> None:
        rule = await self._rule(row.declaration, row.rule_id)
        policy = Policy(rule.latching, rule.ack_required, rule.rtn_ack) if rule else Policy()
        before = AlarmState(row.state)
        comment = ""
        start = before
        if row.number == 0 and transition.event is AlarmEvent.CLR:
            start = step(AlarmState.NORM, AlarmEvent.ACT, policy)
            comment = "the step that raised it has not arrived"
        try:
            after = step(start, transition.event, policy)
        except Rejected as error:
            after, comment = start, str(error)
        else:
            _side_effects(row, start, after, transition)
        row.state = after.value
        row.number = transition.number
        row.last_value = transition.value
        self._record(row, transition, before, after, comment=comment, late=self._is_late(transition))

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

    async def _supersede(self, row: AlarmRow, transition: AlarmTransition) -> None:
        """Close what returned to normal unacknowledged: the same rule has raised anew (table row 11)."""
        old_rows: Iterable[AlarmRow] = await self._session.scalars(
            select(AlarmRow)
            .where(
                AlarmRow.gateway == self._gateway,
                AlarmRow.rule_id == row.rule_id,
                AlarmRow.state == AlarmState.RTNUN.value,
                AlarmRow.closed_at.is_(None),
                AlarmRow.id != row.id,
            )
            .order_by(AlarmRow.id)
            .with_for_update()
        )
        for old in old_rows:
            # Its own row of this batch, where it has one, is the same object: one session, one identity.
            old.state = AlarmState.NORM.value
            old.acked_by = SUPERSEDED
            old.acked_at = old.closed_at = to_datetime(transition.event_us)
            old.shelved_until = None
            self._session.add(
                JournalRow(
                    alarm=old.id,
                    at=to_datetime(transition.event_us),
                    recorded_at=self._now,
                    event=AlarmEvent.ACT.value,
                    from_state=AlarmState.RTNUN.value,
                    to_state=AlarmState.NORM.value,
                    actor="system",
                    comment=f"superseded by occurrence {row.id}",
                    late=False,
                )
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
        self._session.add(
            JournalRow(
                alarm=row.id,
                at=to_datetime(transition.event_us),
                recorded_at=self._now,
                event=transition.event.value,
                from_state=before.value,
                to_state=after.value,
                actor=self._gateway,
                comment=comment,
                value=transition.value,
                quality=transition.quality,
                number=transition.number,
                late=late,
            )
        )

    def _is_late(self, transition: AlarmTransition) -> bool:
        return self._received_us - transition.event_us > LATE_US

    async def _rule(self, declaration: str, rule_id: str) -> Rule | None:
        """Return the rule as that declaration has it, else as the newest one that has it."""
        key = (declaration, rule_id)
        if key not in self._rules:
            bodies: Sequence[tuple[str, dict[str, Any]]] = [
                (found.declaration, found.body)
                for found in await self._session.scalars(
                    select(RuleRow).where(RuleRow.gateway == self._gateway, RuleRow.id == rule_id)
                )
            ]
            chosen = next((body for name, body in bodies if name == declaration), None)
            if chosen is None and bodies:
                chosen = bodies[-1][1]
            self._rules[key] = None if chosen is None else msgspec.convert(chosen, Rule)
        return self._rules[key]


def _side_effects(row: AlarmRow, before: AlarmState, after: AlarmState, transition: AlarmTransition) -> None:
    at: datetime = to_datetime(transition.event_us)
    if transition.event is AlarmEvent.ACT:
        row.cleared_at = row.closed_at = row.acked_at = row.acked_by = None
        if after is AlarmState.ACKED:
            row.acked_at, row.acked_by = at, "auto"
    elif transition.event is AlarmEvent.CLR:
        row.cleared_at = at
        if after is AlarmState.NORM:
            row.closed_at = at
            row.shelved_until = None
            if before is AlarmState.UNACK:
                row.acked_at, row.acked_by = at, "auto-clear"
