"""Which places of a stream are done, as few ranges: the oldest gateway has one, an outage a handful."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

LOWEST, HIGHEST = -(1 << 62), 1 << 62


class Places:
    """A set of whole numbers as sorted ranges that neither meet nor touch; both ends belong to a range."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __contains__(self, place: int) -> bool:
        i = bisect_left(self._last, place)
        return i < len(self._first) and self._first[i] <= place

    def __len__(self) -> int:
        return len(self._first)

    def ranges(self) -> list[tuple[int, int]]:
        """Return the ranges, lowest first."""
        return list(zip(self._first, self._last, strict=True))

    def add(self, first: int, last: int) -> None:
        """Add every number from `first` to `last`; ranges that meet or touch become one."""
        i = bisect_left(self._last, first - 1)
        j = bisect_right(self._first, last + 1)
        if i < j:
            first, last = min(first, self._first[i]), max(last, self._last[j - 1])
        self._first[i:j] = [first]
        self._last[i:j] = [last]

    def gaps(self, low: int = LOWEST, high: int = HIGHEST) -> Iterator[tuple[int, int]]:
        """Yield the ranges from `low` to `high` that are not in the set, lowest first."""
        at = low
        for i in range(bisect_left(self._last, low), len(self._first)):
            if at > high:
                return
            if self._first[i] > at:
                yield at, min(self._first[i] - 1, high)
            at = max(at, self._last[i] + 1)
        if at <= high:
            yield at, high
