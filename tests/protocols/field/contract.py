"""What every driver promises (protocols/field/base.py), as tests that run against a real server.

A protocol joins by a Harness; a test here never asks which protocol it is, only what the harness
says about it (polled or pushed, writable or not).
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

from protocols.errors import ConnectionLost, DeviceRefused
from protocols.field.base import BoundDevice, BoundPoint, Driver
from protocols.field.registry import driver_class
from protocols.model.clock import SECOND_US, now_us
from protocols.model.quality import Quality, quality_class
from protocols.model.reading import Readings
from tests.protocols.field.devices import Listening, rows
from tests.protocols.field.proxy import Proxy, free_port


class Harness(ABC):
    """A real server of one protocol behind a proxy, and the devices that it serves."""

    protocol: ClassVar[str]
    needs: ClassVar[str] = ""
    """What this machine lacks for it, and how to get it; its tests are then skipped."""
    shares: ClassVar[str] = ""
    """Fixture with a server that takes long to start; it is given to the constructor."""
    polled: ClassVar[bool]
    connects: ClassVar[bool] = True
    """Whether a missing server fails `open`; a camera's absence is a reading."""
    expected: ClassVar[dict[str, float | str]]
    """Raw values of the points that the server has."""
    ghosts: ClassVar[set[str]]
    """Points that the server does not have."""
    writes: ClassVar[tuple[tuple[str, float | str], ...]] = ()
    refused: ClassVar[tuple[tuple[str, float | str], ...]]
    """Writes that must be refused: read-only, out of range, of the wrong type."""

    proxy: Any
    """A `Proxy`, or another way to cut the line and mend it: `port`, `start()`, `cut()`."""

    @abstractmethod
    async def start(self) -> int:
        """Start the server; return its port."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop it."""

    @abstractmethod
    def devices(self) -> tuple[BoundDevice, ...]:
        """Return the devices, one of which has a point that the server lacks."""

    @abstractmethod
    def settings(self, port: int) -> dict[str, Any]:
        """Return the driver's settings for a port on 127.0.0.1."""

    def place(self, port: int) -> str:
        """Return how an error names what cannot be reached, as a pattern."""
        return rf"127\.0\.0\.1:{port}"

    async def speak(self, *, retained: bool) -> None:  # noqa: B027 - most servers speak by themselves
        """Let the devices send what they have to say, to be kept for whoever comes, or now."""

    def driver(self, port: int | None = None) -> Driver:
        """Return a driver for the proxy, or for another port."""
        chosen = driver_class(self.protocol)
        settings = chosen.Settings.model_validate(self.settings(port or self.proxy.port))
        return chosen(settings, self.devices())

    def points(self) -> dict[str, BoundPoint]:
        """Return the points by key."""
        return {point.profile.key: point for device in self.devices() for point in device.points}

    def line(self, port: int) -> Any:
        """Return what lies between driver and server, not started."""
        return Proxy(port)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Harness]:
        """Run server and proxy."""
        port = await self.start()
        try:
            self.proxy = self.line(port)
            await self.proxy.start()
            try:
                yield self
            finally:
                await self.proxy.cut()
        finally:
            await self.stop()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Driver]:
        """Open a driver for the block."""
        driver = self.driver()
        try:
            await driver.open()
            yield driver
        finally:
            await driver.close()

    async def hear(self, listening: Listening) -> None:
        """Wait until every point has been heard, and those that the server has are good."""
        points = self.points()
        every = {point.index for point in points.values()}
        good = {points[key].index for key in self.expected}
        await self.speak(retained=True)
        await listening.until(lambda heard: every <= set(heard.last()))
        await self.speak(retained=False)
        await listening.until(lambda heard: all(heard.last()[index][1] == Quality.GOOD for index in good))

    async def collect(self, driver: Driver) -> Readings:
        """Return one round of readings: read, or listened to."""
        if self.polled:
            return Readings.concat([await driver.read(task) for task in driver.plan()])
        listening = Listening(driver)
        try:
            await self.hear(listening)
        finally:
            await listening.stop()
        return listening.all()


