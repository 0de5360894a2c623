"""From registry records, board values and stored rules to what the API shows."""

from __future__ import annotations

from typing import Any

import msgspec

from central.casebook.queries import Link
from central.city.registry import PointRecord
from central.kernel.shapes import Name, QualityOut
from central.live.alarms import AlarmView
from central.live.alarms import JournalEntry as JournalRecord
from central.live.latest import LatestValue
from central.systems.monitoring import schemas, schemas_alarms
from protocols.model.alarm import Rule
from protocols.model.clock import SECOND_US, to_datetime


def latest(point: PointRecord, value: LatestValue | None, now_us: int) -> schemas.Latest | None:
    """Show the newest reading of a point; None where it was never read."""
    if value is None:
        return None
    return schemas.Latest(
        point=point.id,
        value=value.value,
        text=value.text,
        time=to_datetime(value.time_us),
        received_at=to_datetime(value.received_us),
        quality=QualityOut.of(value.quality),
        stale=value.stale,
        age_s=max(0.0, round((now_us - value.time_us) / SECOND_US, 3)),
    )


def point(record: PointRecord, value: LatestValue | None, now_us: int) -> schemas.PointBrief:
    """Show a point with its newest reading."""
    return schemas.PointBrief.model_validate(_point(record, value, now_us))


def point_with_rules(
    record: PointRecord, value: LatestValue | None, now_us: int, rules: list[schemas_alarms.Rule]
) -> schemas.Point:
    """Show a point with its newest reading and its rules."""
    return schemas.Point.model_validate({**_point(record, value, now_us), "rules": rules})


def _point(record: PointRecord, value: LatestValue | None, now_us: int) -> dict[str, Any]:
    return {
        "id": record.id,
        "key": record.key,
        "device": record.device,
        "name": Name(zh=record.name_zh, en=record.name_en),
        "unit": record.unit,
        "value_type": record.value_type,
        "decimals": record.decimals,
        "min": record.min,
        "max": record.max,
        "period_s": record.period_s,
        "writable": record.writable,
        "write_min": record.write_min,
        "write_max": record.write_max,
        "labels": labels(record),
        "latest": latest(record, value, now_us),
    }


def rule(body: dict[str, Any], declaration: str, point: str) -> schemas_alarms.Rule:
    """Show a rule as it was declared; `point` is the centre's id of what it watches."""
    declared = msgspec.convert(body, Rule)
    response = None
    if declared.response_zh or declared.response_en:
        response = Name(zh=declared.response_zh, en=declared.response_en)
    return schemas_alarms.Rule(
        id=declared.id,
        point=point,
        kind=declared.kind,
        limit=declared.limit,
        priority=declared.priority,
        name=Name(zh=declared.name_zh, en=declared.name_en),
        deadband=declared.deadband,
        on_delay_s=declared.on_delay_s,
        off_delay_s=declared.off_delay_s,
        latching=declared.latching,
        ack_required=declared.ack_required,
        rtn_ack=declared.rtn_ack,
        category=declared.category,
        response=response,
        declaration=declaration,
    )


def labels(record: PointRecord | None) -> dict[str, Name]:
    """Return the words for a point's values; none for a point that is not known any more."""
    return {code: Name(zh=zh, en=en) for code, (zh, en) in record.labels.items()} if record else {}


def alarm_fields(view: AlarmView, link: Link | None, point: PointRecord | None) -> dict[str, Any]:
    """Return the fields of an occurrence, with its point's words, and the event and case that it led to."""
    return {
        "id": view.id,
        "rule_id": view.rule_id,
        "name": Name(zh=view.name_zh, en=view.name_en),
        "point": view.point,
        "device": view.device,
        "site": view.site,
        "gateway": view.gateway,
        "kind": view.kind,
        "priority": view.priority,
        "category": view.category,
        "state": view.state,
        "active": view.active,
        "acked": view.acked,
        "shelved_until": view.shelved_until,
        "limit": view.limit,
        "deadband": view.deadband,
        "unit": view.unit,
        "raised_at": view.raised_at,
        "cleared_at": view.cleared_at,
        "acked_at": view.acked_at,
        "acked_by": view.acked_by,
        "raise_value": view.raise_value,
        "last_value": view.last_value,
        "event_id": link.event_id if link else None,
        "case_id": link.case_id if link else None,
        "late": view.late,
        "overlays": list(view.overlays),
        "display": view.display,
        "group": view.group,
        "first_out": view.first_out,
        "realarms": view.realarms,
        "reactivations": view.reactivations,
        "assignee": view.assignee,
        "muted_by": view.muted_by,
        "covers": list(view.covers),
        "fold": view.fold,
        "cause": view.cause,
        "labels": labels(point),
    }


def journal(entry: JournalRecord) -> schemas_alarms.JournalEntry:
    """Show a step of an occurrence."""
    return schemas_alarms.JournalEntry.model_validate(
        {
            "at": entry.at,
            "recorded_at": entry.recorded_at,
            "event": entry.event,
            "from": entry.from_state,
            "to": entry.to_state,
            "actor": entry.actor,
            "comment": entry.comment,
            "value": entry.value,
            "quality": None if entry.quality is None else QualityOut.of(entry.quality),
            "late": entry.late,
        }
    )
