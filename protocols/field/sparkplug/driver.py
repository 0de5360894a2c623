"""A Sparkplug B host application on one broker: reads edge nodes and devices, asks for rebirths, commands.

    message ─→ topics.parse ─→ EdgeNode.take ─→ Latest ─→ sink
    tick    ─→ reorder timeouts, rebirth requests (NCMD), unchanged values again
    write   ─→ NCMD or DCMD ─→ wait for NDATA, DDATA or a birth to report the value

With `host_id` it is a primary host application: it says on `spBv1.0/STATE/HOST_ID` whether it is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import zlib
from itertools import islice
from typing import Any, ClassVar, Final

import aiomqtt
from google.protobuf.message import DecodeError
from pydantic import Field

from protocols.errors import ConfigError, ConnectionLost, DeviceRefused, DeviceTimeout, Mistake, Rejected
from protocols.field.base import BoundDevice, BoundPoint, Driver, First, Sink
from protocols.field.mqtt.broker import (
    FILES,
    MOST_BYTES,
    BrokerSettings,
    Line,
    connect,
    disconnect,
    ended,
    subscribe,
    where,
)
from protocols.field.mqtt.payload import compile_path
from protocols.field.mqtt.routes import differs
from protocols.field.sparkplug.latest import Latest
from protocols.field.sparkplug.node import EdgeNode, Known, Slot
from protocols.field.sparkplug.topics import (
    SparkplugId,
    command_topic,
    node_filter,
    parse,
    state_topic,
)
from protocols.field.sparkplug.values import set_value
from protocols.model.address.sparkplug import SparkplugAddress
from protocols.model.clock import Clock, now_us
from protocols.model.quality import Quality
from protocols.model.sparkplug import REBIRTH, DataType
from protocols.model.sparkplug.payload_pb2 import Payload
from protocols.model.strict import Strict

REPORT_S: Final = 5.0
"""A device has so long, or its profile's timeout where that is longer, to report what was written."""
BIRTH_S: Final = 5.0
"""A node that is not born so long after it was asked is held for offline; the asking goes on."""
LONGEST_PAUSE_S: Final = 300.0
_BATCH: Final = 500
_TICK_S: Final = 0.5
_GOODBYE_S: Final = 2.0


class SparkplugSettings(BrokerSettings):
    """The broker, and this gateway as a host application there."""

    host_id: SparkplugId | None = Field(
        default=None,
        min_length=1,
        description="name of this primary host application at the broker; without it there is no STATE",
    )
    reorder_s: float = Field(
        default=2.0, ge=0, le=60, description="how long a missing message may come late before it is lost"
    )
    rebirth_s: float = Field(
        default=10.0, ge=1, le=3600, description="least seconds between two rebirth requests to a node"
    )


class SparkplugParams(Strict):
    """Which one it is: `device` is left out for the edge node's own metrics."""

    group: SparkplugId = Field(min_length=1)
    node: SparkplugId = Field(min_length=1)
    device: SparkplugId = ""


class _Asking:
    """When a node may be asked for a rebirth again: at growing pauses while it does not answer."""

    def __init__(self, pause_s: float, first: float) -> None:
        self.asked = 0
        self.since = math.inf
        """When the first request went out that has not been answered."""
        self._last = math.nan
        self._pause_s = pause_s
        self._next = first

    def due(self, now: float) -> bool:
        return now >= self._next

    def sent(self, now: float) -> None:
        self._last, self.since = now, min(self.since, now)
        self._next = now + min(self._pause_s * 2**self.asked, max(LONGEST_PAUSE_S, self._pause_s))
        self.asked = min(self.asked + 1, 16)

    def answered(self) -> None:
        """The node has been born: the next request is a new matter, but never before the shortest pause."""
        self.asked, self.since = 0, math.inf
        if not math.isnan(self._last):
            self._next = self._last + self._pause_s


