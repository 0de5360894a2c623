"""The Modbus server, driven by pymodbus and by bare sockets."""

from __future__ import annotations

import asyncio
import contextlib
import math
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.mei_message import ReadDeviceInformationResponse

from sim_devices.faults import parse_fault
from sim_devices.servers.base import PortBusyError
from sim_devices.servers.modbus import ModbusServer
from sim_devices.world import Endpoint
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board, profile

PUMP = profile(
    "modbus",
    [
        {"key": "level", "type": "f32", "modbus": {"fc": 3, "address": 0}},
        {"key": "power", "type": "i32", "scale": 0.1, "modbus": {"fc": 3, "address": 2, "order": "CDAB"}},
        {"key": "temp", "type": "i16", "scale": 0.1, "sentinels": [32767], "modbus": {"fc": 3, "address": 6}},
        {"key": "speed", "type": "u16", "scale": 0.1, "writable": True, "write_min": 0, "write_max": 50,
         "modbus": {"fc": 3, "address": 10}},
        {"key": "target", "type": "f32", "writable": True,
         "modbus": {"fc": 3, "address": 12, "order": "DCBA"}},
        {"key": "fault", "type": "bool", "modbus": {"fc": 3, "address": 14, "bit": 2}},
        {"key": "auto", "type": "bool", "writable": True, "modbus": {"fc": 3, "address": 14, "bit": 5}},
        {"key": "far", "type": "u16", "modbus": {"fc": 3, "address": 500}},
        {"key": "serial", "type": "ascii", "modbus": {"fc": 4, "address": 100, "length": 4}},
        {"key": "run", "type": "bool", "writable": True, "modbus": {"fc": 1, "address": 0}},
        {"key": "lamp", "type": "bool", "writable": True, "modbus": {"fc": 1, "address": 3}},
        {"key": "door", "type": "bool", "modbus": {"fc": 2, "address": 9}},
    ],
    limits={"max_registers": 100},
)  # fmt: skip


@asynccontextmanager
async def serving(
    unknown_unit: Literal["exception", "silent"] = "exception",
) -> AsyncIterator[tuple[ModbusServer, FakeDevice, AsyncModbusTcpClient]]:
    first = FakeDevice("ps-pump1", PUMP, {"unit": 1})
    second = FakeDevice("ps-pump2", PUMP, {"unit": 2}, {"level": 7.5})
    endpoint = Endpoint("line1", "modbus", 0, ("ps-pump1", "ps-pump2"))
    world = FakeWorld([first, second], [endpoint])
    faults = board(world)
    server = ModbusServer(endpoint, world, faults, unknown_unit=unknown_unit)
    faults.on_change(server.follow_faults)
    await server.start()
    client = AsyncModbusTcpClient("127.0.0.1", port=server.port, timeout=0.15, retries=0, reconnect_delay=0)
    await client.connect()
    try:
        yield server, first, client
    finally:
        client.close()
        await server.stop()


