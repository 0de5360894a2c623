"""A clock that was stepped: which of the times in hand move along with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Step:
    """The clock jumped by `by_us`, to `now_us`. A time moves along only where that brings it nearer.

    What the stepped clock told lies shortly before `now_us - by_us`; what a device told by a clock of its
    own that is right lies shortly before `now_us`, and stays. span_us: how long what is looked at was
    gathered; between two times that are equally near, the stepped clock is believed to have told them.
    """

    by_us: int
    now_us: int
    span_us: int = 0

    def time(self, time_us: int) -> int:
        """Return where a time lies after the step; 0, which is none, stays."""
        return int(self.column(np.array([time_us], np.int64))[0]) if time_us else 0

    def column(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where times lie after the step, as a new column."""
        moved = times + self.by_us
        return np.where((self._far(moved) <= self._far(times)) & (times > 0), moved, times)

    def _far(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.maximum(np.maximum(self.now_us - self.span_us - times, times - self.now_us), 0)
