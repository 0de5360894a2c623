"""Alarms that the centre raises itself: a gateway that it does not hear (网关离线), as nobody else can tell.

They live by the same machine as the gateways' and are answered in the same way; no gateway is told of them.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.live import alarm_overlays
from central.live.alarm_covers import SYSTEM
from central.live.alarm_query import OPEN
from central.live.alarm_rows import AlarmRow, JournalRow
from central.live.alarm_rules import CENTRE, OFFLINE
from protocols.model.alarm import ACTIVE_STATES, AlarmEvent, AlarmState, policy_of, step

SUPERSEDED = "superseded"


async def open_one(session: AsyncSession, gateway: str) -> AlarmRow | None:
    """Return the open occurrence of `gateway offline` of this gateway, locked; None where there is none."""
    row: AlarmRow | None = await session.scalar(
        select(AlarmRow)
        .where(OPEN, AlarmRow.gateway == gateway, AlarmRow.rule_id == OFFLINE.id)
        .order_by(AlarmRow.raised_at.desc())
        .limit(1)
        .with_for_update()
    )
    return row


async def raise_offline(
    session: AsyncSession, gateway: str, site: str, limit_s: float, now: datetime
) -> tuple[AlarmRow, list[str]] | None:
    """Raise `gateway offline`; return it and every id that changed, or None where it is raised already.

    site: where the gateway stands, empty where that is not known; limit_s: after how long it was missed.
    """
    old, changed = await open_one(session, gateway), []
    if old is not None and old.state in ACTIVE_STATES:
        return None
    row = AlarmRow(
        id=str(uuid.uuid4()),
        gateway=gateway,
        declaration=CENTRE,
        rule_id=OFFLINE.id,
        point=f"{gateway}.{OFFLINE.point}",
        series=None,
        device=f"{gateway}._gateway",
        site=site,
        name_zh=OFFLINE.name_zh,
        name_en=OFFLINE.name_en,
        kind=OFFLINE.kind,
        priority=OFFLINE.priority,
        category=OFFLINE.category,
        limit=limit_s,
        deadband=0.0,
        unit="s",
        state=AlarmState.UNACK.value,
        number=1,
        raised_at=now,
        late=False,
        covers=[],
        cover_codes=[],
        overlays=[],
    )
    if old is not None:
        before, old.state = old.state, AlarmState.NORM.value
        old.acked_at = old.closed_at = now
        old.acked_by = SUPERSEDED
        alarm_overlays.bare(old)
        session.add(_entry(old, AlarmEvent.ACT, before, now, f"superseded by occurrence {row.id}"))
        changed.append(old.id)
    session.add(row)
    await session.flush()
    session.add(_entry(row, AlarmEvent.ACT, AlarmState.NORM.value, now, ""))
    return row, [*changed, row.id]


async def clear_offline(session: AsyncSession, gateway: str, now: datetime) -> list[str]:
    """Clear it: the gateway is heard again. Return the ids that changed."""
    row = await open_one(session, gateway)
    if row is None or row.state not in ACTIVE_STATES:
        return []
    before = row.state
    after = step(AlarmState(before), AlarmEvent.CLR, policy_of(OFFLINE))
    row.state, row.cleared_at = after.value, now
    if after is AlarmState.NORM:
        row.closed_at = now
        alarm_overlays.bare(row)
    session.add(_entry(row, AlarmEvent.CLR, before, now, ""))
    return [row.id]


def _entry(row: AlarmRow, event: AlarmEvent, before: str, now: datetime, comment: str) -> JournalRow:
    return JournalRow(
        alarm=row.id,
        at=now,
        recorded_at=now,
        event=event.value,
        from_state=before,
        to_state=row.state,
        actor=SYSTEM,
        comment=comment,
        late=False,
        hidden=row.hidden,
    )
