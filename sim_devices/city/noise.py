"""Noise as a function of seed, sensor and time: reading twice, or in another order, changes nothing."""

from __future__ import annotations

import random
from zlib import crc32

_SIZE = 4096
_MASK = _SIZE - 1


class Noise:
    """Standard normal numbers, looked up rather than drawn, so that a reading has no side effect."""

    def __init__(self, seed: int) -> None:
        source = random.Random(seed)  # noqa: S311 - measurement noise, not a secret
        self._table = tuple(max(-3.0, min(3.0, source.gauss(0.0, 1.0))) for _ in range(_SIZE))

    def white(self, channel: int, beat: int) -> float:
        """Return the number of this channel at this beat, within ±3; independent of its neighbours."""
        return self._table[(beat * 2654435761 + channel * 40503 + (beat * channel >> 7)) & _MASK]

    def wander(self, channel: int, time_s: float, period_s: float) -> float:
        """Return a smooth course through independent numbers, one per period."""
        cell, part = divmod(time_s / period_s, 1.0)
        here = self._table[(int(cell) * 1013 + channel) & _MASK]
        there = self._table[((int(cell) + 1) * 1013 + channel) & _MASK]
        return here + (there - here) * part * part * (3.0 - 2.0 * part)


def channel_of(name: str) -> int:
    """Return the noise channel of a name; the same in every process."""
    return crc32(name.encode())
