"""Watches a city's alarm rules while its clock is driven by hand: limits, deadbands and delays only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from protocols.model.clock import SECOND_US
from sim_devices.city import DEFAULT_SPEED, LinjiangCity


@dataclass
class Rule:
    """A rule of the profile or of the city file, and where it stands."""

    device: str
    point: str
    key: str
    kind: str
    limit: float
    deadband: float
    on_delay_s: float
    off_delay_s: float
    priority: str
    active: bool = False
    since_s: float | None = None


@dataclass
class Watch:
    """Steps a city in seconds of the wall clock and notes what rises and clears."""

    city: LinjiangCity
    time_s: float = 0.0
    raised: list[tuple[float, str, str]] = field(default_factory=list)
    """(seconds after the start, priority, device.rule)"""
    cleared: list[tuple[float, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rules = list(rules(self.city))

    def run(self, seconds: float, every_s: float = 1.0) -> None:
        """Let so many wall seconds pass at the default speed."""
        end = self.time_s + seconds
        while self.time_s < end:
            self.time_s += every_s
            self.city.step(self.city.start_us + int(self.time_s * DEFAULT_SPEED * SECOND_US))
            for rule in self.rules:
                self._judge(rule)

    def first(self, priority: str, name: str = "") -> float:
        """Return when the first alarm of that priority (and device.rule) rose; infinity for never."""
        times = [time for time, level, rule in self.raised if level == priority and name in rule]
        return min(times, default=float("inf"))

    def _judge(self, rule: Rule) -> None:
        value = self.city.devices()[rule.device].read(rule.point)
        if value is None or isinstance(value, str):
            return
        true = holds(rule, value)
        if true == rule.active:
            rule.since_s = None
            return
        if rule.since_s is None:
            rule.since_s = self.time_s
        if self.time_s - rule.since_s >= (rule.off_delay_s if rule.active else rule.on_delay_s):
            rule.active, rule.since_s = true, None
            record = (self.time_s, rule.priority, f"{rule.device}.{rule.key}")
            (self.raised if true else self.cleared).append(record)


def holds(rule: Rule, value: float) -> bool:
    if rule.kind in ("hi", "hihi"):
        return value > rule.limit - rule.deadband if rule.active else value >= rule.limit
    if rule.kind in ("lo", "lolo"):
        return value < rule.limit + rule.deadband if rule.active else value <= rule.limit
    return value != rule.limit


def rules(city: LinjiangCity) -> Iterator[Rule]:
    """Yield every limit rule that the gateways would have."""
    for key, _, spec in city.spec.devices():
        own = {alarm["key"]: alarm for alarm in spec.alarms}
        for point in city.devices()[key].profile.points:
            for alarm in point.alarms:
                if alarm.key not in own and alarm.kind != "no_data":
                    yield _rule(key, point.key, alarm.model_dump())
        for entry in own.values():
            yield _rule(key, str(entry["point"]), entry)


def _rule(device: str, point: str, alarm: dict[str, Any]) -> Rule:
    delays = float(alarm.get("on_delay_s", 0)), float(alarm.get("off_delay_s", 0))
    return Rule(
        device,
        point,
        alarm["key"],
        alarm["kind"],
        float(alarm["limit"]),
        float(alarm.get("deadband", 0)),
        *delays,
        alarm["priority"],
    )
