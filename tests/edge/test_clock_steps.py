"""The gateway's clock is stepped while readings are in hand: they move along, and no alarm comes of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge.buffer.base import Entry
from edge.buffer.sqlite import SqliteBuffer
from edge.opening import open_plan
from edge.pipeline import Pipeline
from edge.timekeeping import Stamp
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings
from protocols.model.step import Step
from protocols.wire.batch import decode
from tests.edge.house import gateway_file

START_US = 1_780_000_000 * SECOND_US
DAY_US = 86_400 * SECOND_US
FAR_US = 365 * DAY_US
STAMP = Stamp("run-1", 1)
RULES = [
    {"key": "slow", "point": "level", "kind": "hi", "limit": 20, "on_delay_s": 60, "priority": "P3",
     "name": {"zh": "慢", "en": "Slow"}},
    {"key": "silent", "point": "level", "kind": "no_data", "limit": 60, "priority": "P3",
     "name": {"zh": "无数据", "en": "Silent"}},
]  # fmt: skip


class World:
    """A pipeline over a real log, with a clock and a doubt that the test sets."""

    def __init__(self, folder: Path) -> None:
        path = gateway_file(folder, 502)
        self.now = START_US
        self.stamp: Stamp | None = STAMP
        plan = open_plan(_with_rules(path))
        self.level = plan.indexes["pump1.level"]
        self.buffer = _Gated(folder / "state", lambda: self.now, stamp=lambda: self.stamp)
        self.pipeline = Pipeline(plan, self.buffer, lambda: self.now, stamp=lambda: self.stamp)

    def step(self, by_us: int, *, sure: bool = True) -> None:
        self.now += by_us
        self.stamp = None if sure else Stamp("run-1", self.stamp.offset_us + by_us if self.stamp else by_us)
        self.pipeline.stepped(by_us)

    def put(self, value: float, *, time_us: int | None = None) -> None:
        at = self.now if time_us is None else time_us
        self.pipeline.put(Readings.at(np.array([self.level], np.int32), at, np.array([value])))

    def stored(self) -> list[int]:
        """Return the times of all readings in the log, as they would be sent."""
        times: list[int] = []
        for batch in self.buffer.pending("readings", limit=1000):
            payload = decode(batch.data).payload
            assert isinstance(payload, Readings)
            times += payload.time_us.tolist()
        return times

    def raised(self) -> list[AlarmTransition]:
        found: list[AlarmTransition] = []
        for batch in self.buffer.pending("alarms", limit=1000):
            found.extend(decode(batch.data).payload)  # type: ignore[arg-type]
        return found


class _Gated(SqliteBuffer):
    """A log whose next append waits in its thread until the test lets it go."""

    hold: threading.Event | None = None

    def append(self, entries: Sequence[Entry], state: Any = None) -> list[int]:
        if self.hold is not None:
            assert self.hold.wait(10)
        return super().append(entries, state)


def _with_rules(path: Path) -> Path:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["devices"][0]["alarms"] = RULES
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize("by_us", [FAR_US, -FAR_US, 10 * SECOND_US, -10 * SECOND_US])
async def test_waiting_open_and_closed_readings_move_along(tmp_path: Path, by_us: int) -> None:
    world = World(tmp_path)
    world.put(10)
    world.pipeline.step(world.now)  # open
    world.now += SECOND_US // 10
    world.put(11)  # waiting
    world.step(by_us)
    world.put(12)
    world.put(13, time_us=START_US + SECOND_US // 5)  # a driver took its time before the step
    world.pipeline.step(world.now)
    await world.pipeline.store()
    base = START_US + by_us
    assert world.stored() == [base, base + SECOND_US // 10, base + SECOND_US // 10, base + SECOND_US // 5]
    world.buffer.close()


async def test_a_device_with_a_right_clock_of_its_own_is_left_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(10, time_us=START_US - DAY_US)  # as a device told it, whose clock is right
    world.put(11)
    world.pipeline.step(world.now)
    world.step(-DAY_US)
    world.put(12)
    world.pipeline.step(world.now)
    await world.pipeline.store()
    assert world.stored() == [START_US - DAY_US] * 3
    world.buffer.close()


@pytest.mark.parametrize("settled_first", [False, True])
async def test_a_step_while_the_disk_writes(tmp_path: Path, *, settled_first: bool) -> None:
    """What a thread is writing keeps its old times, is known as doubtful, and is put right in the log."""
    world = World(tmp_path)
    if settled_first:
        world.buffer.settle(lambda stamp: FAR_US if stamp == STAMP else None)
    world.put(10)
    world.pipeline.step(world.now)
    world.buffer.hold = threading.Event()
    writing = asyncio.create_task(world.pipeline.store())
    await asyncio.sleep(0)
    world.step(FAR_US)
    world.put(11)
    world.pipeline.step(world.now)
    world.buffer.hold.set()
    await writing
    await world.pipeline.store()
    if not settled_first:
        world.buffer.settle(lambda stamp: FAR_US if stamp == STAMP else None)
    assert world.stored() == [START_US + FAR_US] * 2
    world.buffer.close()


@pytest.mark.parametrize("by_us", [FAR_US, -FAR_US])
async def test_no_alarm_falls_for_a_step(tmp_path: Path, by_us: int) -> None:
    world = World(tmp_path)
    world.put(2500)
    world.pipeline.step(world.now)
    world.now += 30 * SECOND_US
    world.put(2500)
    world.pipeline.step(world.now)
    world.step(by_us)
    for _ in range(25):
        world.now += SECOND_US
        world.put(2500)
        world.pipeline.step(world.now)
    await world.pipeline.store()
    assert world.raised() == [], "neither the delay of a minute is over nor the device silent"
    for _ in range(8):
        world.now += SECOND_US
        world.put(2500)
        world.pipeline.step(world.now)
    await world.pipeline.store()
    (raised,) = world.raised()
    assert raised.rule == "pump1.slow"
    assert raised.event_us == START_US + by_us + 60 * SECOND_US
    world.buffer.close()


SMALL = st.integers(3 * SECOND_US, 400 * DAY_US)


@given(by=SMALL | SMALL.map(lambda us: -us), age=st.integers(0, 10 * SECOND_US))
def test_what_the_stepped_clock_told_moves_and_what_a_right_one_tells_stays(by: int, age: int) -> None:
    """As far as they can be told apart: what could be of both clocks is taken for the stepped one's."""
    step = Step(by, START_US, age)
    assert step.time(START_US - by - age) == START_US - age
    if age < abs(by):
        assert step.time(START_US - age) == START_US - age
    assert step.time(0) == 0
