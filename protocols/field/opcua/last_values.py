"""What each monitored point last said, as columns: for confirming it, and for the end of a connection.

A polled value is old when nobody asked again. A monitored value is as good as the subscription: no
report means no change (OPC 10000-4, 5.13.1). The rest of the product knows age only, so unchanged
points are handed on again from time to time, as long as publish responses or keep-alives come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protocols.field.base import BoundPoint
from protocols.field.opcua.parts import steps
from protocols.field.opcua.values import sample
from protocols.model.address.opcua import OpcUaAddress
from protocols.model.clock import SECOND_US
from protocols.model.device import PeriodClass
from protocols.model.quality import Quality
from protocols.model.reading import Qualities, Readings, TimesUs

STILL_VALID_US: Final[dict[PeriodClass, int]] = {
    "fast": 2 * SECOND_US, "normal": 10 * SECOND_US, "slow": 120 * SECOND_US,
}  # fmt: skip
"""An unchanged point is handed on again after this."""
_LAG_MOST_US: Final = 60 * SECOND_US
_STEP_US: Final = 5 * SECOND_US
"""A server's clock that goes back by more was set; messages overtake each other by less."""
_OVERFLOW: Final = 0x0480
"""Info type DataValue (0x0400) with the overflow bit (OPC 10000-4, 7.39.1): values before it are lost."""
_OVERFLOW_MASK: Final = 0x0C80


