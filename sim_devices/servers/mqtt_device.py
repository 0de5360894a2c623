"""A device that speaks MQTT: which documents it publishes, and what its command topics do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from protocols.model.clock import to_datetime
from protocols.model.device import MqttAddress, PointProfile
from sim_devices.servers.base import DeviceView
from sim_devices.servers.json_path import JsonPath, find, parse_path, put, template_path
from sim_devices.servers.registers import to_raw, to_value

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

    def payload(self, time_us: int, *, online: bool = True, broken: bool = False) -> bytes:
        """Return the JSON document now; `broken` gives null for every measured value."""
        document: Any = None
        for point, path in self._points:
            if point.key == ONLINE:
                value: Any = online
            else:
                value = None if broken else _json_value(point, self.view.read(point))
            document = put(document, path, value)
        for path in self._times:
            document = put(document, path, to_datetime(time_us).isoformat().replace("+00:00", "Z"))
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class MqttDevice:
    """A device's documents and commands, by topic."""

    def __init__(self, view: DeviceView) -> None:
        self.view = view
        self.ignored = 0
        name = str(view.device.params.get("device", view.key))
        grouped: dict[str, list[tuple[PointProfile, MqttAddress]]] = {}
        self._commands: dict[str, list[tuple[PointProfile, JsonPath]]] = {}
        for point in view.profile.points:
            if point.mqtt is None:
                raise ValueError(f"{view.key}: point {point.key} of {view.profile.id} has no mqtt address")
            topic = point.mqtt.topic.replace("{device}", name)
            if "+" in topic or "#" in topic:
                raise ValueError(
                    f"{view.key}: point {point.key} has topic {topic!r}; a device publishes no wildcard"
                )
            if point.readable:
                grouped.setdefault(topic, []).append((point, point.mqtt))
            if point.writable and point.mqtt.command_topic:
                template = point.mqtt.command_template
                path = template_path(template) if template else ()
                command_topic = point.mqtt.command_topic.replace("{device}", name)
                self._commands.setdefault(command_topic, []).append((point, path))
        self.documents = [Document(view, topic, points) for topic, points in grouped.items()]
        self.will = next((document for document in self.documents if document.retained), None)
        first = next(iter(grouped), f"{name}/data")
        self._state_topic = first.rpartition("/")[0] + "/lwt"

    @property
    def command_topics(self) -> tuple[str, ...]:
        """Topics that the device listens to."""
        return tuple(self._commands)

    def state(self, online: bool, time_us: int) -> tuple[str, bytes]:
        """Return topic and payload of the retained birth (online) or last will (not online)."""
        if self.will is not None:
            return self.will.topic, self.will.payload(time_us, online=online, broken=not online)
        return self._state_topic, json.dumps({ONLINE: online}, separators=(",", ":")).encode()

    def command(self, topic: str, payload: bytes) -> None:
        """Act on a command. What it cannot read or may not do it ignores, and counts, as devices do."""
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
            except ValueError:
                continue
            acted = True
        if not acted:
            self.ignored += 1


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
