"""Sections `interlocks:` and `actions:`: what guards a point, and what the gateway does by itself.

An interlock belongs to one writable point and holds for everybody: the centre, a person at the gateway,
and an action. An action writes when an alarm is raised or cleared, with or without the centre.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Discriminator, Field, Tag, ValidationError

from edge.config.conditions import check_expression, condition_names
from edge.config.document import Document, Path_
from edge.config.mistakes import nearest
from protocols.model.device import Key, PointProfile, Text
from protocols.model.strict import Strict

Entry = TypeVar("Entry", bound=Strict)
Operator = Literal["<", "<=", ">", ">=", "==", "!="]
_WINDOW = re.compile(r"\b(avg|min|max)\s*\(")
_TEXT = frozenset({"ascii", "text"})


class Comparison(Strict):
    """A point against a value, in the point's unit."""

    point: str = Field(description="device.point")
    op: Operator = Field(description="one of < <= > >= == !=, in quotes")
    value: float


def _kind(permit: object) -> str:
    return "str" if isinstance(permit, str) else "comparison"


Permit = Annotated[
    Annotated[Comparison, Tag("comparison")] | Annotated[str, Tag("str")], Discriminator(_kind)
]
"""A comparison or an expression; the discriminator lets a mistake be told of the one that was meant."""


class InterlockEntry(Strict):
    """What must be so before a point is written. `on` is any value but 0."""

    point: str = Field(description="device.point; the point that is protected")
    permit: tuple[Permit, ...] = Field(
        default=(), description="all must hold: {point, op, value} or an expression over points"
    )
    permit_for: Literal["on", "off", "any"] = Field(
        default="on", description="which writes `permit` judges; stopping is usually always allowed"
    )
    why: Text | None = Field(default=None, description="what the interlock protects, in both languages")
    excludes: tuple[str, ...] = Field(default=(), description="points that are never on together with it")
    min_on_s: float = Field(default=0, ge=0, le=86_400, description="it stays on for at least so long")
    min_off_s: float = Field(default=0, ge=0, le=86_400, description="it stays off for at least so long")
    select: bool | None = Field(
        default=None, description="select before operate; left out: as the profile says"
    )
    select_s: float = Field(default=30, gt=0, le=3600, description="how long a selection lasts")
    travel_s: float | None = Field(
        default=None,
        ge=0,
        le=3600,
        description="how long the read-back may take; left out: as the profile says",
    )


class WhenEntry(Strict):
    """The step of an alarm that starts an action."""

    alarm: str = Field(description="device.rule")
    on: Literal["raise", "clear"] = "raise"


class WriteEntry(Strict):
    """A value to write, in the point's unit; text for points that speak text."""

    point: str = Field(description="device.point")
    value: float | str


class ActionEntry(Strict):
    """What the gateway does by itself, and who wins over it."""

    key: Key
    when: WhenEntry
    do: tuple[WriteEntry, ...] = Field(min_length=1, description="written one after the other")
    hold_s: float = Field(
        default=0, ge=0, le=86_400, description="a person's command of that long ago or less wins over it"
    )
    force: bool = Field(default=False, description="for safety: `hold_s` does not keep it from acting")
    priority: int = Field(
        default=5, ge=1, le=9, description="1 wins; while its alarm stands, others are refused"
    )
    retry_s: float = Field(default=5, gt=0, le=3600, description="pause before it is tried again")
    retry_for_s: float = Field(default=60, ge=0, le=86_400, description="how long it is tried")


def check_acting(
    document: Document,
    data: Mapping[str, Any],
    points: Mapping[str, PointProfile],
    rules: Iterable[str],
) -> None:
    """Report interlocks and actions that cannot work. `points` by device.point, `rules` by device.rule."""
    _check_interlocks(document, _whole(data.get("interlocks"), InterlockEntry), points)
    _check_actions(
        document, _whole(data.get("actions"), ActionEntry), points, {*rules, *condition_names(data)}
    )


