"""What a raw value is worth: scale, sentinel, range, deadband. Columns in, columns out.

value = raw * scale + offset, rounded to `decimals`. The scale is taken as the decimal fraction that the
technician wrote: 0.1 divides by 10, so that 2302 becomes 230.2 and not 230.20000000000002.
Quality codes: `../shared/domain/alarms.md` section 6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocols.errors import Rejected
from protocols.field.base import BoundPoint
from protocols.model.clock import SECOND_US
from protocols.model.datatypes import DataType
from protocols.model.device import PointProfile
from protocols.model.quality import CLASS_MASK, Quality
from protocols.model.reading import PointIndexes, Qualities, Readings

EARLIEST_US: Final = 946_684_800_000_000
"""2000-01-01: a device that tells an earlier time has lost its clock."""
AHEAD_US: Final = 600 * SECOND_US
"""A device that is further ahead of the gateway has a wrong clock."""
MAX_TEXT: Final = 4_000
"""Characters of a text that are kept; one device must not make a batch too large for all the others."""
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_LARGEST: Final = 10**9
_RANGES: Final[dict[DataType, tuple[float, float]]] = {
    "bool": (0, 1),
    "i16": (-(2**15), 2**15 - 1),
    "u16": (0, 2**16 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "u32": (0, 2**32 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "u64": (0, 2**64 - 1),
    "bcd16": (0, 9_999),
    "bcd32": (0, 99_999_999),
}
Mask = NDArray[np.bool_]


class Shaped(NamedTuple):
    """All readings in engineering units, and which of them are worth forwarding."""

    readings: Readings
    forward: Mask


class Shaper:
    """Shapes the readings of all points of a gateway; one array per parameter, indexed by point.

    Remembers for each point what was forwarded last, and what was seen last (`latest_*`, for
    commands and screens; `latest_us` is source time, `seen_us` the gateway's). `heartbeat_us` is the
    longest silence about a point that is being read. `usable_us` outlives bad readings, which replace
    the latest: a technician before a dead device asks since when.
    """

    def __init__(self, points: Sequence[BoundPoint], heartbeat_us: int = 60 * SECOND_US) -> None:
        n = len(points)
        self.points = points
        self._heartbeat_us = heartbeat_us
        self._numerator, self._denominator, self._offset = np.ones(n), np.ones(n), np.zeros(n)
        self._power = np.zeros(n)
        self._low, self._high = np.full(n, -np.inf), np.full(n, np.inf)
        self._deadband = np.zeros(n)
        self._text_point = np.zeros(n, np.bool_)
        self._sentinel_row = np.full(n, -1, np.int32)
        sentinels: list[tuple[float, ...]] = []
        for i, point in enumerate(points):
            profile = point.profile
            self._numerator[i], self._denominator[i] = _fraction(profile.scale)
            self._offset[i] = profile.offset
            self._power[i] = 0.0 if profile.decimals is None else 10.0**profile.decimals
            self._low[i] = -np.inf if profile.min is None else profile.min
            self._high[i] = np.inf if profile.max is None else profile.max
            self._deadband[i] = profile.deadband
            self._text_point[i] = profile.type in {"ascii", "text"}
            if profile.sentinels:
                self._sentinel_row[i] = len(sentinels)
                sentinels.append(profile.sentinels)
        width = max((len(row) for row in sentinels), default=0)
        self._sentinels = np.full((len(sentinels), width), np.nan)
        for row, values in enumerate(sentinels):
            self._sentinels[row, : len(values)] = values
        self._sent_us = np.zeros(n, np.int64)
        self._sent_value = np.full(n, np.nan)
        self._sent_quality = np.full(n, Quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self._sent_text: dict[int, str] = {}
        self.seen_us = np.zeros(n, np.int64)
        self.latest_us = np.zeros(n, np.int64)
        self._usable_us = np.zeros(n, np.int64)
        self.latest_value = np.full(n, np.nan)
        self.latest_quality = np.full(n, Quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self.latest_text: dict[int, str] = {}

    def shape(self, raw: Readings, now_us: int) -> Shaped:
        """Return the readings in engineering units, and the mask of those to forward.

        `now_us` replaces source times that no clock in order can have told.
        """
        readings = self._scaled(raw, now_us)
        if readings.text:
            readings = replace(readings, text={row: _told(words) for row, words in readings.text.items()})
        point = readings.point
        unusable = ~usable(readings.quality)
        if unusable.any():
            # Noted only when something bad comes, so that a sound line pays nothing for it.
            self._usable_us[point] = self.usable_us(point)
            good = point[~unusable]
            np.maximum.at(self._usable_us, good, readings.time_us[~unusable])
        self.seen_us[point] = now_us
        self.latest_us[point] = readings.time_us
        self.latest_value[point] = readings.value
        self.latest_quality[point] = readings.quality
        if readings.text:
            self.latest_text.update((int(point[row]), words) for row, words in readings.text.items())
        return Shaped(readings, self._forward(readings))

    def usable_us(self, point: PointIndexes) -> NDArray[np.int64]:
        """Return of some points the source time of the newest usable value; 0 where there was none."""
        latest = np.where(usable(self.latest_quality[point]), self.latest_us[point], np.int64(0))
        return np.maximum(latest, self._usable_us[point])

    def carry(self, before: Shaper, table: PointIndexes, again: Sequence[int] = ()) -> None:
        """Take over what another shaper remembers; point i of it is `table[i]` here, or -1 for none.

        Points in `again`, by their number here, have not been seen yet: `seen_us` is 0 until they are.
        """
        old = np.flatnonzero(table >= 0)
        new = table[old]
        for mine, theirs in (
            (self.seen_us, before.seen_us),
            (self.latest_us, before.latest_us),
            (self._usable_us, before._usable_us),
            (self.latest_value, before.latest_value),
            (self.latest_quality, before.latest_quality),
            (self._sent_us, before._sent_us),
            (self._sent_value, before._sent_value),
            (self._sent_quality, before._sent_quality),
        ):
            mine[new] = theirs[old]
        for words, known in ((self.latest_text, before.latest_text), (self._sent_text, before._sent_text)):
            words.update((int(table[i]), text) for i, text in known.items() if table[i] >= 0)
        self.seen_us[list(again)] = 0

    def _scaled(self, raw: Readings, now_us: int) -> Readings:
        point, value = raw.point, raw.value
        quality = raw.quality.copy()
        bad = (quality & CLASS_MASK) >= 0x8000_0000
        missing = ~bad & ~np.isfinite(value)
        if raw.text:
            missing[list(raw.text)] = False
        if self._sentinels.size:
            rows = np.flatnonzero(self._sentinel_row[point] >= 0)
            if len(rows):
                listed = self._sentinels[self._sentinel_row[point[rows]]]
                missing[rows] |= (value[rows, None] == listed).any(axis=1) & ~bad[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            shaped = value * self._numerator[point] / self._denominator[point] + self._offset[point]
            power = self._power[point]
            rounds = power > 0
            if rounds.any():
                scaled = np.rint(shaped * power)
                # Beyond 2**53 a double has no decimals left to round.
                rounds &= np.abs(scaled) < 2.0**53
                np.divide(scaled, power, out=shaped, where=rounds)
            outside = (shaped < self._low[point]) | (shaped > self._high[point])
        missing |= ~bad & np.isinf(shaped)
        shaped[bad | missing] = np.nan
        quality[missing] = Quality.BAD_SENSOR_FAILURE
        if outside.any():
            quality[outside & (quality & CLASS_MASK == 0)] = Quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED
        times = raw.time_us
        wrong = (times < EARLIEST_US) | (times > now_us + AHEAD_US)
        if wrong.any():
            times = np.where(wrong, np.int64(now_us), times)
        return Readings(point, times, shaped, quality, raw.text)

    def _forward(self, readings: Readings) -> Mask:
        """Choose what is worth forwarding; the reference of a deadband is the last *forwarded* value."""
        point, quality = readings.point, readings.quality
        forward = np.ones(len(point), np.bool_)
        held = (self._deadband[point] > 0) | (quality >= 0x8000_0000)
        if readings.text:
            held[list(readings.text)] = True
        if not held.any():
            self._note(readings, np.arange(len(point)))
            return forward
        # A point that comes several times is judged in rounds, each against the one before; the rows
        # that are not held take part where another row of their point is.
        concerned = np.zeros(len(self.points), np.bool_)
        concerned[point[held]] = True
        self._note(readings, np.flatnonzero(~concerned[point]))
        left = np.flatnonzero(concerned[point])
        while len(left):
            _, first = np.unique(point[left], return_index=True)
            rows = left[first]
            sent = self._sent_us[point[rows]]
            silent = readings.time_us[rows] - sent
            change = np.abs(readings.value[rows] - self._sent_value[point[rows]])
            same = (quality[rows] == self._sent_quality[point[rows]]) & (silent >= 0)
            same &= silent < self._heartbeat_us
            # NaN < deadband is False: a bad reading has no change, and is held by its quality alone.
            same &= (change < self._deadband[point[rows]]) | (quality[rows] >= 0x8000_0000)
            for place in np.flatnonzero(self._text_point[point[rows]]).tolist():
                row = int(rows[place])
                words = readings.text.get(row)
                known = words is not None and words == self._sent_text.get(int(point[row]))
                same[place] = (
                    quality[row] == self._sent_quality[point[row]]
                    and 0 <= silent[place] < self._heartbeat_us
                    and (known or quality[row] >= 0x8000_0000)
                )
            same &= held[rows]
            forward[rows[same]] = False
            self._note(readings, rows[~same])
            left = np.delete(left, first)
        return forward

    def _note(self, readings: Readings, rows: NDArray[np.intp]) -> None:
        point = readings.point[rows]
        self._sent_us[point] = readings.time_us[rows]
        self._sent_value[point] = readings.value[rows]
        self._sent_quality[point] = readings.quality[rows]
        if readings.text:
            for row in rows.tolist():
                if row in readings.text:
                    self._sent_text[int(readings.point[row])] = readings.text[row]


def usable(codes: Qualities) -> Mask:
    """Return which status codes stand for a value that was heard: good, or uncertain but not stale."""
    heard: Mask = (codes < Quality.BAD) & (codes != Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
    return heard


def unshape(point: PointProfile, value: float | str) -> float | str:
    """Return the raw value to write for `value` in the point's unit.

    Raises Rejected: `not-writable`, `wrong-type`, `out-of-limits` or `not-representable`.
    """
    if not point.writable:
        raise Rejected("not-writable", f"point {point.key!r} cannot be written; its profile says so")
    if point.type in {"ascii", "text"}:
        if not isinstance(value, str):
            raise Rejected("wrong-type", f"point {point.key!r} takes text, not the number {value}")
        return value
    if isinstance(value, str) or not np.isfinite(value):
        raise Rejected("wrong-type", f"point {point.key!r} takes a finite number, not {value!r}")
    low = point.min if point.write_min is None else point.write_min
    high = point.max if point.write_max is None else point.write_max
    if (low is not None and value < low) or (high is not None and value > high):
        raise Rejected(
            "out-of-limits",
            f"{value:g} is outside {_bound(low)} to {_bound(high)} {point.unit}, the limits of {point.key!r}",
        )
    numerator, denominator = _fraction(point.scale)
    raw = (value - point.offset) * denominator / numerator
    span = _RANGES.get(point.type)
    if span is None:
        return raw
    whole = float(round(raw))
    if not span[0] <= whole <= span[1]:
        raise Rejected("not-representable", f"{value:g} needs raw {whole:g}, which {point.type} cannot hold")
    return whole


def engineering(point: PointProfile, raw: float) -> float:
    """Return one raw value in the point's unit, by the same steps as `Shaper.shape`."""
    numerator, denominator = _fraction(point.scale)
    value = raw * numerator / denominator + point.offset
    if point.decimals is not None:
        power = 10.0**point.decimals
        value = float(np.rint(value * power)) / power
    return value


def resolution(point: PointProfile) -> float:
    """Return the smallest step of the point's value: within it a read-back equals what was written."""
    step = abs(point.scale) if point.type in _RANGES else 0.0
    return max(step, 0.0 if point.decimals is None else 10.0**-point.decimals)


@lru_cache(maxsize=1024)
def _fraction(scale: float) -> tuple[float, float]:
    exact = Fraction(str(scale))
    if abs(exact.numerator) > _LARGEST or exact.denominator > _LARGEST:
        return scale, 1.0
    return float(exact.numerator), float(exact.denominator)


def _told(words: str) -> str:
    """Return a device's words as they can be sent and stored: U+FFFD for zeros and lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", words[:MAX_TEXT])


def _bound(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
