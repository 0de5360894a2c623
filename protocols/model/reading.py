"""Readings travel as columns from the driver to the table; there is no object per reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PointIndexes = NDArray[np.int32]
TimesUs = NDArray[np.int64]
Values = NDArray[np.float64]
Qualities = NDArray[np.uint32]


class Row(NamedTuple):
    """One reading, for as long as it takes to gather a few: see `Readings` for what its fields mean."""

    point: int
    time_us: int
    value: float
    quality: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Readings:
    """n readings in arrival order, as four columns of shape (n,).

    point:   position of the point in the gateway's declared manifest
    time_us: source time, UTC microseconds
    value:   engineering value in the point's unit; NaN where the reading has no number
    quality: OPC UA StatusCode
    text:    row -> text, for the few points that speak text (their value is NaN)
    """

    point: PointIndexes
    time_us: TimesUs
    value: Values
    quality: Qualities
    text: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.point)

    @classmethod
    def at(
        cls,
        point: PointIndexes,
        time_us: int,
        value: Values,
        quality: Qualities | int = 0,
        text: Mapping[int, str] | None = None,
    ) -> Readings:
        """Build the columns of one answer: every reading at the same source time."""
        n = len(point)
        times = np.full(n, time_us, np.int64)
        if not isinstance(quality, np.ndarray):
            # int(): numpy takes four times as long to see through an IntEnum.
            quality = np.full(n, int(quality), np.uint32)
        return cls(point, times, value, quality, text or {})

    @classmethod
    def bad(cls, point: PointIndexes, time_us: int, quality: int) -> Readings:
        """Build readings without a number for points that could not be read, and say why."""
        return cls.at(point, time_us, np.full(len(point), np.nan), quality)

    @classmethod
    def empty(cls) -> Readings:
        """Build no readings."""
        return cls.at(np.empty(0, np.int32), 0, np.empty(0))

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Readings:
        """Build columns of what came one by one."""
        if not rows:
            return cls.empty()
        point, time_us, value, quality, text = zip(*rows, strict=True)
        return cls(
            np.array(point, np.int32),
            np.array(time_us, np.int64),
            np.array(value, np.float64),
            np.array(quality, np.uint32),
            {row: words for row, words in enumerate(text) if words is not None},
        )

    @classmethod
    def concat(cls, parts: Sequence[Readings]) -> Readings:
        """Join columns in order; text rows move with their reading."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        text: dict[int, str] = {}
        start = 0
        for part in parts:
            for row, words in part.text.items():
                text[start + row] = words
            start += len(part)
        return cls(
            np.concatenate([part.point for part in parts]),
            np.concatenate([part.time_us for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.quality for part in parts]),
            text,
        )

    def slices(self, rows: int) -> Iterator[Readings]:
        """Yield all rows in order, at most `rows` in each part."""
        if len(self) <= rows:
            yield self
            return
        for start in range(0, len(self), rows):
            stop = start + rows
            yield Readings(
                self.point[start:stop],
                self.time_us[start:stop],
                self.value[start:stop],
                self.quality[start:stop],
                {row - start: words for row, words in self.text.items() if start <= row < stop},
            )

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Readings:
        """Return the chosen rows, in their order; `rows` is a mask or an index array."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        text = {}
        if self.text:
            text = {new: self.text[old] for new, old in enumerate(chosen.tolist()) if old in self.text}
        return Readings(
            self.point[chosen], self.time_us[chosen], self.value[chosen], self.quality[chosen], text
        )
