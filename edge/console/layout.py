"""Which points belong to which device: worked out once for each plan, since every screen asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.config.bind import OWN, BoundConnection, Plan
from edge.console.answers import Problem
from edge.house import House
from edge.shaping import usable
from protocols.field.base import BoundPoint
from protocols.model.reading import PointIndexes


@dataclass(frozen=True, slots=True)
class Place:
    """One device in the plan: all its points, and those that a driver reads, by their indexes."""

    key: str
    points: PointIndexes
    read: PointIndexes
    connection: BoundConnection | None


class Health(NamedTuple):
    """How the points of the devices are, one row per device of the gateway file, columns of shape (d,).

    tried and usable count points; last_us is the source time of the newest usable one, 0 where there is none.
    """

    tried: NDArray[np.int64]
    usable: NDArray[np.int64]
    last_us: NDArray[np.int64]


class Layout:
    """The places of the devices of whatever plan the house runs now."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._plan: Plan | None = None
        self._places: dict[str, Place] = {}
        self._rows = np.empty(0, np.int32)
        self._owner = np.empty(0, np.int64)

    @property
    def places(self) -> dict[str, Place]:
        """All devices, in the order of the gateway file; the gateway itself is the last."""
        plan = self._house.plan
        if plan is not self._plan:
            self._places = _places(plan)
            self._plan = plan
            read = [self._places[entry.key].read for entry in plan.loaded.entry.devices]
            self._rows = np.concatenate([np.empty(0, np.int32), *read])
            self._owner = np.repeat(np.arange(len(read)), [len(rows) for rows in read])
        return self._places

    def health(self) -> Health:
        """Look at all devices in one pass: a thousand of them cost no more than a few."""
        d = len(self.places) - (OWN in self.places)
        shaper = self._house.pipeline.shaper
        times, codes = shaper.latest_us[self._rows], shaper.latest_quality[self._rows]
        tried = times > 0
        good = tried & usable(codes)
        last_us = np.zeros(d, np.int64)
        np.maximum.at(last_us, self._owner, shaper.usable_us(self._rows))
        return Health(
            np.bincount(self._owner[tried], minlength=d), np.bincount(self._owner[good], minlength=d), last_us
        )

    def place(self, device: str) -> Place:
        """Return a device's place. Raises Problem `not-found`."""
        found = self.places.get(device)
        if found is None:
            raise Problem(404, "not-found", f"this gateway has no device {device!r}")
        return found

    def point(self, name: str) -> BoundPoint:
        """Return the point `device.key`. Raises Problem `not-found`."""
        plan = self._house.plan
        index = plan.indexes.get(name.removeprefix(f"{plan.gateway}."))
        if index is None:
            raise Problem(404, "not-found", f"this gateway has no point {name!r}")
        return plan.points[index]


def _places(plan: Plan) -> dict[str, Place]:
    every: dict[str, list[int]] = {entry.key: [] for entry in plan.loaded.entry.devices}
    for point in plan.points:
        every.setdefault(point.device, []).append(point.index)
    lines = {
        device.key: (connection, [point.index for point in device.points if point.profile.readable])
        for connection in plan.connections
        for device in connection.devices
    }
    places = {}
    for key, indexes in every.items():
        connection, read = lines.get(key, (None, []))
        places[key] = Place(key, np.array(indexes, np.int32), np.array(read, np.int32), connection)
    if OWN in places:
        places[OWN] = places.pop(OWN)
    return places
