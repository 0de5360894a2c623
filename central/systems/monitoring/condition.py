"""How devices and sites are doing, judged for the whole city at once with numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from central.city.registry import City
from central.live.latest import NEVER, LatestBoard
from central.systems.monitoring.schemas import DeviceState


@dataclass(frozen=True, slots=True)
class DeviceCondition:
    """State of a device, the newest source time of its points, and how many of them are fresh."""

    state: DeviceState
    last_us: int | None
    points: int
    fresh: int


RETIRED = DeviceCondition("retired", None, 0, 0)


def judge_devices(city: City, board: LatestBoard) -> dict[str, DeviceCondition]:
    """Return the condition of every device in use, by id.

    stale: no point has a fresh value; fault: there are fresh ones, and all are of bad quality.
    """
    count = len(city.live_devices)
    rows = city.live_device_rows
    owned = rows >= 0
    seen = board.conditions(city.live_series)
    points = np.bincount(rows[owned], minlength=count)
    fresh = np.bincount(rows[owned & seen.fresh], minlength=count)
    usable = np.bincount(rows[owned & seen.fresh & ~seen.bad], minlength=count)
    last = np.full(count, NEVER, np.int64)
    np.maximum.at(last, rows[owned], seen.time_us[owned])
    conditions: dict[str, DeviceCondition] = {}
    for row, device in enumerate(city.live_devices):
        state: DeviceState = "active"
        if not fresh[row]:
            state = "stale"
        elif not usable[row]:
            state = "fault"
        newest = int(last[row])
        conditions[device.id] = DeviceCondition(
            state, None if newest == NEVER else newest, int(points[row]), int(fresh[row])
        )
    return conditions
