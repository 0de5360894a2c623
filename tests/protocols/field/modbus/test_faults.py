"""What lines and devices do wrong, and what becomes of it."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout
from protocols.field.base import BoundDevice, Driver, ReadTask
from protocols.model.clock import SECOND_US
from protocols.model.quality import Quality
from tests.protocols.field.devices import bind, driver, profile, rows
from tests.protocols.field.modbus.server import Request, Script, ScriptedServer, memory

SHORT = {"timeout_ms": 60, "retries": 0}


def words(*addresses: int, writable: bool = False) -> list[dict[str, Any]]:
    return [
        {"key": f"p{at}", "type": "u16", "writable": writable, "modbus": {"fc": 3, "address": at}}
        for at in addresses
    ]


def unit(points: list[dict[str, Any]], number: int = 1, first: int = 0, **limits: Any) -> BoundDevice:
    return bind(profile("modbus", points, limits=limits or SHORT), {"unit": number}, f"u{number}", first)


@asynccontextmanager
async def line(
    script: Script, *devices: BoundDevice, **rest: Any
) -> AsyncIterator[tuple[ScriptedServer, Driver, tuple[ReadTask, ...]]]:
    async with ScriptedServer(script) as server:
        made = driver("modbus", {"host": "127.0.0.1", "port": server.port}, *devices, **rest)
        try:
            await made.open()
            yield server, made, made.plan()
        finally:
            await made.close()


async def test_a_late_answer_is_never_taken_for_the_next_request() -> None:
    held: list[bytes] = []

    async def script(request: Request) -> bytes | None:
        if request.number == 0:
            held.append(request.registers(1111))
            return None
        # The late answer to the first question arrives right before, and together with, the second's.
        return held.pop() + request.registers(2222) if held else request.registers(3333)

    async with line(script, unit(words(0))) as (_, made, [task]):
        assert rows(await made.read(task))[0][1] == Quality.BAD_TIMEOUT
        assert rows(await made.read(task))[0] == (2222.0, Quality.GOOD)
        assert rows(await made.read(task))[0] == (3333.0, Quality.GOOD)


async def test_a_late_answer_between_units_is_not_taken_for_the_other_unit() -> None:
    held: list[bytes] = []

    async def script(request: Request) -> bytes | None:
        if request.unit == 1:
            held.append(request.registers(1111))
            return None
        return held.pop() + request.registers(2222)

    async with line(script, unit(words(0)), unit(words(0), 2, 1)) as (_, made, [slow, quick]):
        assert rows(await made.read(slow))[0][1] == Quality.BAD_TIMEOUT
        assert rows(await made.read(quick)) == {1: (2222.0, Quality.GOOD)}


async def test_a_burst_of_large_late_answers_does_not_lose_the_right_one() -> None:
    held: list[bytes] = []

    async def script(request: Request) -> bytes | None:
        values = [request.number] * 125
        if request.number < 3:
            held.append(request.registers(*values))
            return None
        return b"".join(held) + request.registers(*values)

    async with line(script, unit(words(*range(125)))) as (_, made, [task]):
        for _ in range(3):
            assert (await made.read(task)).quality[0] == Quality.BAD_TIMEOUT
        answer = await made.read(task)
        assert (answer.value == 3).all()
        assert (answer.quality == Quality.GOOD).all()


@pytest.mark.parametrize("wrong", ["tid", "zero tid", "function", "too short", "too long", "count"])
async def test_an_answer_that_does_not_fit_is_not_believed(wrong: str) -> None:
    async def script(request: Request) -> bytes | None:
        if request.number:
            return request.registers(7, 8)
        match wrong:
            case "tid":
                return request.registers(1, 2, tid=request.tid + 5)
            case "zero tid":
                return request.registers(1, 2, tid=0)
            case "function":
                return request.frame(struct.pack(">BBHH", 4, 4, 1, 2))
            case "too short":
                return request.registers(1)
            case "too long":
                return request.registers(1, 2, 3)
            case _:
                return request.frame(struct.pack(">BBHH", 3, 2, 1, 2))

    async with line(script, unit(words(0, 1))) as (_, made, [task]):
        first = rows(await made.read(task))
        code = Quality.BAD_TIMEOUT if wrong == "tid" else Quality.BAD_COMMUNICATION_ERROR
        assert {quality for _, quality in first.values()} == {code}
        assert all(math.isnan(float(value)) for value, _ in first.values())
        assert rows(await made.read(task)) == {0: (7.0, 0), 1: (8.0, 0)}


async def test_an_answer_in_pieces_is_one_answer() -> None:
    async def script(request: Request) -> bytes | None:
        whole = request.registers(7, 8)
        for at in range(len(whole) - 1):
            request.writer.write(whole[at : at + 1])
            await request.writer.drain()
            await asyncio.sleep(0)
        return whole[-1:]

    async with line(script, unit(words(0, 1), timeout_ms=2000)) as (_, made, [task]):
        assert rows(await made.read(task)) == {0: (7.0, 0), 1: (8.0, 0)}


async def test_silence_is_bad_timeout_after_its_retries_and_harms_no_other_unit() -> None:
    async def script(request: Request) -> bytes | None:
        return None if request.unit == 1 else request.registers(5)

    devices = unit(words(0), 1, timeout_ms=50, retries=2), unit(words(0), 2, 1)
    async with line(script, *devices) as (server, made, [dead, alive]):
        assert (await made.read(dead)).quality.tolist() == [Quality.BAD_TIMEOUT]
        assert [request.unit for request in server.seen] == [1, 1, 1]
        assert len({request.tid for request in server.seen}) == 3
        assert rows(await made.read(alive)) == {1: (5.0, Quality.GOOD)}


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (1, Quality.BAD_NOT_SUPPORTED), (2, Quality.BAD_CONFIGURATION_ERROR), (3, Quality.BAD_OUT_OF_RANGE),
        (4, Quality.BAD_DEVICE_FAILURE), (8, Quality.BAD_DEVICE_FAILURE), (7, Quality.BAD_DEVICE_FAILURE),
        (0x0A, Quality.BAD_NO_COMMUNICATION), (0x0B, Quality.BAD_TIMEOUT),
        (5, Quality.BAD_WAITING_FOR_INITIAL_DATA), (6, Quality.BAD_WAITING_FOR_INITIAL_DATA),
    ],
)  # fmt: skip
async def test_exceptions_become_qualities(code: int, quality: Quality) -> None:
    async def script(request: Request) -> bytes | None:
        return request.exception(code)

    async with line(script, unit(words(0))) as (_, made, [task]):
        [(value, got)] = rows(await made.read(task)).values()
        assert math.isnan(float(value))
        assert got == quality


async def test_a_busy_device_keeps_its_last_value_as_uncertain() -> None:
    async def script(request: Request) -> bytes | None:
        return request.registers(42) if request.number == 0 else request.exception(6)

    async with line(script, unit(words(0), timeout_ms=500, retries=1)) as (server, made, [task]):
        await made.read(task)
        assert rows(await made.read(task))[0] == (42.0, Quality.UNCERTAIN_LAST_USABLE_VALUE)
        assert len(server.seen) == 3, "a busy device is asked once more before giving up"


async def test_a_hole_is_found_remembered_and_tried_again_later() -> None:
    registers = {at: 100 + at for at in range(20) if at != 13}
    now = [1_000 * SECOND_US]
    device = unit(words(*range(20)))
    async with line(memory(registers), device, clock=lambda: now[0]) as (server, made, [task]):
        first = rows(await made.read(task))
        assert first[13][1] == Quality.BAD_CONFIGURATION_ERROR
        good = {at: (100.0 + at, Quality.GOOD) for at in range(20) if at != 13}
        assert {at: first[at] for at in good} == good
        learning = len(server.seen)
        assert learning <= 12

        assert rows(await made.read(task)).items() >= good.items()
        again = len(server.seen) - learning
        assert again <= 6, "the hole itself is not asked again"

        registers[13] = 113
        now[0] += 601 * SECOND_US
        healed = rows(await made.read(task))
        assert healed[13] == (113.0, Quality.GOOD)
        before = len(server.seen)
        await made.read(task)
        assert len(server.seen) - before == 1, "without a hole it is one request again"


@pytest.mark.parametrize("jump_s", [-400 * 86_400, 400 * 86_400])
async def test_a_clock_that_jumps_stamps_what_follows_and_holds_nothing_up(jump_s: int) -> None:
    registers = {0: 100, 2: 102}
    now = [1_790_000_000 * SECOND_US]
    async with line(memory(registers), unit(words(0, 1, 2)), clock=lambda: now[0]) as (_, made, [task]):
        assert rows(await made.read(task))[1][1] == Quality.BAD_CONFIGURATION_ERROR
        registers[1] = 101
        now[0] += jump_s * SECOND_US
        seen = await made.read(task)
        assert set(seen.time_us.tolist()) == {now[0]}
        assert rows(seen) == {at: (100.0 + at, Quality.GOOD) for at in range(3)}


async def test_a_gap_that_does_not_exist_costs_one_cut_and_a_look() -> None:
    registers = {at: at for at in (0, 1, 2, 20, 21)}
    async with line(memory(registers), unit(words(0, 1, 2, 20, 21))) as (server, made, [task]):
        assert rows(await made.read(task)) == {row: (float(at), 0) for row, at in enumerate(registers)}
        assert [request.words for request in server.seen] == [(0, 22), (0, 3), (20, 2), (0, 20)]
        await made.read(task)
        assert [request.words for request in server.seen[4:]] == [(0, 3), (20, 2)]


async def test_silence_while_learning_asks_nothing_more_and_learns_nothing() -> None:
    async def script(request: Request) -> bytes | None:
        return request.exception(2) if request.number == 0 else None

    async with line(script, unit(words(*range(8)))) as (server, made, [task]):
        answer = await made.read(task)
        assert len(server.seen) == 2
        assert sorted(answer.point.tolist()) == list(range(8))
        assert (answer.quality == Quality.BAD_TIMEOUT).all()
        await made.read(task)
        assert server.seen[2].words == (0, 8)


async def test_a_cut_during_a_request_is_noticed_at_once() -> None:
    async def script(request: Request) -> bytes | None:
        request.writer.transport.abort()
        return None

    async with line(script, unit(words(0), timeout_ms=60_000)) as (_, made, [task]):
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionLost, match="closed by the other end"):
                await made.read(task)
        with pytest.raises(ConnectionLost):
            await made.read(task)


async def test_an_open_line_that_never_answers_counts_as_dead_in_the_end() -> None:
    async def script(_request: Request) -> bytes | None:
        return None

    async with line(script, unit(words(0), timeout_ms=10, retries=0)) as (_, made, [task]):
        for _ in range(11):
            assert (await made.read(task)).quality[0] == Quality.BAD_TIMEOUT
        with pytest.raises(ConnectionLost, match="12 requests in a row"):
            await made.read(task)


async def test_requests_keep_their_pause() -> None:
    times: list[float] = []

    async def script(request: Request) -> bytes | None:
        times.append(asyncio.get_running_loop().time())
        return request.registers(1)

    device = unit(words(0), timeout_ms=500, pause_between_requests_ms=30)
    async with line(script, device) as (_, made, [task]):
        for _ in range(3):
            await made.read(task)
    assert all(after - before >= 0.029 for before, after in pairwise(times))


# ---- writing ----


async def test_a_write_without_an_answer_is_never_repeated() -> None:
    async def script(_request: Request) -> bytes | None:
        return None

    device = unit(words(0, writable=True), timeout_ms=50, retries=3)
    async with line(script, device) as (server, made, _):
        with pytest.raises(DeviceTimeout):
            await made.write(device.points[0], 5)
        assert [(request.fc, request.words) for request in server.seen] == [(6, (0, 5))]


@pytest.mark.parametrize(
    ("code", "error", "quality"),
    [
        (2, DeviceRefused, Quality.BAD_CONFIGURATION_ERROR), (3, DeviceRefused, Quality.BAD_OUT_OF_RANGE),
        (6, DeviceRefused, Quality.BAD_DEVICE_FAILURE), (0x0A, DeviceRefused, Quality.BAD_NO_COMMUNICATION),
        (5, DeviceTimeout, Quality.BAD_DEVICE_FAILURE), (0x0B, DeviceTimeout, Quality.BAD_TIMEOUT),
    ],
)  # fmt: skip
async def test_exceptions_to_a_write(code: int, error: type[Exception], quality: Quality) -> None:
    async def script(request: Request) -> bytes | None:
        return request.exception(code)

    device = unit(words(0, writable=True))
    async with line(script, device) as (server, made, _):
        with pytest.raises(error) as caught:
            await made.write(device.points[0], 5)
        assert caught.value.quality == quality  # type: ignore[attr-defined]
        assert len(server.seen) == 1


async def test_a_unit_without_single_writes_is_written_by_the_multiple_ones() -> None:
    coils: dict[int, bool] = {}
    registers: dict[int, int] = {}

    async def script(request: Request) -> bytes | None:
        address, _ = request.words
        match request.fc:
            case 15:
                coils[address] = bool(request.data[5])
                return request.echo()
            case 16:
                registers[address] = int.from_bytes(request.data[5:7], "big")
                return request.echo()
            case 1:
                return request.frame(bytes([1, 1, coils[address]]))
            case 3:
                return request.registers(registers[address])
            case _:
                return request.exception(1)

    points = [
        {"key": "c", "type": "bool", "writable": True, "modbus": {"fc": 1, "address": 3}},
        {"key": "r", "type": "u16", "writable": True, "modbus": {"fc": 3, "address": 4}},
    ]
    device = unit(points)
    async with line(script, device) as (server, made, _):
        assert await made.write(device.points[0], 1) == 1
        assert await made.write(device.points[1], 9) == 9
        assert [request.fc for request in server.seen] == [5, 15, 1, 16, 3]


@pytest.mark.parametrize(("order", "mask"), [("ABCD", 1 << 3), ("BADC", 1 << 11)])
async def test_a_bit_is_written_without_touching_its_neighbours(order: str, mask: int) -> None:
    registers = {7: 0b1010_0101_0000_1111 & ~mask}
    modbus = {"fc": 3, "address": 7, "bit": 3, "order": order}
    device = unit([{"key": "b", "type": "bool", "writable": True, "modbus": modbus}])
    untouched = registers[7]
    async with line(memory(registers), device) as (_, made, _tasks):
        assert await made.write(device.points[0], 1) == 1
        assert registers[7] == untouched | mask
        assert await made.write(device.points[0], 0) == 0
        assert registers[7] == untouched


async def test_a_bit_whose_register_cannot_be_read_is_refused_not_unknown() -> None:
    async def script(request: Request) -> bytes | None:
        return request.exception(1) if request.fc == 22 else None

    modbus = {"fc": 3, "address": 7, "bit": 3}
    device = unit([{"key": "b", "type": "bool", "writable": True, "modbus": modbus}])
    async with line(script, device) as (server, made, _):
        with pytest.raises(DeviceRefused, match="nothing was written"):
            await made.write(device.points[0], 1)
        assert {request.fc for request in server.seen} == {22, 3}


async def test_a_write_that_cannot_be_read_back_is_still_a_write() -> None:
    async def script(request: Request) -> bytes | None:
        return request.echo() if request.fc == 6 else request.exception(2)

    device = unit(words(0, writable=True))
    async with line(script, device) as (_, made, _tasks):
        assert await made.write(device.points[0], 5) is None


async def test_other_values_may_be_read_back() -> None:
    async def script(request: Request) -> bytes | None:
        return request.echo() if request.fc == 6 else request.registers(4)

    device = unit(words(0, writable=True))
    async with line(script, device) as (_, made, _tasks):
        assert await made.write(device.points[0], 5) == 4


async def test_requests_on_the_wire_are_those_of_the_reference() -> None:
    """field_protocols.md section 9, without the CRC that a TCP frame does not have."""

    async def script(request: Request) -> bytes | None:
        if request.unit == 9:
            return request.exception(2)
        return request.frame(bytes.fromhex("0404 43663333" if request.words[1] == 2 else "0402 00FF"))

    thermometer = [{"key": "t", "type": "i16", "modbus": {"fc": 4, "address": 1}}]
    meter = [{"key": "v", "type": "f32", "modbus": {"fc": 4, "address": 0}}]
    devices = unit(thermometer), unit(meter, 2, 1), unit(words(4), 9, 2)
    async with line(script, *devices) as (server, made, tasks):
        results = [rows(await made.read(task)) for task in tasks]
    sent = [bytes([request.unit, request.fc]) + request.data for request in server.seen]
    assert sent == [bytes.fromhex(text) for text in ("010400010001", "020400000002", "090300040001")]
    assert results[1][1][0] == pytest.approx(230.2)
    assert results[2][2][1] == Quality.BAD_CONFIGURATION_ERROR


async def test_a_bit_is_written_by_one_mask_write_where_the_unit_knows_it() -> None:
    registers = {7: 0b1010_0000}

    async def script(request: Request) -> bytes | None:
        if request.fc != 22:
            return await memory(registers)(request)
        address, keep, change = struct.unpack(">HHH", request.data)
        registers[address] = (registers[address] & keep) | (change & ~keep & 0xFFFF)
        return request.frame(bytes([22]) + request.data)

    modbus = {"fc": 3, "address": 7, "bit": 3}
    device = unit([{"key": "b", "type": "bool", "writable": True, "modbus": modbus}])
    async with line(script, device) as (server, made, _):
        held = []
        for value in (1, 0):
            assert await made.write(device.points[0], value) == value
            held.append(registers[7])
        assert held == [0b1010_1000, 0b1010_0000]
        assert [request.fc for request in server.seen] == [22, 3, 22, 3], "written, then read back"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([0x0001_FFFF, 0x0002_FFFF, 0x0002_0000], (0x0002_0000, Quality.GOOD)),
        ([0x0001_FFFF, 0x0001_0000, 0x0002_0001], (0x0002_0001, Quality.GOOD)),
        ([0x0001_FFFF, 5, 6], (6, Quality.GOOD)),
        ([0x0001_FFFF, 0x00F1_0000, 0x00F1_0002], (0x00F1_0002, Quality.GOOD)),
        ([0x0001_FFFF, 0x00F1_0000, 7], (7, Quality.UNCERTAIN_SUB_NORMAL)),
    ],
    ids=["high word early", "low word early", "reset", "a true jump", "no two agree"],
)
async def test_a_counter_that_jumped_is_looked_at_twice(
    answers: list[int], expected: tuple[int, int]
) -> None:
    async def script(request: Request) -> bytes | None:
        value = answers[request.number]
        return request.registers(value >> 16, value & 0xFFFF)

    modbus = {"fc": 3, "address": 0, "counter": True}
    device = unit([{"key": "c", "type": "u32", "modbus": modbus}])
    async with line(script, device) as (server, made, [task]):
        seen = [rows(await made.read(task))[0] for _ in range(2)]
        assert list(seen[1]) == list(expected)
        assert len(server.seen) == 3
