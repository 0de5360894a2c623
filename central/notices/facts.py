"""What is known of an alarm as it is told: for templates, in a person's language and zone, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from central.notices.words import PRIORITIES, STATES

ALARM_COLUMNS: Final = """
a.id, a.rule_id, a.name_zh, a.name_en, a.priority, a.category, a.kind, a.site, coalesce(s.name_zh, ''),
coalesce(s.name_en, ''), coalesce(s.district, ''), a.device, coalesce(d.name_zh, ''), coalesce(d.name_en, ''),
a.point, a.gateway, a.state, a.raise_value, a.last_value, a."limit", a.unit, a.raised_at, a.cleared_at,
a.acked_at, a.acked_by, a.closed_at, a.late, a.overlays || a.cover_codes
"""
ALARM_JOINS: Final = "LEFT JOIN sites s ON s.id = a.site LEFT JOIN devices d ON d.id = a.device"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An occurrence as it stands; `covers` are the codes that lie over it."""

    id: str
    rule_id: str
    name_zh: str
    name_en: str
    priority: str
    category: str
    kind: str
    site: str
    site_zh: str
    site_en: str
    area: str
    device: str
    device_zh: str
    device_en: str
    point: str
    gateway: str
    state: str
    raise_value: float | None
    last_value: float | None
    limit: float
    unit: str
    raised_at: datetime
    cleared_at: datetime | None
    acked_at: datetime | None
    acked_by: str | None
    closed_at: datetime | None
    late: bool
    covers: Sequence[str]

    def name(self, lang: str) -> str:
        """Return its name."""
        return self.name_zh if lang == "zh" else self.name_en

    def place(self, lang: str) -> str:
        """Return its site's name."""
        return (self.site_zh if lang == "zh" else self.site_en) or self.site


@dataclass(frozen=True, slots=True)
class Entry:
    """A step of the journal."""

    id: int
    at: datetime
    event: str
    from_state: str
    to_state: str
    actor: str
    comment: str
    late: bool


def local(at: datetime | None, zone: str) -> str:
    """Return a time as people there read it, with its offset; empty for none."""
    return "" if at is None else at.astimezone(ZoneInfo(zone)).isoformat(" ", "seconds")


def priority(code: str, lang: str) -> str:
    """Return a priority in words."""
    zh, en = PRIORITIES.get(code, (code, code))
    return zh if lang == "zh" else en


def values(alarm: Alarm, lang: str, zone: str, now: datetime, step: int | None = None) -> dict[str, str]:
    """Return what a template may use. step counts from 0 here and from 1 for people."""
    zh, en = STATES.get(alarm.state, (alarm.state, alarm.state))
    shown = alarm.last_value if alarm.raise_value is None else alarm.raise_value
    return {
        "alarm": alarm.id,
        "name": alarm.name(lang),
        "priority": priority(alarm.priority, lang),
        "site": alarm.place(lang),
        "area": alarm.area,
        "device": (alarm.device_zh if lang == "zh" else alarm.device_en) or alarm.device,
        "point": alarm.point,
        "value": "–" if shown is None else f"{shown:g}",
        "limit": f"{alarm.limit:g}",
        "unit": "" if alarm.unit == "1" else alarm.unit,
        "category": alarm.category,
        "raised_at": local(alarm.raised_at, zone),
        "cleared_at": local(alarm.cleared_at, zone),
        "acked_at": local(alarm.acked_at, zone),
        "acked_by": alarm.acked_by or "",
        "state": zh if lang == "zh" else en,
        "at": local(now, zone),
        "step": "" if step is None else str(step + 1),
        "minutes": str(max(0, int((now - alarm.raised_at).total_seconds() // 60))),
    }


def document(alarm: Alarm, entry: Entry) -> Mapping[str, Any]:
    """Return `data` of a signed webhook."""
    return {
        "alarm": {
            "id": alarm.id,
            "rule_id": alarm.rule_id,
            "name": {"zh": alarm.name_zh, "en": alarm.name_en},
            "priority": alarm.priority,
            "category": alarm.category,
            "kind": alarm.kind,
            "site": alarm.site,
            "area": alarm.area,
            "gateway": alarm.gateway,
            "device": alarm.device,
            "point": alarm.point,
            "state": alarm.state,
            "overlays": list(alarm.covers),
            "limit": alarm.limit,
            "raise_value": alarm.raise_value,
            "last_value": alarm.last_value,
            "unit": alarm.unit,
            "raised_at": _iso(alarm.raised_at),
            "cleared_at": _iso(alarm.cleared_at),
            "acked_at": _iso(alarm.acked_at),
            "acked_by": alarm.acked_by,
            "late": alarm.late,
        },
        "step": {
            "number": entry.id,
            "at": _iso(entry.at),
            "event": entry.event,
            "from": entry.from_state,
            "to": entry.to_state,
            "actor": entry.actor,
            "comment": entry.comment,
        },
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