class DriverContract:
    """The suite; a subclass gives the fixture `harness`, running."""

    def test_settings_and_params_refuse_what_they_do_not_know(self, harness: Harness) -> None:
        chosen = driver_class(harness.protocol)
        with pytest.raises(ValidationError):
            chosen.Settings.model_validate({**harness.settings(1), "hots": "x"})
        with pytest.raises(ValidationError):
            chosen.Params.model_validate({**harness.devices()[0].params, "untit": 1})

    async def test_built_and_planned_without_a_network(self, harness: Harness) -> None:
        driver = harness.driver(await free_port())
        tasks = driver.plan()
        planned = [index for task in tasks for index in task.points.tolist()]
        readable = {point.index for point in harness.points().values() if point.profile.readable}
        assert len(planned) == len(set(planned))
        assert set(planned) == (readable if harness.polled else set())
        assert all(task.requests >= 1 for task in tasks)
        await driver.close()

    async def test_a_missing_server_is_named(self, harness: Harness) -> None:
        port = await free_port()
        driver = harness.driver(port)
        if harness.connects:
            with pytest.raises(ConnectionLost, match=harness.place(port)) as caught:
                await driver.open()
            assert quality_class(caught.value.quality) == "bad"
        else:
            await driver.open()
        await driver.close()
        await driver.close()

    async def test_values_are_raw_and_good(self, harness: Harness) -> None:
        before = now_us()
        async with harness.opened() as driver:
            seen = await harness.collect(driver)
        after = now_us()
        last, points = rows(seen), harness.points()
        for key, value in harness.expected.items():
            got, quality = last[points[key].index]
            assert got == pytest.approx(value), key
            assert quality == Quality.GOOD, key
        good = seen.take(seen.quality == Quality.GOOD)
        assert (good.time_us >= before - 3600 * SECOND_US).all()
        assert (good.time_us <= after + SECOND_US).all()

    async def test_what_the_server_lacks_is_bad_and_harms_no_other(self, harness: Harness) -> None:
        async with harness.opened() as driver:
            last = rows(await harness.collect(driver))
        points = harness.points()
        assert set(last) == {point.index for point in points.values()}
        for key in harness.ghosts:
            value, quality = last[points[key].index]
            assert quality_class(quality) == "bad", key
            assert isinstance(value, float)
            assert math.isnan(value), "a value must never be invented"

    async def test_columns_have_their_types(self, harness: Harness) -> None:
        async with harness.opened() as driver:
            seen = await harness.collect(driver)
        assert seen.point.dtype == np.int32
        assert seen.time_us.dtype == np.int64
        assert seen.value.dtype == np.float64
        assert seen.quality.dtype == np.uint32
        assert all(math.isnan(seen.value[row]) for row in seen.text)

    async def test_a_cut_connection_ends_it_and_a_new_driver_begins_again(self, harness: Harness) -> None:
        driver = harness.driver()
        await driver.open()
        tasks = driver.plan()
        listening = Listening(driver)
        if not harness.polled:
            await harness.hear(listening)
        await harness.proxy.cut()
        if not harness.polled:
            async with asyncio.timeout(10):
                with pytest.raises(ConnectionLost):
                    await listening.task
            assert all(code >= Quality.UNCERTAIN for _, code in listening.last().values())
            usable = {harness.points()[key].index for key in harness.expected}
            lost = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
            assert all(listening.last()[index][1] == lost for index in usable)
        elif harness.connects:
            with pytest.raises(ConnectionLost):
                await driver.read(tasks[0])
        else:
            assert (await driver.read(tasks[0])).quality.max() >= Quality.BAD
        await listening.stop()
        await driver.close()

        await harness.proxy.start()
        async with harness.opened() as again:
            last = rows(await harness.collect(again))
        points = harness.points()
        assert all(last[points[key].index][1] == Quality.GOOD for key in harness.expected)

    async def test_writes_are_read_back(self, harness: Harness) -> None:
        points = harness.points()
        for key, value in harness.writes:
            async with harness.opened() as driver:
                listening = Listening(driver)
                if not harness.polled:
                    await harness.hear(listening)
                assert await driver.write(points[key], value) == pytest.approx(value)
                await listening.stop()

    async def test_what_cannot_be_written_is_refused(self, harness: Harness) -> None:
        points = harness.points()
        async with harness.opened() as driver:
            for key, value in harness.refused:
                with pytest.raises(DeviceRefused, match=key) as caught:
                    await driver.write(points[key], value)
                assert quality_class(caught.value.quality) == "bad"
            last = rows(await harness.collect(driver))
        for key, value in harness.expected.items():
            assert last[points[key].index][0] == pytest.approx(value), "a refused write changed the device"

    async def test_a_write_without_a_connection_says_so(self, harness: Harness) -> None:
        # A protocol that writes nothing refuses, connected or not.
        (key, value), said = (
            (harness.writes[0], ConnectionLost) if harness.writes else (harness.refused[0], DeviceRefused)
        )
        driver = harness.driver()
        with pytest.raises(said):
            await driver.write(harness.points()[key], value)
        await driver.close()

    async def test_close_ends_what_was_started(self, harness: Harness) -> None:
        async with harness.opened() as driver:
            await harness.collect(driver)
        await harness.proxy.cut()
        await harness.stop()
        async with asyncio.timeout(5):
            while left := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(left)
