"""The OPC UA server, driven by asyncua's client. One server per test is dear (a second), so tests are few."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import BadNotWritable, BadOutOfRange, BadTypeMismatch

from protocols.model.clock import to_datetime
from sim_devices.faults import parse_fault
from sim_devices.servers.base import PortBusyError
from sim_devices.servers.opcua import OpcUaServer
from sim_devices.world import Endpoint
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board, profile

URI = "urn:linjiang:gates"
GATE = profile(
    "opcua",
    [
        {"key": "opening", "type": "f32", "writable": True, "write_min": 0, "write_max": 100,
         "opcua": {"namespace": URI, "node": "s={device}.Opening"}},
        {"key": "flow", "type": "f64", "opcua": {"namespace": URI, "node": "s={device}.Flow"}},
        {"key": "level", "type": "i16", "scale": 0.01,
         "opcua": {"namespace": URI, "node": "s={device}.Level"}},
        {"key": "moving", "type": "bool", "opcua": {"namespace": URI, "node": "s={device}.Moving"}},
        {"key": "text", "type": "text", "opcua": {"namespace": URI, "node": "s={device}.Text"}},
    ],
)  # fmt: skip
MOMENT_US = 1_763_800_000_123_456


@asynccontextmanager
async def serving(*, history: bool = False) -> AsyncIterator[tuple[OpcUaServer, FakeDevice]]:
    gate = FakeDevice("gate-west", GATE, {"device": "Gate1"}, {"opening": 25.0, "text": "ok"})
    endpoint = Endpoint("plc1", "opcua", 0, ("gate-west",))
    world = FakeWorld([gate], [endpoint])
    faults = board(world)
    server = OpcUaServer(endpoint, world, faults, clock=lambda: MOMENT_US, history=history)
    faults.on_change(server.follow_faults)
    await server.start()
    try:
        yield server, gate
    finally:
        await server.stop()


class Seen:
    """Collects what a subscription reports."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[object] = asyncio.Queue()

    def datachange_notification(self, node: object, value: object, data: object) -> None:
        self.values.put_nowait(value)


async def test_values_writes_and_subscriptions() -> None:
    async with serving(history=True) as (server, gate), Client(server.url) as client:
        index = await client.get_namespace_index(URI)

        async def value(name: str) -> ua.DataValue:
            return await client.get_node(f"ns={index};s=Gate1.{name}").read_data_value(False)

        gate.values |= {"flow": 12.75, "level": 3.21, "moving": 1}
        await server.tick()
        assert (await value("Opening")).Value == ua.Variant(25.0, ua.VariantType.Float)
        assert (await value("Flow")).Value == ua.Variant(12.75, ua.VariantType.Double)
        assert (await value("Level")).Value == ua.Variant(321, ua.VariantType.Int16)
        assert (await value("Moving")).Value == ua.Variant(True, ua.VariantType.Boolean)
        assert (await value("Text")).Value == ua.Variant("ok", ua.VariantType.String)
        assert (await value("Flow")).SourceTimestamp == to_datetime(MOMENT_US)

        seen = Seen()
        subscription = await client.create_subscription(20, seen)
        await subscription.subscribe_data_change(client.get_node(f"ns={index};s=Gate1.Opening"))
        assert await asyncio.wait_for(seen.values.get(), 2) == 25.0

        opening = client.get_node(f"ns={index};s=Gate1.Opening")
        await opening.write_value(40.0, ua.VariantType.Float)
        assert gate.written == [("opening", 40.0)]
        assert (await value("Opening")).Value == ua.Variant(40.0, ua.VariantType.Float)
        assert await asyncio.wait_for(seen.values.get(), 2) == 40.0
        async with asyncio.timeout(60):
            # The server keeps values by a subscription of its own, a moment after they changed.
            while not {25.0, 40.0} <= {  # noqa: ASYNC110
                each.Value.Value for each in await opening.read_raw_history() if each.Value
            }:
                await asyncio.sleep(0.02)
        with pytest.raises(BadOutOfRange):
            await opening.write_value(140.0, ua.VariantType.Float)
        with pytest.raises(BadTypeMismatch):
            await opening.write_value("open", ua.VariantType.String)
        with pytest.raises(BadNotWritable):
            await client.get_node(f"ns={index};s=Gate1.Flow").write_value(1.0)
        with pytest.raises(BadNotWritable):
            await client.nodes.server_state.write_value(1)
        assert gate.written == [("opening", 40.0)]


async def test_faults() -> None:
    async with serving() as (server, gate):
        async with Client(server.url) as client:
            index = await client.get_namespace_index(URI)
            flow = client.get_node(f"ns={index};s=Gate1.Flow")

            async def status() -> str:
                code = (await flow.read_data_value(False)).StatusCode
                assert code is not None
                return code.name

            for fault, wanted in (("dead", "BadNoCommunication"), ("broken", "BadDeviceFailure")):
                server.faults.set(parse_fault(f"{fault}:gate-west"))
                await server.tick()
                assert await status() == wanted
                server.faults.clear_all()
            gate.values["flow"] = None
            await server.tick()
            assert await status() == "BadSensorFailure"
            gate.values["flow"] = 5.0
            await server.tick()
            assert await flow.read_value() == 5.0
            server.faults.set(parse_fault("slow:gate-west:3"))
            gate.values["flow"] = 6.0
            await server.tick()
            assert await flow.read_value() == 5.0
            server.faults.clear_all()
            server.faults.set(parse_fault("drop:plc1"))
            with pytest.raises((ConnectionError, asyncio.TimeoutError)):
                await flow.read_value()
        other = Client(server.url, timeout=0.5)
        with pytest.raises((ConnectionError, asyncio.TimeoutError, OSError)):
            await other.connect()
        server.faults.clear_all()
        async with Client(server.url) as client:
            assert await client.get_namespace_index(URI) == index


async def test_a_busy_port_is_named() -> None:
    taken = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    gate = FakeDevice("gate-west", GATE)
    endpoint = Endpoint("plc1", "opcua", port, ("gate-west",))
    world = FakeWorld([gate], [endpoint])
    server = OpcUaServer(endpoint, world, board(world))
    with pytest.raises(PortBusyError, match=f"plc1: port {port}"):
        await server.start()
    await server.stop()
    taken.close()
    await taken.wait_closed()
