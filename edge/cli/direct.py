"""Points straight from their devices, on connections that know nothing but these points."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Collection, Coroutine, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edge.config.bind import Plan
from edge.config.mistakes import nearest
from edge.shaping import Shaper
from protocols.errors import FieldError, Rejected
from protocols.field.base import Answer, BoundPoint, Driver
from protocols.model.clock import now_us
from protocols.model.quality import Quality, quality_name
from protocols.model.reading import Readings

_LISTEN_S: Final = 10.0


def find(plan: Plan, name: str) -> BoundPoint:
    """Return the point `device.point` (`gateway.device.point` too). Raises Rejected with the near name."""
    local = name.removeprefix(f"{plan.gateway}.")
    field = {
        f"{device.key}.{point.profile.key}": point
        for connection in plan.connections
        for device in connection.devices
        for point in device.points
    }
    if local not in field:
        raise Rejected("unknown-point", f"no device has a point {name!r}; {nearest(local, field)}")
    return field[local]


def _drivers(plan: Plan, points: Collection[BoundPoint]) -> list[Driver]:
    """Build a driver for each line that knows these points only: nothing else is read or subscribed."""
    built = []
    wanted = {point.index for point in points}
    for connection in plan.connections:
        devices = [
            replace(device, points=own)
            for device in connection.devices
            if (own := tuple(point for point in device.points if point.index in wanted))
        ]
        if devices:
            built.append(connection.driver(connection.settings, tuple(devices)))
    return built


async def current(plan: Plan, point: BoundPoint) -> dict[str, Any]:
    """Read a point from its device now; the answer has the form of the local API's. Raises FieldError."""
    (value,) = _shown(plan, {point.index: point}, await _read(plan, point))
    return value


async def live(
    plan: Plan, points: Collection[BoundPoint], every_s: float
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the values of points for ever: each line is opened once, read every `every_s` or listened to.

    Raises FieldError where a line cannot be opened, or ends.
    """
    bound = {point.index: point for point in points}
    heard: asyncio.Queue[Readings | BaseException] = asyncio.Queue()
    drivers = _drivers(plan, points)
    tasks: list[asyncio.Task[None]] = []
    try:
        for driver in drivers:
            await driver.open()
            tasks += [
                asyncio.create_task(_told(heard, driver.listen(heard.put_nowait))),
                asyncio.create_task(_told(heard, _polled(driver, every_s, heard))),
            ]
        while True:
            readings = await heard.get()
            if isinstance(readings, BaseException):
                raise readings
            for value in _shown(plan, bound, readings):
                yield value
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for driver in drivers:
            await driver.close()


async def _told(heard: asyncio.Queue[Readings | BaseException], work: Coroutine[Any, Any, None]) -> None:
    """Do the work; what ends it is heard by whoever takes the readings."""
    try:
        await work
    except FieldError as error:
        heard.put_nowait(error)


async def _polled(driver: Driver, every_s: float, heard: asyncio.Queue[Readings | BaseException]) -> None:
    tasks = driver.plan()
    loop = asyncio.get_running_loop()
    while tasks:
        started = loop.time()
        for task in tasks:
            heard.put_nowait(await driver.read(task))
        await asyncio.sleep(max(0.0, started + every_s - loop.time()))


def _shown(plan: Plan, bound: Mapping[int, BoundPoint], readings: Readings) -> Iterator[dict[str, Any]]:
    """Yield readings in the form of the local API's. Every one is shown: no deadband of an earlier one."""
    shaped, _ = Shaper(plan.points).shape(readings, now_us())
    for row, index in enumerate(shaped.point.tolist()):
        point = bound.get(index)
        if point is None:
            continue
        value: float | None = float(shaped.value[row])
        if value is None or math.isnan(value):
            value = None
        label = point.profile.labels.get(round(value)) if value is not None else None
        code = int(shaped.quality[row])
        yield {
            "point": f"{point.device}.{point.profile.key}",
            "value": value,
            "text": shaped.text.get(row),
            "label": {"zh": label.zh, "en": label.en} if label else None,
            "quality": {"code": code, "name": quality_name(code)},
            "time_us": int(shaped.time_us[row]),
        }


async def _read(plan: Plan, point: BoundPoint) -> Readings:
    (driver,) = _drivers(plan, [point])
    try:
        await driver.open()
        tasks = driver.plan()
        if tasks:
            readings = await driver.read(tasks[0])
        else:
            readings = await _heard(driver, point)
    finally:
        await driver.close()
    rows = np.flatnonzero(readings.point == point.index)
    return readings.take(rows[-1:])


async def _heard(driver: Driver, point: BoundPoint) -> Readings:
    """Listen until the point speaks; BadWaitingForInitialData where it stays silent."""
    heard: asyncio.Future[Readings] = asyncio.get_running_loop().create_future()

    def sink(readings: Readings) -> None:
        if point.index in readings.point and not heard.done():
            heard.set_result(readings)

    listening = asyncio.create_task(driver.listen(sink))
    try:
        waited: set[asyncio.Future[Any]] = {heard, listening}
        await asyncio.wait(waited, timeout=_LISTEN_S, return_when=asyncio.FIRST_COMPLETED)
        if heard.done():
            return heard.result()
        if listening.done():
            listening.result()
        index = np.array([point.index], np.int32)
        return Readings.bad(index, now_us(), Quality.BAD_WAITING_FOR_INITIAL_DATA)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def put(plan: Plan, point: BoundPoint, raw: float | str) -> float | str | Answer | None:
    """Write a raw value once and return what the device reads back, or answers. Raises FieldError."""
    (driver,) = _drivers(plan, [point])
    try:
        await driver.open()
        return await driver.write(point, raw)
    finally:
        await driver.close()
