"""What the alarms of devices refer to beyond their own point; checked when all devices are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.config.conditions import (
    ConditionEntry,
    check_circles,
    check_expression,
    check_parent,
)
from edge.config.document import Document, Path_
from edge.config.mistakes import nearest
from edge.config.rules import Link
from protocols.model.device import PointProfile

_TEXT = frozenset({"ascii", "text"})
_REFER = frozenset({"deviation", "discrepancy"})


def check_links(
    document: Document,
    found: Sequence[tuple[Path_, str, Link]],
    conditions: Sequence[tuple[str, ConditionEntry]],
    points: Mapping[str, PointProfile],
    rules: set[str],
) -> None:
    """Report references that lead nowhere. found: (place of the device's alarms, rule id, link) of each rule.

    conditions: (rule id, entry); `points` by device.point; `rules`: every alarm of the gateway.
    """
    parents: dict[str, tuple[str, Path_]] = {}
    for at, rule, link in found:
        where = at if link.entry is None else (*at, link.entry)
        _reference(document, (*where, "reference"), rule, link, points)
        check_parent(document, (*where, "parent"), rule, link.parent, rules)
        if link.parent and link.parent != rule:
            parents[rule] = (link.parent, (*where, "parent"))
        if link.suppress_when:
            check_expression(document, (*where, "suppress_when"), link.suppress_when, points)
    for i, (rule, entry) in enumerate(conditions):
        if entry.parent and entry.parent != rule:
            parents[rule] = (entry.parent, ("conditions", i, "parent"))
    check_circles(document, parents)


def _reference(
    document: Document, at: Path_, rule: str, link: Link, points: Mapping[str, PointProfile]
) -> None:
    if not link.reference:
        if link.kind == "discrepancy":
            document.mistake(
                at,
                f"alarm {rule!r} compares with no command",
                "`reference`: the point that commands",
                "add `reference: …`, a point of this device or device.point",
            )
        return
    if link.kind not in _REFER:
        document.mistake(
            at,
            f"alarm {rule!r} is of kind {link.kind} and compares with no other point",
            "`reference` at deviation or discrepancy only",
            "remove the line, or correct the kind",
        )
        return
    other = points.get(link.reference)
    if other is None:
        document.mistake(
            at, f"point {link.reference!r} does not exist", "device.point", nearest(link.reference, points)
        )
        return
    own = points.get(link.point)
    if other.type in _TEXT:
        document.mistake(at, f"point {link.reference!r} is text", "a number or state", "choose another point")
    elif own is not None and own.unit != other.unit:
        document.mistake(
            at,
            f"{link.point!r} is in {own.unit!r}, {link.reference!r} in {other.unit!r}",
            "two points of one unit",
            "choose another point, or correct the unit in the profile",
        )
