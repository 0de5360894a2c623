"""What lies over a rule for a time, by whom and why: shelving and out of service, each an interval.

An overlay belongs to a rule, not to an occurrence: it may be put on while nothing is active. Suppression
by design is the gateway's logic and stands in the journal of the occurrences that it hid.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from central.live.alarm_rows import AlarmRow, OverlayRow
from central.store.reach import among
from protocols.model.alarm import Overlay

BY_PEOPLE = frozenset({Overlay.SHLVD, Overlay.OOSRV})


async def enter(
    session: AsyncSession,
    gateway: str,
    rule: str,
    overlay: Overlay,
    *,
    at: datetime,
    actor: str,
    reason: str,
    until: datetime | None,
    act: str,
) -> None:
    """Note that an overlay was put on; one that is on already stays as it is."""
    await session.execute(
        insert(OverlayRow)
        .values(
            gateway=gateway,
            rule_id=rule,
            overlay=overlay.value,
            entered_at=at,
            entered_by=actor,
            reason=reason,
            until_at=until,
            act=act,
        )
        .on_conflict_do_nothing()
    )


async def leave(
    session: AsyncSession, gateway: str, rule: str, overlay: Overlay, *, at: datetime, actor: str, why: str
) -> bool:
    """Note that an overlay was taken off; return whether one was on that had been put on before `at`."""
    ended = await session.scalar(
        update(OverlayRow)
        .where(
            OverlayRow.gateway == gateway,
            OverlayRow.rule_id == rule,
            OverlayRow.overlay == overlay.value,
            OverlayRow.left_at.is_(None),
            OverlayRow.entered_at <= at,
        )
        .values(left_at=at, left_by=actor, left_why=why)
        .returning(OverlayRow.id)
    )
    return ended is not None


async def in_force(
    session: AsyncSession, gateway: str, rules: Collection[str]
) -> dict[str, list[OverlayRow]]:
    """Return what people have laid over these rules at present; an empty list where there is nothing."""
    laid: dict[str, list[OverlayRow]] = {rule: [] for rule in rules}
    for row in await session.scalars(
        select(OverlayRow)
        .where(OverlayRow.gateway == gateway, among(OverlayRow.rule_id, laid), OverlayRow.left_at.is_(None))
        .order_by(OverlayRow.id)
    ):
        laid[row.rule_id].append(row)
    return laid


def put(row: AlarmRow, overlay: Overlay, *, until: datetime | None, actor: str, reason: str) -> None:
    """Show an overlay at an occurrence."""
    row.overlays = [known.value for known in Overlay if known == overlay or known.value in row.overlays]
    if overlay is Overlay.SHLVD:
        row.shelved_until, row.shelved_by, row.shelve_reason = until, actor, reason


def take(row: AlarmRow, overlay: Overlay) -> None:
    """Show it no longer."""
    row.overlays = [known for known in row.overlays if known != overlay.value]
    if overlay is Overlay.SHLVD:
        row.shelved_until = row.shelved_by = row.shelve_reason = None


def bare(row: AlarmRow) -> None:
    """Show no overlay: the occurrence is closed. The rule keeps its own."""
    row.overlays, row.covers, row.cover_codes, row.muted_by = [], [], [], ""
    row.shelved_until = row.shelved_by = row.shelve_reason = None