def _check_interlocks(
    document: Document, entries: Sequence[tuple[int, InterlockEntry]], points: Mapping[str, PointProfile]
) -> None:
    first: dict[str, int] = {}
    for i, entry in entries:
        at: Path_ = ("interlocks", i)
        if entry.point in first:
            document.mistake(
                (*at, "point"),
                f"{entry.point!r} has an interlock already, entry {first[entry.point] + 1}",
                "one entry for each point",
                "join the two entries",
            )
        first.setdefault(entry.point, i)
        target = _writable(document, (*at, "point"), entry.point, points)
        if (
            target is not None
            and target.type in _TEXT
            and (entry.excludes or entry.min_on_s or entry.min_off_s)
        ):
            document.mistake(
                at,
                f"{entry.point!r} is text, which is neither on nor off",
                "`excludes`, `min_on_s` and `min_off_s` on a number or switch",
                "remove them, or protect the text by `permit` with `permit_for: any`",
            )
        for j, other in enumerate(entry.excludes):
            if other == entry.point:
                document.mistake(
                    (*at, "excludes", j), f"{other!r} excludes itself", "another point", "remove it"
                )
            else:
                _switch(document, (*at, "excludes", j), other, points)
        for j, permit in enumerate(entry.permit):
            place = (*at, "permit", j)
            if isinstance(permit, Comparison):
                _switch(document, (*place, "point"), permit.point, points)
            elif check_expression(document, place, permit, points) and _WINDOW.search(permit):
                document.mistake(
                    place,
                    "a permissive is about this moment, and has no window of time",
                    "present values",
                    "make a condition with the window, and protect by a point that shows it",
                )


def _check_actions(
    document: Document,
    entries: Sequence[tuple[int, ActionEntry]],
    points: Mapping[str, PointProfile],
    rules: Set[str],
) -> None:
    keys: set[str] = set()
    taken: dict[tuple[str, str, str, int], float | str] = {}
    for i, entry in entries:
        at: Path_ = ("actions", i)
        if entry.key in keys:
            document.mistake(
                (*at, "key"), f"action {entry.key!r} is listed twice", "each key once", "give it another key"
            )
        keys.add(entry.key)
        if entry.when.alarm not in rules:
            document.mistake(
                (*at, "when", "alarm"),
                f"alarm {entry.when.alarm!r} does not exist",
                "device.rule of an alarm in force",
                nearest(entry.when.alarm, rules),
            )
        for j, write in enumerate(entry.do):
            place: Path_ = (*at, "do", j)
            target = _writable(document, (*place, "point"), write.point, points)
            if target is not None:
                _fits(document, (*place, "value"), write, target)
            same = (entry.when.alarm, entry.when.on, write.point, entry.priority)
            if taken.setdefault(same, write.value) != write.value:
                document.mistake(
                    place,
                    f"{write.point!r} gets {taken[same]!r} and {write.value!r} at the same moment",
                    "one value for a point at one step of an alarm",
                    "remove one of the two, or give one action another priority",
                )


def _fits(document: Document, at: Path_, write: WriteEntry, target: PointProfile) -> None:
    text = isinstance(write.value, str)
    if text != (target.type in _TEXT):
        document.mistake(
            at,
            f"{write.value!r} is {'text' if text else 'a number'}, and {write.point!r} takes the other",
            "a value of the point's kind",
            "write text in quotes, numbers without",
        )
        return
    if isinstance(write.value, str):
        return
    low = target.min if target.write_min is None else target.write_min
    high = target.max if target.write_max is None else target.write_max
    if target.type == "bool":
        low, high = 0, 1
    if (low is not None and write.value < low) or (high is not None and write.value > high):
        document.mistake(
            at,
            f"{write.value:g} is outside the limits of {write.point!r}",
            f"{'-' if low is None else f'{low:g}'} to {'-' if high is None else f'{high:g}'} {target.unit}",
            "correct the value, or the limits in the profile",
        )


def _writable(
    document: Document, at: Path_, name: str, points: Mapping[str, PointProfile]
) -> PointProfile | None:
    found = _known(document, at, name, points)
    if found is not None and not found.writable:
        document.mistake(
            at,
            f"{name!r} can only be read",
            "a writable point",
            nearest(name, (key for key, point in points.items() if point.writable)),
        )
        return None
    return found


def _known(
    document: Document, at: Path_, name: str, points: Mapping[str, PointProfile]
) -> PointProfile | None:
    found = points.get(name)
    if found is None:
        document.mistake(at, f"point {name!r} does not exist", "device.point", nearest(name, points))
    return found


def _switch(document: Document, at: Path_, name: str, points: Mapping[str, PointProfile]) -> None:
    """Report a point whose number nobody can know."""
    found = _known(document, at, name, points)
    if found is not None and (found.type in _TEXT or not found.readable):
        problem = "is text" if found.type in _TEXT else "cannot be read"
        document.mistake(at, f"{name!r} {problem}", "a number or switch that is read", "choose another point")


def _whole(section: Any, model: type[Entry]) -> list[tuple[int, Entry]]:
    """Return the entries that are whole by themselves; pydantic has reported the others."""
    whole: list[tuple[int, Entry]] = []
    for i, item in enumerate(section if isinstance(section, list) else []):
        with suppress(ValidationError):
            whole.append((i, model.model_validate(item)))
    return whole
