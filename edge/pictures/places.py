"""Which cameras see a device: those that its entry names, else those of its site, else the nearest ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, hypot, radians
from typing import Final

from edge.config.bind import Plan
from protocols.model.alarm import Priority

_METRES_PER_DEGREE: Final = 111_195.0
"""Of a great circle; a gateway's sites are so near one another that the earth is flat between them."""


@dataclass(frozen=True, slots=True)
class View:
    """The cameras of a plan. lines: camera -> its connection; every_s: camera -> rhythm of its pictures."""

    lines: Mapping[str, str]
    every_s: Mapping[str, float]
    witnesses: Mapping[str, tuple[str, ...]]
    """Device -> the cameras that take evidence of its alarms."""
    wanted: frozenset[str]
    """Rules whose alarms get evidence."""
    least: Priority | None
    near_m: float
    """What the centre is told, so that it asks these cameras for neighbours' alarms as for our own."""


NOTHING: Final = View({}, {}, {}, frozenset(), None, 0.0)


def look(plan: Plan) -> View:
    """Return the cameras of a plan, and what they are for; nothing where pictures are not asked for."""
    entry = plan.loaded.entry
    asked = entry.pictures
    if asked is None:
        return NOTHING
    lines = {
        device.key: connection.key
        for connection in plan.connections
        if connection.driver.takes_pictures
        for device in connection.devices
    }
    rhythm = {
        device.key: device.picture_s or asked.every_s for device in entry.devices if device.key in lines
    }
    places = {site.key: (site.lon, site.lat) for site in entry.sites}
    sites = {device.key: device.site for device in entry.devices}
    witnesses = {}
    for device in entry.devices:
        seen = device.cameras or ((device.key,) if device.key in lines else ())
        if not seen:
            here = places[device.site]
            ways = sorted((_metres(here, places[sites[camera]]), camera) for camera in lines)
            seen = tuple(
                camera for way, camera in ways if sites[camera] == device.site or way <= asked.near_m
            )
        witnesses[device.key] = seen[: asked.cameras_per_alarm]
    return View(
        lines,
        {camera: every for camera, every in rhythm.items() if every is not None},
        witnesses,
        frozenset(rule.id for rule in plan.rules if _enough(rule.priority, asked.alarms)),
        asked.alarms,
        asked.near_m,
    )


def _enough(priority: Priority, least: Priority | None) -> bool:
    return least is not None and priority <= least


def _metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    east = (one[0] - other[0]) * cos(radians((one[1] + other[1]) / 2))
    return hypot(east, one[1] - other[1]) * _METRES_PER_DEGREE
