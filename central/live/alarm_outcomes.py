"""What a gateway answered to the acts of people here: the occurrence stands as it stands there.

An act holds here at once. Where the gateway refuses it, or it changed nothing there, no step follows that
would correct this side. A gateway sends its steps before its answers; so when the last act from here is
answered, what it last told of the occurrence is how it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from central.live import alarm_overlays
from central.live.alarm_effects import taken_over
from central.live.alarm_rows import AlarmRow, JournalRow, OverlayRow
from protocols.model.alarm import AlarmState, Overlay
from protocols.model.clock import to_datetime
from protocols.model.command import CommandOutcome

_OVER: Final = frozenset({"not-current", "unknown-alarm"})
"""Refusals that say: the gateway has no such occurrence any more."""


async def settle(
    session: AsyncSession, gateway: str, outcomes: Sequence[CommandOutcome], received_us: int
) -> list[str]:
    """Take over what answers to acts from here say; return the occurrences that changed."""
    answers = {outcome.command: outcome for outcome in outcomes}
    made = select(JournalRow.alarm, func.max(JournalRow.id)).where(
        JournalRow.alarm.in_(select(JournalRow.alarm).where(JournalRow.act.in_(answers))),
        JournalRow.act != "",
        JournalRow.number.is_(None),
    )
    last = (await session.execute(made.group_by(JournalRow.alarm).order_by(JournalRow.alarm))).all()
    changed = []
    for alarm, entry in last:
        row = await session.get(AlarmRow, alarm, with_for_update=True)
        act = await session.scalar(select(JournalRow.act).where(JournalRow.id == entry))
        if row is None or row.gateway != gateway or act not in answers:
            continue
        if await _settled(session, row, answers[act], to_datetime(received_us)):
            changed.append(row.id)
    return changed


async def _settled(session: AsyncSession, row: AlarmRow, answer: CommandOutcome, now: datetime) -> bool:
    over = answer.reason in _OVER or await _superseded(session, row)
    if not over and row.told_state is None:
        return False
    before = AlarmState(row.state)
    state = AlarmState.NORM if over else AlarmState(row.told_state or before)
    overlays = [] if state is AlarmState.NORM else row.told_overlays
    await _end_intervals(session, row, answer, now)
    if before is state and row.overlays == overlays:
        return False
    taken_over(row, state, overlays, now)
    session.add(
        JournalRow(
            alarm=row.id,
            at=now,
            recorded_at=now,
            event="ANSWER",
            from_state=before.value,
            to_state=state.value,
            actor=row.gateway,
            comment=f"as the gateway has it; it answered {answer.reason}: {answer.detail}".replace("\0", " "),
            late=False,
        )
    )
    return True


async def _superseded(session: AsyncSession, row: AlarmRow) -> bool:
    """Return whether the rule has raised anew since it had returned to normal (table row 11)."""
    if row.told_state != AlarmState.RTNUN:
        return False
    newer = select(AlarmRow.id).where(
        AlarmRow.gateway == row.gateway,
        AlarmRow.rule_id == row.rule_id,
        AlarmRow.raised_at > row.raised_at,
    )
    return await session.scalar(newer.limit(1)) is not None


async def _end_intervals(session: AsyncSession, row: AlarmRow, answer: CommandOutcome, now: datetime) -> None:
    """End what this act has laid over the rule here, where the gateway has not."""
    laid = await session.scalars(
        select(OverlayRow).where(OverlayRow.act == answer.command, OverlayRow.left_at.is_(None))
    )
    for interval in laid.all():
        if interval.overlay in row.told_overlays:
            continue
        overlay, why = Overlay(interval.overlay), f"the gateway refused it: {answer.reason}"
        await alarm_overlays.leave(
            session, row.gateway, row.rule_id, overlay, at=now, actor=row.gateway, why=why.replace("\0", " ")
        )
