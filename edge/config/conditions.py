"""Sections `conditions:` and `groups:`, and whatever in an alarm refers to other points and alarms.

A condition is an alarm over several points, `when` its expression (`edge.expression`). A group shows which
of its alarms came first. References across devices can be checked only when all devices are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from edge.config.document import Document, Path_
from edge.config.mistakes import nearest
from edge.expression.check import Checker
from edge.expression.nodes import ExpressionError, names
from edge.expression.parse import parse
from protocols.model.alarm import MAX_SHELVE_S, OnBad, Priority, Rule
from protocols.model.device import Key, PointProfile, Text
from protocols.model.strict import Strict

Entry = TypeVar("Entry", bound=Strict)


class ConditionEntry(Strict):
    """An alarm over several points, raised while its expression is true."""

    key: Key
    when: str = Field(description="such as pump1.running == 1 and avg(well.level, 60 s) > 3.2")
    point: str = Field(default="", description="device.point it is shown at; the first in `when` if left out")
    priority: Priority
    name: Text
    on_delay_s: float = Field(default=0.0, ge=0, le=86_400)
    off_delay_s: float = Field(default=0.0, ge=0, le=86_400)
    latching: bool = False
    ack_required: bool = True
    rtn_ack: bool = True
    category: str = "equipment"
    response: Text | None = None
    on_bad: OnBad = "hold"
    realarm_s: float = Field(default=0.0, ge=0, le=604_800)
    max_shelve_s: float = Field(default=MAX_SHELVE_S, ge=0, le=604_800)
    parent: str = Field(default="", description="device.alarm that hides it while active")
    suppress_when: str = Field(default="", description="an expression that hides it while true")


class GroupEntry(Strict):
    """Alarms that belong together: the first that comes is marked, until all are over and acknowledged."""

    key: Key
    alarms: tuple[str, ...] = Field(min_length=2, description="device.alarm, each in one group at most")


def condition_rules(entries: Sequence[ConditionEntry]) -> Iterator[Rule]:
    """Yield the rules of conditions that have been checked."""
    for entry in entries:
        point = _shown_at(entry)
        yield Rule(
            id=_id(entry),
            point=point,
            kind="condition",
            limit=0.0,
            priority=entry.priority,
            name_zh=entry.name.zh,
            name_en=entry.name.en,
            on_delay_s=entry.on_delay_s,
            off_delay_s=entry.off_delay_s,
            latching=entry.latching,
            ack_required=entry.ack_required,
            rtn_ack=entry.rtn_ack,
            category=entry.category,
            response_zh=entry.response.zh if entry.response else "",
            response_en=entry.response.en if entry.response else "",
            on_bad=entry.on_bad,
            realarm_s=entry.realarm_s,
            max_shelve_s=entry.max_shelve_s,
            parent=entry.parent,
            suppress_when=entry.suppress_when,
            expression=entry.when,
        )


def group_of(entries: Sequence[GroupEntry]) -> dict[str, str]:
    """Return the group of each rule that is in one, by its id."""
    return {rule: entry.key for entry in entries for rule in entry.alarms}


def condition_ids(data: Mapping[str, Any]) -> list[tuple[str, ConditionEntry]]:
    """Return the alarms that the section `conditions:` makes, with their ids, as far as it can be read."""
    found = []
    for _, entry in _whole(data.get("conditions"), ConditionEntry):
        with suppress(ExpressionError):
            found.append((_id(entry), entry))
    return found


def condition_names(data: Mapping[str, Any]) -> set[str]:
    """Return the ids of those alarms."""
    return {rule for rule, _ in condition_ids(data)}


def check_conditions(
    document: Document, data: Mapping[str, Any], points: Mapping[str, PointProfile], rules: Iterable[str]
) -> None:
    """Report conditions and groups that cannot work. `points` by device.point, `rules`: those of devices."""
    own = set(rules)
    known = own | condition_names(data)
    first: dict[str, int] = {}
    for i, entry in _whole(data.get("conditions"), ConditionEntry):
        at: Path_ = ("conditions", i)
        if not check_expression(document, (*at, "when"), entry.when, points):
            continue
        rule = _id(entry)
        if rule in own or rule in first:
            document.mistake(
                (*at, "key"),
                f"alarm {rule!r} exists already"
                + (" at its device" if rule in own else f", as condition {first[rule] + 1}"),
                "each alarm of a device once",
                "give it another key, or another `point`",
            )
        first.setdefault(rule, i)
        if entry.point and entry.point not in points:
            document.mistake(
                (*at, "point"),
                f"point {entry.point!r} does not exist",
                "device.point",
                nearest(entry.point, points),
            )
        if entry.suppress_when:
            check_expression(document, (*at, "suppress_when"), entry.suppress_when, points)
        check_parent(document, (*at, "parent"), rule, entry.parent, known)
    _check_groups(document, data, known)


def check_parent(document: Document, at: Path_, rule: str, parent: str, known: Iterable[str]) -> None:
    """Report a parent that is no alarm, or the alarm itself."""
    if not parent:
        return
    if parent == rule:
        document.mistake(at, f"alarm {rule!r} would hide itself", "another alarm", "remove the line")
    elif parent not in known:
        document.mistake(at, f"there is no alarm {parent!r}", "device.alarm", nearest(parent, known))


def check_circles(document: Document, parents: Mapping[str, tuple[str, Path_]]) -> None:
    """Report alarms that hide one another in a circle: none of them would ever be seen."""
    told: set[str] = set()
    for start, (_, at) in parents.items():
        way = [start]
        while way[-1] in parents and parents[way[-1]][0] not in way:
            way.append(parents[way[-1]][0])
        end = parents.get(way[-1])
        if end is None or end[0] != start or len(way) == 1 or told.intersection(way):
            continue
        told.update(way)
        document.mistake(
            at,
            f"these alarms hide one another: {' → '.join([*way, start])}",
            "a parent that is not hidden by its child",
            "remove one of the `parent` lines",
        )


def check_expression(
    document: Document, at: Path_, text: str, points: Mapping[str, PointProfile], base: str = ""
) -> bool:
    """Report what is wrong with an expression, with its place in the text; return whether it is right.

    base: the text as it is written in the file, where `text` has been completed from it.
    """
    try:
        node = parse(text)
    except ExpressionError as error:
        _report(document, at, error, base or text)
        return False
    checker = Checker(points, nearest)
    checker.condition(node)
    for mistake in checker.mistakes:
        _report(document, at, mistake, base or text)
    if not checker.mistakes and not names(node):
        document.mistake(
            at, "the expression looks at no point; it never changes", "a point", "compare a point"
        )
        return False
    return not checker.mistakes


def _report(document: Document, at: Path_, error: ExpressionError, text: str) -> None:
    line, column = error.place
    where = f"column {column}" if line == 1 else f"line {line}, column {column}"
    near = text.splitlines()[line - 1][max(column - 1, 0) :][:24] if text.strip() else ""
    document.mistake(
        at,
        f"{where} of the expression{f' (at {near!r})' if near else ''}: {error.problem}",
        error.expected,
        error.repair,
    )


def _check_groups(document: Document, data: Mapping[str, Any], known: Iterable[str]) -> None:
    keys: set[str] = set()
    member_of: dict[str, str] = {}
    for i, entry in _whole(data.get("groups"), GroupEntry):
        at: Path_ = ("groups", i)
        if entry.key in keys:
            document.mistake(
                (*at, "key"), f"group {entry.key!r} is listed twice", "each key once", "join the two groups"
            )
        keys.add(entry.key)
        for j, rule in enumerate(entry.alarms):
            if rule not in known:
                document.mistake(
                    (*at, "alarms", j), f"there is no alarm {rule!r}", "device.alarm", nearest(rule, known)
                )
            elif rule in member_of:
                document.mistake(
                    (*at, "alarms", j),
                    f"alarm {rule!r} is in group {member_of[rule]!r} already",
                    "each alarm in one group at most",
                    "remove it from one of the two",
                )
            member_of.setdefault(rule, entry.key)


def _shown_at(entry: ConditionEntry) -> str:
    return entry.point or names(parse(entry.when))[0]


def _id(entry: ConditionEntry) -> str:
    """Return `device.key`: a condition is an alarm of the device that it is shown at."""
    mentioned = [entry.point] if entry.point else [*names(parse(entry.when)), "."]
    return f"{mentioned[0].partition('.')[0]}.{entry.key}"


def _whole(section: Any, model: type[Entry]) -> Iterator[tuple[int, Entry]]:
    """Yield the entries that are whole by themselves; the others have been reported with the file."""
    for i, item in enumerate(section if isinstance(section, list) else []):
        with suppress(ValidationError):
            yield i, model.model_validate(item)
