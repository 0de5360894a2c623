"""Alarms that nobody has answered: what an escalation works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from central.live.alarm_query import SHOWN, UNACKED
from central.live.alarm_rows import AlarmRow, JournalRow
from central.live.alarm_views import AlarmView, view
from protocols.model.alarm import UNACKED_STATES

_CALLS: Final = ("ACT", "REALARM", "UNSHELVE", "RETURN", "UNSUPPRESS", "UNCOVER")
"""Steps after which somebody is waited for; of these the last that nothing hid counts."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An occurrence that waits for its acknowledgement, and since when it has been calling."""

    alarm: AlarmView
    since: datetime


async def unanswered(
    session: AsyncSession, older_than: datetime, priority: Sequence[str] = ("P1", "P2", "P3", "P4")
) -> list[Unanswered]:
    """Return open occurrences of these priorities that call since before `older_than`, the longest first.

    An occurrence calls while it is unacknowledged (UNACK, RTNUN, LTUNK) and nothing lies over it: a shelved,
    suppressed or out-of-service alarm, one in a maintenance window and one that a gateway's outage mutes are
    not there, and when that ends their time begins anew. A re-alarm begins it anew too. `since` is the time
    of the call (source time where a gateway told it). Whether somebody was assigned is in `alarm.assignee`;
    an escalation goes on until the occurrence is no longer returned. Reads only; one statement.
    """
    called = (
        select(func.max(JournalRow.at))
        .where(
            JournalRow.alarm == AlarmRow.id,
            JournalRow.event.in_(_CALLS),
            JournalRow.to_state.in_([state.value for state in UNACKED_STATES]),
            JournalRow.hidden.is_(False),
        )
        .correlate(AlarmRow)
        .scalar_subquery()
    )
    since = func.coalesce(called, AlarmRow.raised_at)
    rows = await session.execute(
        select(AlarmRow, since)
        .where(SHOWN, UNACKED, AlarmRow.priority.in_(priority), since <= older_than)
        .order_by(since, AlarmRow.id)
    )
    return [Unanswered(view(row), moment) for row, moment in rows]
