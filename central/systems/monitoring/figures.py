"""Which numbers earn a place on the first screen: chosen by what they measure, never by their id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from central.city.kept import PerCity
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


@dataclass(frozen=True, slots=True)
class Shortlist:
    """What may become a figure in one city: by place (rank of the pattern, kind of site)."""

    places: dict[tuple[int, str], Figure]
    place_of: dict[str, tuple[int, str]]
    """Point id -> its place."""
    keys: frozenset[str]
    """The keys of these points."""


class Chooser:
    """Chooses one point per pattern and site kind; which ones may be chosen is found once per City."""

    def __init__(self, patterns: Sequence[str] = DEFAULT_PATTERNS) -> None:
        self._patterns = tuple(patterns)
        self._lists = PerCity(self._make)

    def shortlist(self, city: City) -> Shortlist:
        """Return what may become a figure in this city."""
        return self._lists.of(city)

    def choose(self, city: City, active: Mapping[str, str]) -> list[Figure]:
        """Choose the figures; active: point id -> worst active priority.

        Among the points that fit, one in alarm comes first, by priority; else the first site's. The answer
        is in the order of patterns, alarms before it, so that a calm city's figures keep their places.
        """
        listed = self.shortlist(city)
        alarmed: dict[tuple[int, str], Figure] = {}
        for point, priority in active.items():
            place = listed.place_of.get(point)
            if place is None:
                continue
            record = city.points[point]
            figure = Figure(record, city.devices[record.device].site, priority)
            if place not in alarmed or _order(figure) < _order(alarmed[place]):
                alarmed[place] = figure
        chosen = [alarmed.get(place, listed.places[place]) for place in sorted(listed.places)]
        chosen.sort(key=lambda figure: figure.priority or "P9")
        return chosen[:MOST_FIGURES]

    def _make(self, city: City) -> Shortlist:
        ranks: dict[str, int | None] = {}
        places: dict[tuple[int, str], Figure] = {}
        place_of: dict[str, tuple[int, str]] = {}
        keys: set[str] = set()
        for point in city.live:
            if point.key not in ranks:
                fits = (row for row, pattern in enumerate(self._patterns) if fnmatch(point.key, pattern))
                ranks[point.key] = next(fits, None)
            rank = ranks[point.key]
            if rank is None or point.value_type != "number":
                continue
            site = city.sites.get(city.devices[point.device].site)
            if site is None:
                continue
            place, figure = (rank, site.kind), Figure(point, site.id, None)
            place_of[point.id] = place
            keys.add(point.key)
            if place not in places or _order(figure) < _order(places[place]):
                places[place] = figure
        return Shortlist(places, place_of, frozenset(keys))


def _order(figure: Figure) -> tuple[str, str, str]:
    return (figure.priority or "P9", figure.site, figure.point.id)
