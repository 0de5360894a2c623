"""One broker connection for all devices that publish to it, on aiomqtt (MQTT 3.1.1 and 5).

message ─→ Routes (topic → points, paths precompiled) ─→ columns ─→ sink
write   ─→ command topic, QoS 1 ─→ the device's answer, where it gives one ─→ the topic that reports the value
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from itertools import islice
from typing import ClassVar, Final

import aiomqtt
from pydantic import Field, model_validator

from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout
from protocols.field.base import BoundDevice, BoundPoint, Driver, First, Sink, Watch
from protocols.field.filling import DEVICE, fill_device
from protocols.field.mqtt.broker import (
    FILES,
    BrokerSettings,
    Line,
    connect,
    disconnect,
    ended,
    subscribe,
    where,
)
from protocols.field.mqtt.commands import Asked, Command, command_of
from protocols.field.mqtt.routes import Routes, differs
from protocols.field.mqtt.strangers import Strangers, pattern_of
from protocols.model.address.mqtt import MqttAddress
from protocols.model.clock import Clock, now_us
from protocols.model.quality import Quality
from protocols.model.reading import Readings, Row
from protocols.model.strict import Strict

REPORT_S: Final = 5.0
"""A device has so long, or its profile's timeout where that is longer, to report what was written."""
BATCH: Final = 500
BAD: Final = int(Quality.BAD)
DAY_S: Final = 86_400


class MqttSettings(BrokerSettings):
    """The broker, and what it keeps for this gateway."""

    session_s: int | None = Field(
        default=None,
        ge=0,
        le=2**32 - 2,
        description="seconds that the broker keeps messages while the gateway is away; needs client_id",
    )
    """Not given: a day with MQTT 5, and nothing with 3.1.1, where a broker might keep them for ever."""
    share: str | None = Field(
        default=None,
        pattern=r"^[^/+#\s]+$",
        description="group of a shared subscription: each message goes to one gateway of the group",
    )

    @model_validator(mode="after")
    def _kept(self) -> MqttSettings:
        if self.session_s and self.client_id is None:
            raise ValueError("a kept session needs its owner; give `client_id`, or remove session_s")
        return self

    def kept_s(self) -> int:
        """Return for how many seconds the broker keeps the session; 0: not at all."""
        if self.client_id is None:
            return 0
        if self.session_s is None:
            return DAY_S if self.version == "5" else 0
        return self.session_s


class MqttParams(Strict):
    """What stands for `{device}` in the topics of the profile."""

    device: str = ""


