"""Devices on a broker that nobody has declared: their names out of topics, and what they say until they join.

What is kept of them is bounded, whoever speaks: a broker may be full of others' devices.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from protocols.field.base import Watch, Welcome
from protocols.field.filling import DEVICE
from protocols.field.mqtt.routes import check_filter
from protocols.model.address.mqtt import MqttAddress

MOST_HELD: Final = 2000
MOST_HELD_BYTES: Final = 8 * 1024 * 1024
"""So much is kept of devices that are about to join, which takes seconds; what comes beyond it is not."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message that waits for its device, and when it came."""

    topic: str
    payload: bytes
    retained: bool
    came_us: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A watch as MQTT has it: what to subscribe to, and where in a topic the device's name is."""

    rule: str
    filter: str
    name: re.Pattern[str]
    dated: bool
    """Whether every value of such a device has a time of its own in the payload."""


def pattern_of(watch: Watch) -> Pattern:
    """Return a watch compiled. Raises ValueError for a topic by which no device can be told."""
    if watch.topic.count(DEVICE) != 1:
        raise ValueError(f"{watch.topic!r} does not hold `{DEVICE}` just once")
    levels = watch.topic.split("/")
    topic = "/".join("+" if DEVICE in level else level for level in levels)
    check_filter(topic)
    parts = [_level(level) for level in levels]
    # `a/#` is also `a` itself (MQTT 5.0, 4.7.1.2).
    name = "/".join(parts) if levels[-1] != "#" else "/".join(parts[:-1]) + "(?:/.*)?"
    points = [MqttAddress.of(point) for point in watch.profile.points if point.readable]
    return Pattern(watch.rule, topic, re.compile(name, re.DOTALL), all(point.time_path for point in points))


def _level(level: str) -> str:
    before, device, after = level.partition(DEVICE)
    if device:
        return f"{re.escape(before)}(?P<device>[^/]+){re.escape(after)}"
    return "[^/]*" if level == "+" else re.escape(level)


class Strangers:
    """Who speaks at the watched topics and is no device of this connection yet."""

    def __init__(self, watches: Iterable[Watch], known: Iterable[str], welcome: Welcome) -> None:
        self.patterns = tuple(pattern_of(watch) for watch in watches)
        self._known = set(known)
        self._welcome = welcome
        self._held: dict[str, list[Said]] = {}
        self._messages = 0
        self._bytes = 0

    def hear(self, topic: str, payload: bytes, retained: bool, clock: Callable[[], int]) -> None:
        """Note a message; kept where its device is about to join."""
        for pattern in self.patterns:
            found = pattern.name.fullmatch(topic)
            # An empty message clears what the broker retained: nobody speaks there.
            if found is None or not payload:
                continue
            name = found["device"]
            if name in self._known:
                return
            if self._welcome(pattern.rule, name, retained):
                self._hold(name, Said(topic, payload, retained, clock()))
                return

    def _hold(self, name: str, said: Said) -> None:
        if self._messages >= MOST_HELD or self._bytes + len(said.payload) > MOST_HELD_BYTES:
            return
        self._messages += 1
        self._bytes += len(said.payload)
        self._held.setdefault(name, []).append(said)

    def joined(self, name: str) -> list[Said]:
        """Take a device off the strangers; return what it said meanwhile, oldest first."""
        self._known.add(name)
        held = self._held.pop(name, [])
        self._messages -= len(held)
        self._bytes -= sum(len(said.payload) for said in held)
        return held
