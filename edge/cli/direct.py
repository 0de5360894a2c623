"""One point straight from its device, on a connection of its own that knows nothing but this point."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edge.config.bind import Plan
from edge.config.mistakes import nearest
from edge.shaping import Shaper
from protocols.errors import Rejected
from protocols.field.base import BoundPoint, Driver
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


def _driver(plan: Plan, point: BoundPoint) -> Driver:
    """Build a driver that knows nothing but this point, so that nothing else is read or subscribed."""
    for connection in plan.connections:
        for device in connection.devices:
            if device.key == point.device:
                return connection.driver(connection.settings, (replace(device, points=(point,)),))
    raise Rejected("unknown-point", f"{point.device} is on no connection")


async def current(plan: Plan, point: BoundPoint) -> dict[str, Any]:
    """Read a point from its device now; the answer has the form of the local API's. Raises FieldError."""
    shaped, _ = Shaper(plan.points).shape(await _read(plan, point), now_us())
    value: float | None = float(shaped.value[0])
    if value is None or math.isnan(value):
        value = None
    label = point.profile.labels.get(round(value)) if value is not None else None
    code = int(shaped.quality[0])
    return {
        "point": f"{point.device}.{point.profile.key}",
        "value": value,
        "text": shaped.text.get(0),
        "label": {"zh": label.zh, "en": label.en} if label else None,
        "quality": {"code": code, "name": quality_name(code)},
        "time_us": int(shaped.time_us[0]),
    }


async def _read(plan: Plan, point: BoundPoint) -> Readings:
    driver = _driver(plan, point)
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


async def put(plan: Plan, point: BoundPoint, raw: float | str) -> float | str | None:
    """Write a raw value once and return what the device reads back. Raises FieldError."""
    driver = _driver(plan, point)
    try:
        await driver.open()
        return await driver.write(point, raw)
    finally:
        await driver.close()
