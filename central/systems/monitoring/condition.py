"""How devices and sites are doing, judged for the whole city at once with numpy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from central.city.records import DeviceRecord
from central.city.registry import City
from central.live.latest import NEVER, LatestBoard
from central.systems.monitoring.schemas import DeviceState
from central.systems.monitoring.schemas_cameras import CameraState


@dataclass(frozen=True, slots=True)
class DeviceCondition:
    """State of a device, the newest source time of its points, and how many of them are fresh."""

    state: DeviceState
    last_us: int | None
    points: int
    fresh: int


ONLINE: Final = "online"
"""Key of the point by which a camera's profile says that it answers with pictures."""
RETIRED = DeviceCondition("retired", None, 0, 0)


class _Seen(NamedTuple):
    """The devices in use as columns, in the order of `live_devices`."""

    points: NDArray[np.int64]
    fresh: NDArray[np.int64]
    usable: NDArray[np.int64]
    last_us: NDArray[np.int64]


def judge_devices(city: City, board: LatestBoard) -> dict[str, DeviceCondition]:
    """Return the condition of every device in use, by id.

    stale: no point has a fresh value; fault: there are fresh ones, and all are of bad quality.
    """
    seen = _look(city, board)
    conditions: dict[str, DeviceCondition] = {}
    for device, points, fresh, usable, newest in zip(
        city.live_devices, *(column.tolist() for column in seen), strict=True
    ):
        state: DeviceState = "active" if usable else "fault" if fresh else "stale"
        conditions[device.id] = DeviceCondition(state, None if newest == NEVER else newest, points, fresh)
    return conditions


def camera_state(
    city: City, board: LatestBoard, device: DeviceRecord, condition: DeviceCondition | None
) -> CameraState:
    """Return whether a camera gives pictures, by its condition and what it says itself."""
    points = city.points_of.get(device.id, ())
    if condition is None or not points or device.retired:
        return "unknown"
    if condition.state == "stale":
        return "offline"
    online = next((point for point in points if point.key == ONLINE), None)
    value = None if online is None else board.get(online.series)
    if value is not None and value.value == 0:
        return "offline"
    return "fault" if condition.state == "fault" else "live"


def count_devices(city: City, board: LatestBoard) -> Counter[DeviceState]:
    """Return how many devices in use are in which state."""
    seen = _look(city, board)
    stale, usable = int(np.count_nonzero(seen.fresh == 0)), int(np.count_nonzero(seen.usable))
    return Counter({"active": usable, "stale": stale, "fault": len(seen.fresh) - stale - usable})


def _look(city: City, board: LatestBoard) -> _Seen:
    count = len(city.live_devices)
    rows = city.live_device_rows
    owned = rows >= 0
    seen = board.conditions(city.live_series)
    last = np.full(count, NEVER, np.int64)
    np.maximum.at(last, rows[owned], seen.time_us[owned])
    return _Seen(
        np.bincount(rows[owned], minlength=count),
        np.bincount(rows[owned & seen.fresh], minlength=count),
        np.bincount(rows[owned & seen.fresh & ~seen.bad], minlength=count),
        last,
    )
