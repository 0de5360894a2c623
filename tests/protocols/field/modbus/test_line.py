"""The order of a line, on a wire that does exactly what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from protocols.errors import BadFrame, ConnectionLost, DeviceTimeout
from protocols.field.modbus.frames import Framing, Mbap, Question, Rtu, crc
from protocols.field.modbus.line import Line
from protocols.field.modbus.wires import Ear, Wire, gap_s
from protocols.model.device import Limits

LIMITS = Limits(timeout_ms=40, retries=0)
LONG = Limits(timeout_ms=20_000, retries=0)
Script = Callable[[int, bytes], list[tuple[float, bytes]]]
"""(number of the request from 0, its frame) → what comes back, each after so many seconds."""


class FakeWire(Wire):
    def __init__(self, script: Script, framing: Framing | None = None) -> None:
        super().__init__("Modbus fake", framing or Rtu())
        self.script = script
        self.sent: list[tuple[float, bytes]] = []
        self.heard: list[float] = []
        self.opened = 0
        self.ear: Ear | None = None

    async def open(self, ear: Ear) -> None:
        self.ear = ear
        self.opened += 1

    def send(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.sent.append((loop.time(), data))
        for delay, answer in self.script(len(self.sent) - 1, data):
            loop.call_later(delay, self._hear, answer)

    def _hear(self, data: bytes) -> None:
        if self.ear is not None:
            self.heard.append(asyncio.get_running_loop().time())
            self.ear.data_received(data)

    def close(self) -> None:
        self.ear = None


def question(address: int, unit: int = 1) -> Question:
    return Question(unit, bytes((3,)) + address.to_bytes(2) + b"\0\1")


def answer(value: int, unit: int = 1) -> bytes:
    body = bytes((unit, 3, 2)) + value.to_bytes(2)
    return body + crc(body)


async def opened(script: Script, **rest: object) -> tuple[Line, FakeWire]:
    wire = FakeWire(script)
    line = Line(wire, **rest)  # type: ignore[arg-type]
    await line.open()
    return line, wire


async def test_a_late_answer_without_a_number_is_never_taken_for_another_question() -> None:
    """The unit answers 60 ms late, with a frame that would fit the next question of it as well."""

    def script(number: int, frame: bytes) -> list[tuple[float, bytes]]:
        return [(0.06, answer(1111))] if number == 0 else [(0.0, answer(2222))]

    line, wire = await opened(script)
    with pytest.raises(DeviceTimeout):
        await line.ask(question(10), LIMITS, 0)
    said = await line.ask(question(20), LONG, 0)
    assert said.data == b"\x02" + (2222).to_bytes(2)
    assert wire.sent[1][0] >= wire.heard[0], "the second question waits until the first one's answer has come"
    assert line.frame_errors == 1


async def test_another_unit_does_not_wait_for_what_one_owes() -> None:
    def script(number: int, frame: bytes) -> list[tuple[float, bytes]]:
        return [] if number == 0 else [(0.0, answer(1111, 1)), (0.001, answer(2222, 2))]

    line, wire = await opened(script)
    with pytest.raises(DeviceTimeout):
        await line.ask(question(10), Limits(timeout_ms=10, retries=0), 0)
    said = await line.ask(question(20, 2), LONG, 0)
    assert said.data == b"\x02" + (2222).to_bytes(2)
    assert len(wire.sent) == 2


async def test_a_repeated_question_takes_the_first_answer_and_then_waits_for_the_other() -> None:
    def script(number: int, frame: bytes) -> list[tuple[float, bytes]]:
        # The answer to the first time comes when it has been asked again; the other one a little later.
        return {0: [], 1: [(0.0, answer(1)), (0.03, answer(2))]}.get(number, [(0.0, answer(3))])

    line, wire = await opened(script)
    assert (await line.ask(question(10), Limits(timeout_ms=200), 1)).data[-1] == 1
    assert (await line.ask(question(20), LONG, 0)).data[-1] == 3
    assert wire.heard[1] <= wire.sent[2][0], "the second answer has come before something else is asked"


async def test_what_came_by_itself_is_flushed_before_a_question() -> None:
    line, wire = await opened(lambda number, frame: [(0.0, answer(7))])
    assert wire.ear is not None
    wire.ear.data_received(answer(666))
    assert (await line.ask(question(0), LONG, 0)).data[-1] == 7


async def test_a_damaged_answer_is_not_waited_for_until_the_end() -> None:
    broken = bytearray(answer(7))
    broken[3] ^= 0xFF
    line, _ = await opened(lambda number, frame: [(0.0, bytes(broken))])
    async with asyncio.timeout(10):
        with pytest.raises(BadFrame, match="damaged"):
            await line.ask(question(0), LONG, 0)


async def test_an_adapter_that_hears_itself_is_no_device() -> None:
    write = Question(1, bytes.fromhex("06 0001 0005"))

    def silent(number: int, frame: bytes) -> list[tuple[float, bytes]]:
        return [(0.0, frame[:3]), (0.0, frame[3:])]

    line, _ = await opened(silent, echo=True)
    with pytest.raises(DeviceTimeout):
        await line.ask(write, LIMITS, 0)
    line, _ = await opened(lambda number, frame: [(0.0, frame + frame)], echo=True)
    assert (await line.ask(write, LONG, 0)).code is None


async def test_frames_keep_the_silence_of_the_line() -> None:
    """t3.5: 4.01 ms at 9600 baud, 16.0 ms at 2400, 1.75 ms above 19,200 (field_protocols.md 1.4)."""
    assert [round(gap_s(baud) * 1000, 2) for baud in (2400, 9600, 19_200, 115_200)] == [
        16.04,
        4.01,
        2.01,
        1.75,
    ]
    line, wire = await opened(lambda number, frame: [(0.0, answer(7))])
    wire.gap_s = 0.02
    for at in range(3):
        await line.ask(question(at), LONG, 0)
    assert all(
        sent >= heard + 0.0199 for (sent, _), heard in zip(wire.sent[1:], wire.heard[:-1], strict=True)
    )


async def test_a_line_is_dead_only_when_every_unit_is_silent() -> None:
    """Ten dead units in a row say nothing about the other ninety."""
    line, _ = await opened(lambda number, frame: [], units=3)
    short = Limits(timeout_ms=10, retries=0)
    for _ in range(14):
        with pytest.raises(DeviceTimeout):
            await line.ask(question(0, 1), short, 0)
    with pytest.raises(DeviceTimeout):
        await line.ask(question(0, 2), short, 0)
    with pytest.raises(ConnectionLost, match="without any answer"):
        await line.ask(question(0, 3), short, 0)


async def test_one_request_per_connection() -> None:
    line, wire = await opened(lambda number, frame: [(0.0, answer(number))], anew=True)
    for at in range(3):
        assert (await line.ask(question(at), LONG, 0)).data[-1] == at
    assert wire.opened == 3
    await line.close()


async def test_a_line_that_was_never_opened_says_so() -> None:
    line = Line(FakeWire(lambda number, frame: [], Mbap()))
    with pytest.raises(ConnectionLost, match="not open"):
        await line.ask(question(0), LONG, 0)
