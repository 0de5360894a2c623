"""The four protocols under the contract: real servers, on other code than ours."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

import aiomqtt
from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import AMQTTError, MQTTError
from asyncua import ua
from asyncua.server.server import Server
from asyncua.ua.uaerrors import UaError
from PIL import Image
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from protocols.field.base import BoundDevice
from tests.protocols.field.contract import Harness
from tests.protocols.field.devices import bind, profile

T = TypeVar("T")


class ModbusHarness(Harness):
    """pymodbus's server: units 1 and 2, with a hole in unit 1."""

    protocol = "modbus"
    polled = True
    expected: ClassVar = {
        "level": 2.5, "count": -205.0, "running": 1.0, "bit": 1.0, "energy": 70000.0, "label": "PUMP-1",
        "level2": 7.25,
    }  # fmt: skip
    ghosts: ClassVar = {"ghost"}
    writes: ClassVar = (
        ("level", 1.5), ("count", 17.0), ("running", 0.0), ("bit", 0.0), ("energy", 80001.0), ("label", "P2"),
    )  # fmt: skip
    refused: ClassVar = (
        ("count", 40000.0), ("count", 1.5), ("running", 2.0), ("energy", -1.0), ("label", "x" * 9),
        ("level", "high"), ("level", float("nan")), ("level", 1e39), ("fixed", 1.0),
    )  # fmt: skip

    def __init__(self) -> None:
        self._server: ModbusTcpServer | None = None

    async def start(self) -> int:
        coils = [SimData(0, values=[True, False, True], datatype=DataType.BITS)]
        unit1 = [
            SimData(0, values=[2.5], datatype=DataType.FLOAT32),
            SimData(2, values=[0xFF33, 0b1000], datatype=DataType.REGISTERS),
            SimData(4, values=[70000 & 0xFFFF, 70000 >> 16], datatype=DataType.REGISTERS),
            SimData(20, values=[0x5055, 0x4D50, 0x2D31, 0], datatype=DataType.REGISTERS),
            SimData(40, values=[5], datatype=DataType.REGISTERS),
        ]
        unit2 = [SimData(0, values=[7.25], datatype=DataType.FLOAT32)]
        inputs = [SimData(0, values=[9], datatype=DataType.REGISTERS)]
        blank = [SimData(0, values=[False] * 8, datatype=DataType.BITS)]
        self._server = ModbusTcpServer(
            [SimDevice(1, (coils, blank, unit1, inputs)), SimDevice(2, (blank, blank, unit2, inputs))],
            address=("127.0.0.1", 0),
        )
        await self._server.serve_forever(background=True)
        transport: Any = self._server.transport
        port: int = transport.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            await asyncio.sleep(0)
        self._server = None

    def devices(self) -> tuple[BoundDevice, ...]:
        pump = profile(
            "modbus",
            [
                {"key": "level", "type": "f32", "scale": 0.1, "writable": True,
                 "modbus": {"fc": 3, "address": 0}},
                {"key": "count", "type": "i16", "writable": True, "modbus": {"fc": 3, "address": 2}},
                {"key": "bit", "type": "bool", "writable": True, "modbus": {"fc": 3, "address": 3, "bit": 3}},
                {"key": "energy", "type": "u32", "writable": True,
                 "modbus": {"fc": 3, "address": 4, "order": "CDAB"}},
                {"key": "ghost", "type": "u16", "modbus": {"fc": 3, "address": 10}},
                {"key": "label", "type": "ascii", "writable": True,
                 "modbus": {"fc": 3, "address": 20, "length": 4}},
                {"key": "running", "type": "bool", "writable": True, "modbus": {"fc": 1, "address": 2}},
                {"key": "fixed", "type": "u16", "modbus": {"fc": 4, "address": 0}},
            ],
        )  # fmt: skip
        second = profile("modbus", [{"key": "level2", "type": "f32", "modbus": {"fc": 3, "address": 0}}])
        return bind(pump, {"unit": 1}), bind(second, {"unit": 2}, "device2", len(pump.points))

    def settings(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port}