@asynccontextmanager
async def socket_to(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection, closed even where the server has reset it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


CUT = (ConnectionResetError, asyncio.IncompleteReadError)


async def registers(client: AsyncModbusTcpClient, address: int, count: int, unit: int = 1) -> list[int]:
    answer = await client.read_holding_registers(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return list(answer.registers)


async def test_values_on_the_wire_are_the_worlds_values() -> None:
    async with serving() as (server, pump, client):
        pump.values = {
            "level": 2.375,
            "power": 1234.5,
            "temp": -20.5,
            "fault": 1,
            "serial": "LJ-0042",
            "door": 1,
        }
        await server.tick()
        words = await registers(client, 0, 15)
        as_float = client.convert_from_registers(words[0:2], client.DATATYPE.FLOAT32)
        as_int = client.convert_from_registers(words[2:4], client.DATATYPE.INT32, word_order="little")
        assert (as_float, as_int) == (2.375, 12345)
        assert client.convert_from_registers(words[6:7], client.DATATYPE.INT16) == -205
        assert words[4:6] == [0, 0], "a gap that the profile allows reads as zeros"
        assert words[14] == 0b100
        text = await client.read_input_registers(100, count=4)
        assert client.convert_from_registers(text.registers, client.DATATYPE.STRING) == "LJ-0042"
        doors = await client.read_discrete_inputs(9, count=1)
        assert doors.bits[0] is True
        assert (await registers(client, 0, 2, unit=2)) == list(struct.unpack(">HH", struct.pack(">f", 7.5)))


async def test_a_value_changes_on_the_wire_with_the_tick() -> None:
    async with serving() as (server, pump, client):
        before = await registers(client, 500, 1)
        pump.values["far"] = 9
        assert await registers(client, 500, 1) == before
        await server.tick()
        assert await registers(client, 500, 1) == [9]


async def test_a_failed_sensor_reads_as_its_sentinel() -> None:
    async with serving() as (server, pump, client):
        pump.values = {"temp": None, "level": None}
        await server.tick()
        assert await registers(client, 6, 1) == [32767]
        level = struct.pack(">HH", *await registers(client, 0, 2))
        assert math.isnan(struct.unpack(">f", level)[0])


async def test_writes_act_and_read_back_at_once() -> None:
    async with serving() as (_, pump, client):
        assert not (await client.write_register(10, 425)).isError()
        assert await registers(client, 10, 1) == [425]
        target = list(struct.unpack(">HH", struct.pack(">f", 1.5)[::-1]))
        assert not (await client.write_registers(12, target)).isError()
        assert await registers(client, 12, 2) == target
        assert not (await client.write_coil(0, True)).isError()
        assert (await client.read_coils(0, count=4)).bits[:4] == [True, False, False, False]
        assert not (await client.mask_write_register(address=14, and_mask=0xFFDF, or_mask=0x0020)).isError()
        assert pump.written == [("speed", pytest.approx(42.5)), ("target", 1.5), ("run", 1.0), ("auto", 1.0)]


async def test_several_coils_in_one_request() -> None:
    async with serving() as (_, pump, client):
        refused = await client.write_coils(0, [True, True])
        assert refused.exception_code == 2, "coil 1 is no point"
        assert pump.written == []


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("hole", 2), ("beyond", 2), ("too many", 3), ("above its limit", 3), ("read-only", 2),
        ("half a float", 3), ("interlock", 3), ("unknown function", 1), ("absent table", 2),
        ("unknown unit", 0x0B),
    ],
)  # fmt: skip
async def test_exceptions(what: str, code: int) -> None:
    async with serving() as (_, pump, client):
        pump.limit = 30
        requests: dict[str, Callable[[], Awaitable[ModbusPDU]]] = {
            "hole": lambda: client.read_holding_registers(200, count=1),
            "beyond": lambda: client.read_holding_registers(499, count=5),
            "too many": lambda: client.read_holding_registers(0, count=101),
            "above its limit": lambda: client.write_register(10, 501),
            "read-only": lambda: client.write_register(6, 1),
            "half a float": lambda: client.write_register(12, 1),
            "interlock": lambda: client.write_register(10, 400),
            "unknown function": lambda: client.readwrite_registers(read_count=1, values=[1]),
            "absent table": lambda: client.read_input_registers(0, count=1),
            "unknown unit": lambda: client.read_holding_registers(0, count=1, device_id=9),
        }
        assert (await requests[what]()).exception_code == code
        assert pump.written == []


async def test_a_device_says_who_it_is() -> None:
    async with serving() as (_, _, client):
        answer = await client.read_device_information()
        assert isinstance(answer, ReadDeviceInformationResponse)
        assert answer.information == {0: b"Linjiang Works", 1: b"T-1", 2: b"v3"}


async def test_a_dead_slave_is_silent_and_its_neighbour_is_not() -> None:
    async with serving() as (server, _, client):
        server.faults.set(parse_fault("dead:ps-pump1"))
        with pytest.raises(ModbusIOException):
            await client.read_holding_registers(0, count=1)
        await client.connect()
        assert len(await registers(client, 0, 1, unit=2)) == 1
        server.faults.clear(parse_fault("dead:ps-pump1"))
        assert len(await registers(client, 0, 1)) == 1


