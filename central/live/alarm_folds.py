"""Flood mode (报警泛滥): a storm of medium and low alarms folds into one entry, and comes out again.

A flood begins at more than 10 calls in 10 minutes per operator position and ends below 5 (alarms.md section
8; rolling, looked at every few seconds). P1 and P2 are never folded. A fold is data: which alarms, since
when, by whom, and who undid it; each alarm's journal says that it went in and came out.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, func, insert, literal, null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.live.alarm_query import OPEN, SHOWN, UNACKED, AlarmQuery, conditions
from central.live.alarm_rows import AlarmRow, JournalRow
from central.live.desk_rows import FoldRow
from central.store.reach import among, at_sites
from protocols.model.alarm import AlarmState

WINDOW: Final = timedelta(minutes=10)
BEGINS: Final = 10
"""More calls than this in the window, per operator position, begin a flood."""
ENDS: Final = 5
"""Fewer than this end it."""
FOLDED: Final = ("P3", "P4")
FLOOD: Final = "flood"


@dataclass(frozen=True, slots=True)
class Flood:
    """How it stands: calls in the last ten minutes per position, and since when it is a flood."""

    rate: float
    since: datetime | None
    positions: int


async def calls(session: AsyncSession, now: datetime, sites: Set[str] | None = None) -> int:
    """Count the calls of the last ten minutes: entries into UNACK that somebody could hear, late ones not.

    sites: only those of alarms at these sites.
    """
    counted = select(func.count(JournalRow.id)).where(*_called(now))
    if sites is not None:
        counted = counted.join_from(JournalRow, AlarmRow, AlarmRow.id == JournalRow.alarm)
        counted = counted.where(*at_sites(AlarmRow.site, sites))
    return await session.scalar(counted) or 0


def _called(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        JournalRow.at > now - WINDOW,
        JournalRow.at <= now,
        JournalRow.event == "ACT",
        JournalRow.to_state == AlarmState.UNACK.value,
        JournalRow.hidden.is_(False),
        JournalRow.late.is_(False),
    )


async def current(session: AsyncSession) -> FoldRow | None:
    """Return the flood that goes on now, whether its fold was undone or not."""
    row: FoldRow | None = await session.scalar(
        select(FoldRow).where(FoldRow.kind == "auto", FoldRow.ended_at.is_(None)).limit(1)
    )
    return row


async def turn(session: AsyncSession, now: datetime, positions: int) -> tuple[list[str], bool]:
    """Begin, feed or end the flood's fold; return the folded ids, and whether a fold itself changed."""
    count, fold = await calls(session, now), await current(session)
    begun = False
    if fold is None:
        if count <= BEGINS * positions:
            return [], False
        first = await session.scalar(select(func.min(JournalRow.at)).where(*_called(now)))
        fold = FoldRow(
            kind="auto", since=first or now, made_at=now, made_by=FLOOD, rate=count,
            reason=f"{count} calls in 10 min at {positions} position(s)",
        )  # fmt: skip
        session.add(fold)
        await session.flush()
        begun = True
    elif count < ENDS * positions:
        fold.ended_at = now
        return [], True
    if fold.undone_at is not None:
        return [], begun
    where = [SHOWN, UNACKED, AlarmRow.raised_at >= fold.since]
    folded = await _fold(session, fold, where, now)
    return folded, begun or bool(folded)


async def by_hand(
    session: AsyncSession, query: AlarmQuery, now: datetime, actor: str, reason: str
) -> tuple[FoldRow, list[str]]:
    """Fold what a filter lets through, as far as it is open and not urgent; the fold is stored anyway."""
    fold = FoldRow(
        kind="hand", since=now, made_at=now, made_by=actor, reason=reason, rate=await calls(session, now)
    )
    session.add(fold)
    await session.flush()
    folded = await _fold(session, fold, [OPEN, *conditions(query)], now)
    fold.ended_at = now
    if folded:
        first = await session.scalar(select(func.min(AlarmRow.raised_at)).where(AlarmRow.fold == fold.id))
        fold.since = first or now
    return fold, folded


async def undo(session: AsyncSession, fold: FoldRow, now: datetime, actor: str, reason: str) -> list[str]:
    """Take the alarms of a fold out again; return their ids. A flood that goes on folds no more of itself."""
    fold.undone_at, fold.undone_by = now, actor
    members = select(AlarmRow.id).where(AlarmRow.fold == fold.id)
    await _note(session, members, "UNFOLD", now, actor, f"storm {fold.id}: {reason}")
    taken = update(AlarmRow).where(AlarmRow.fold == fold.id).values(fold=None).returning(AlarmRow.id)
    return list((await session.scalars(taken, execution_options={"synchronize_session": False})).all())


async def _fold(
    session: AsyncSession, fold: FoldRow, where: list[ColumnElement[bool]], now: datetime
) -> list[str]:
    where = [*where, AlarmRow.priority.in_(FOLDED), AlarmRow.fold.is_(None)]
    put = update(AlarmRow).where(*where).values(fold=fold.id).returning(AlarmRow.id)
    ids = list((await session.scalars(put, execution_options={"synchronize_session": False})).all())
    if ids:
        members = select(AlarmRow.id).where(among(AlarmRow.id, ids))
        await _note(session, members, "FOLD", now, fold.made_by, f"storm {fold.id}: {fold.reason}")
    return ids


async def _note(
    session: AsyncSession, members: Select[str], event: str, now: datetime, actor: str, comment: str
) -> None:
    """Write the step into the journal of every member, in one statement."""
    row = AlarmRow
    chosen = select(
        row.id, literal(now), literal(now), literal(event), row.state, row.state, literal(actor),
        literal(comment), null(), null(), null(), literal(False), literal(""), literal(True),
    ).where(row.id.in_(members))  # fmt: skip
    columns = [
        "alarm", "at", "recorded_at", "event", "from_state", "to_state", "actor", "comment", "value",
        "quality", "number", "late", "act", "hidden",
    ]  # fmt: skip
    await session.execute(insert(JournalRow).from_select(columns, chosen))
