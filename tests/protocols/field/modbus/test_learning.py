"""What a device bears is found by asking it, stays found, and costs hardly more requests than knowing it."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.field.base import BoundDevice
from protocols.field.modbus import ModbusDriver, ModbusSettings
from protocols.field.modbus.frames import Mbap
from protocols.field.modbus.learning import PAUSES_MS, Hurry, Learnt
from protocols.field.modbus.line import Line
from protocols.model.clock import SECOND_US
from protocols.model.quality import Quality
from tests.protocols.field.devices import bind, profile, rows
from tests.protocols.field.modbus.test_line import FakeWire

MAX_GAP = 6


class Notes:
    """What a gateway would keep."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def get(self, device: str) -> dict[str, Any]:
        return self.kept.get(device, {})

    def put(self, device: str, learnt: dict[str, Any]) -> None:
        self.kept[device] = learnt


class Memory:
    """A device with these registers, which bears reads of at most `most` of them."""

    def __init__(self, registers: set[int], most: int = 125) -> None:
        self.registers, self.most = registers, most
        self.asked: list[tuple[int, int]] = []

    def __call__(self, number: int, frame: bytes) -> list[tuple[float, bytes]]:
        start, count = int.from_bytes(frame[8:10], "big"), int.from_bytes(frame[10:12], "big")
        self.asked.append((start, count))
        pdu = bytes((3, 2 * count)) + b"".join(at.to_bytes(2, "big") for at in range(start, start + count))
        if not self.registers.issuperset(range(start, start + count)):
            pdu = b"\x83\x02"
        elif count > self.most:
            pdu = b"\x83\x03"
        return [(0.0, frame[:4] + (len(pdu) + 1).to_bytes(2, "big") + frame[6:7] + pdu)]


def device(addresses: list[int], **limits: Any) -> BoundDevice:
    points = [{"key": f"p{at}", "type": "u16", "modbus": {"fc": 3, "address": at}} for at in addresses]
    return bind(profile("modbus", points, limits={"max_gap": MAX_GAP, **limits}), {"unit": 1})


class Running:
    """A driver over a memory, and the requests that one round of all its tasks costs."""

    def __init__(self, made: BoundDevice, memory: Memory, notes: Notes, clock: Any = None) -> None:
        line = Line(FakeWire(memory, Mbap()))
        self.memory = memory
        self.driver = ModbusDriver(ModbusSettings(host="h"), (made,), clock or (lambda: SECOND_US), line)
        self.driver.notes = notes
        self.tasks = self.driver.plan()

    async def round(self) -> tuple[dict[int, tuple[float | str, int]], int]:
        await self.driver.open()
        seen: dict[int, tuple[float | str, int]] = {}
        before = len(self.memory.asked)
        for task in self.tasks:
            seen |= rows(await self.driver.read(task))
        return seen, len(self.memory.asked) - before


def optimum(addresses: list[int], registers: set[int], most: int) -> int:
    """Return the fewest requests for the values that exist, by trying every way to cut them."""
    alive = [at for at in addresses if at in registers]
    best = [0] + [len(alive)] * len(alive)
    for stop in range(1, len(alive) + 1):
        for start in range(stop):
            part = alive[start:stop]
            whole = registers.issuperset(range(part[0], part[-1] + 1))
            near = all(b - a - 1 <= MAX_GAP for a, b in pairwise(part))
            if whole and near and part[-1] - part[0] < most:
                best[stop] = min(best[stop], best[start] + 1)
    return best[-1]


maps = st.tuples(
    st.lists(st.integers(0, 40), min_size=1, max_size=9, unique=True).map(sorted),
    st.sets(st.integers(0, 40), max_size=5),
    st.integers(3, 41),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(maps, min_size=6, max_size=6))
