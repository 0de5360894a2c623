"""Which points a message feeds, and which topics must be subscribed to for that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

import numpy as np

from protocols.errors import ConfigError, Mistake
from protocols.field.base import BoundPoint
from protocols.field.mqtt.broker import MOST_BYTES
from protocols.field.mqtt.formats import Reader, reader, unpack
from protocols.field.mqtt.payload import (
    GOOD,
    MISSING,
    UNREADABLE,
    Path,
    Value,
    compile_path,
    find,
    interpret,
    parse,
    plain,
    source_time,
)
from protocols.model.address.mqtt import MqttAddress, MqttBytes, MqttState
from protocols.model.datatypes import DataType
from protocols.model.quality import Quality
from protocols.model.reading import Row

MOST_IDS: Final = 256
"""Ids of a topic's messages that are remembered; a broker repeats what is unconfirmed, which is less."""
_ONLINE: Final = frozenset({"online", "on", "true", "yes", "1"})


@dataclass(frozen=True, slots=True)
class Route:
    """One point fed by a topic: where in the payload its value, its time and the message's id are."""

    index: int
    kind: DataType
    path: Path
    time_path: Path
    id_path: Path
    zone: tzinfo
    place: MqttBytes | None
    read: Reader
    form: tuple[str, str]
    """Format and separator: routes that agree share one reading of the payload."""


@dataclass(frozen=True, slots=True)
class State:
    """A device's own word on whether it is there."""

    device: str
    path: Path
    online: str

    def says(self, payload: bytes) -> bool | None:
        """Return whether the device is there; None where the message does not say."""
        document = parse(payload)
        found = find(document, self.path) if self.path else document
        if found is MISSING:
            if self.path:
                return None
            found = payload.decode("utf-8", "replace")
        word = ("true" if found else "false") if isinstance(found, bool) else str(found).strip()
        if self.online:
            return word.lower() == self.online.lower()
        return word.lower() in _ONLINE


class Routes:
    """Every topic filter with the points behind it; a message finds its points by one look-up."""

    def __init__(self) -> None:
        self._exact: dict[str, list[Route]] = {}
        self._wild: dict[str, list[Route]] = {}
        self._states: dict[str, list[State]] = {}
        self._watched: dict[str, bool] = {}
        self._ids: dict[str, dict[object, None]] = {}
        self.repeats = 0
        """Messages that came again and were ignored."""

    def add(self, point: BoundPoint, topic: str, address: MqttAddress) -> None:
        """Feed a point from a topic or filter. Raises ConfigError for what can never match."""
        try:
            check_filter(topic)
            route = Route(
                point.index,
                point.profile.type,
                compile_path(address.json_path),
                compile_path(address.time_path),
                compile_path(address.id_path),
                address.zone(),
                address.bytes,
                reader(address),
                (address.format, address.separator),
            )
        except ValueError as error:
            where, place = f"device {point.device}", f"points.{point.profile.key}.mqtt"
            expected = "a topic filter, and dotted paths"
            raise ConfigError(
                [Mistake(where, 0, 0, place, str(error), expected, "correct the address in the profile")]
            ) from error
        group = self._wild if is_wild(topic) else self._exact
        group.setdefault(topic, []).append(route)

    def add_state(self, device: str, topic: str, state: MqttState) -> None:
        """Hear whether a device is there. Raises ConfigError."""
        try:
            check_topic(topic)
            path = compile_path(state.json_path)
        except ValueError as error:
            raise ConfigError(
                [Mistake(f"device {device}", 0, 0, "mqtt_state", str(error), "one topic, and a dotted path",
                         "correct it in the profile")]
            ) from error  # fmt: skip
        self._states.setdefault(topic, []).append(State(device, path, state.online))

    def watch(self, topic: str, dated: bool) -> None:
        """Subscribe to a filter also where no device of it is known yet; see `filters` for `dated`."""
        self._watched[topic] = dated and self._watched.get(topic, True)

    def states(self, topic: str, payload: bytes) -> list[tuple[str, bool]]:
        """Return the devices that a message tells about, and whether they are there."""
        told = [(state.device, state.says(payload)) for state in self._states.get(topic, ())]
        return [(device, there) for device, there in told if there is not None]

    def filters(self) -> dict[str, bool]:
        """Return what to subscribe to: no filter twice, and none that another one covers.

        With each: whether every value that it brings has a time of its own in the payload.
        """
        empty: dict[str, list[Route]] = {topic: [] for topic in (*self._states, *self._watched)}
        fed = empty | self._wild | self._exact
        wide = [topic for topic in fed if is_wild(topic)]
        found = {}
        for one in fed:
            if any(covers(other, one) for other in wide if other != one):
                continue
            under = [topic for topic in fed if covers(one, topic)]
            found[one] = all(
                self._watched.get(topic, True) and all(route.time_path for route in fed[topic])
                for topic in under
            )
        return found

    def rows(self, topic: str, payload: bytes, retained: bool, now_us: int) -> list[Row]:
        """Return what one message says.

        A part that the payload does not have is left out, as devices also send what has changed only;
        where none of the parts is there, or the payload is not readable, all of them are bad.
        A retained message without a time of its own may be of any age: its values are uncertain.
        """
        routes = self._routes(topic)
        documents: dict[tuple[str, str], object] = {}
        said: list[tuple[Route, Value]] = []
        for route in routes:
            document = MISSING
            if len(payload) > MOST_BYTES:
                documents[route.form] = MISSING
                said.append((route, UNREADABLE))
                continue
            if route.path or route.time_path or route.id_path:
                if route.form not in documents:
                    documents[route.form] = route.read(payload)
                document = documents[route.form]
            value = _value(route, document, payload)
            if value is not None:
                said.append((route, value))
        if self._came_already(topic, routes, documents):
            self.repeats += 1
            return []
        if not said:
            said = [(route, UNREADABLE) for route in routes]
        rows = []
        for route, value in said:
            time_us, quality = now_us, value.quality
            if route.time_path:
                stamp = source_time(find(documents[route.form], route.time_path), route.zone)
                if stamp is not None:
                    time_us = stamp
                elif quality == GOOD:
                    quality = Quality.UNCERTAIN
            elif retained and quality == GOOD:
                quality = Quality.UNCERTAIN_LAST_USABLE_VALUE
            rows.append(Row(route.index, time_us, value.value, quality, value.text))
        return rows

    def _came_already(
        self, topic: str, routes: list[Route], documents: dict[tuple[str, str], object]
    ) -> bool:
        for route in routes:
            if not route.id_path:
                continue
            found = find(documents[route.form], route.id_path)
            if not isinstance(found, str | int | float):
                continue
            known = self._ids.setdefault(topic, {})
            if found in known:
                return True
            known[found] = None
            if len(known) > MOST_IDS:
                del known[next(iter(known))]
            return False
        return False

    def _routes(self, topic: str) -> list[Route]:
        routes = self._exact.get(topic, [])
        if self._wild:
            routes = routes + [
                route for wild, fed in self._wild.items() if covers(wild, topic) for route in fed
            ]
        return routes