class OpcUaServer:
    """asyncua's server in a thread of its own: its start costs seconds, so all tests share one."""

    NAMESPACE = "urn:test:device"

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="opcua-server")
        self.server: Server
        self.port = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the server's loop, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def __enter__(self) -> OpcUaServer:
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *_error: object) -> None:
        self.run(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _stop(self) -> None:
        await self.server.stop()
        # Sessions and subscriptions of clients that were cut keep their loops; nobody needs them now.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _start(self) -> None:
        self.server = Server()
        await self.server.init()
        self.server.set_endpoint("opc.tcp://127.0.0.1:0/")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        # Something stands before our namespace, so that its index is not the one a profile might assume.
        await self.server.register_namespace("urn:test:other")
        self.index = await self.server.register_namespace(self.NAMESPACE)
        await self.server.start()
        listener: Any = self.server.bserver
        self.port = listener.port
        await self.reset()

    def node_id(self, name: str) -> ua.NodeId:
        """Return the id `s=name` in our namespace."""
        return ua.NodeId.from_string(f"ns={self.index};s={name}")

    async def variable(self, name: str, value: object, kind: ua.VariantType, writable: bool = False) -> None:
        """Add or set a variable `s=name`."""
        nodeid = self.node_id(name)
        node = self.server.get_node(nodeid)
        try:
            await node.write_value(ua.DataValue(ua.Variant(value, kind)))
        except UaError:
            node = await self.server.nodes.objects.add_variable(nodeid, name, value, varianttype=kind)
            if writable:
                await node.set_writable()

    async def write(self, name: str, data: ua.DataValue) -> None:
        """Let a variable show a value with its own status and times."""
        await self.server.write_attribute_value(self.node_id(name), data)

    async def reset(self) -> None:
        """Set the variables of the contract's device."""
        await self.variable("P1.Level", 2.5, ua.VariantType.Double, writable=True)
        await self.variable("P1.Count", -205, ua.VariantType.Int16, writable=True)
        await self.variable("P1.Running", True, ua.VariantType.Boolean, writable=True)
        await self.variable("P1.Label", "PUMP-1", ua.VariantType.String, writable=True)
        await self.variable("P1.Fixed", 9.0, ua.VariantType.Float)


class OpcUaHarness(Harness):
    """The shared asyncua server."""

    protocol = "opcua"
    polled = False
    expected: ClassVar = {"level": 2.5, "count": -205.0, "running": 1.0, "label": "PUMP-1", "fixed": 9.0}
    ghosts: ClassVar = {"ghost", "stranger"}
    writes: ClassVar = (("level", 1.5), ("count", 17.0), ("running", 0.0), ("label", "P2"))
    refused: ClassVar = (
        ("count", 40000.0), ("count", 1.5), ("running", 2.0), ("level", "high"), ("level", float("inf")),
        ("fixed", 1.0), ("ghost", 1.0), ("stranger", 1.0),
    )  # fmt: skip

    def __init__(self, server: OpcUaServer) -> None:
        self.server = server

    async def start(self) -> int:
        await asyncio.to_thread(self.server.run, self.server.reset())
        return self.server.port

    async def stop(self) -> None:
        """Leave the server to the next test."""

    def devices(self) -> tuple[BoundDevice, ...]:
        def node(name: str, namespace: str = OpcUaServer.NAMESPACE) -> dict[str, str]:
            return {"namespace": namespace, "node": f"s={{device}}.{name}"}

        pump = profile(
            "opcua",
            [
                {"key": "level", "scale": 0.1, "writable": True, "opcua": node("Level")},
                {"key": "count", "type": "i16", "writable": True, "opcua": node("Count")},
                {"key": "running", "type": "bool", "writable": True, "opcua": node("Running")},
                {"key": "ghost", "opcua": node("Ghost")},
                {"key": "stranger", "opcua": node("Level", "urn:test:nowhere")},
                {"key": "label", "type": "text", "writable": True, "opcua": node("Label")},
                {"key": "fixed", "type": "f32", "opcua": node("Fixed")},
            ],
        )
        return (bind(pump, {"device": "P1"}),)

    def settings(self, port: int) -> dict[str, Any]:
        return {"url": f"opc.tcp://127.0.0.1:{port}/"}


class MqttHarness(Harness):
    """amqtt's broker, and a device that publishes by aiomqtt and obeys commands."""

    protocol = "mqtt"
    polled = False
    expected: ClassVar = {"level": 2.5, "count": -205.0, "running": 1.0, "label": "PUMP-1", "bare": 9.0}
    ghosts: ClassVar = {"ghost"}
    writes: ClassVar = (("level", 1.5), ("running", 0.0), ("label", "P2"))
    refused: ClassVar = (("bare", 1.0), ("level", float("nan")))

    def __init__(self) -> None:
        self._broker: Broker | None = None
        self._device: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._served: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.port = 0
        self.state: dict[str, Any] = {}
        self.obeyed = asyncio.Event()

    async def start(self) -> int:
        self.state = {"level": 2.5, "deep": [{"count": -205}], "on": True, "text": "PUMP-1"}
        self._broker = Broker(
            BrokerConfig(
                listeners={"default": ListenerConfig(type=ListenerType.EXTERNAL)},
                plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            )
        )
        await self._broker.start()
        # amqtt leaves sockets open when it stops; connections that we accept, we can close.
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        ready = asyncio.Event()
        self._device = asyncio.create_task(self._obey(ready))
        await ready.wait()
        return self.port

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert self._broker is not None
        self._served[task] = writer
        try:
            pair = StreamReaderAdapter(reader), StreamWriterAdapter(writer)
            await self._broker.external_connected(*pair, "default")
        except (OSError, AMQTTError, MQTTError, asyncio.CancelledError):
            # A client that leaves as it likes is daily life for a broker.
            return
        finally:
            writer.transport.abort()
            del self._served[task]

    async def _obey(self, ready: asyncio.Event) -> None:
        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            await client.subscribe("plant/P1/set", qos=1)
            ready.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                self.state.update(decode_json(message.payload))
                await client.publish("plant/P1/state", encode_json(self.state), qos=1)
                self.obeyed.set()

    async def speak(self, *, retained: bool) -> None:
        """Publish the state, a bare value and junk."""
        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            await client.publish("plant/P1/state", encode_json(self.state), qos=1, retain=retained)
            await client.publish("plant/P1/bare", b"9.0", qos=1, retain=retained)
            await client.publish("plant/P1/junk", b"{{", qos=1, retain=retained)

    async def stop(self) -> None:
        if self._device is not None:
            self._device.cancel()
            await asyncio.gather(self._device, return_exceptions=True)
            self._device = None
        if self._server is not None:
            self._server.close()
        for writer in self._served.values():
            writer.transport.abort()
        if self._served:
            await asyncio.wait(self._served, timeout=2)
        if self._broker is not None:
            await self._broker.shutdown()
            self._broker = None
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def devices(self) -> tuple[BoundDevice, ...]:
        def state(path: str, template: str = "") -> dict[str, str]:
            topics = {"topic": "plant/{device}/state", "json_path": path}
            command = {"command_topic": "plant/{device}/set", "command_template": template}
            return {**topics, **(command if template else {})}

        pump = profile(
            "mqtt",
            [
                {
                    "key": "level",
                    "scale": 0.1,
                    "writable": True,
                    "mqtt": state("level", '{"level": {value}}'),
                },
                {"key": "count", "type": "i16", "mqtt": state("deep[0].count")},
                {"key": "running", "type": "bool", "writable": True, "mqtt": state("on", '{"on": {value}}')},
                {
                    "key": "label",
                    "type": "text",
                    "writable": True,
                    "mqtt": state("text", '{"text": {value}}'),
                },
                {"key": "bare", "mqtt": {"topic": "plant/+/bare"}},
                {"key": "ghost", "mqtt": {"topic": "plant/{device}/junk", "json_path": "x"}},
            ],
        )
        return (bind(pump, {"device": "P1"}),)

    def settings(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port}


class CameraServer:
    """A small HTTP/1.1 server; `answers` maps a path to (status, headers, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.requests: list[dict[str, str]] = []
        self.delay_s = 0.0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = {name.lower(): value for name, _, value in (h.partition(": ") for h in head[1:])}
                self.requests.append(fields)
                path = head[0].split(" ")[1]
                await asyncio.sleep(self.delay_s)
                status, headers, body = self.answer(path, fields)
                lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    def answer(self, path: str, fields: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return what a path answers."""
        return self.answers.get(path, (404, {}, b""))


def jpeg(level: int, box: tuple[int, int, int, int] | None = None, **save: Any) -> bytes:
    """Return a grey 640 × 360 picture, with a white box where asked."""
    image = Image.new("L", (640, 360), level)
    if box is not None:
        image.paste(255, box)
    out = io.BytesIO()
    image.save(out, "JPEG", **save)
    return out.getvalue()


class CameraHarness(Harness):
    """A camera with a picture at one path, and nothing at another."""

    protocol = "camera"
    polled = True
    connects = False
    expected: ClassVar = {"online": 1.0, "brightness": 120.0, "ghost-online": 0.0}
    ghosts: ClassVar = {"ghost-brightness"}
    refused: ClassVar = (("online", 1.0),)

    def __init__(self) -> None:
        self.server = CameraServer()

    async def start(self) -> int:
        self.server.answers["/cam/1.jpg"] = (200, {"Content-Type": "image/jpeg"}, jpeg(120))
        return await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    def devices(self) -> tuple[BoundDevice, ...]:
        def points(prefix: str) -> list[dict[str, Any]]:
            return [
                {"key": f"{prefix}online", "type": "bool", "camera": {"measure": "online"}},
                {"key": f"{prefix}brightness", "camera": {"measure": "brightness"}},
            ]

        first = bind(profile("camera", points("")), {"path": "/cam/1.jpg"}, "cam1")
        second = bind(profile("camera", points("ghost-")), {"path": "/cam/2.jpg"}, "cam2", 2)
        return first, second

    def settings(self, port: int) -> dict[str, Any]:
        return {"base_url": f"http://127.0.0.1:{port}", "timeout_ms": 2000}


def encode_json(document: Any) -> bytes:
    """Return JSON, as a device of another make writes it."""
    return json.dumps(document).encode()


def decode_json(payload: bytes) -> dict[str, Any]:
    """Read JSON, as a device of another make does."""
    document: dict[str, Any] = json.loads(payload)
    return document
