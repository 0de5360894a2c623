"""What every point last said, as columns: for handing it on again, and for the moment when it goes stale.

Edge nodes report by exception: while a node is alive, no report means no change (Sparkplug B 3.0.0, clause
6.4.20). The rest of the product knows age only, so unchanged points of living nodes are handed on again
from time to time. A node that vanished is held for alive until its keep-alive at the broker is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from protocols.field.base import BoundPoint
from protocols.model.device import PeriodClass
from protocols.model.quality import Quality
from protocols.model.reading import Readings

STILL_VALID_S: Final[dict[PeriodClass, float]] = {"fast": 2.0, "normal": 10.0, "slow": 120.0}
"""An unchanged point is handed on again after this."""


class Latest:
    """Rows are the points in their order here. What is said in one turn is gathered, then drawn at once."""

    def __init__(self, points: Sequence[BoundPoint]) -> None:
        n = len(points)
        self._index = np.array([point.index for point in points], np.int32)
        self._repeat_s = np.array([STILL_VALID_S[point.profile.period] for point in points])
        self._told = np.zeros(n, np.int64)
        """Source time of what was handed on last."""
        self._fresh = np.zeros(n, np.bool_)
        """Told since the last `repeat`: its time runs from there."""
        self._due = np.zeros(n)
        self._value = np.full(n, np.nan)
        self._quality = np.full(n, Quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self._text: dict[int, str] = {}
        self._vouched = np.zeros(n, np.bool_)
        self._rows: list[int] = []
        self._times: list[int] = []
        self._values: list[float] = []
        self._codes: list[int] = []
        self._texts: dict[int, str] = {}

    def say(self, row: int, time_us: int, value: float, quality: int, text: str | None) -> None:
        """Gather what a living node says of a row now."""
        self._gather(row, time_us, value, quality, text)
        self._told[row], self._value[row], self._quality[row] = time_us, value, quality
        self._vouched[row] = self._fresh[row] = True
        if text is None:
            self._text.pop(row, None)
        else:
            self._text[row] = text

    def recall(self, row: int, time_us: int, value: float, quality: int, text: str | None) -> None:
        """Gather what was true in the past: it goes into the history, and the present value follows again."""
        self._gather(row, time_us, value, quality, text)
        if self._vouched[row]:
            self._gather(
                row,
                int(self._told[row]),
                float(self._value[row]),
                int(self._quality[row]),
                self._text.get(row),
            )

    def stale(self, rows: Iterable[int], time_us: int, code: int) -> None:
        """Gather rows that nobody vouches for any more: the last usable value with `code`, or none at all."""
        for row in rows:
            self._vouched[row] = False
            if self._quality[row] < Quality.BAD:
                self._quality[row] = code
                self._gather(row, time_us, float(self._value[row]), code, self._text.get(row))
            else:
                self._gather(row, time_us, np.nan, Quality.BAD_NO_COMMUNICATION, None)

    def missing(self, rows: Iterable[int], time_us: int, code: int) -> None:
        """Gather rows that have no value, and why."""
        for row in rows:
            self._vouched[row] = False
            self._quality[row], self._value[row] = code, np.nan
            self._text.pop(row, None)
            self._gather(row, time_us, np.nan, code, None)

    def doubt(self, rows: Sequence[int], time_us: int) -> None:
        """Gather the usable ones among rows of which a report may have been lost."""
        self.stale(
            [row for row in rows if self._vouched[row] and self._quality[row] < Quality.BAD],
            time_us,
            Quality.UNCERTAIN_LAST_USABLE_VALUE,
        )

    def repeat(self, now: float, now_us: int) -> None:
        """Gather what living nodes have not changed for a while. `now` is monotonic seconds."""
        self._due[self._fresh] = now + self._repeat_s[self._fresh]
        self._fresh[:] = False
        due = np.flatnonzero(self._vouched & (self._due <= now))
        self._due[due] = now + self._repeat_s[due]
        for row in due.tolist():
            self._told[row] = now_us
            self._gather(row, now_us, float(self._value[row]), int(self._quality[row]), self._text.get(row))

    def present(self, row: int) -> float | str | None:
        """Return what a living node last said of a row, None where it said nothing usable."""
        if not self._vouched[row] or self._quality[row] >= Quality.BAD:
            return None
        return self._text.get(row, float(self._value[row]))

    def draw(self) -> Readings:
        """Return what was gathered since the last draw, in order."""
        readings = Readings(
            self._index[self._rows],
            np.array(self._times, np.int64),
            np.array(self._values, np.float64),
            np.array(self._codes, np.uint32),
            self._texts,
        )
        self._rows, self._times, self._values, self._codes, self._texts = [], [], [], [], {}
        return readings

    def _gather(self, row: int, time_us: int, value: float, quality: int, text: str | None) -> None:
        if text is not None:
            self._texts[len(self._rows)] = text
        self._rows.append(row)
        self._times.append(time_us)
        self._values.append(value)
        self._codes.append(int(quality))
