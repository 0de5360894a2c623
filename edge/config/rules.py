"""The alarm rules of one device: those of its profile, changed and extended by the gateway file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from edge.config.document import Document, Path_
from edge.config.mistakes import nearest
from edge.config.models import LIMIT_KINDS, AlarmEntry, DeviceEntry
from protocols.model.alarm import Rule
from protocols.model.device import AlarmDefault, PointProfile, Profile

_NEEDED = ("point", "kind", "limit", "priority", "name")
_CHANGES = (
    *_NEEDED,
    "deadband",
    "on_delay_s",
    "off_delay_s",
    "latching",
    "ack_required",
    "rtn_ack",
    "category",
    "response",
)


@dataclass(frozen=True, slots=True)
class _Merged:
    key: str
    values: dict[str, Any]
    entry: int | None
    """Position of the gateway file's entry that wrote or changed the rule."""


def device_rules(device: DeviceEntry, profile: Profile, standard: Sequence[PointProfile]) -> Iterator[Rule]:
    """Yield the rules in force for a device whose entries have been checked."""
    for merged in _merge(device, profile, standard):
        values = dict(merged.values)
        name, response = values.pop("name"), values.pop("response", None)
        yield Rule(
            id=f"{device.key}.{merged.key}",
            point=f"{device.key}.{values.pop('point')}",
            name_zh=name.zh,
            name_en=name.en,
            response_zh=response.zh if response else "",
            response_en=response.en if response else "",
            **values,
        )


def default_rules(device: str, points: Sequence[PointProfile]) -> Iterator[Rule]:
    """Yield the rules that points bring along themselves, for a device without entries of its own."""
    for point in points:
        for default in point.alarms:
            yield Rule(
                id=f"{device}.{default.key}",
                point=f"{device}.{point.key}",
                name_zh=default.name.zh,
                name_en=default.name.en,
                response_zh=default.response.zh if default.response else "",
                response_en=default.response.en if default.response else "",
                **{
                    field: getattr(default, field)
                    for field in _CHANGES
                    if field not in {"point", "name", "response"}
                },
            )


def check_rules(
    document: Document, at: Path_, device: DeviceEntry, profile: Profile, standard: Sequence[PointProfile]
) -> None:
    """Report rules that cannot work: incomplete, on no point, limits that contradict one another."""
    points = {point.key: point for point in (*profile.points, *standard)}
    known_rules = {alarm.key for point in points.values() for alarm in point.alarms}
    seen: set[str] = set()
    for i, entry in enumerate(device.alarms):
        if entry.key in seen:
            document.mistake(
                (*at, i, "key"),
                f"alarm {entry.key!r} is listed twice",
                "each key once",
                "join the two entries",
            )
        seen.add(entry.key)
        if entry.disabled and entry.key not in known_rules:
            document.mistake(
                (*at, i, "key"),
                f"there is no alarm {entry.key!r} to disable",
                "the key of a rule of the profile",
                nearest(entry.key, known_rules),
            )
        elif entry.key not in known_rules:
            for name in _NEEDED:
                if getattr(entry, name) is None:
                    document.mistake(
                        (*at, i),
                        f"alarm {entry.key!r} has no `{name}`",
                        f"`{name}`, because profile {profile.id!r} has no such rule to take it from",
                        f"add `{name}: …`, or correct the key: {nearest(entry.key, known_rules)}",
                    )
        if entry.point is not None and entry.point not in points:
            document.mistake(
                (*at, i, "point"),
                f"point {entry.point!r} does not exist in profile {profile.id!r}",
                "the key of a point",
                nearest(entry.point, points),
            )
    whole = [merged for merged in _merge(device, profile, standard) if merged.values.get("point") in points]
    for merged in whole:
        if all(merged.values.get(name) is not None for name in _NEEDED):
            _check_one(document, at, merged, points[merged.values["point"]])
    _check_levels(document, at, whole)


