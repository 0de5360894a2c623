"""What the alarm board answers: occurrences, their evidence, pages and counts. All immutable."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from central.live.alarm_rows import AlarmRow, JournalRow
from protocols.model.alarm import ACTIVE_STATES, UNACKED_STATES

StateFilter = Literal["active", "unacked", "open", "closed", "all"]


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An occurrence as screens see it. event_id and case_id are the casebook's and not known here."""

    id: str
    rule_id: str
    name_zh: str
    name_en: str
    point: str
    device: str
    site: str
    gateway: str
    kind: str
    priority: str
    category: str
    state: str
    active: bool
    acked: bool
    shelved_until: datetime | None
    limit: float
    deadband: float
    unit: str
    raised_at: datetime
    cleared_at: datetime | None
    acked_at: datetime | None
    acked_by: str | None
    raise_value: float | None
    last_value: float | None
    late: bool
    declaration: str
    overlays: tuple[str, ...]
    display: str
    """The ISA state to show: the first overlay, else the base state."""
    group: str
    first_out: bool
    realarms: int
    reactivations: int


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step of an occurrence, by whom and why."""

    at: datetime
    recorded_at: datetime
    event: str
    from_state: str
    to_state: str
    actor: str
    comment: str
    value: float | None
    quality: int | None
    late: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an alarm rests on: its rule as it was declared, and every step since."""

    alarm: AlarmView
    rule: dict[str, Any]
    """`protocols.model.alarm.Rule` as JSON, from the declaration that the occurrence names."""
    journal: list[JournalEntry]


@dataclass(frozen=True, slots=True)
class AlarmQuery:
    """Which alarms. `open` means not closed; `site`, `device`, `priority` narrow; shelved None = both.

    sites: those within reach of who asks; None: all.
    """

    state: StateFilter = "open"
    priority: str | None = None
    site: str | None = None
    device: str | None = None
    shelved: bool | None = None
    sites: Set[str] | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """Alarms, the newest raised first; next_cursor None at the end."""

    items: list[AlarmView]
    next_cursor: str | None
    total: int


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """Counts for the overview: open occurrences that are active; unacked; shelved; active by priority."""

    active: int
    unacked: int
    shelved: int
    by_priority: dict[str, int]


def view(row: AlarmRow) -> AlarmView:
    """Return an occurrence as screens see it."""
    return AlarmView(
        id=row.id,
        rule_id=row.rule_id,
        name_zh=row.name_zh,
        name_en=row.name_en,
        point=row.point,
        device=row.device,
        site=row.site,
        gateway=row.gateway,
        kind=row.kind,
        priority=row.priority,
        category=row.category,
        state=row.state,
        active=row.state in ACTIVE_STATES,
        acked=row.state not in UNACKED_STATES,
        shelved_until=row.shelved_until,
        limit=row.limit,
        deadband=row.deadband,
        unit=row.unit,
        raised_at=row.raised_at,
        cleared_at=row.cleared_at,
        acked_at=row.acked_at,
        acked_by=row.acked_by,
        raise_value=row.raise_value,
        last_value=row.last_value,
        late=row.late,
        declaration=row.declaration,
        overlays=tuple(row.overlays),
        display=row.overlays[0] if row.overlays else row.state,
        group=row.group_key,
        first_out=row.first_out,
        realarms=row.realarms,
        reactivations=row.reactivations,
    )


def entry(row: JournalRow) -> JournalEntry:
    """Return a step of the journal as screens see it."""
    return JournalEntry(
        at=row.at,
        recorded_at=row.recorded_at,
        event=row.event,
        from_state=row.from_state,
        to_state=row.to_state,
        actor=row.actor,
        comment=row.comment,
        value=row.value,
        quality=row.quality,
        late=row.late,
    )
