"""The last seconds of one value: mean, least, greatest, slope; of bounded size however fast samples come.

Samples are kept in parts of a six-hundredth of the window: at a slower rhythm each is kept by itself, at a
faster one those of a part are kept as their mean with their extremes. What has left the window to a part
is forgotten, so a figure is exact to 1/600 of the window.
"""

from __future__ import annotations

from collections import deque
from typing import Final

_PARTS: Final = 600
_LEAST_SAMPLES: Final = 3
_REFRESH: Final = 512
"""Parts that may leave before the running sums are made anew: floating-point dust does not gather."""


class _Part:
    __slots__ = ("high", "low", "n", "start_us", "time", "value")

    def __init__(self, start_us: int, value: float) -> None:
        self.start_us = start_us
        self.time = 0.0
        self.value = value
        self.low = self.high = value
        self.n = 1


class Window:
    """Samples of the last `length_us`, added in the order of their times."""

    def __init__(self, length_us: int) -> None:
        self.length_us = length_us
        self._part_us = length_us // _PARTS
        self._parts: deque[_Part] = deque()
        self._base_us = 0
        self._last_us = 0
        self._left = 0
        self._n = 0
        self._sums = [0.0] * 4
        self._low: float | None = None
        self._high: float | None = None
        """Of all parts; None: not known, one that held it has left."""

    def __len__(self) -> int:
        return self._n

    def add(self, time_us: int, value: float) -> None:
        """Add a sample, and forget what is older than the window now is."""
        if not self._parts:
            self._base_us = time_us
        self._last_us = time_us
        if self._low is not None and value < self._low:
            self._low = value
        if self._high is not None and value > self._high:
            self._high = value
        last = self._parts[-1] if self._parts else None
        if last is not None and time_us - last.start_us < self._part_us:
            self._sum(last, -1)
            at = (time_us - self._base_us) / 1e6
            last.n += 1
            last.time += (at - last.time) / last.n
            last.value += (value - last.value) / last.n
            last.low, last.high = min(last.low, value), max(last.high, value)
            self._sum(last, 1)
        else:
            part = _Part(time_us, value)
            part.time = (time_us - self._base_us) / 1e6
            self._parts.append(part)
            self._sum(part, 1)
        self.until(time_us)

    def until(self, time_us: int) -> None:
        """Forget what is older than the window that ends at `time_us`."""
        oldest = time_us - self.length_us
        while self._parts and self._parts[0].start_us < oldest:
            gone = self._parts.popleft()
            self._sum(gone, -1)
            if gone.low == self._low:
                self._low = None
            if gone.high == self._high:
                self._high = None
            self._left += 1
        if self._left >= _REFRESH or not self._parts:
            self._refresh()

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()
        self._low = self._high = None
        self._refresh()

    def covered(self) -> bool:
        """Return whether the samples span at least half of the window."""
        return bool(self._parts) and 2 * (self._last_us - self._parts[0].start_us) >= self.length_us

    def mean(self) -> float | None:
        """Return the mean of the samples, None without any; that of equal samples is their value exactly."""
        if not self._n:
            return None
        mean = self._sums[1] / self._n
        low, high = self.low(), self.high()
        return mean if low is None or high is None else min(max(mean, low), high)

    def low(self) -> float | None:
        """Return the least sample, None without any."""
        if self._low is None:
            self._low = min([part.low for part in self._parts], default=None)
        return self._low

    def high(self) -> float | None:
        """Return the greatest sample, None without any."""
        if self._high is None:
            self._high = max([part.high for part in self._parts], default=None)
        return self._high

    def slope(self) -> float | None:
        """Return the least-squares slope per microsecond; None for fewer than three or too close samples."""
        if self._n < _LEAST_SAMPLES or not self.covered():
            return None
        n, (t, v, tt, tv) = self._n, self._sums
        spread = n * tt - t * t
        return None if spread <= 0 else (n * tv - t * v) / spread / 1e6

    def _sum(self, part: _Part, sign: int) -> None:
        weight = sign * part.n
        self._n += weight
        sums, t, v = self._sums, part.time, part.value
        sums[0] += weight * t
        sums[1] += weight * v
        sums[2] += weight * t * t
        sums[3] += weight * t * v

    def _refresh(self) -> None:
        """Sum anew from the parts that are left, with times from the first of them."""
        self._left = self._n = 0
        self._sums = [0.0] * 4
        if self._parts:
            shift = self._parts[0].time
            self._base_us += round(shift * 1e6)
            for part in self._parts:
                part.time -= shift
                self._sum(part, 1)
