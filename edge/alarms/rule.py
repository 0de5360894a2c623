"""Rules as columns: one array per parameter, so that thousands are judged in a few numpy operations.

Conditions (alarms.md section 4; x value, SP limit, DB deadband):

    kind        violated when     clear when
    hi, hihi    x >= SP           x <= SP - DB
    lo, lolo    x <= SP           x >= SP + DB
    off_normal  |x - SP| > DB     |x - SP| <= DB
    no_data     no good reading for SP seconds; clear at the next good one
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.model.alarm import Rule
from protocols.model.clock import SECOND_US

HIGH: Final = 0
LOW: Final = 1
OFF: Final = 2
SILENT: Final = 3
_CODES: Final = {"hihi": HIGH, "hi": HIGH, "lo": LOW, "lolo": LOW, "off_normal": OFF, "no_data": SILENT}

BAD: Final = 0
"""Quality is bad: nothing is known, everything is held."""
BAND: Final = 1
"""Neither violated nor clear: between the limit and its deadband."""
VIOLATED: Final = 2
CLEAR: Final = 3
Verdicts = NDArray[np.int8]


class RuleTable:
    """m rules on the points of a gateway, as columns of shape (m,)."""

    def __init__(self, rules: Sequence[Rule], indexes: Mapping[str, int], n_points: int) -> None:
        self.rules = tuple(rules)
        self.point = np.array([indexes[rule.point] for rule in rules], np.int32)
        self.kind = np.array([_CODES[rule.kind] for rule in rules], np.int8)
        self.limit = np.array([rule.limit for rule in rules], np.float64)
        self.deadband = np.array([rule.deadband for rule in rules], np.float64)
        self.on_us = np.array([round(rule.on_delay_s * SECOND_US) for rule in rules], np.int64)
        self.off_us = np.array([round(rule.off_delay_s * SECOND_US) for rule in rules], np.int64)
        self.silent = np.flatnonzero(self.kind == SILENT)
        self.silence_us = np.rint(np.where(self.kind == SILENT, self.limit, 0.0) * SECOND_US).astype(np.int64)
        self._by_point = np.argsort(self.point, kind="stable")
        self._count = np.bincount(self.point, minlength=n_points).astype(np.int64)
        self._first = np.concatenate([[0], np.cumsum(self._count)[:-1]]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.rules)

    def pairs(self, point: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return (row, rule) for every reading row and every rule on its point, rows in order."""
        count = self._count[point]
        rows = np.repeat(np.arange(len(point)), count)
        if not len(rows):
            return rows, rows
        within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        return rows, self._by_point[self._first[point[rows]] + within]

    def verdicts(
        self, rule: NDArray[np.intp], value: NDArray[np.float64], quality: NDArray[np.uint32]
    ) -> Verdicts:
        """Judge one value per rule, all of shape (k,)."""
        kind, limit, deadband = self.kind[rule], self.limit[rule], self.deadband[rule]
        out = np.full(len(rule), BAND, np.int8)
        # A value limit that counts down is a limit that counts up, mirrored.
        sign = np.where(kind == LOW, -1.0, 1.0)
        x, level = value * sign, limit * sign
        out[x <= level - deadband] = CLEAR
        out[x >= level] = VIOLATED
        off = kind == OFF
        if off.any():
            away = np.abs(value - limit) > deadband
            out[off] = np.where(away[off], VIOLATED, CLEAR)
        out[(quality >= 0x8000_0000) | np.isnan(value)] = BAD
        if len(self.silent):
            silent = kind == SILENT
            out[silent] = np.where(quality[silent] < 0x4000_0000, CLEAR, BAD)
        return out
