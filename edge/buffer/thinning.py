"""Old readings made fewer: of each point the first in every 10 s, then 60 s, then 600 s.

A change of quality is always kept. A batch keeps its number and at least one reading, so that the
centre's set of numbers stays in one piece.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings

LEVELS_S: Final = (10, 60, 600)
"""Seconds of which one reading of a point is kept, by level from 1."""


class Thinner:
    """Thins batches of one level, given in order; remembers each point's last reading between them."""

    def __init__(self, level: int) -> None:
        self._step_us = LEVELS_S[level - 1] * SECOND_US
        self._declaration = ""
        self._bucket = np.empty(0, np.int64)
        self._quality = np.empty(0, np.int64)

    def thin(self, declaration: str, readings: Readings) -> Readings:
        """Return what is kept; never nothing. Texts are kept: they are few, and each says another thing."""
        if declaration != self._declaration:
            self._declaration = declaration
            self._bucket = self._quality = np.empty(0, np.int64)
        self._grow(int(readings.point.max()) + 1)
        order = np.argsort(readings.point, kind="stable")
        point = readings.point[order]
        bucket = readings.time_us[order] // self._step_us
        quality = readings.quality[order].astype(np.int64)
        first = np.ones(len(point), np.bool_)
        first[1:] = point[1:] != point[:-1]
        before = np.where(first, self._bucket[point], np.roll(bucket, 1))
        was = np.where(first, self._quality[point], np.roll(quality, 1))
        kept = np.zeros(len(point), np.bool_)
        kept[order] = (bucket != before) | (quality != was)
        if readings.text:
            kept[list(readings.text)] = True
        last = np.append(first[1:], True)
        self._bucket[point[last]] = bucket[last]
        self._quality[point[last]] = quality[last]
        if not kept.any():
            kept[0] = True
        return readings if kept.all() else readings.take(kept)

    def _grow(self, points: int) -> None:
        lacks = points - len(self._bucket)
        if lacks > 0:
            nothing: NDArray[np.int64] = np.full(lacks, -1, np.int64)
            self._bucket = np.concatenate([self._bucket, nothing])
            self._quality = np.concatenate([self._quality, nothing])
