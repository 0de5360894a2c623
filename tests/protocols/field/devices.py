"""Short ways to profiles, bound devices and drivers for the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from protocols.field.base import BoundDevice, BoundPoint, Driver
from protocols.field.registry import driver_class
from protocols.model.device import Profile
from protocols.model.reading import Readings

NAME = {"zh": "点", "en": "Point"}


def profile(protocol: str, points: Iterable[dict[str, Any]], **rest: Any) -> Profile:
    """Return a profile; each point needs `key` and its address, the type is f64 unless given."""
    return Profile.model_validate(
        {
            "id": "test.device", "vendor": "test", "model": "test", "name": NAME, "version": 1,
            "kind": "pump", "protocol": protocol, **rest,
            "points": [{"name": NAME, "type": "f64", **point} for point in points],
        }
    )  # fmt: skip


def bind(made: Profile, params: dict[str, Any], key: str = "device1", first: int = 0) -> BoundDevice:
    """Return a device whose points are numbered from `first`."""
    points = tuple(BoundPoint(first + at, key, point) for at, point in enumerate(made.points))
    return BoundDevice(key, made, points, params)


def driver(protocol: str, settings: dict[str, Any], *devices: BoundDevice, **rest: Any) -> Driver:
    """Return a driver by its registry name, its settings checked as a gateway does."""
    chosen = driver_class(protocol)
    return chosen(chosen.Settings.model_validate(settings), devices, **rest)


def rows(readings: Readings) -> dict[int, tuple[float | str, int]]:
    """Return point → (value or text, quality), for looking at a few readings."""
    return {
        index: (readings.text.get(row, float(readings.value[row])), int(readings.quality[row]))
        for row, index in enumerate(readings.point.tolist())
    }


class Listening:
    """A driver's `listen` running beside a test: everything it handed on, and how it ended."""

    def __init__(self, listened: Driver) -> None:
        self.seen: list[Readings] = []
        self._news = asyncio.Event()
        self.task = asyncio.create_task(listened.listen(self._sink))

    def _sink(self, readings: Readings) -> None:
        self.seen.append(readings)
        self._news.set()

    def all(self) -> Readings:
        """Return everything in order of arrival."""
        return Readings.concat(self.seen)

    def last(self) -> dict[int, tuple[float | str, int]]:
        """Return the newest reading of each point."""
        return rows(self.all())

    async def until(self, condition: Any, timeout_s: float = 10.0) -> None:
        """Wait until `condition(self)` holds after some reading."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                self._news.clear()
                waiting = asyncio.create_task(self._news.wait())
                await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if self.task.done() and not condition(self):
                    self.task.result()
                    raise AssertionError("listen ended before the condition held")

    async def stop(self) -> None:
        """Cancel it."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def listening(made: Driver) -> AsyncIterator[Listening]:
    """Open a driver and listen with it; close it afterwards."""
    await made.open()
    heard = Listening(made)
    try:
        yield heard
    finally:
        await heard.stop()
        await made.close()
