"""A tank with a few points and rules, and ways to feed its alarms: shared by the tests of this folder."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.alarms.engine import AlarmEngine
from protocols.model.alarm import AlarmTransition, Rule
from protocols.model.clock import SECOND_US
from protocols.model.order import AlarmAct, AlarmVerb
from protocols.model.reading import Readings

S = SECOND_US
START = 1_780_000_020 * S
"""A whole minute, so that rolling minutes are easy to count."""
INDEXES = {"tank.level": 0, "tank.flow": 1, "tank.command": 2, "tank.actual": 3}


def rule(**changes: Any) -> Rule:
    """Return a rule of the tank: level high at 10, unless said otherwise."""
    known = {
        "id": "tank.high",
        "point": "tank.level",
        "kind": "hi",
        "limit": 10.0,
        "priority": "P2",
        "name_zh": "高",
        "name_en": "High",
    }
    return Rule(**{**known, **changes})


def engine(*rules: Rule, now: float = 0, **options: Any) -> AlarmEngine:
    """Return the alarms of the tank, begun at second `now`."""
    return AlarmEngine("gw", rules or (rule(),), INDEXES, "decl", at(now), **options)


def columns(rows: list[Any], point: int = 0) -> Readings:
    """Return readings of one point from (second, value[, quality])."""
    return Readings(
        np.full(len(rows), point, np.int32),
        np.array([at(row[0]) for row in rows], np.int64),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] if len(row) > 2 else 0 for row in rows], np.uint32),
    )


def at(second: float) -> int:
    """Return the time of a second of the test."""
    return START + round(second * S)


def take(alarms: AlarmEngine, *rows: tuple[Any, ...], point: int = 0) -> list[AlarmTransition]:
    """Feed (second, value[, quality]) one by one, each at its own time; return the steps."""
    out: list[AlarmTransition] = []
    for row in rows:
        out += alarms.evaluate(columns([row], point), at(row[0]))
    return out


def feed(alarms: AlarmEngine, *rows: tuple[Any, ...], point: int = 0) -> list[str]:
    """Feed the same way; return `EVENT@second`."""
    return shown(take(alarms, *rows, point=point))


def shown(steps: list[AlarmTransition]) -> list[str]:
    """Return steps as `EVENT@second`."""
    return [f"{step.event.value}@{(step.event_us - START) / S:g}" for step in steps]


def told(steps: list[AlarmTransition]) -> list[str]:
    """Return steps as `rule EVENT STATE`, with the overlays after them."""
    return [
        " ".join([step.rule.removeprefix("tank."), step.event, str(step.state), *step.overlays])
        for step in steps
    ]


def act(
    alarms: AlarmEngine, verb: AlarmVerb, second: float, rule_id: str = "tank.high", **fields: Any
) -> list[AlarmTransition]:
    """Let somebody do something at a second."""
    known = {"id": f"{verb}-{second:g}", "actor": "li", "comment": "because", "at_us": at(second)}
    return alarms.act(AlarmAct(**{**known, "verb": verb, "rule": rule_id, **fields}), at(second))
