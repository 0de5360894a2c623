"""What the centre lays over alarms by itself: maintenance windows, suppression, inhibition.

A cover matches alarms by site, device, gateway, rule and kind, from one moment to another; while it lies
there, its alarms go on with their lives and call nobody. Gateways know nothing of it, and their reports do
not take it off. When the last thing over an occurrence goes, it calls again if it is still active, and is
over if it returned to normal meanwhile (alarms.md section 3).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final, Literal

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from central.live.alarm_effects import uncovered
from central.live.alarm_query import OPEN
from central.live.alarm_rows import AlarmRow, JournalRow
from central.live.alarm_rules import CENTRE, Rules
from central.live.desk_rows import CoverRow
from protocols.model.alarm import AlarmState, Overlay, Policy, policy_of, unhidden
from protocols.model.clock import from_datetime
from protocols.model.order import AlarmAct

CoverKind = Literal["maintenance", "suppression", "inhibition"]
CODES: Final = {"maintenance": Overlay.OOSRV, "suppression": Overlay.DSUPR, "inhibition": Overlay.DSUPR}
MUTED_KINDS: Final = ("no_data", "bad_quality")
"""What the outage of a gateway explains: that its devices are not heard."""
SYSTEM: Final = "system"


@dataclass(slots=True)
class Laid:
    """What laying or taking off did: who changed, who calls again, and what the gateways must hear."""

    changed: list[str] = field(default_factory=list)
    raised: list[AlarmRow] = field(default_factory=list)
    acts: list[tuple[str, AlarmAct]] = field(default_factory=list)


async def in_force(session: AsyncSession) -> list[CoverRow]:
    """Return the covers that lie there now, in the order in which they were laid."""
    found = await session.scalars(
        select(CoverRow)
        .where(CoverRow.begun_at.is_not(None), CoverRow.ended_at.is_(None))
        .order_by(CoverRow.id)
    )
    return list(found)


def matches(cover: CoverRow, row: AlarmRow) -> bool:
    """Say whether a cover lies over an occurrence. The centre's own alarms are inhibited by nothing."""
    if cover.kind == "inhibition" and row.declaration == CENTRE:
        return False
    wanted = ((cover.site, row.site), (cover.device, row.device), (cover.gateway, row.gateway))
    if any(want is not None and want != have for want, have in wanted):
        return False
    if cover.rule is not None and not fnmatchcase(row.rule_id, glob(cover.rule)):
        return False
    return cover.kinds is None or row.kind in cover.kinds


def glob(pattern: str) -> str:
    """Return the pattern for fnmatch: `*` stands for anything, every other character for itself."""
    return "*".join("".join(f"[{c}]" if c in "[?" else c for c in part) for part in pattern.split("*"))


def matching(cover: CoverRow) -> list[ColumnElement[bool]]:
    """Return the same as `matches`, as SQL over open occurrences."""
    where: list[ColumnElement[bool]] = [OPEN]
    same = ((AlarmRow.site, cover.site), (AlarmRow.device, cover.device), (AlarmRow.gateway, cover.gateway))
    where += [column == wanted for column, wanted in same if wanted is not None]
    if cover.kind == "inhibition":
        where.append(AlarmRow.declaration != CENTRE)
    if cover.rule is not None:
        said = cover.rule.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
        where.append(AlarmRow.rule_id.like(said))
    if cover.kinds is not None:
        where.append(AlarmRow.kind.in_(cover.kinds))
    return where


def put(row: AlarmRow, cover: CoverRow) -> None:
    """Lay a cover over one occurrence."""
    row.covers = [*row.covers, cover.id]
    codes = {*row.cover_codes, CODES[cover.kind].value}
    row.cover_codes = [code.value for code in Overlay if code.value in codes]
    if cover.kind == "inhibition":
        row.muted_by = cover.gateway or ""


