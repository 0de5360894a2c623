"""A session that turns to another plan: between two requests, with what was asked for answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from pydantic import BaseModel

from edge.config.bind import BoundConnection
from edge.poller import Poller
from edge.session import Session
from protocols.errors import ConnectionLost
from protocols.field.base import BoundDevice, BoundPoint, Driver, ReadTask, Sink
from protocols.model.device import PeriodClass, PointProfile, Profile, Text
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from tests.edge.house import PROFILE, until

PERIODS: dict[PeriodClass, float] = {"fast": 0.01, "normal": 0.1, "slow": 1.0}
SHAPE = Profile.model_validate(PROFILE)
POINT = PointProfile(key="v", name=Text(zh="值", en="Value"), type="u16", period="fast")


class Nothing(BaseModel):
    """This driver needs no settings."""


class Slow(Driver):
    """Answers a read when the test lets it; remembers every driver that was built."""

    protocol = "slow"
    Settings = Nothing
    Params = Nothing
    built: ClassVar[list[Slow]] = []

    async def open(self) -> None:
        self.closed = False
        self.let = asyncio.Event()
        self.asked: list[str] = []
        self.quality = int(Quality.GOOD)
        self.built.append(self)

    def plan(self) -> tuple[ReadTask, ...]:
        return tuple(
            ReadTask(d.key, "fast", np.array([p.index for p in d.points], np.int32), 1, None)
            for d in self.devices
        )

    async def read(self, task: ReadTask) -> Readings:
        self.asked.append(task.device)
        await self.let.wait()
        return Readings.at(task.points, 1, np.zeros(len(task.points)), self.quality)

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        return float(point.index)

    async def close(self) -> None:
        self.closed = True


def line(*devices: str, first: int = 0) -> BoundConnection:
    return BoundConnection(
        "line",
        Slow,
        Nothing(),
        tuple(BoundDevice(d, SHAPE, (BoundPoint(first + i, d, POINT),)) for i, d in enumerate(devices)),
    )


@asynccontextmanager
async def polling(connection: BoundConnection) -> AsyncIterator[tuple[Session, list[Readings]]]:
    Slow.built.clear()
    came: list[Readings] = []
    session = Session(connection, came.append)
    task = asyncio.create_task(session.run(Poller(session, PERIODS).work))
    try:
        await until(lambda: Slow.built and Slow.built[0].asked)
        yield session, came
    finally:
        session.leave()
        for driver in Slow.built:
            driver.let.set()
        await asyncio.wait_for(task, 10)


async def test_a_read_under_way_when_its_device_goes_does_no_harm() -> None:
    async with polling(line("a")) as (session, came):
        session.adopt(line("b"), np.array([-1], np.int32), set())
        session.turn()
        Slow.built[0].let.set()
        await until(lambda: len(Slow.built) == 2 and Slow.built[1].asked)
        assert Slow.built[0].closed
        assert Slow.built[1].asked[0] == "b"
        assert not came, "what was read of a device that is gone goes nowhere"
        assert session.losses == 0
        assert "a" not in session.answered_us


async def test_a_session_that_stays_renumbers_and_writes_by_its_driver_s_numbers() -> None:
    async with polling(line("a")) as (session, came):
        Slow.built[0].let.set()
        await until(lambda: came)
        session.adopt(line("a", first=7), np.array([7], np.int32), {"a"})
        came.clear()
        await until(lambda: came)
        assert came[0].point.tolist() == [7]
        point = BoundPoint(7, "a", POINT)
        assert await session.ask(lambda driver: driver.write(session.own(point), 1)) == 0.0
        assert len(Slow.built) == 1, "never closed"
        with pytest.raises(ConnectionLost, match="new configuration"):
            session.own(replace(point, index=8))


async def test_what_waits_for_the_line_is_done_before_it_turns() -> None:
    async with polling(line("a")) as (session, _):
        point = line("a").devices[0].points[0]
        asked = asyncio.create_task(session.ask(lambda driver: driver.write(point, 1)))
        await asyncio.sleep(0)
        session.turn()
        Slow.built[0].let.set()
        assert await asked == 0.0
        await until(lambda: len(Slow.built) == 2)


async def test_who_waits_for_a_line_that_goes_is_told() -> None:
    async with polling(line("a")) as (session, _):
        session.leave()
        Slow.built[0].let.set()
        await until(lambda: Slow.built[0].closed)
        with pytest.raises(ConnectionLost):
            await session.ask(lambda driver: driver.close())


async def test_the_last_error_is_a_code_and_words() -> None:
    async with polling(line("a")) as (session, _):
        driver = Slow.built[0]
        assert session.last_error("a") is None
        driver.quality = int(Quality.BAD_TIMEOUT)
        driver.let.set()
        await until(lambda: session.last_error("a"))
        code, words = session.last_error("a") or ("", "")
        assert code == "BadTimeout"
        assert "check its power" in words
        assert session.breakers["a"].failures > 0
        driver.quality = 0
        await until(lambda: session.last_error("a") is None)
        assert session.answered_us["a"] > 0


class Torn(Slow):
    """Its client says that it was disconnected, whoever ended it."""

    async def listen(self, sink: Sink) -> None:
        try:
            await super().listen(sink)
        except asyncio.CancelledError:
            raise ConnectionLost("disconnected", Quality.BAD_NO_COMMUNICATION) from None


class Shut(Torn):
    """The same while it connects."""

    async def open(self) -> None:
        await super().open()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionLost("refused", Quality.BAD_NO_COMMUNICATION) from None


@pytest.mark.parametrize("driver", [Torn, Shut])
async def test_a_line_that_breaks_as_it_is_ended_ends(driver: type[Slow]) -> None:
    Slow.built.clear()
    session = Session(replace(line("a"), driver=driver), lambda _: None)
    running = asyncio.create_task(session.run(Poller(session, PERIODS).work))
    await until(lambda: bool(Slow.built) and (driver is Shut or session.state == "online"))
    running.cancel()
    await asyncio.wait([running], timeout=5)
    assert running.cancelled()
    assert Slow.built[-1].closed