def test_what_is_learnt_needs_hardly_more_requests_than_what_is_known(
    some: list[tuple[list[int], set[int], int]],
) -> None:
    """At most 1.1 times the optimum over six devices at a time, and never more than one above for one."""

    async def total() -> tuple[int, int]:
        needed = possible = 0
        for addresses, holes, most in some:
            registers = set(range(41)) - holes
            running = Running(device(addresses), Memory(registers, most), Notes())
            for _ in range(6):
                seen, cost = await running.round()
            for place, at in enumerate(addresses):
                good = (float(at), Quality.GOOD)
                assert seen[place] == good if at in registers else seen[place][1] >= Quality.BAD
            least = optimum(addresses, registers, most)
            assert cost <= least + 1
            needed, possible = needed + cost, possible + least
        return needed, possible

    needed, possible = asyncio.run(total())
    assert needed <= max(1.1 * possible, possible + 1)


async def test_what_was_learnt_outlives_a_restart() -> None:
    made, memory, notes = device(list(range(0, 30, 2))), Memory(set(range(30)) - {7, 16}, 6), Notes()
    running = Running(made, memory, notes)
    for _ in range(5):
        await running.round()
    _, steady = await running.round()
    kept = notes.kept["device1"]
    assert kept["max_registers"] == 6
    assert {(hole["address"], hole["value"]) for hole in kept["holes"]} == {(7, False), (16, True)}

    again = Running(made, memory, notes)
    seen, first = await again.round()
    assert first == steady, "not one request is spent on what is known"
    assert seen[8][1] == Quality.BAD_CONFIGURATION_ERROR
    assert sum(quality == Quality.GOOD for _, quality in seen.values()) == 14
    planned = [index for task in again.tasks for index in task.points.tolist()]
    assert sorted(planned) == list(range(15))


async def test_another_profile_learns_anew() -> None:
    memory, notes = Memory(set(range(20)) - {5}), Notes()
    running = Running(device(list(range(10))), memory, notes)
    await running.round()
    assert notes.kept["device1"]["holes"]
    notes.kept["device1"]["profile"] = "other 1"
    assert len(Running(device(list(range(10))), memory, notes).tasks) == 1


async def test_a_value_that_appears_later_is_found_and_noted() -> None:
    now = [SECOND_US]
    made, memory, notes = device(list(range(10))), Memory(set(range(10)) - {4}), Notes()
    running = Running(made, memory, notes, lambda: now[0])
    await running.round()
    await running.round()
    memory.registers.add(4)
    restarted = Running(made, memory, notes, lambda: now[0])
    await restarted.round()
    now[0] += 601 * SECOND_US
    await restarted.round()
    seen, _ = await restarted.round()
    assert seen[4] == (4.0, Quality.GOOD)
    assert notes.kept["device1"]["holes"] == []
    assert len(Running(made, memory, notes).tasks) == 1, "one request again"


def test_a_device_that_cannot_be_hurried_gets_its_rest() -> None:
    learnt = Learnt()
    hurry = Hurry(learnt)
    for _ in range(3):
        assert learnt.pause_ms == 0
        hurry.asked(hurried=True, attempts=2)
        hurry.asked(hurried=False, attempts=1)
    assert learnt.pause_ms == PAUSES_MS[1]
    for _ in range(50):
        hurry.asked(hurried=True, attempts=1)
    hurry.asked(hurried=True, attempts=2)
    hurry.asked(hurried=True, attempts=1)
    assert learnt.pause_ms == PAUSES_MS[1], "one lost answer among many proves nothing"


async def test_the_pause_is_kept_before_every_question_of_the_device() -> None:
    made, memory, notes = device([0, 20]), Memory(set(range(30))), Notes()
    notes.kept["device1"] = Learnt(pause_ms=20).record("test.device 1")
    wire = FakeWire(memory, Mbap())
    driver = ModbusDriver(ModbusSettings(host="h"), (made,), lambda: SECOND_US, Line(wire))
    driver.notes = notes
    await driver.open()
    for task in driver.plan() * 2:
        await driver.read(task)
    times = [at for at, _ in wire.sent]
    assert len(times) == 4
    assert all(after - before >= 0.0199 for before, after in pairwise(times))


def test_notes_that_are_damaged_are_no_notes() -> None:
    good = Learnt(largest=60).record("p 1")
    assert Learnt.of(good, "p 1").largest == 60
    for broken in ({}, {**good, "version": 0}, {**good, "holes": [{}]}, {**good, "pause_ms": "x"}):
        assert Learnt.of(broken, "p 1").nothing
