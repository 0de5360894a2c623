"""Which numbers earn a place on the first screen: chosen by what they measure, never by their id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from central.city.registry import City, PointRecord

DEFAULT_PATTERNS: Final = ("*level*", "*flow*", "*depth*", "*pm2*5*", "*rain*", "*power*")
"""Patterns of point keys, the more important first."""
MOST_FIGURES: Final = 12


@dataclass(frozen=True, slots=True)
class Figure:
    """A point that was chosen, and the priority of the worst alarm active on it."""

    point: PointRecord
    site: str
    priority: str | None


def choose(city: City, active: Mapping[str, str], patterns: Sequence[str] = DEFAULT_PATTERNS) -> list[Figure]:
    """Choose one point per pattern and site kind; active: point id -> worst active priority.

    Among the points that fit, one in alarm comes first, by priority; else the first site's. The answer
    is in the order of patterns, alarms before it, so that a calm city's figures keep their places.
    """
    chosen: dict[tuple[int, str], Figure] = {}
    for point in city.live:
        if point.value_type != "number":
            continue
        device = city.devices[point.device]
        rank = next((row for row, pattern in enumerate(patterns) if fnmatch(point.key, pattern)), None)
        if rank is None or device.site not in city.sites:
            continue
        figure = Figure(point, device.site, active.get(point.id))
        place = (rank, city.sites[device.site].kind)
        if place not in chosen or _order(figure) < _order(chosen[place]):
            chosen[place] = figure
    in_order = [chosen[place] for place in sorted(chosen)]
    in_order.sort(key=lambda figure: figure.priority or "P9")
    return in_order[:MOST_FIGURES]


def _order(figure: Figure) -> tuple[str, str, str]:
    return (figure.priority or "P9", figure.site, figure.point.id)