def _check_one(document: Document, at: Path_, merged: _Merged, point: PointProfile) -> None:
    where = at if merged.entry is None else (*at, merged.entry)
    kind = merged.values["kind"]
    limit: float = merged.values["limit"]
    deadband: float = merged.values.get("deadband") or 0.0
    if kind != "no_data" and point.type in {"ascii", "text"}:
        document.mistake(
            (*where, "kind"),
            f"alarm {merged.key!r}: point {point.key!r} is text and has no limit",
            "kind: no_data for a text point",
            "choose a numeric point or kind: no_data",
        )
    if kind == "no_data" and limit <= 0:
        document.mistake(
            (*where, "limit"),
            f"alarm {merged.key!r}: no_data after {limit} s",
            "seconds above 0",
            "write e.g. 30",
        )
    if kind not in LIMIT_KINDS:
        return
    for bound, beyond in ((point.min, "min"), (point.max, "max")):
        if bound is not None and ((beyond == "min" and limit < bound) or (beyond == "max" and limit > bound)):
            document.mistake(
                (*where, "limit"),
                f"alarm {merged.key!r}: limit {limit:g} is outside the point's {beyond} {bound:g}",
                f"a limit within the range of {point.key!r}",
                "correct the limit or the range of the point",
            )
    if point.min is not None and point.max is not None and deadband >= point.max - point.min:
        document.mistake(
            (*where, "deadband"),
            f"alarm {merged.key!r}: deadband {deadband:g} is as wide as the point's range",
            "a deadband well below the range, else the alarm never clears",
            "write 1 to 5 % of the range",
        )


def _check_levels(document: Document, at: Path_, rules: list[_Merged]) -> None:
    """alarms.md section 4: SP_HIHI > SP_HI > SP_LO > SP_LOLO, and DB < SP_HI - SP_LO."""
    by_point: dict[str, dict[str, _Merged]] = {}
    for rule in rules:
        if rule.values.get("kind") in LIMIT_KINDS and rule.values.get("limit") is not None:
            by_point.setdefault(rule.values["point"], {})[rule.values["kind"]] = rule
    for levels in by_point.values():
        ordered = [levels[kind] for kind in ("hihi", "hi", "lo", "lolo") if kind in levels]
        for upper, lower in pairwise(ordered):
            blamed = upper if upper.entry is not None else lower
            where = at if blamed.entry is None else (*at, blamed.entry, "limit")
            high, low = upper.values["limit"], lower.values["limit"]
            names = f"{upper.values['kind']} {upper.key!r}", f"{lower.values['kind']} {lower.key!r}"
            if high <= low:
                document.mistake(
                    where,
                    f"{names[0]} at {high:g} is not above {names[1]} at {low:g}",
                    "hihi > hi > lo > lolo",
                    "correct one of the two limits",
                )
                continue
            if upper.values["kind"] == "hi" and lower.values["kind"] in {"lo", "lolo"}:
                widest = max(upper.values.get("deadband") or 0.0, lower.values.get("deadband") or 0.0)
                if widest >= high - low:
                    document.mistake(
                        where,
                        f"deadband {widest:g} is as wide as the gap between {names[0]} and {names[1]}",
                        f"a deadband below {high - low:g}",
                        "make the deadband smaller",
                    )


def _merge(device: DeviceEntry, profile: Profile, standard: Sequence[PointProfile]) -> Iterator[_Merged]:
    entries = {entry.key: (i, entry) for i, entry in enumerate(device.alarms)}
    known: set[str] = set()
    for point in (*profile.points, *standard):
        for default in point.alarms:
            known.add(default.key)
            i, entry = entries.get(default.key, (None, None))
            if entry is None or not entry.disabled:
                yield _Merged(default.key, _values(point.key, default, entry), i)
    for key, (i, entry) in entries.items():
        if key not in known and not entry.disabled:
            yield _Merged(key, _values(None, None, entry), i)


def _values(point: str | None, default: AlarmDefault | None, entry: AlarmEntry | None) -> dict[str, Any]:
    values: dict[str, Any] = {"point": point} if point else {}
    if default is not None:
        values |= {name: getattr(default, name) for name in _CHANGES if name != "point"}
    if entry is not None:
        values |= {name: getattr(entry, name) for name in _CHANGES if getattr(entry, name) is not None}
    return values