class LastValues:
    """Rows are the points in their order here, which are also the client handles of their items.

    `delays_ms` is, per period class, the longest way of a change from the variable to a report.
    """

    def __init__(self, points: Sequence[BoundPoint], delays_ms: Mapping[PeriodClass, float]) -> None:
        self._kinds = [point.profile.type for point in points]
        self.strange = False
        """Whether fields of the server's structures cannot be told apart."""
        self._parts = [steps(OpcUaAddress.of(point.profile).part) for point in points]
        self._indexes = np.array([point.index for point in points], np.int32)
        classes = [point.profile.period for point in points]
        self._still_valid_us = np.array([STILL_VALID_US[name] for name in classes], np.int64)
        self._delay_us = np.array([delays_ms[name] * 1000 for name in classes], np.int64)
        self._time = np.zeros(len(points), np.int64)
        self._heard = np.zeros(len(points), np.int64)
        """When the server published the last change, by its own clock; 0 before the first change."""
        self._value = np.full(len(points), np.nan)
        self._quality = np.full(len(points), Quality.BAD_NODE_ID_UNKNOWN, np.uint32)
        self._watched = np.zeros(len(points), np.bool_)
        self._text: dict[int, str] = {}
        self._first = np.zeros(len(points), np.int64)
        """Source time of the first value since `begin`; 0 before it."""
        self._lag_us = 0
        self._published = 0
        self.overflows: dict[int, int] = {}
        """By row, how often the server said that it lost values of it."""

    def set_delay(self, row: int, delay_us: int) -> None:
        """Take note of the longest way of a change of this row, as the server revised it."""
        self._delay_us[row] = delay_us

    def watch(self, rows: Sequence[int], codes: Sequence[int]) -> None:
        """Take note of how the server answered to the items of these rows; rows never named have none."""
        for row, code in zip(rows, codes, strict=True):
            self._watched[row] = code < Quality.BAD
            if not self._watched[row]:
                self._quality[row] = code

    def say(
        self, row: int, value: float, text: str | None, quality: int, time_us: int, *, vouched: bool = True
    ) -> Readings:
        """Return a row whose value was not read but told, never older than what it said before.

        `vouched`: from now on it is confirmed by every message, as a watched value is.
        """
        self._time[row] = max(time_us, int(self._time[row]) + 1)
        self._value[row], self._quality[row], self._watched[row] = value, quality, vouched
        if text is not None:
            self._text[row] = text
        at = np.array([row], np.intp)
        return self._columns(at, self._time[at], self._quality[at])

    def begin(self) -> TimesUs:
        """Take note that values come anew from now on; return as `known`."""
        self._first[:] = 0
        return self.known()

    def known(self) -> TimesUs:
        """Return the time up to which each row is known; 0 for those that are not."""
        return np.where(self._quality < Quality.BAD, self._time, 0)

    def first(self, row: int) -> int:
        """Return the source time of the first value of a row since `begin`; 0 where there is none yet."""
        return int(self._first[row])

    def past(self, row: int, values: Sequence[Any], after_us: int, before_us: int, now_us: int) -> Readings:
        """Return values of a row from between two times, and the present one after them."""
        told = [
            sample(one, self._kinds[row], now_us, self._parts[row], strange=self.strange) for one in values
        ]
        told = sorted(
            (one for one in told if after_us < one.time_us < before_us), key=lambda one: one.time_us
        )
        if not told:
            return Readings.empty()
        n = len(told)
        history = Readings(
            np.full(n, self._indexes[row], np.int32),
            np.array([one.time_us for one in told], np.int64),
            np.array([one.value for one in told]),
            np.array([one.quality for one in told], np.uint32),
            {at: one.text for at, one in enumerate(told) if one.text is not None},
        )
        if not self._time[row]:
            return history
        self._time[row] += 1
        at = np.array([row], np.intp)
        return Readings.concat([history, self._columns(at, self._time[at], self._quality[at])])

    def forget(self) -> None:
        """Take note that nothing is watched any more; what was last said stays."""
        self._watched[:] = False

    def refused(self, rows: Sequence[int], code: int | None, now_us: int) -> Readings:
        """Return points that the server does not serve, each with its own reason, or all with `code`."""
        places = np.array(rows, np.intp)
        if code is not None:
            self._quality[places] = code
        return self._columns(places, np.full(len(places), now_us), self._quality[places])

    def read(self, rows: Sequence[int], answers: Sequence[Any], now_us: int) -> Readings:
        """Return what was read of some rows as columns.

        A value that has not changed since it was last handed on, or long ago, is valid at the moment of
        reading: that is said in a row of its own.
        """
        places: list[int] = []
        times: list[int] = []
        for row, data in zip(rows, answers, strict=True):
            one = sample(data, self._kinds[row], now_us, self._parts[row], strange=self.strange)
            changed = one.value != self._value[row] or one.quality != self._quality[row]
            self._value[row], self._quality[row] = one.value, one.quality
            if one.text is not None:
                changed = changed or self._text.get(row) != one.text
                self._text[row] = one.text
            self._first[row] = self._first[row] or one.time_us
            if one.time_us > self._time[row] and (changed or not self._time[row]):
                places.append(row)
                times.append(one.time_us)
                self._time[row] = one.time_us
            if not places or places[-1] != row or now_us - one.time_us >= self._still_valid_us[row]:
                places.append(row)
                times.append(max(now_us, int(self._time[row]) + 1))
                self._time[row] = times[-1]
        at = np.array(places, np.intp)
        return self._columns(at, np.array(times, np.int64), self._quality[at])

    def take(self, items: Sequence[Any], published_us: int, now_us: int, *, late: bool = False) -> Readings:
        """Return the monitored item notifications of one publish response as columns.

        `late`: the message is older than one that was taken before; it changes nothing of what is known.
        """
        self._look_at_clock(published_us)
        # A handle that nobody gave is of no point.
        items = [item for item in items if item.ClientHandle < len(self._kinds)]
        n = len(items)
        rows = np.empty(n, np.intp)
        times, values, codes = np.empty(n, np.int64), np.empty(n), np.empty(n, np.uint32)
        texts: dict[int, str] = {}
        for at, item in enumerate(items):
            row = int(item.ClientHandle)
            one = sample(item.Value, self._kinds[row], now_us, self._parts[row], strange=self.strange)
            rows[at], times[at], values[at], codes[at] = row, one.time_us, one.value, one.quality
            if one.text is not None:
                texts[at] = one.text
            if one.quality & _OVERFLOW_MASK == _OVERFLOW:
                self.overflows[row] = self.overflows.get(row, 0) + 1
            if late:
                continue
            self._first[row] = self._first[row] or one.time_us
            if one.text is not None:
                self._text[row] = one.text
            if self._time[row]:
                # Not the first report, which may tell of a change long ago: this is how late they come.
                self._lag_us = max(self._lag_us, min(published_us - one.time_us, _LAG_MOST_US))
                self._heard[row] = published_us
            self._time[row], self._value[row], self._quality[row] = one.time_us, one.value, one.quality
        return Readings(self._indexes[rows], times, values, codes, texts)

    def still_valid(self, published_us: int) -> Readings:
        """Return the points whose value the server has confirmed by reporting no change for a while.

        Their time is the publish time less the way of a change, so that a change that follows is never
        older than a confirmation that went before it. The first report of a point says how it stands now,
        so one of long ago is confirmed at once; no change is confirmed by the report that brings it.
        """
        self._look_at_clock(published_us)
        confirmed = published_us - self._delay_us - self._lag_us
        silent = published_us - self._delay_us - self._heard >= self._still_valid_us
        old = confirmed - self._time >= self._still_valid_us
        due = np.flatnonzero(self._watched & (self._time > 0) & silent & old)
        self._time[due] = confirmed[due]
        return self._columns(due, confirmed[due], self._quality[due])

    def gap(self, since_us: int) -> Readings:
        """Return the watched points as they stand from `since_us` on, where nobody vouches for them."""
        rows = np.flatnonzero(self._watched & (self._quality < Quality.BAD) & (self._time > 0))
        self._time[rows] = np.maximum(since_us, self._time[rows] + 1)
        code = np.full(len(rows), Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE, np.uint32)
        return self._columns(rows, self._time[rows], code)

    def _look_at_clock(self, published_us: int) -> None:
        """Begin anew with times where the server's clock was set back: none of them may lie ahead of it."""
        if published_us < self._published - _STEP_US:
            before = published_us - self._delay_us
            self._heard = np.minimum(self._heard, before)
            self._time = np.where(self._time > 0, np.minimum(self._time, before), 0)
            self._lag_us = 0
            self._published = published_us
        self._published = max(self._published, published_us)

    def unvouched(self, now_us: int) -> Readings:
        """Return every point as it stands without a connection: last usable value, or none at all."""
        usable = (self._quality < Quality.BAD) & (self._time > 0)
        code = np.where(
            usable,
            np.uint32(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE),
            np.uint32(Quality.BAD_NO_COMMUNICATION),
        )
        return self._columns(np.arange(len(self._time)), np.maximum(now_us, self._time + 1), code)

    def _columns(self, rows: NDArray[np.intp], times: TimesUs, codes: Qualities) -> Readings:
        texts = {at: self._text[row] for at, row in enumerate(rows.tolist()) if row in self._text}
        values = np.where(codes < Quality.BAD, self._value[rows], np.nan)
        return Readings(self._indexes[rows], times, values, codes, texts)
