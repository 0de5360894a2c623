"""The alarm board: every occurrence with its present state, and the journal of all that happened to it.

The gateway judges the condition (ACT, CLR); people answer here (`central.live.alarm_answers`) or at the
gateway. Both go through `protocols.model.alarm.step`; overlays lie beside the state (alarms.md 1 to 3).
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.live import alarm_query, desk_rows  # noqa: F401 - with the second the desk's tables are known
from central.live.alarm_answers import Answers, Forward
from central.live.alarm_intake import Applied, Intake
from central.live.alarm_outcomes import settle
from central.live.alarm_query import AlarmQuery, StateFilter
from central.live.alarm_rows import AlarmRow, JournalRow
from central.live.alarm_rules import CENTRE, OWN
from central.live.alarm_views import (
    AlarmCounts,
    AlarmPage,
    AlarmView,
    Evidence,
    JournalEntry,
    entry,
    view,
)
from central.store.reach import among
from central.store.registry import RuleRow
from protocols.model.alarm import AlarmTransition
from protocols.model.command import CommandOutcome
from protocols.model.order import AlarmAct

__all__ = [
    "AlarmBoard",
    "AlarmCounts",
    "AlarmPage",
    "AlarmQuery",
    "AlarmRow",
    "AlarmView",
    "Applied",
    "Evidence",
    "Forward",
    "JournalEntry",
    "JournalRow",
    "StateFilter",
]


class AlarmBoard(Answers):
    """Reads and changes occurrences. Every change is one transaction, then told on the bus as `alarm`."""

    async def list(self, query: AlarmQuery) -> AlarmPage:
        """Return a page and how many there are. Problem 400 for a cursor that was not made here."""
        async with self._database.session() as session:
            rows, cursor = await alarm_query.page(session, query)
            total = await alarm_query.total(session, query)
        return AlarmPage([view(row) for row in rows], cursor, total)

    async def ids(self, query: AlarmQuery) -> tuple[Sequence[str], bool]:
        """Return the ids of a page, and whether there are more."""
        async with self._database.session() as session:
            rows, cursor = await alarm_query.page(session, query)
        return [row.id for row in rows], cursor is not None

    async def facets(self, query: AlarmQuery) -> dict[str, dict[str, int]]:
        """Count what the filter lets through, by facet and value."""
        async with self._database.session() as session:
            return await alarm_query.facets(session, query)

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
            own = OWN.get(row.rule_id) if row.declaration == CENTRE else None
            body = {} if rule is None else rule.body
            journal = await session.scalars(
                select(JournalRow).where(JournalRow.alarm == alarm_id).order_by(JournalRow.id)
            )
            if own is not None:
                body = msgspec.to_builtins(own)
            return Evidence(view(row), body, [entry(step_) for step_ in journal])

    async def counts(self, sites: Set[str] | None = None) -> AlarmCounts:
        """Count the open occurrences for the overview; those under an overlay are left out, or shelved."""
        return await self.tally.counts(sites)

    async def sites_of(self, alarm_ids: Sequence[str]) -> frozenset[str]:
        """Return the sites at which these occurrences are."""
        if not alarm_ids:
            return frozenset()
        async with self._database.session() as session:
            chosen = select(AlarmRow.site).where(among(AlarmRow.id, alarm_ids)).distinct()
            return frozenset(await session.scalars(chosen))

    async def worst_by_site(self, sites: Set[str] | None = None) -> dict[str, tuple[str | None, int, int]]:
        """Return site -> (worst active priority, active, unacknowledged); open and not shelved ones only."""
        return await self.tally.worst_by_site(sites)

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

    async def answered(
        self, session: AsyncSession, gateway: str, outcomes: Sequence[CommandOutcome], received_us: int
    ) -> Sequence[str]:
        """Take over what a gateway answered to acts from here, inside the caller's transaction."""
        return await settle(session, gateway, outcomes, received_us)

    async def publish(self, alarm_ids: Sequence[str]) -> None:
        """Tell the bus the present state of these occurrences; called after the commit."""
        if not alarm_ids:
            return
        async with self._database.session() as session:
            rows = {
                row.id: row
                for row in await session.scalars(select(AlarmRow).where(among(AlarmRow.id, alarm_ids)))
            }
        for alarm_id in alarm_ids:
            self._bus.publish("alarm", view(rows[alarm_id]))

    async def forward(self, acts: Sequence[tuple[str, AlarmAct]]) -> None:
        """Hand acts to their gateways; called after the commit."""
        told: dict[str, list[AlarmAct]] = {}
        for gateway, act in acts:
            told.setdefault(gateway, []).append(act)
        for gateway, its in told.items():
            await self._forward(gateway, its)
