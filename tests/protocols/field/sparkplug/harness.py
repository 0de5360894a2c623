"""amqtt's broker under the contract, and an edge node that speaks through it by aiomqtt."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import aiomqtt

from protocols.field.base import BoundDevice
from protocols.model.sparkplug import REBIRTH, DataType
from protocols.model.sparkplug.payload_pb2 import Payload
from tests.protocols.field.contract import Harness
from tests.protocols.field.devices import bind, profile
from tests.protocols.field.mqtt.broker import AmqttBroker
from tests.protocols.field.proxy import Proxy
from tests.protocols.field.sparkplug.payloads import bd_seq, metric

GROUP, NODE, DEVICE = "city", "station 1", "pump"
ALIASES = {"Level": 1, "Count": 2, "Running": 3, "Label": 4, "Table": 5, "Speeds": 6}


def now_ms() -> int:
    """Return the wall clock as payloads tell it."""
    import time  # noqa: PLC0415

    return time.time_ns() // 1_000_000


class Edge:
    """An edge node with one device, on a line of its own that can be cut."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.line = Proxy(port)
        self.client: aiomqtt.Client | None = None
        self.values: dict[str, Any] = {"Level": 2.5, "Count": -205, "Running": True, "Label": "PUMP-1"}
        self.session = 0
        self.births_sent = 0
        self.ignores: set[str] = set()
        """Metrics whose commands it does not obey."""
        self._seq = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect with the will, subscribe to commands; births are sent when asked for."""
        ready = asyncio.Event()
        await self.line.start()
        self._task = asyncio.create_task(self._run(ready))
        await ready.wait()

    async def stop(self, *, gone: bool = False) -> None:
        """Leave; `gone` cuts the line first, so that the broker publishes the will."""
        if gone:
            await self.line.cut()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.line.cut()

    def next_seq(self) -> int:
        """Return the next sequence number."""
        seq, self._seq = self._seq, (self._seq + 1) % 256
        return seq

    async def say(self, verb: str, metrics: list[Payload.Metric], *, skip: bool = False) -> None:
        """Publish a numbered message; `skip` numbers it and loses it."""
        made = Payload(timestamp=now_ms(), seq=self.next_seq(), metrics=metrics)
        device = f"/{DEVICE}" if verb.startswith("D") else ""
        if not skip:
            await self._publish(f"spBv1.0/{GROUP}/{verb}/{NODE}{device}", made)

    async def births(self) -> None:
        """Publish NBIRTH and DBIRTH."""
        self._seq = 0
        self.births_sent += 1
        rebirth = metric(REBIRTH, False, datatype=DataType.BOOLEAN)
        uptime = metric("Uptime", 7, datatype=DataType.UINT64)
        await self.say("NBIRTH", [bd_seq(self.session), rebirth, uptime])
        metrics = [self.metric(name, named=True) for name in ALIASES]
        await self.say("DBIRTH", metrics)

    def metric(self, name: str, *, named: bool = False) -> Payload.Metric:
        """Return a metric's present value, by alias, or with name and type as births want it."""
        made = Payload.Metric(alias=ALIASES[name], timestamp=now_ms())
        kind = DataType.DOUBLE
        if name == "Level":
            made.double_value = self.values[name]
        elif name == "Count":
            kind, made.int_value = DataType.INT16, self.values[name] & 0xFFFF
        elif name == "Running":
            kind, made.boolean_value = DataType.BOOLEAN, self.values[name]
        elif name == "Label":
            kind, made.string_value = DataType.STRING, self.values[name]
        elif name == "Table":
            kind = DataType.DATASET
            made.dataset_value.columns.append("flow")
            made.dataset_value.types.append(DataType.DOUBLE)
            made.dataset_value.rows.add().elements.add(double_value=12.5)
        else:
            kind, made.bytes_value = DataType.INT16_ARRAY, b"\x01\x00\x33\xff"
        if named:
            made.name, made.datatype = name, kind
        return made

    async def _run(self, ready: asyncio.Event) -> None:
        dead = Payload(metrics=[bd_seq(self.session)])
        will = aiomqtt.Will(f"spBv1.0/{GROUP}/NDEATH/{NODE}", dead.SerializeToString(), 1)
        async with aiomqtt.Client("127.0.0.1", self.line.port, will=will) as client:
            self.client = client
            await client.subscribe([(f"spBv1.0/{GROUP}/{verb}/{NODE}/#", 1) for verb in ("NCMD", "DCMD")])
            ready.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                # amqtt also hands retained messages of other topics to a new subscriber.
                if not message.retain:
                    await self._obey(Payload.FromString(message.payload))

    async def _obey(self, command: Payload) -> None:
        assert not command.HasField("seq"), "commands have no sequence number"
        assert command.HasField("timestamp")
        names = {alias: name for name, alias in ALIASES.items()}
        for one in command.metrics:
            if one.name == REBIRTH and one.boolean_value:
                await self.births()
                continue
            assert not one.name, "where aliases are used, commands have nothing else"
            name = names[one.alias]
            if name in self.ignores:
                continue
            self.values[name] = getattr(one, str(one.WhichOneof("value")))
            await self.say("DDATA", [self.metric(name)])

    async def _publish(self, topic: str, made: Payload) -> None:
        assert self.client is not None
        await self.client.publish(topic, made.SerializeToString(), qos=0)


class SparkplugHarness(Harness):
    """A broker with an edge node, read by a primary host application."""

    protocol = "sparkplug"
    polled = False
    expected: ClassVar = {
        "level": 2.5, "count": -205.0, "running": 1.0, "label": "PUMP-1", "flow": 12.5, "speed": -205.0,
        "uptime": 7.0,
    }  # fmt: skip
    ghosts: ClassVar = {"ghost"}
    writes: ClassVar = (("level", 1.5), ("running", 0.0), ("label", "P2"))
    refused: ClassVar = (("count", 1.0), ("level", float("nan")), ("flow", 1.0))

    def __init__(self) -> None:
        self.broker = AmqttBroker()
        self.edge = Edge(0)

    async def start(self) -> int:
        port = await self.broker.start()
        self.edge = Edge(port)
        await self.edge.start()
        return port

    async def stop(self) -> None:
        await self.edge.stop()
        await self.broker.stop()

    async def speak(self, *, retained: bool) -> None:
        """Births are never retained; the host asks for them, or gets them now."""
        if not retained:
            await self.edge.births()

    def devices(self) -> tuple[BoundDevice, ...]:
        def point(key: str, name: str, kind: str = "f64", path: str = "", **rest: Any) -> dict[str, Any]:
            return {"key": key, "type": kind, "sparkplug": {"metric": name, "path": path}, **rest}

        pump = profile(
            "sparkplug",
            [
                point("level", "Level", writable=True),
                point("count", "Count", "i16"),
                point("running", "Running", "bool", writable=True),
                point("label", "Label", "text", writable=True),
                point("flow", "Table", path="[0].flow", writable=True),
                point("speed", "Speeds", "i16", path="[1]"),
                point("ghost", "Ghost"),
            ],
        )
        station = profile("sparkplug", [point("uptime", "Uptime", "u64")])
        params = {"group": GROUP, "node": NODE}
        first = bind(pump, {**params, "device": DEVICE})
        return first, bind(station, params, "station", len(first.points))

    def settings(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port, "host_id": "citynerve", "reorder_s": 0.2, "rebirth_s": 1}