async def test_a_broken_device_answers_04() -> None:
    async with serving() as (server, _, client):
        server.faults.set(parse_fault("broken:ps-pump1"))
        assert (await client.read_holding_registers(0, count=1)).exception_code == 4


async def test_a_slow_slave_answers_late_without_holding_up_the_line() -> None:
    async with serving() as (server, _, _), socket_to(server.port) as (reader, writer):
        server.faults.set(parse_fault("slow:ps-pump1:0.2"))
        loop = asyncio.get_running_loop()
        start = loop.time()
        for transaction, unit in ((1, 1), (2, 2)):
            writer.write(struct.pack(">HHHBBHH", transaction, 0, 6, unit, 3, 0, 1))
        first, second = await reader.readexactly(11), await reader.readexactly(11)
        assert (first[1], second[1]) == (2, 1), "the healthy unit's answer comes first"
        assert loop.time() - start >= 0.19


async def test_drift_and_freeze_change_what_the_wire_shows() -> None:
    async with serving() as (server, pump, client):
        pump.values["far"] = 100
        server.faults.set(parse_fault("drift:ps-pump1.far:60"))
        server.faults.now_us += 1_800_000_000
        await server.tick()
        assert await registers(client, 500, 1) == [130]
        server.faults.clear_all()
        server.faults.set(parse_fault("frozen:ps-pump1"))
        await server.tick()
        assert await registers(client, 500, 1) == [100]
        pump.values["far"] = 111
        await server.tick()
        assert await registers(client, 500, 1) == [100]
        server.faults.clear_all()
        await server.tick()
        assert await registers(client, 500, 1) == [111]


async def test_dropped_connections() -> None:
    async with serving() as (server, _, _):
        async with socket_to(server.port) as (reader, writer):
            server.faults.set(parse_fault("drop:line1"))
            with pytest.raises(CUT):
                await reader.readexactly(1)
        async with socket_to(server.port) as (reader, writer):
            with pytest.raises(CUT):
                await reader.readexactly(1)
        server.faults.clear_all()
        async with socket_to(server.port) as (reader, writer):
            writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 1))
            assert len(await reader.readexactly(11)) == 11


async def test_connections_cut_again_and_again() -> None:
    async with serving() as (server, _, _):
        server.faults.set(parse_fault("drop:line1:0.05"))
        for _ in range(2):
            async with socket_to(server.port) as (reader, writer):
                writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 1))
                assert len(await reader.readexactly(11)) == 11
                with pytest.raises(CUT):
                    await reader.readexactly(1)


async def test_frames_in_pieces_and_many_at_once() -> None:
    async with serving() as (server, _, _), socket_to(server.port) as (reader, writer):
        frames = b"".join(struct.pack(">HHHBBHH", n, 0, 6, 1, 3, 0, 1) for n in range(20))
        writer.write(frames[:17])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(frames[17:])
        answers = await reader.readexactly(20 * 11)
        assert [answers[n * 11 + 1] for n in range(20)] == list(range(20))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(CUT):
            await reader.readexactly(1)


async def test_unknown_unit_may_be_silence() -> None:
    async with serving("silent") as (_, _, client):
        with pytest.raises(ModbusIOException):
            await client.read_holding_registers(0, count=1, device_id=9)


async def test_a_busy_port_is_named_with_the_way_out() -> None:
    async with serving() as (server, first, _):
        endpoint = Endpoint("line2", "modbus", server.port, ("ps-pump1",))
        world = FakeWorld([first], [endpoint])
        other = ModbusServer(endpoint, world, board(world))
        with pytest.raises(PortBusyError, match=rf"line2: port {server.port} .* in use .*--port-base"):
            await other.start()
        await other.stop()


def test_two_devices_with_one_unit_are_refused() -> None:
    twins = [FakeDevice(key, PUMP, {"unit": 4}) for key in ("a", "b")]
    endpoint = Endpoint("line1", "modbus", 0, ("a", "b"))
    world = FakeWorld(twins, [endpoint])
    with pytest.raises(ValueError, match="a and b both have unit 4"):
        ModbusServer(endpoint, world, board(world))
