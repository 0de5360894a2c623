"""The alarm rules of one device: those of its profile, changed and extended by the gateway file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from edge.config.document import Document, Path_
from edge.config.mistakes import nearest
from edge.config.models import LIMIT_KINDS, AlarmEntry, DeviceEntry
from protocols.model.alarm import Rule
from protocols.model.device import AlarmDefault, PointProfile, Profile

COMMUNICATION = "communication"
"""Key of the alarm that says of a whole device that it is not heard."""
_THIS = re.compile(r"\bthis\.")
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
    "on_bad",
    "setpoint",
    "reference",
    "window_s",
    "per",
    "realarm_s",
    "max_shelve_s",
    "parent",
    "suppress_when",
)
_ABOUT_HEALTH = frozenset({"no_data", "bad_quality"})
"""Kinds about whether a point is heard at all; a silent device has one alarm for all of its points."""
_SECONDS = {"no_data": "30", "flatline": "1800", "discrepancy": "20"}
"""Kinds whose limit is a time, with an example."""


@dataclass(frozen=True, slots=True)
class _Merged:
    key: str
    values: dict[str, Any]
    entry: int | None
    """Position of the gateway file's entry that wrote or changed the rule."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a rule refers to: names with their device, "" where it refers to none."""

    entry: int | None
    key: str
    kind: str
    point: str
    reference: str
    parent: str
    suppress_when: str


def device_rules(device: DeviceEntry, profile: Profile, standard: Sequence[PointProfile]) -> Iterator[Rule]:
    """Yield the rules in force for a device whose entries have been checked."""
    merged = list(_merge(device, profile, standard))
    heard = any(rule.key == COMMUNICATION for rule in merged)
    for rule in merged:
        yield _rule(device.key, rule, heard=heard)


def default_rules(device: str, points: Sequence[PointProfile]) -> Iterator[Rule]:
    """Yield the rules that points bring along themselves, for a device without entries of its own."""
    for point in points:
        for default in point.alarms:
            yield _rule(device, _Merged(default.key, _values(point.key, default, None), None), heard=False)


def links(device: DeviceEntry, profile: Profile, standard: Sequence[PointProfile]) -> Iterator[Link]:
    """Yield what each rule of a device refers to beyond its own point."""
    for merged in _merge(device, profile, standard):
        values = merged.values
        yield Link(
            entry=merged.entry,
            key=merged.key,
            kind=values.get("kind") or "",
            point=_of(device.key, values.get("point") or ""),
            reference=_of(device.key, values.get("reference") or ""),
            parent=_of(device.key, values.get("parent") or ""),
            suppress_when=_own(device.key, values.get("suppress_when") or ""),
        )


def _rule(device: str, merged: _Merged, *, heard: bool) -> Rule:
    values = dict(merged.values)
    name, response = values.pop("name"), values.pop("response", None)
    point = _of(device, values.pop("point"))
    parent = _of(device, values.pop("parent", None) or "")
    if heard and not parent and values["kind"] in _ABOUT_HEALTH:
        parent = f"{device}.{COMMUNICATION}"
    return Rule(
        id=f"{device}.{merged.key}",
        point=point,
        name_zh=name.zh,
        name_en=name.en,
        response_zh=response.zh if response else "",
        response_en=response.en if response else "",
        limit=values.pop("limit", None) or 0.0,
        reference=_of(device, values.pop("reference", None) or ""),
        parent=parent,
        suppress_when=_own(device, values.pop("suppress_when", None) or ""),
        **values,
    )


def _of(device: str, name: str) -> str:
    """Return `device.name`, for a name that does not say its device."""
    return name if not name or "." in name else f"{device}.{name}"


def _own(device: str, expression: str) -> str:
    """Return an expression with the device's key for `this`."""
    return _THIS.sub(f"{device}.", expression)


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
                if getattr(entry, name) is None and (name != "limit" or entry.kind != "bad_quality"):
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
        if all(merged.values.get(name) is not None for name in _NEEDED if name != "limit"):
            known = merged.key in known_rules
            _check_one(document, at, merged, points[merged.values["point"]], known=known)
    _check_levels(document, at, whole)


def _check_one(document: Document, at: Path_, merged: _Merged, point: PointProfile, *, known: bool) -> None:
    """Check a rule by itself. `known`: it comes from the profile, so that nothing has been said of it yet."""
    where = at if merged.entry is None else (*at, merged.entry)
    kind = merged.values["kind"]
    limit: float | None = merged.values.get("limit")
    deadband: float = merged.values.get("deadband") or 0.0
    if kind == "condition":
        document.mistake(
            (*where, "kind"),
            f"alarm {merged.key!r} of a device cannot be a condition",
            "one of the other kinds",
            "write conditions over several points in the section `conditions:`",
        )
        return
    if kind not in _ABOUT_HEALTH and point.type in {"ascii", "text"}:
        document.mistake(
            (*where, "kind"),
            f"alarm {merged.key!r}: point {point.key!r} is text and has no limit",
            "kind: no_data or bad_quality for a text point",
            "choose a numeric point or kind: no_data",
        )
    if limit is None:
        if kind != "bad_quality" and known:
            document.mistake(
                (*where, "limit"), f"alarm {merged.key!r} has no `limit`", "a number", "add `limit: …`"
            )
        return
    if kind in _SECONDS and limit <= 0:
        document.mistake(
            (*where, "limit"),
            f"alarm {merged.key!r}: {kind} after {limit:g} s",
            "seconds above 0",
            f"write e.g. {_SECONDS[kind]}",
        )
    if kind in {"rate", "deviation"} and not limit > deadband:
        document.mistake(
            (*where, "limit"),
            f"alarm {merged.key!r}: limit {limit:g} is not above its deadband {deadband:g}, it never clears",
            "limit > deadband >= 0",
            "make the limit larger or the deadband smaller",
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
