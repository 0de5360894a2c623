"""Rules as columns: one array per parameter, so that thousands are judged in a few numpy operations.

Conditions (alarms.md section 4; x value, SP limit, DB deadband):

    kind         violated when              clear when
    hi, hihi     x >= SP                    x <= SP - DB
    lo, lolo     x <= SP                    x >= SP + DB
    off_normal   |x - SP| > DB              |x - SP| <= DB
    deviation    |x - setpoint| >= SP       |x - setpoint| <= SP - DB
    bad_quality  quality is bad             quality is good
    no_data      no good reading for SP seconds; clear at the next good one

The other kinds remember what was before, or look at several points: `edge.alarms.judges` judges them one
sample at a time. So it does with `suppress_when`; each is a target of its own, behind those of the rules.
A slot is a point that a target looks at; most targets have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.alarms.judges import Judge, judge_of, suppressor_of
from edge.alarms.verdict import BAD, BAND, CLEAR, VIOLATED
from protocols.model.alarm import AlarmKind, OnBad, Rule
from protocols.model.clock import SECOND_US
from protocols.model.reading import PointIndexes, Qualities, Values

HIGH: Final = 0
LOW: Final = 1
OFF: Final = 2
AWAY: Final = 3
SILENT: Final = 4
QUALITY: Final = 5
JUDGED: Final = 6
_CODES: Final[dict[AlarmKind, int]] = {
    "hihi": HIGH,
    "hi": HIGH,
    "lo": LOW,
    "lolo": LOW,
    "off_normal": OFF,
    "deviation": AWAY,
    "no_data": SILENT,
    "bad_quality": QUALITY,
}
_FORCED: Final[dict[OnBad, int]] = {"hold": BAD, "force_active": VIOLATED, "force_clear": CLEAR}
Verdicts = NDArray[np.int8]


class RuleTable:
    """m rules and k suppressors on the n points of a gateway, as columns of shape (m + k,).

    judges: target -> its judge, for those that are not judged in columns. suppresses[j]: the rule that
    the target m + j hides. slot_target: which target a slot belongs to; slot_input: the how-manieth
    point of it this is.
    """

    def __init__(self, rules: Sequence[Rule], indexes: Mapping[str, int], n_points: int) -> None:
        self.rules = tuple(rules)
        self.judges: dict[int, Judge] = {}
        self.suppresses: list[int] = []
        inputs: list[tuple[str, ...]] = [(rule.point,) for rule in rules]
        for i, rule in enumerate(rules):
            judge = judge_of(rule)
            if judge is not None:
                self.judges[i] = judge
                inputs[i] = judge.inputs
        for i, rule in enumerate(rules):
            if rule.suppress_when:
                judge = suppressor_of(rule)
                self.judges[len(inputs)] = judge
                inputs.append(judge.inputs)
                self.suppresses.append(i)
        extra = len(inputs) - len(rules)
        zeros = [0.0] * extra
        self.kind = np.array([_CODES.get(rule.kind, JUDGED) for rule in rules] + [JUDGED] * extra, np.int8)
        self.kind[list(self.judges)] = JUDGED
        self.limit = np.array([rule.limit for rule in rules] + zeros, np.float64)
        self.deadband = np.array([rule.deadband for rule in rules] + zeros, np.float64)
        self.setpoint = np.array([rule.setpoint for rule in rules] + zeros, np.float64)
        self.forced = np.array([_FORCED[rule.on_bad] for rule in rules] + [BAD] * extra, np.int8)
        self.on_us = np.rint(np.array([_on_s(rule) for rule in rules] + zeros) * SECOND_US).astype(np.int64)
        self.off_us = np.rint(
            np.array([rule.off_delay_s for rule in rules] + zeros, np.float64) * SECOND_US
        ).astype(np.int64)
        self.silent = np.flatnonzero(self.kind == SILENT)
        self.silence_us = np.rint(np.where(self.kind == SILENT, self.limit, 0.0) * SECOND_US).astype(np.int64)
        self.slot_target = np.repeat(np.arange(len(inputs)), [len(points) for points in inputs])
        self.slot_input = np.array([k for points in inputs for k in range(len(points))], np.int64)
        point = np.array([indexes[name] for points in inputs for name in points], np.int64)
        self._by_point = np.argsort(point, kind="stable")
        self._count = np.bincount(point, minlength=n_points).astype(np.int64)
        self._first = np.concatenate([[0], np.cumsum(self._count)[:-1]]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.kind)

    def pairs(self, point: PointIndexes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return (row, slot) for every reading row and every slot on its point, rows in order."""
        count = self._count[point]
        rows = np.repeat(np.arange(len(point)), count)
        if not len(rows):
            return rows, rows
        within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        return rows, self._by_point[self._first[point[rows]] + within]

    def verdicts(self, target: NDArray[np.intp], value: Values, quality: Qualities) -> Verdicts:
        """Judge one value per target, all of shape (k,); what a judge must say comes out as BAD."""
        kind, limit, deadband = self.kind[target], self.limit[target], self.deadband[target]
        out = np.full(len(target), BAND, np.int8)
        # A value limit that counts down is a limit that counts up, mirrored.
        sign = np.where(kind == LOW, -1.0, 1.0)
        x, level = value * sign, limit * sign
        away = kind == AWAY
        if away.any():
            x[away] = np.abs(value[away] - self.setpoint[target[away]])
        out[x <= level - deadband] = CLEAR
        out[x >= level] = VIOLATED
        off = kind == OFF
        if off.any():
            out[off] = np.where(np.abs(value - limit) > deadband, VIOLATED, CLEAR)[off]
        bad = (quality >= 0x8000_0000) | np.isnan(value)
        out[bad] = self.forced[target[bad]]
        health = (kind == SILENT) | (kind == QUALITY)
        if health.any():
            worse = np.where(kind == QUALITY, np.where(quality < 0x8000_0000, BAND, VIOLATED), BAD)
            out[health] = np.where(quality < 0x4000_0000, CLEAR, worse)[health]
        if self.judges:
            out[kind == JUDGED] = BAD
        return out


def _on_s(rule: Rule) -> float:
    """Return the on-delay: a command's travel time is one, and so is the time a value may stand still."""
    return rule.on_delay_s + (rule.limit if rule.kind in {"discrepancy", "flatline"} else 0.0)