def is_wild(topic: str) -> bool:
    """Tell whether a filter has wildcards."""
    return "+" in topic or "#" in topic


def covers(wide: str, narrow: str) -> bool:
    """Tell whether a filter matches a topic, or everything that another filter matches (MQTT 5.0, 4.7)."""
    if narrow.startswith("$") and wide[:1] in ("+", "#"):
        return False
    wides, narrows = wide.split("/"), narrow.split("/")
    for at, level in enumerate(wides):
        if level == "#":
            return True
        if at >= len(narrows) or narrows[at] == "#":
            return False
        if level not in ("+", narrows[at]):
            return False
    return len(wides) == len(narrows)


def check_filter(topic: str) -> None:
    """Raise ValueError for what is no topic filter (MQTT 5.0, 4.7)."""
    levels = topic.split("/")
    if not topic or len(topic.encode()) > 65535 or "\0" in topic:
        raise ValueError("the topic is empty, longer than 65535 bytes, or holds a null character")
    if "#" in levels[:-1] or any(("+" in level or "#" in level) and len(level) > 1 for level in levels):
        raise ValueError(
            f"{topic!r} is no topic filter: `+` stands for one whole level, `#` for the last ones"
        )


def check_topic(topic: str) -> None:
    """Raise ValueError for what is no single topic."""
    check_filter(topic)
    if is_wild(topic):
        raise ValueError(f"{topic!r} has wildcards, where one topic is meant")


def _value(route: Route, document: object, payload: bytes) -> Value | None:
    """Return a point's value, or None where a readable payload does not speak of it."""
    if route.place is not None:
        return unpack(payload, route.kind, route.place)
    if not route.path:
        return plain(payload, route.kind)
    if document is MISSING:
        return UNREADABLE
    found = find(document, route.path)
    return None if found is MISSING else interpret(found, route.kind)


def differs(told: float | str, wanted: float | str) -> bool:
    """Tell whether a device reports another value than was written (floats within their noise)."""
    if isinstance(told, str) or isinstance(wanted, str):
        return told != wanted
    return not math.isclose(told, wanted, rel_tol=1e-6, abs_tol=1e-9)


def indexes(points: Iterable[BoundPoint]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return the points' places in the manifest as a column."""
    return np.array([point.index for point in points], np.int32)
