"""What is made of a City and dear to make: kept for the few that are asked for, made once for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from central.city.records import City

KEPT: Final = 16
"""Cities, or parts of one: a wall and a few rooms of operators."""
T = TypeVar("T")


class PerCity(Generic[T]):
    """Makes something of a City once; a new version of the registry is another City."""

    def __init__(self, make: Callable[[City], T]) -> None:
        self._make = make
        self._kept: dict[int, tuple[City, T]] = {}

    def of(self, city: City) -> T:
        """Return what was made of this city; the longest unasked goes where there are too many."""
        kept = self._kept.pop(id(city), None) or (city, self._make(city))
        self._kept[id(city)] = kept  # with the city, so that its id stays its own
        if len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept)))
        return kept[1]
