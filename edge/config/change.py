"""What becomes of a running gateway when another plan takes over: what goes on untouched, what is begun anew.

A line is kept where nothing that its driver sees has changed: it goes on polling with the numbers that its
points had when it was opened, and an `Inlet` renumbers what it reads. A device is kept where it is the same
device on the same line; of everything else nothing is carried over, because it may be another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from edge.config.bind import Plan
from protocols.field.base import BoundDevice, BoundPoint, Sink
from protocols.model.device import PointProfile, Profile
from protocols.model.reading import PointIndexes, Readings

GONE = -1


@dataclass(frozen=True, slots=True)
class Change:
    """The way from one plan to the next.

    table: shape (points of the old plan,), the number of a point in the new plan, or GONE.
    kept, turned, added, removed: connections by key; a turned one is closed and opened again at once. To a
    kept one devices may have come: its driver takes them in.
    devices: those that are the same and on the same line. link: whether the centre is another.
    """

    table: PointIndexes
    kept: frozenset[str]
    turned: frozenset[str]
    added: frozenset[str]
    removed: frozenset[str]
    devices: frozenset[str]
    link: bool


def compare(old: Plan, new: Plan) -> Change:
    """Return what has to be done so that `new` runs instead of `old`."""
    before = {connection.key: connection for connection in old.connections}
    after = {connection.key: connection for connection in new.connections}
    both = before.keys() & after.keys()
    rhythm = dict(old.periods) == dict(new.periods)
    same = _Same()
    kept: set[str] = set()
    devices: set[str] = set()
    for key in both:
        driver = after[key].driver
        if not (before[key].driver is driver and before[key].settings == after[key].settings):
            continue
        known = {device.key: device for device in before[key].devices}
        stays = [d.key for d in after[key].devices if d.key in known and same.device(known[d.key], d)]
        devices |= set(stays)
        watched = before[key].watches == after[key].watches
        all_stay = stays == [d.key for d in after[key].devices] == list(known)
        if rhythm and watched and (all_stay or (driver.joins and set(stays) == known.keys())):
            kept.add(key)
    return Change(
        table=_table(old.points, new, devices, same),
        kept=frozenset(kept),
        turned=frozenset(both - kept),
        added=frozenset(after.keys() - before.keys()),
        removed=frozenset(before.keys() - after.keys()),
        devices=frozenset(devices),
        link=(old.loaded.entry.centre, old.loaded.ca_file) != (new.loaded.entry.centre, new.loaded.ca_file),
    )


class _Same:
    """Compares profiles and points once: a hundred devices of one model share theirs."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], bool] = {}

    def __call__(self, old: Profile | PointProfile, new: Profile | PointProfile) -> bool:
        names = id(old), id(new)
        if names not in self._known:
            self._known[names] = old == new
        return self._known[names]

    def device(self, old: BoundDevice, new: BoundDevice) -> bool:
        return (
            dict(old.params) == dict(new.params)
            and self(old.profile, new.profile)
            and len(old.points) == len(new.points)
            and all(self(a.profile, b.profile) for a, b in zip(old.points, new.points, strict=True))
        )


def _table(points: Iterable[BoundPoint], new: Plan, devices: Set[str], same: _Same) -> PointIndexes:
    read = {device.key for connection in new.connections for device in connection.devices}
    places: list[int] = []
    for point in points:
        place = new.indexes.get(f"{point.device}.{point.profile.key}", GONE)
        # What the gateway says about itself and about its devices goes on under any configuration.
        own = point.device not in read or point.profile.key.startswith("_")
        stays = place != GONE and (own or point.device in devices)
        places.append(place if stays and same(new.points[place].profile, point.profile) else GONE)
    return np.array(places, np.int32)


class Inlet:
    """A sink for somebody who was built for an earlier plan: gives each reading the number it has now."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._table: PointIndexes | None = None

    def __call__(self, readings: Readings) -> None:
        """Hand on; readings of points that the present plan does not have end here."""
        if self._table is not None:
            points = self._table[readings.point]
            known = points != GONE
            if not known.any():
                return
            if not known.all():
                readings, points = readings.take(known), points[known]
            readings = replace(readings, point=points)
        self._sink(readings)

    def renumber(self, table: PointIndexes, joined: Sequence[int] = ()) -> int:
        """Note that another plan has taken over; `table` is that of its Change.

        `joined` are the numbers in that plan of points that the user is to get now; returned is the number
        of the first one for the user, the others follow.
        """
        if self._table is not None:
            known = self._table != GONE
            table = np.where(known, table[np.where(known, self._table, 0)], GONE).astype(np.int32)
        first = len(table)
        table = np.concatenate([table, np.array(joined, np.int32)])
        self._table = None if np.array_equal(table, np.arange(len(table))) else table
        return first

    def fresh(self) -> None:
        """Note that whoever uses it has been built anew for the present plan."""
        self._table = None

    def before(self, index: int) -> int | None:
        """Return the number that a point of the present plan has for the user; None where he lacks it."""
        if self._table is None:
            return index
        found = np.flatnonzero(self._table == index)
        return int(found[0]) if len(found) else None