class MqttDriver(Driver):
    """MQTT client; devices speak by themselves, so there is nothing to poll."""

    protocol = "mqtt"
    Settings: ClassVar = MqttSettings
    Params: ClassVar = MqttParams
    first = First("HOST:PORT of the broker", "192.0.2.10:1883", "the device's name in its topics", port=1883)
    must_exist = FILES
    joins = True

    def __init__(
        self, settings: MqttSettings, devices: tuple[BoundDevice, ...], clock: Clock = now_us
    ) -> None:
        super().__init__(settings, devices, clock)
        self._mqtt = settings
        self._where = where(settings)
        self._routes = Routes()
        self._commands: dict[int, Command] = {}
        self._asked: list[Asked] = []
        self._report_s: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._points: list[BoundPoint] = []
        self._of_device: dict[str, list[int]] = {}
        for device in devices:
            self._take_in(device)
        self._strangers = Strangers((), (), self.welcome)
        self._sink: Sink = _nowhere
        self._last: dict[int, tuple[float, str | None]] = {}
        self._client: Line | None = None
        self._listening = False
        self._reports: dict[int, asyncio.Queue[float | str]] = {}

    @classmethod
    def check_watch(cls, watch: Watch) -> None:
        """Raise ValueError for a rule by which no device can be told from another."""
        pattern_of(watch)
        profile = watch.profile
        topics = {} if profile.mqtt_state is None else {"mqtt_state": profile.mqtt_state.topic}
        for point in profile.points:
            address = MqttAddress.of(point)
            topics |= {point.key: address.topic, f"{point.key} (command)": address.command_topic}
        for place, topic in topics.items():
            if topic and DEVICE not in topic:
                raise ValueError(
                    f"{place} of profile {profile.id} has the topic {topic!r} without `{DEVICE}`: "
                    "all devices of the rule would share it"
                )

    def _take_in(self, device: BoundDevice) -> None:
        self._report_s[device.key] = max(REPORT_S, device.profile.limits.timeout_ms / 1000)
        name = self._names[device.key] = MqttParams.model_validate(dict(device.params)).device
        state = device.profile.mqtt_state
        if state is not None and device.points:
            self._routes.add_state(device.key, fill_device(device.points[0], state.topic, name), state)
        for point in device.points:
            self._add(point, MqttAddress.of(point.profile), name)

    def _add(self, point: BoundPoint, address: MqttAddress, name: str) -> None:
        if point.profile.readable:
            self._points.append(point)
            topic = fill_device(point, address.topic, name)
            self._routes.add(point, topic, address)
            self._of_device.setdefault(point.device, []).append(len(self._points) - 1)
        if address.command_topic:
            self._commands[point.index] = command_of(point, address, name)

    def place(self, device: BoundDevice, point: BoundPoint) -> str:
        """Return the topic."""
        name = MqttParams.model_validate(dict(device.params)).device
        return fill_device(point, MqttAddress.of(point.profile).topic, name)

    async def open(self) -> None:
        """Connect and sign in."""
        self._strangers = Strangers(self.watches, self._names.values(), self.welcome)
        for pattern in self._strangers.patterns:
            self._routes.watch(pattern.filter, pattern.dated)
        self._client = await connect(self._mqtt, session_s=self._mqtt.kept_s())

    async def listen(self, sink: Sink) -> None:
        """Subscribe and hand on what devices publish, until cancelled or the connection ends."""
        client = self._client
        if client is None:
            raise ConnectionLost(f"{self._where} is not open", Quality.BAD_NO_COMMUNICATION)
        self._listening, self._sink = True, sink
        try:
            await subscribe(client, self._where, self._filters())
            async for message in client.messages:
                rows = self._take(message)
                for other in islice(client.waiting(), BATCH):
                    rows += self._take(other)
                if rows:
                    sink(Readings.of(rows))
            reason = "the connection was closed"
        except aiomqtt.MqttError as error:
            reason = ended(self._mqtt, error)
        finally:
            self._listening = False
        sink(Readings.of(self._unvouched(range(len(self._points)))))
        raise ConnectionLost(f"{self._where}: {reason}", Quality.BAD_NO_COMMUNICATION)

    async def join(self, devices: tuple[BoundDevice, ...]) -> None:
        """Take in devices while others go on speaking; what they said until now comes first."""
        before = self._filters()
        for device in devices:
            if device.key in self._names:
                continue
            self._take_in(device)
            # All in one instant: what they say from now on finds its points, and comes after this.
            rows: list[Row] = []
            for said in self._strangers.joined(self._names[device.key]):
                rows += self._heard(said.topic, said.payload, said.retained, said.came_us)
            if rows:
                self._sink(Readings.of(rows))
        client = self._client
        if client is None or not self._listening:
            return  # `listen` subscribes to everything that is known when it begins
        fresh = {topic: qos for topic, qos in self._filters().items() if before.get(topic) != qos}
        try:
            await subscribe(client, self._where, fresh)
        except aiomqtt.MqttError as error:
            raise ConnectionLost(
                f"{self._where}: {ended(self._mqtt, error)}", Quality.BAD_NO_COMMUNICATION
            ) from error

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Publish the command and return what the device then reports.

        Where the profile names a `response_topic`, the device's own answer comes first: a refusal is
        DeviceRefused with its words, silence DeviceTimeout. Then the first report of the wanted value ends
        the wait; another value is returned only when the time is over, None when nothing was reported.
        Reports that were retained do not count.
        """
        name = f"{point.device}.{point.profile.key}"
        client = self._client
        if client is None:
            raise ConnectionLost(f"{self._where} is not open", Quality.BAD_NO_COMMUNICATION)
        command = self._commands.get(point.index)
        if command is None:
            raise DeviceRefused(
                f"{name} has no command topic to write to; give `mqtt.command_topic` in the profile",
                Quality.BAD_NOT_SUPPORTED,
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise DeviceRefused(f"{name}: {value!r} was not sent; give a number", Quality.BAD_OUT_OF_RANGE)
        reports: asyncio.Queue[float | str] = asyncio.Queue()
        self._reports[point.index] = reports
        asked, seconds = Asked(command), self._report_s[point.device]
        self._asked.append(asked)
        try:
            await client.publish(
                command.topic,
                command.payload(value, point, asked.number),
                qos=1,
                properties=asked.properties(seconds) if self._mqtt.version == "5" else None,
            )
            if not self._listening:
                return None
            if command.response_topic:
                await self._answered(asked, name, seconds)
            return await self._report(reports, value, point)
        except aiomqtt.MqttCodeError as error:
            raise ConnectionLost(
                f"{self._where}: {ended(self._mqtt, error)}", Quality.BAD_NO_COMMUNICATION
            ) from error
        except aiomqtt.MqttError as error:
            raise DeviceTimeout(
                f"{name}: the broker did not confirm the command ({error})", Quality.BAD_TIMEOUT
            ) from error
        finally:
            self._asked.remove(asked)
            del self._reports[point.index]

    async def _answered(self, asked: Asked, name: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                words = await asked.answer
        except TimeoutError:
            raise DeviceTimeout(
                f"{name}: the device did not answer the command within {seconds:g} s", Quality.BAD_TIMEOUT
            ) from None
        if words:
            raise DeviceRefused(f"{name}: the device refused: {words}", Quality.BAD_DEVICE_FAILURE)

    async def close(self) -> None:
        """Disconnect; safe at any time."""
        client, self._client = self._client, None
        if client is not None:
            await disconnect(client)

    def _filters(self) -> dict[str, int]:
        """Return what to subscribe to, each with its QoS.

        A message that waited at the broker tells no time but its own: where it has none, it must not be
        kept there while the gateway is away, or an old value would pass for a new one. Hence QoS 0.
        """
        kept = self._mqtt.kept_s() > 0
        group = f"$share/{self._mqtt.share}/" if self._mqtt.share else ""
        filters = {
            group + topic: 1 if dated or not kept else 0 for topic, dated in self._routes.filters().items()
        }
        # An answer is for whoever asked, not for any gateway of the group.
        answers = {command.response_topic: 0 for command in self._commands.values()}
        return filters | {topic: qos for topic, qos in answers.items() if topic and topic not in filters}

    def _take(self, message: aiomqtt.Message) -> list[Row]:
        payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
        topic = message.topic.value
        if self._asked and not message.retain:
            correlation = getattr(message.properties, "CorrelationData", None)
            for asked in self._asked:
                asked.hear(topic, payload, correlation)
        if self._strangers.patterns:
            self._strangers.hear(topic, payload, message.retain, self.clock)
        return self._heard(topic, payload, message.retain, self.clock())

    def _heard(self, topic: str, payload: bytes, retained: bool, came_us: int) -> list[Row]:
        rows = self._routes.rows(topic, payload, retained, came_us)
        for index, _, value, quality, text in rows:
            if quality >= BAD:
                continue
            self._last[index] = (value, text)
            if index in self._reports and not retained:
                self._reports[index].put_nowait(value if text is None else text)
        gone = [device for device, there in self._routes.states(topic, payload) if not there]
        if gone:
            rows += self._unvouched([row for device in gone for row in self._of_device.get(device, ())])
        return rows

    async def _report(
        self, reports: asyncio.Queue[float | str], wanted: float | str, point: BoundPoint
    ) -> float | str | None:
        told: float | str | None = None
        try:
            async with asyncio.timeout(self._report_s[point.device]):
                while told is None or differs(told, wanted):
                    told = await reports.get()
        except TimeoutError:
            return told
        return told

    def _unvouched(self, places: Iterable[int]) -> list[Row]:
        """Return points as they stand when nobody speaks for them: the last usable value, or none."""
        now, rows = self.clock(), []
        for index in (self._points[place].index for place in places):
            if index in self._last:
                value, text = self._last[index]
                quality = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
                rows.append(Row(index, now, value, quality, text))
            else:
                rows.append(Row(index, now, math.nan, Quality.BAD_NO_COMMUNICATION, None))
        return rows


def _nowhere(readings: Readings) -> None:
    """Take what nobody listens for."""
    del readings
