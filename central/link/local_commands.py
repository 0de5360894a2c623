"""Commands that no one sent from here: a gateway's own actions, and people at its page.

The gateway tells of them by their outcome alone; the centre keeps each as a row like any other, so that
the history of a point is whole. Such a row has no number in the inbox.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from central.link.command_rows import CommandRow
from central.link.sent import storable
from central.store.registry import Point
from protocols.model.clock import to_datetime
from protocols.model.command import CommandOutcome


async def keep_local(session: AsyncSession, gateway: str, outcome: CommandOutcome) -> bool:
    """Keep a command that the gateway gave itself, in the caller's transaction.

    False where the outcome does not say what was commanded, on no point of this gateway, or under the
    name of another gateway's command.
    """
    if not outcome.point or outcome.value is None:
        return False
    point = await session.scalar(
        select(Point).where(Point.id == f"{gateway}.{outcome.point}", Point.gateway == gateway)
    )
    if point is None:
        return False
    issued = to_datetime(outcome.issued_us or outcome.finished_us)
    kept = await session.scalar(
        insert(CommandRow)
        .values(
            id=outcome.command,
            gateway=gateway,
            number=None,
            device=point.device,
            point=point.id,
            value=storable(outcome.value),
            expected=None,
            step="direct",
            unit=point.unit,
            state=outcome.state.value,
            issued_at=issued,
            issued_by=storable(outcome.issued_by),
            expires_at=issued,
            delivered_at=issued,
            finished_at=to_datetime(outcome.finished_us),
            read_back=storable(outcome.read_back),
            reason=storable(outcome.reason),
            detail=storable(outcome.detail),
        )
        .on_conflict_do_nothing()
        .returning(CommandRow.id)
    )
    return kept is not None