async def begin(session: AsyncSession, cover: CoverRow, now: datetime) -> Laid:
    """Lay a cover over every open occurrence that it matches."""
    cover.begun_at = now
    laid = Laid()
    rows = await session.scalars(
        select(AlarmRow).where(*matching(cover)).order_by(AlarmRow.id).with_for_update()
    )
    for row in rows.all():
        if cover.id not in row.covers:
            put(row, cover)
            session.add(_entry(row, row.state, "COVER", now, cover.made_by, _said(cover)))
            laid.changed.append(row.id)
    await session.flush()
    return laid


async def end(session: AsyncSession, cover: CoverRow, now: datetime, by: str, why: str) -> Laid:
    """Take a cover off; what nothing lies over any more calls again, or is over."""
    cover.ended_at, cover.ended_by, cover.end_why = now, by, why
    laid = Laid()
    if cover.begun_at is None:
        return laid
    rows = (
        await session.scalars(
            select(AlarmRow)
            .where(OPEN, AlarmRow.covers.contains([cover.id]))
            .order_by(AlarmRow.id)
            .with_for_update()
        )
    ).all()
    others = {other.id: other for other in await in_force(session) if other.id != cover.id}
    rules: dict[str, Rules] = {}
    for row in rows:
        _take(row, cover, others.values())
        before = after = AlarmState(row.state)
        if not row.hidden:
            known = rules.setdefault(row.gateway, Rules(session, row.gateway))
            rule = await known.get(row.declaration, row.rule_id)
            after = unhidden(before, policy_of(rule) if rule else Policy())
            uncovered(row, before, after, now)
            if after is AlarmState.UNACK:
                laid.raised.append(row)
            if before is AlarmState.RTNUN and row.declaration != CENTRE:
                laid.acts.append((row.gateway, _seen(row, now, why)))
        row.state = after.value
        act = laid.acts[-1][1].id if laid.acts and laid.acts[-1][1].occurrence == row.id else ""
        session.add(_entry(row, before.value, "UNCOVER", now, by, f"{_said(cover)} — {why}", act))
        laid.changed.append(row.id)
    await session.flush()
    return laid


def _take(row: AlarmRow, cover: CoverRow, others: Iterable[CoverRow]) -> None:
    row.covers = [known for known in row.covers if known != cover.id]
    rest = [other for other in others if other.id in row.covers]
    codes = {CODES[other.kind] for other in rest}
    row.cover_codes = [code.value for code in Overlay if code in codes]
    muting = (other.gateway or "" for other in rest if other.kind == "inhibition")
    row.muted_by = next(muting, "")


def _said(cover: CoverRow) -> str:
    return f"{cover.kind} {cover.id}: {cover.reason}"


def _seen(row: AlarmRow, now: datetime, why: str) -> AlarmAct:
    """Tell the gateway that what returned to normal under the cover is over here."""
    return AlarmAct(
        id=str(uuid.uuid4()),
        verb="ack",
        rule=row.rule_id,
        actor=SYSTEM,
        at_us=from_datetime(now),
        occurrence=row.id,
        comment=f"returned to normal while it was covered: {why}",
    )


def _entry(
    row: AlarmRow, before: str, event: str, now: datetime, actor: str, comment: str, act: str = ""
) -> JournalRow:
    return JournalRow(
        alarm=row.id,
        at=now,
        recorded_at=now,
        event=event,
        from_state=before,
        to_state=row.state,
        actor=actor,
        comment=comment,
        late=False,
        act=act,
        hidden=row.hidden,
    )


async def due(session: AsyncSession, now: datetime) -> tuple[Sequence[CoverRow], Sequence[CoverRow]]:
    """Return the covers that begin now, and those whose time is over; locked."""
    waiting = select(CoverRow).where(CoverRow.ended_at.is_(None)).order_by(CoverRow.id)
    waiting = waiting.with_for_update(skip_locked=True)
    begins = waiting.where(CoverRow.begun_at.is_(None), CoverRow.from_at <= now)
    over = waiting.where(CoverRow.until_at <= now)
    ending = (await session.scalars(over)).all()
    late = {cover.id for cover in ending}
    return [cover for cover in await session.scalars(begins) if cover.id not in late], ending
