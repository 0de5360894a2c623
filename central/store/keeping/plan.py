"""What of the readings is due to go, as a pure function: days that are there in, steps out, oldest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from central.store.keeping.classes import CLASSES, RetentionClass

RESTORED_DAYS: Final = 30
"""A day that somebody put back from the archive stays for so long, whatever its age."""


@dataclass(frozen=True, slots=True)
class Day:
    """A daily partition. thinned: classes that are gone from it; backlog: some of it is not rolled up yet."""

    day: date
    thinned: frozenset[str] = frozenset()
    backlog: bool = False
    restored: date | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `drop` ends a day with every class that is left; `thin` deletes the rows of some.

    held: why it is not done now, `not-rolled-up` or `restored`; empty where it is.
    """

    kind: Literal["drop", "thin"]
    day: date
    classes: tuple[RetentionClass, ...]
    held: Literal["", "not-rolled-up", "restored"] = ""


def is_past(day: date, today: date, days: int) -> bool:
    """Whether the last moment of `day` is at least `days` full days before `today` begins, all UTC."""
    return day + timedelta(days + 1) <= today


def plan(
    present: Collection[Day],
    today: date,
    days: Mapping[RetentionClass, int],
    used: Collection[RetentionClass],
) -> Iterator[Step]:
    """Yield what is due. used: the classes that any point has; one that none has keeps no day alive."""
    for there in sorted(present, key=lambda item: item.day):
        past = [name for name in CLASSES if is_past(there.day, today, days[name])]
        left = [name for name in used if name not in past]
        due = tuple(name for name in past if name in used)
        chosen = tuple(name for name in due if name not in there.thinned)
        if not past or (left and not chosen):
            continue
        held: Literal["", "not-rolled-up", "restored"] = ""
        if there.restored is not None and today < there.restored + timedelta(RESTORED_DAYS):
            held = "restored"
        elif there.backlog:
            held = "not-rolled-up"
        if left:
            yield Step("thin", there.day, chosen, held)
        elif len(past) == len(CLASSES) or used:
            # Late readings of a class that was thinned go now: it is named again.
            yield Step("drop", there.day, due, held)
