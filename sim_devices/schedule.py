"""A schedule of faults: a YAML list of what goes wrong when, in seconds after the start.

    - {at_s: 30, fault: "dead:ps-riverside-pump2", for_s: 60}
    - {at_s: 45, fault: "drop:modbus-north"}

Seconds of the wall clock, whatever the speed of the world: gateways time out in real seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from protocols.errors import ConfigError, Mistake, Rejected
from sim_devices.faults import Fault, parse_fault

_KEYS = {"at_s", "fault", "for_s"}
_EXAMPLE = 'write it as {at_s: 30, fault: "dead:DEVICE", for_s: 60}'


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault; `for_s` None: until the end."""

    at_s: float
    fault: Fault
    for_s: float | None = None


def load_schedule(path: Path) -> tuple[Entry, ...]:
    """Return the entries in order of time. Raises ConfigError with every mistake of the file."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(
            [Mistake(str(path), 0, 0, "", error.strerror or str(error), "a readable file", "check the path")]
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = str(getattr(error, "problem", error))
        raise ConfigError(
            [Mistake(str(path), line, column, "", problem, "a YAML list", "mend the syntax at this place")]
        ) from error
    mistakes: list[Mistake] = []
    entries: list[Entry] = []
    if not isinstance(root, yaml.SequenceNode):
        line = root.start_mark.line + 1 if root is not None else 1
        raise ConfigError([Mistake(str(path), line, 1, "", "no list", "a list of faults", _EXAMPLE)])
    for index, node in enumerate(root.value):
        value = yaml.SafeLoader("").construct_document(node)
        try:
            entries.append(_entry(value))
        except Rejected as error:
            mark = node.start_mark
            mistakes.append(
                Mistake(
                    str(path), mark.line + 1, mark.column + 1, f"[{index}]", str(error), "a fault", _EXAMPLE
                )
            )
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(sorted(entries, key=lambda entry: entry.at_s))


def _entry(value: Any) -> Entry:
    if not isinstance(value, dict) or not isinstance(value.get("fault"), str):
        raise Rejected("schedule", "an entry needs at_s and fault")
    unknown = set(value) - _KEYS
    if unknown:
        raise Rejected("schedule", f"unknown {', '.join(sorted(map(str, unknown)))}")
    at_s, for_s = value.get("at_s", 0), value.get("for_s")
    for name, number in (("at_s", at_s), ("for_s", for_s)):
        if number is not None and (
            not isinstance(number, int | float) or isinstance(number, bool) or number < 0
        ):
            raise Rejected("schedule", f"{name} is {number!r}, not seconds")
    return Entry(float(at_s), parse_fault(value["fault"]), None if for_s is None else float(for_s))
