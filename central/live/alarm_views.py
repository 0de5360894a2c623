"""What the alarm board answers: occurrences, their evidence, pages and counts. All immutable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from central.live.alarm_rows import AlarmRow, JournalRow
from protocols.model.alarm import ACTIVE_STATES, UNACKED_STATES, Overlay


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
    assignee: str | None
    covers: tuple[int, ...]
    """What the centre has laid over it: ids of covers; their codes are among `overlays`."""
    muted_by: str
    """The gateway whose outage mutes it, else empty."""
    fold: int | None
    cause: str
    """Why it is there, to group by: `gateway:…`, `group:…` (first-out) or `rule:…`."""


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
class AlarmPage:
    """Alarms in the order asked for; next_cursor None at the end."""

    items: list[AlarmView]
    next_cursor: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """Counts for the overview: open occurrences that are active; unacked; shelved; active by priority."""

    active: int
    unacked: int
    shelved: int
    by_priority: dict[str, int]


def laid(row: AlarmRow) -> tuple[str, ...]:
    """Return every overlay of an occurrence, the gateway's and the centre's, in the order of `Overlay`."""
    return tuple(code.value for code in Overlay if code in row.overlays or code in row.cover_codes)


def cause(row: AlarmRow) -> str:
    """Return why it is there, to group by: a gateway that is down, a first-out group, else its rule."""
    if row.muted_by:
        return f"gateway:{row.muted_by}"
    if row.group_key:
        return f"group:{row.gateway}.{row.group_key}"
    return f"rule:{row.rule_id.partition('.')[2] or row.rule_id}"


def view(row: AlarmRow) -> AlarmView:
    """Return an occurrence as screens see it."""
    overlays = laid(row)
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
        overlays=overlays,
        display=overlays[0] if overlays else row.state,
        group=row.group_key,
        first_out=row.first_out,
        realarms=row.realarms,
        reactivations=row.reactivations,
        assignee=row.assignee,
        covers=tuple(row.covers),
        muted_by=row.muted_by,
        fold=row.fold,
        cause=cause(row),
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