class SparkplugDriver(Driver):
    """MQTT client; edge nodes speak by themselves, so there is nothing to poll."""

    protocol = "sparkplug"
    Settings: ClassVar = SparkplugSettings
    Params: ClassVar = SparkplugParams
    first = First(
        "HOST:PORT of the broker", "192.0.2.10:1883",
        "GROUP/NODE of the edge node, or GROUP/NODE/DEVICE behind it", "group/node/device", port=1883,
    )  # fmt: skip
    must_exist = FILES

    @classmethod
    def params_named(cls, identity: str) -> dict[str, Any]:
        """Return group, node and device. Raises Rejected (`sparkplug`)."""
        names = identity.split("/")
        if not 2 <= len(names) <= 3 or not all(names):
            raise Rejected(
                "sparkplug", f"{identity!r} names no device; write GROUP/NODE, or GROUP/NODE/DEVICE"
            )
        return dict(zip(("group", "node", "device"), names, strict=False))

    def __init__(
        self, settings: SparkplugSettings, devices: tuple[BoundDevice, ...], clock: Clock = now_us
    ) -> None:
        super().__init__(settings, devices, clock)
        self._own = settings
        self._where = where(settings)
        self._places: dict[int, tuple[str, str, str, str]] = {}
        """Point → group, node, device and metric that it lies in."""
        self._whole: dict[int, bool] = {}
        """Point → whether it is its metric's whole content; a part of one cannot be written."""
        self._row: dict[int, int] = {}
        self._report_s = {d.key: max(REPORT_S, d.profile.limits.timeout_ms / 1000) for d in devices}
        self._points: list[BoundPoint] = []
        wanted: dict[tuple[str, str], dict[str, dict[str, list[Slot]]]] = {}
        for device in devices:
            params = SparkplugParams.model_validate(dict(device.params))
            metrics = wanted.setdefault((params.group, params.node), {}).setdefault(params.device, {})
            for point in device.points:
                self._add(point, params, metrics)
        self._latest = Latest(self._points)
        self.nodes = {
            (group, node): EdgeNode(
                node,
                {
                    device: {name: tuple(slots) for name, slots in metrics.items()}
                    for device, metrics in sources.items()
                },
                self._latest,
                settings.reorder_s,
            )
            for (group, node), sources in wanted.items()
        }
        self._asking: dict[tuple[str, str], _Asking] = {}
        self._silent: set[tuple[str, str]] = set()
        self._client: Line | None = None
        self._since_ms = 0
        self._listening = False
        self._reports: dict[int, asyncio.Event] = {}

    def _add(self, point: BoundPoint, params: SparkplugParams, metrics: dict[str, list[Slot]]) -> None:
        address = SparkplugAddress.of(point.profile)
        try:
            path = compile_path(address.path)
        except ValueError as error:
            place = f"points.{point.profile.key}.sparkplug.path"
            raise ConfigError(
                [Mistake(f"device {point.device}", 0, 0, place, str(error), "a dotted path such as [0].flow",
                         "correct the path in the profile")]
            ) from error  # fmt: skip
        self._places[point.index] = (params.group, params.node, params.device, address.metric)
        self._whole[point.index] = not path
        if point.profile.readable:
            self._row[point.index] = len(self._points)
            metrics.setdefault(address.metric, []).append(Slot(len(self._points), point.profile.type, path))
            self._points.append(point)

    def place(self, device: BoundDevice, point: BoundPoint) -> str:
        """Return group, edge node and device."""
        group, node, name, _ = self._places[point.index]
        return "/".join(part for part in (group, node, name) if part)

    async def open(self) -> None:
        """Connect; a primary host leaves its death certificate with the broker (clause 5.3)."""
        self._since_ms = self.clock() // 1000
        host, will = self._own.host_id, None
        if host is not None:
            will = aiomqtt.Will(state_topic(host), self._state(online=False), 1, True)
        # Always a clean session (tck-id-message-flow-hid-sparkplug-clean-session-*).
        self._client = await connect(self._own, will=will)

    async def listen(self, sink: Sink) -> None:
        """Subscribe, say that the host is there, and hand on what edge nodes tell, until the end."""
        client = self._client
        if client is None:
            raise ConnectionLost(f"{self._where} is not open", Quality.BAD_NO_COMMUNICATION)
        try:
            reason = await self._hear(client, sink)
        except ConnectionLost:
            self._lost(sink)
            raise
        self._lost(sink)
        raise ConnectionLost(f"{self._where}: {reason}", Quality.BAD_NO_COMMUNICATION)

    async def _hear(self, client: Line, sink: Sink) -> str:
        """Listen until the connection ends; return why it did."""
        host, reason = self._own.host_id, "the connection was closed"
        filters = {node_filter(group, node): 1 for group, node in self.nodes}
        if host is not None:
            filters = {state_topic(host): 1, **filters}
        try:
            await subscribe(client, self._where, filters)
            self._listening = True
            if host is not None:
                await client.publish(state_topic(host), self._state(online=True), qos=1, retain=True)
        except aiomqtt.MqttError as error:
            return ended(self._own, error)
        first = asyncio.get_running_loop().time() + self._own.reorder_s
        self._asking = {place: _Asking(self._own.rebirth_s, first) for place in self.nodes}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tick(client, sink), name=f"sparkplug:{self._own.host}")
                await self._receive(client, sink)
        except* aiomqtt.MqttError as errors:
            reason = ended(self._own, errors.exceptions[0])
        finally:
            self._listening = False
        return reason

    async def _receive(self, client: Line, sink: Sink) -> None:
        async for message in client.messages:
            await self._take(client, message)
            for other in islice(client.waiting(), _BATCH):
                await self._take(client, other)
            self._draw(sink)

    def _lost(self, sink: Sink) -> None:
        for node in self.nodes.values():
            node.lost(self.clock())
        self._draw(sink)

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Send NCMD or DCMD once and return what the node then reports.

        A node reports changes only: where it already had the wanted value and reports nothing else, that
        is the answer. None where nothing usable was reported.
        """
        name = f"{point.device}.{point.profile.key}"
        client = self._client
        if client is None:
            raise ConnectionLost(f"{self._where} is not open", Quality.BAD_NO_COMMUNICATION)
        group, node, device, _ = self._places.get(point.index, ("", "", "", ""))
        payload = self._command(point, name, value)
        row = self._row.get(point.index)
        reported = self._reports[point.index] = asyncio.Event()
        try:
            await client.publish(command_topic(group, node, device), payload, qos=0)
            if row is None or not self._listening:
                return None
            return await self._report(reported, row, value, self._report_s[point.device])
        except aiomqtt.MqttCodeError as error:
            raise ConnectionLost(
                f"{self._where}: {ended(self._own, error)}", Quality.BAD_NO_COMMUNICATION
            ) from error
        except aiomqtt.MqttError as error:
            raise DeviceTimeout(
                f"{name}: the command did not go out ({error})", Quality.BAD_TIMEOUT
            ) from error
        finally:
            del self._reports[point.index]

    async def close(self) -> None:
        """Say that the host leaves (clause 5.4), and disconnect; safe at any time."""
        client, self._client = self._client, None
        if client is None:
            return
        host = self._own.host_id
        if host is not None:
            leaves = json.dumps({"online": False, "timestamp": self.clock() // 1000}).encode()
            # Where the broker is gone, it publishes the will by itself.
            with contextlib.suppress(aiomqtt.MqttError, OSError):
                await client.publish(state_topic(host), leaves, qos=1, retain=True, timeout=_GOODBYE_S)
        await disconnect(client)

    def _state(self, *, online: bool) -> bytes:
        return json.dumps({"online": online, "timestamp": self._since_ms}).encode()

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        topic = message.topic.value
        raw = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
        place = parse(topic)
        if place is None:
            await self._own_state(client, topic, raw)
            return
        node = self.nodes.get((place.group, place.node))
        if node is None or message.retain:
            return  # births and data are never retained; a kept one tells of a time nobody knows
        if len(raw) > MOST_BYTES:
            node.garbled(f"{place.verb} is larger than {MOST_BYTES} bytes")
            return
        try:
            payload = Payload.FromString(raw)
        except DecodeError:
            node.garbled(f"{place.verb} cannot be read")
            return
        now = asyncio.get_running_loop().time()
        node.take(place.verb, place.device, payload, zlib.crc32(raw), now, self.clock())
        if place.verb == "NBIRTH":
            self._silent.discard((place.group, place.node))
            self._asking[place.group, place.node].answered()
        for reported in self._reports.values():
            reported.set()

    async def _own_state(self, client: aiomqtt.Client, topic: str, raw: bytes) -> None:
        """Say again that we are online where somebody says that we are not: our own late will, mostly."""
        host = self._own.host_id
        if host is None or topic != state_topic(host):
            return
        try:
            told = json.loads(raw)
        except ValueError:
            told = None
        if not isinstance(told, dict) or told.get("online") is not True:
            await client.publish(topic, self._state(online=True), qos=1, retain=True)

    async def _tick(self, client: aiomqtt.Client, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_S)
            now, wall = loop.time(), self.clock()
            for place, node in self.nodes.items():
                node.tick(now, wall)
                asking = self._asking[place]
                silent = not node.online and now - asking.since >= BIRTH_S
                if silent and place not in self._silent:
                    self._silent.add(place)
                    node.lost(wall)
                if node.ask and asking.due(now):
                    asking.sent(now)
                    await client.publish(command_topic(*place), rebirth_request(wall), qos=0)
            self._latest.repeat(now, wall)
            self._draw(sink)

    def _draw(self, sink: Sink) -> None:
        readings = self._latest.draw()
        if len(readings):
            sink(readings)

    def _command(self, point: BoundPoint, name: str, value: float | str) -> bytes:
        """Return the payload of a write. Raises DeviceRefused, with the reason; nothing was sent then."""
        if not point.profile.writable or point.index not in self._places:
            raise DeviceRefused(f"{name} cannot be written; its profile says so", Quality.BAD_NOT_SUPPORTED)
        group, node, device, metric = self._places[point.index]
        if not self._whole[point.index]:
            raise DeviceRefused(
                f"{name} is a part of metric {metric!r}; only whole metrics can be written",
                Quality.BAD_NOT_SUPPORTED,
            )
        edge = self.nodes[group, node]
        known = edge.known(device, metric)
        if known is None:
            at = f"{group}/{node}" + (f"/{device}" if device else "")
            if device not in edge.sources or not edge.sources[device].online:
                raise DeviceRefused(
                    f"{name}: {at} is not online; nothing was sent", Quality.BAD_NO_COMMUNICATION
                )
            raise DeviceRefused(
                f"{name}: {at} has no metric {metric!r}; correct the profile", Quality.BAD_NODE_ID_UNKNOWN
            )
        try:
            return _written(known, value, self.clock())
        except ValueError as error:
            raise DeviceRefused(f"{name}: {error}; nothing was sent", Quality.BAD_OUT_OF_RANGE) from error

    async def _report(
        self, reported: asyncio.Event, row: int, wanted: float | str, seconds: float
    ) -> float | str | None:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await reported.wait()
                    reported.clear()
                    told = self._latest.present(row)
                    if told is not None and not differs(told, wanted):
                        return told
        except TimeoutError:
            return self._latest.present(row)


def rebirth_request(now_us: int) -> bytes:
    """Return the NCMD that asks an edge node for all its births (clause 5.10); without a sequence number."""
    payload = Payload(timestamp=now_us // 1000)
    metric = payload.metrics.add(name=REBIRTH, timestamp=now_us // 1000, datatype=DataType.BOOLEAN)
    metric.boolean_value = True
    return payload.SerializeToString()


def _written(known: Known, value: float | str, now_us: int) -> bytes:
    """Return a command for one metric, by its alias where the birth gave one (clause 6.4.6)."""
    payload = Payload(timestamp=now_us // 1000)
    metric = payload.metrics.add(timestamp=now_us // 1000, datatype=known.datatype)
    if known.alias is None:
        metric.name = known.name
    else:
        metric.alias = known.alias
    set_value(metric, known.datatype, value)
    return payload.SerializeToString()
