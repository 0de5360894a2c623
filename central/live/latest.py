"""The newest value of every point, as columns by series: one lookup for a screen, one step for a batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from central.store.base import Database
from central.store.history import newest_readings
from central.store.readings import SeriesReadings
from protocols.model.clock import SECOND_US, Clock
from protocols.model.quality import CLASS_MASK

STALE_PERIODS = 3.0
"""A value is stale when its source time is older than this many of its point's periods."""
AHEAD_US = 600 * SECOND_US
"""A value from further in the future was told by a clock that was wrong: whatever comes next replaces it."""
NEVER = np.iinfo(np.int64).min
_START = 1024

SeriesColumn = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class LatestValue:
    """The newest reading of one point. Times in µs UTC; value None where there is no number.

    A point that has no reading yet is not in the board at all.
    """

    series: int
    value: float | None
    text: str | None
    time_us: int
    received_us: int
    quality: int
    stale: bool


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the newest readings of n series are worth, as columns of shape (n,).

    time_us is NEVER, and fresh is false, where a series was never read.
    """

    time_us: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    bad: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Summary:
    """How many points are in which condition; `stale` counts beside quality, `unread` has no reading."""

    total: int
    good: int
    uncertain: int
    bad: int
    stale: int
    unread: int


class LatestBoard:
    """Newest value by series. Written by the pipeline after each commit, read by every screen.

    A late reading (older source time) never replaces a newer one, unless that one is from the future.
    `series` grows as points are
    declared; a series that was never registered is ignored, and counts nowhere.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._value = np.full(_START, np.nan)
        self._time = np.full(_START, NEVER, np.int64)
        self._received = np.zeros(_START, np.int64)
        self._quality = np.zeros(_START, np.uint32)
        self._period = np.zeros(_START)
        self._known = np.zeros(_START, bool)
        self._text: dict[int, str] = {}
        self._turns = np.zeros(_START, np.int64)
        self._turn = 0

    async def load(self, database: Database) -> None:
        """Register every point that is not retired, and fill in its last stored reading."""
        async with database.pool.connection() as connection:
            rows = await (
                await connection.execute("SELECT series, period_s FROM points WHERE retired_at IS NULL")
            ).fetchall()
            self.register((int(str(series)), float(str(period))) for series, period in rows)
            for last in await newest_readings(connection, np.flatnonzero(self._known).astype(np.int32)):
                series = last.series
                self._time[series] = last.time_us
                self._received[series] = last.time_us
                self._value[series] = np.nan if last.value is None else last.value
                self._quality[series] = last.quality
                if last.text is not None:
                    self._text[series] = last.text

    def register(self, points: Iterable[tuple[int, float]]) -> None:
        """Add or update points: pairs of (series, period in seconds)."""
        for series, period in points:
            self._grow(series)
            self._known[series] = True
            self._period[series] = period

    def retire(self, series: Iterable[int]) -> None:
        """Take points off the board; their history stays."""
        for number in series:
            if number < len(self._known):
                self._known[number] = False

    def apply(self, readings: SeriesReadings, received_us: int) -> SeriesColumn:
        """Take committed readings; return the series whose newest value changed, each once."""
        series, time_us, text = readings.series, readings.time_us, readings.text
        if not len(series):
            return series
        self._grow(int(series[-1]))
        ends = np.flatnonzero(np.append(series[1:] != series[:-1], True))
        newest = series[ends]
        shown = self._time[newest]
        newer = (time_us[ends] >= shown) | (shown > received_us + AHEAD_US)
        rows, changed = ends[newer], newest[newer]
        self._time[changed] = time_us[rows]
        self._value[changed] = readings.value[rows]
        self._quality[changed] = readings.quality[rows]
        self._received[changed] = received_us
        self._turn += 1
        self._turns[changed] = self._turn
        if text or self._text:
            for row, number in zip(rows.tolist(), changed.tolist(), strict=True):
                if row in text:
                    self._text[number] = text[row]
                else:
                    self._text.pop(number, None)
        return changed

    def get(self, series: int) -> LatestValue | None:
        """Return the newest reading of one series; None where it was never read."""
        found = self.get_many([series])
        return found.get(series)

    def get_many(self, series: Iterable[int]) -> dict[int, LatestValue]:
        """Return the newest readings of these series; a series that was never read is left out."""
        now = self._clock()
        answer: dict[int, LatestValue] = {}
        for number in series:
            if not 0 <= number < len(self._time) or self._time[number] == NEVER:
                continue
            value = float(self._value[number])
            time_us = int(self._time[number])
            answer[number] = LatestValue(
                series=number,
                value=None if value != value else value,  # noqa: PLR0124 - only NaN differs from itself
                text=self._text.get(number),
                time_us=time_us,
                received_us=int(self._received[number]),
                quality=int(self._quality[number]),
                stale=now - time_us > STALE_PERIODS * float(self._period[number]) * SECOND_US,
            )
        return answer

    def turns(self, series: SeriesColumn) -> NDArray[np.int64]:
        """Return, row by row, a number that is another one after each change of that series."""
        if len(series):
            self._grow(int(series.max()))
        return self._turns[series]

    def conditions(self, series: SeriesColumn) -> Conditions:
        """Return the condition of each of these series, row by row."""
        if len(series):
            self._grow(int(series.max()))
        return Conditions(
            self._time[series],
            ~self._stale(self._clock())[series],
            (self._quality[series] & 0x8000_0000) != 0,
        )

    def summary(self, series: SeriesColumn | None = None) -> Summary:
        """Count the points by condition: all registered ones, or these."""
        chosen = self._known
        if series is not None:
            chosen = np.zeros(len(self._known), bool)
            chosen[series[series < len(chosen)]] = True
            chosen &= self._known
        read = chosen & (self._time != NEVER)
        quality = self._quality & CLASS_MASK
        stale = read & self._stale(self._clock())
        good = int(np.count_nonzero(read & (quality == 0)))
        uncertain = int(np.count_nonzero(read & (quality == 0x4000_0000)))
        total, n_read = int(np.count_nonzero(chosen)), int(np.count_nonzero(read))
        bad = n_read - good - uncertain
        return Summary(total, good, uncertain, bad, int(np.count_nonzero(stale)), total - n_read)

    def stale_series(self) -> SeriesColumn:
        """Return the registered series whose newest reading is too old, or that were never read."""
        now = self._clock()
        return np.flatnonzero(self._known & self._stale(now)).astype(np.int32)

    def _stale(self, now: int) -> NDArray[np.bool_]:
        age = np.where(self._time == NEVER, np.inf, now - self._time.astype(np.float64))
        return age > STALE_PERIODS * self._period * SECOND_US

    def _grow(self, series: int) -> None:
        if series < len(self._time):
            return
        more = max(series + 1, 2 * len(self._time)) - len(self._time)
        self._value = np.append(self._value, np.full(more, np.nan))
        self._time = np.append(self._time, np.full(more, NEVER, np.int64))
        self._received = np.append(self._received, np.zeros(more, np.int64))
        self._quality = np.append(self._quality, np.zeros(more, np.uint32))
        self._period = np.append(self._period, np.zeros(more))
        self._known = np.append(self._known, np.zeros(more, bool))
        self._turns = np.append(self._turns, np.zeros(more, np.int64))
