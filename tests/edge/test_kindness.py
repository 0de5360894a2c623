"""What dead devices cost the others on their line, in the line's own time: counted, never waited for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import numpy as np
from pydantic import BaseModel

from edge.config.bind import BoundConnection
from edge.poller import SPARED, Poller
from edge.session import Session
from protocols.field.base import BoundDevice, BoundPoint, Driver, ReadTask
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from tests.protocols.field.devices import bind, profile

UNITS, HOUR_S = 100, 3600.0
ANSWER_S, TIMEOUT_S = 0.4, 1.0
PERIODS: Any = {"fast": 1.0, "normal": 5.0, "slow": 60.0}


class Settings(BaseModel):
    """None."""


class Bus(Driver):
    """A serial line that is never free: a hundred units, each due long before its turn comes."""

    protocol = "modbus"
    Settings = Settings
    Params = Settings

    now = 0.0
    reads: list[str]
    probes: list[str]
    dead: frozenset[str] = frozenset()
    until = HOUR_S

    async def open(self) -> None:
        """Nothing to open."""

    def plan(self) -> tuple[ReadTask, ...]:
        return tuple(
            ReadTask(device.key, "normal", np.array([device.points[0].index], np.int32), 1, None)
            for device in self.devices
        )

    def elapse(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.until:
            raise asyncio.CancelledError

    async def probe(self, task: ReadTask) -> bool:
        self.probes.append(task.device)
        self.elapse(TIMEOUT_S if task.device in self.dead else ANSWER_S)
        return task.device not in self.dead

    async def read(self, task: ReadTask) -> Readings:
        self.reads.append(task.device)
        if task.device in self.dead:
            self.elapse(2 * TIMEOUT_S)  # an attempt and a retry
            return Readings.bad(task.points, 0, Quality.BAD_TIMEOUT)
        self.elapse(ANSWER_S)
        return Readings.at(task.points, 0, np.ones(1), np.zeros(1, np.uint32))

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to close."""


class Waiting(Session):
    """Waits on the line's own clock."""

    bus: Bus

    async def idle(self, seconds: float | None) -> None:
        self.bus.elapse(seconds or 1.0)


async def hour(dead: frozenset[str]) -> Bus:
    """Run a line for an hour of its own time."""
    made = profile("modbus", [{"key": "p", "type": "u16", "modbus": {"fc": 3, "address": 0}}])
    devices: tuple[BoundDevice, ...] = tuple(bind(made, {"unit": i}, f"d{i}", i) for i in range(UNITS))
    bus = Bus(Settings(), devices)
    bus.dead, bus.reads, bus.probes = dead, [], []
    session = Waiting(BoundConnection("line", Bus, Settings(), devices), lambda readings: None)
    session.bus = bus
    poller = Poller(session, PERIODS, monotonic=lambda: bus.now)
    await worked(poller, bus)
    return bus


async def worked(poller: Poller, bus: Bus) -> None:
    """Poll until the line's time is over."""
    work: Any = poller.work
    with contextlib.suppress(asyncio.CancelledError):
        await work(bus, bus.plan())


async def test_ten_dead_units_slow_the_other_ninety_by_less_than_five_percent() -> None:
    dead = frozenset(f"d{i}" for i in range(10))
    alone = await hour(frozenset())
    among = await hour(dead)
    well = [device for device in among.reads if device not in dead]
    # On a full line every unit has its share; without the dead, ninety would have the time of a hundred.
    of_ninety = HOUR_S / ANSWER_S
    assert len(alone.reads) > 0.99 * HOUR_S / ANSWER_S
    assert len(well) > 0.95 * of_ninety
    counts = [well.count(f"d{i}") for i in range(10, UNITS)]
    assert max(counts) - min(counts) <= 2, "none of the ninety pays more than another"
    asked = {device: among.probes.count(device) for device in dead}
    assert min(asked.values()) >= max(asked.values()) - 1 >= 2, (
        "each of the dead is tried as often as another"
    )
    assert len(among.probes) * TIMEOUT_S <= 5 + SPARED * HOUR_S + 1


async def test_a_unit_that_comes_back_is_read_again_by_itself() -> None:
    made = profile("modbus", [{"key": "p", "type": "u16", "modbus": {"fc": 3, "address": 0}}])
    devices = tuple(bind(made, {"unit": i}, f"d{i}", i) for i in range(3))
    bus = Bus(Settings(), devices)
    bus.dead, bus.reads, bus.probes = frozenset({"d0"}), [], []
    session = Waiting(BoundConnection("line", Bus, Settings(), devices), lambda readings: None)
    session.bus = bus
    poller = Poller(session, {**PERIODS, "normal": 0.5}, monotonic=lambda: bus.now)

    async def run(until: float) -> None:
        bus.until = until
        await worked(poller, bus)

    await run(100.0)
    assert session.breakers["d0"].retry_in_s(bus.now) > 0
    bus.dead = frozenset()
    before = bus.reads.count("d0")
    await run(900.0)
    assert session.breakers["d0"].retry_in_s(bus.now) == 0
    assert bus.reads.count("d0") > before + 50
