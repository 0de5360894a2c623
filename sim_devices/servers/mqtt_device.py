"""A device that speaks MQTT: which documents it publishes, and what its command topics do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from protocols.model.address.mqtt import MqttAddress
from protocols.model.clock import to_datetime
from protocols.model.device import PointProfile
from sim_devices.servers.base import DeviceView
from sim_devices.servers.json_path import JsonPath, find, parse_path, put, template_path
from sim_devices.servers.registers import encode, to_raw, to_value

PERIOD_US = {"fast": 1_000_000, "normal": 5_000_000, "slow": 60_000_000}
"""How often a topic is published, by the fastest period class of its points."""

ONLINE = "online"
"""Key of the point that says whether the device is there: its topic is retained and is the last will."""


class Document:
    """One topic and the points that share its payload."""

    def __init__(
        self, view: DeviceView, topic: str, points: Sequence[tuple[PointProfile, MqttAddress]]
    ) -> None:
        self.view = view
        self.topic = topic
        self.retained = any(point.key == ONLINE for point, _ in points)
        self.period_us = min(PERIOD_US[point.period] for point, _ in points)
        self.due_us = 0
        self._points = [(point, parse_path(address.json_path)) for point, address in points]
        self._times = {parse_path(address.time_path) for _, address in points if address.time_path}
        self._ids = {parse_path(address.id_path) for _, address in points if address.id_path}
        self._sent = 0
        formats = {(address.format, address.separator) for _, address in points}
        if len(formats) > 1:
            raise ValueError(f"{view.key}: topic {topic!r} is told in several formats; a payload has one")
        self._format, self._separator = next(iter(formats))

    def payload(self, time_us: int, *, online: bool = True, broken: bool = False) -> bytes:
        """Return the payload now; `broken` gives null, or nothing, for every measured value."""
        if self._format == "bytes":
            return self._packed(broken)
        document: Any = None
        for point, path in self._points:
            if point.key == ONLINE:
                value: Any = online
            else:
                value = None if broken else self._value(point)
            document = put(document, path, value)
        for path in self._times:
            document = put(document, path, to_datetime(time_us).isoformat().replace("+00:00", "Z"))
        self._sent += 1
        for path in self._ids:
            document = put(document, path, f"{self.view.key}-{time_us}-{self._sent}")
        if self._format == "csv":
            return self._separator.join(_column(value) for value in document).encode()
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def _value(self, point: PointProfile) -> bool | int | float | str | None:
        golden = self.view.golden(point)
        return golden.raw if golden is not None else _json_value(point, self.view.read(point))

    def _packed(self, broken: bool) -> bytes:
        """Return the fixed layout of a binary payload; nothing at all where the sensors failed."""
        if broken:
            return b""
        made = bytearray()
        for point, _ in self._points:
            place = MqttAddress.of(point).bytes
            odd = place is not None and point.type not in ("ascii", "text") and place.length
            if place is None or place.bit is not None or odd:
                raise ValueError(f"{self.view.key}: point {point.key} has no place that can be simulated")
            golden = self.view.golden(point)
            if golden is not None:
                raw = golden.data(point.wire_bytes())
            else:
                raw = encode(point.type, to_raw(point, self.view.read(point)), place.order, place.length)
            made.extend(bytes(max(0, place.offset + len(raw) - len(made))))
            made[place.offset : place.offset + len(raw)] = raw
        return bytes(made)


class MqttDevice:
    """A device's documents and commands, by topic."""

    def __init__(self, view: DeviceView) -> None:
        self.view = view
        self.ignored = 0
        name = str(view.device.params.get("device", view.key))
        grouped: dict[str, list[tuple[PointProfile, MqttAddress]]] = {}
        self._commands: dict[str, list[tuple[PointProfile, JsonPath]]] = {}
        for point in view.profile.points:
            address = MqttAddress.of(point)
            topic = address.topic.replace("{device}", name)
            if "+" in topic or "#" in topic:
                raise ValueError(
                    f"{view.key}: point {point.key} has topic {topic!r}; a device publishes no wildcard"
                )
            if point.readable:
                grouped.setdefault(topic, []).append((point, address))
            if point.writable and address.command_topic:
                template = address.command_template
                path = template_path(template) if template else ()
                command_topic = address.command_topic.replace("{device}", name)
                self._commands.setdefault(command_topic, []).append((point, path))
        self.documents = [Document(view, topic, points) for topic, points in grouped.items()]
        self.will = next((document for document in self.documents if document.retained), None)
        first = next(iter(grouped), f"{name}/data")
        self._state_topic = first.rpartition("/")[0] + "/lwt"
        self._told = view.profile.mqtt_state
        if self._told is not None:
            self._state_topic = self._told.topic.replace("{device}", name)
        self._answers = {
            point.key: (address.response_topic.replace("{device}", name), address)
            for point in view.profile.points
            if (address := MqttAddress.of(point)).response_topic
        }

    @property
    def command_topics(self) -> tuple[str, ...]:
        """Topics that the device listens to."""
        return tuple(self._commands)

    def state(self, online: bool, time_us: int) -> tuple[str, bytes]:
        """Return topic and payload of the retained birth (online) or last will (not online)."""
        if self._told is not None:
            word = self._told.online or "online"
            document = put(None, parse_path(self._told.json_path), word if online else f"not {word}")
            plain = isinstance(document, str)
            return self._state_topic, (document if plain else json.dumps(document)).encode()
        if self.will is not None:
            return self.will.topic, self.will.payload(time_us, online=online, broken=not online)
        return self._state_topic, json.dumps({ONLINE: online}, separators=(",", ":")).encode()

    def command(self, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        """Act on a command; return the device's answers, where its profile has some.

        What it cannot read or may not do it ignores, and counts, as devices do.
        """
        answers: list[tuple[str, bytes]] = []
        try:
            document = json.loads(payload)
        except ValueError:
            document = payload.decode("utf-8", "replace")
        acted = False
        for point, path in self._commands[topic]:
            try:
                raw = find(document, path)
            except KeyError:
                continue
            if not isinstance(raw, bool | int | float | str) or (
                isinstance(raw, str) != (point.type in ("ascii", "text"))
            ):
                continue
            value = raw if isinstance(raw, str) else to_value(point, float(raw))
            try:
                self.view.write(point, value)
            except ValueError as error:
                answers += self._answer(point, document, str(error))
                continue
            answers += self._answer(point, document, "")
            acted = True
        if not acted:
            self.ignored += 1
        return answers

    def _answer(self, point: PointProfile, asked: Any, refusal: str) -> list[tuple[str, bytes]]:
        if point.key not in self._answers:
            return []
        topic, address = self._answers[point.key]
        answer = put(None, parse_path(address.response_path), refusal or address.response_ok)
        path = parse_path(address.response_id_path)
        if path and isinstance(asked, dict):
            place = _place_of_id(address.command_template)
            if place is not None:
                with contextlib.suppress(KeyError):
                    answer = put(answer, path, find(asked, place))
        return [(topic, answer.encode() if isinstance(answer, str) else json.dumps(answer).encode())]


def _place_of_id(template: str) -> JsonPath | None:
    """Return where `{id}` stands in a command template; None where it is no JSON or has none."""
    try:
        return template_path(template.replace("{value}", "0").replace("{id}", "{value}"))
    except ValueError:
        return None


def _column(value: Any) -> str:
    """Return a value as a column of CSV."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _json_value(point: PointProfile, value: float | str | None) -> bool | int | float | str | None:
    """Return the raw value as JSON; a failed sensor is the profile's sentinel, or null."""
    if value is None and not point.sentinels:
        return None
    raw = to_raw(point, value)
    if isinstance(raw, str):
        return raw
    if point.type == "bool":
        return bool(raw)
    return round(raw, 6) if point.type in ("f32", "f64") else round(raw)
