"""Conditions that need a memory or several points, judged one sample at a time. Source: alarms.md section 4.

    kind         violated when                        clear when
    rate         |slope| >= SP                        |slope| <= SP - DB
    deviation    |x - reference| >= SP                |x - reference| <= SP - DB
    discrepancy  |x - command| > DB (for SP seconds)  |x - command| <= DB
    flatline     |change| <= DB (for SP seconds)      |change| > DB

A judge is given the samples of its points in the order of their times, and is never given a late one.
The slope is that of least squares over good samples of the window, at least three that span half of it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Final

from edge.alarms.verdict import ANEW, BAD, BAND, CLEAR, MOVED, UNHEARD, VIOLATED, Sample
from edge.alarms.window import Window
from edge.expression.check import windows
from edge.expression.live import build
from edge.expression.nodes import QualityFunction, Windowed, names
from edge.expression.parse import parse
from protocols.model.alarm import Rule
from protocols.model.clock import SECOND_US
from protocols.model.quality import Quality, quality_class

_PER_S: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_FORCED: Final = {"hold": BAD, "force_active": VIOLATED, "force_clear": CLEAR}
_BAD: Final = 0x8000_0000
_UNCERTAIN: Final = 0x4000_0000


class Judge(ABC):
    """Says what a rule thinks of each sample. `inputs` are the names of its points, `device.point`."""

    inputs: tuple[str, ...]

    @abstractmethod
    def judge(self, which: int, time_us: int, value: float, quality: int) -> Sample:
        """Judge a sample of the point `inputs[which]`; NaN where it has no number."""

    def forget(self) -> None:  # noqa: B027 - most judges remember no times
        """Drop what was remembered by time: the clock was set back."""

    def resume(self, value: float) -> None:  # noqa: B027 - most judges see again what they need
        """Go on after a restart; `value` decided last."""


class Slope(Judge):
    """Rate of change over a window, in the point's unit per `per`."""

    def __init__(self, rule: Rule) -> None:
        self.inputs = (rule.point,)
        self._window = Window(round(rule.window_s * SECOND_US))
        self._factor = SECOND_US * _PER_S[rule.per]
        self._limit, self._deadband = rule.limit, rule.deadband
        self._forced = _FORCED[rule.on_bad]

    def judge(self, which: int, time_us: int, value: float, quality: int) -> Sample:
        """Judge the slope after this sample; only a good one counts."""
        if quality >= _BAD or math.isnan(value):
            return Sample(time_us, None, quality, self._forced)
        if quality < _UNCERTAIN:
            self._window.add(time_us, value)
        slope = self._window.slope()
        if slope is None:
            return Sample(time_us, None, quality, BAD)
        slope *= self._factor
        return Sample(time_us, slope, quality, _level(abs(slope), self._limit, self._deadband))

    def forget(self) -> None:
        """Begin the window anew."""
        self._window.clear()


class Flat(Judge):
    """A value that does not move: the delay of the rule counts how long."""

    def __init__(self, rule: Rule) -> None:
        self.inputs = (rule.point,)
        self._deadband = rule.deadband
        self._forced = _FORCED[rule.on_bad]
        self._anchor: float | None = None

    def judge(self, which: int, time_us: int, value: float, quality: int) -> Sample:
        """Judge whether the value still is what it was."""
        if quality >= _BAD or math.isnan(value):
            return Sample(time_us, None, quality, self._forced)
        if self._anchor is None or abs(value - self._anchor) > self._deadband:
            moved = self._anchor is not None
            self._anchor = value
            # The first sample is no movement: it begins the time of standing still.
            return Sample(time_us, value, quality, MOVED if moved else VIOLATED)
        return Sample(time_us, value, quality, VIOLATED)

    def resume(self, value: float) -> None:
        """Compare the next value with the last one before the restart."""
        self._anchor = value


class Against(Judge):
    """A value beside another point: `deviation` from it, or `discrepancy` of an actual from its command."""

    def __init__(self, rule: Rule) -> None:
        self.inputs = (rule.point, rule.reference)
        self._command = rule.kind == "discrepancy"
        self._limit, self._deadband = rule.limit, rule.deadband
        self._forced = _FORCED[rule.on_bad]
        self._values = [math.nan, math.nan]
        self._qualities: list[int] = [int(Quality.BAD_WAITING_FOR_INITIAL_DATA)] * 2

    def judge(self, which: int, time_us: int, value: float, quality: int) -> Sample:
        """Judge the distance of the two points after this sample of one of them."""
        before = self._values[which]
        self._qualities[which] = quality
        if quality >= _BAD or math.isnan(value):
            return Sample(time_us, None, quality, self._forced)
        self._values[which] = value
        worst = max(self._qualities)
        if worst >= _BAD:
            waiting = Quality.BAD_WAITING_FOR_INITIAL_DATA in self._qualities
            return Sample(time_us, None, worst, UNHEARD if waiting else self._forced)
        distance = abs(self._values[0] - self._values[1])
        if not self._command:
            return Sample(time_us, distance, worst, _level(distance, self._limit, self._deadband))
        if distance <= self._deadband:
            return Sample(time_us, self._values[0], worst, CLEAR)
        # A new command begins its own travel time.
        anew = which == 1 and value != before
        return Sample(time_us, self._values[0], worst, ANEW if anew else VIOLATED)


class Expressed(Judge):
    """A condition over several points: true violates, false clears, unknown holds."""

    def __init__(self, text: str, point: str = "", forced: int = BAD) -> None:
        node = parse(text)
        self.inputs = names(node)
        self._point = point
        self._forced = forced
        self._places = {name: i for i, name in enumerate(self.inputs)}
        self._values = [math.nan] * len(self.inputs)
        self._qualities = [int(Quality.BAD_WAITING_FOR_INITIAL_DATA)] * len(self.inputs)
        self._windows: dict[int, dict[float, Window]] = {}
        for windowed in windows(node):
            kept = self._windows.setdefault(self._places[windowed.point.name], {})
            kept.setdefault(windowed.seconds, Window(round(windowed.seconds * SECOND_US)))
        self._get = build(node, self)
        self._at_us = 0

    def judge(self, which: int, time_us: int, value: float, quality: int) -> Sample:
        """Judge the whole after this sample of one of its points."""
        # Points are read by different rhythms: time does not go back for the one that is a little behind.
        self._at_us = at_us = max(self._at_us, time_us)
        self._qualities[which] = quality
        if quality < _BAD and not math.isnan(value):
            self._values[which] = value
            for window in self._windows.get(which, {}).values():
                window.add(time_us, value)
        found = self._get()
        figure = self._values[self._places[self._point]] if self._point in self._places else math.nan
        shown = None if math.isnan(figure) else figure
        if found is None:
            worst = max(self._qualities)
            if Quality.BAD_WAITING_FOR_INITIAL_DATA in self._qualities:
                return Sample(at_us, shown, worst, UNHEARD)
            return Sample(at_us, shown, worst, self._forced if worst >= _BAD else BAD)
        # What is bad has decided nothing; what is uncertain may have.
        used = max((code for code in self._qualities if code < _BAD), default=0)
        return Sample(at_us, shown, used, VIOLATED if found else CLEAR)

    def number(self, point: str) -> float | None:
        """Return the last value of a point; None where it is of bad quality."""
        i = self._places[point]
        value = self._values[i]
        return None if self._qualities[i] >= _BAD or math.isnan(value) else value

    def rated(self, function: QualityFunction, point: str) -> float | None:
        """Return whether the quality of a point is of that class; unknown before its first sample."""
        code = self._qualities[self._places[point]]
        if code == Quality.BAD_WAITING_FOR_INITIAL_DATA:
            return None
        return float(quality_class(code) == function)

    def figure(self, windowed: Windowed) -> float | None:
        """Return the figure of a window that is at least half full."""
        i = self._places[windowed.point.name]
        window = self._windows[i][windowed.seconds]
        if self._qualities[i] >= _BAD or not window.covered():
            return None
        match windowed.function:
            case "avg":
                return window.mean()
            case "min":
                return window.low()
            case "max":
                return window.high()

    def forget(self) -> None:
        """Begin the windows anew."""
        self._at_us = 0
        for kept in self._windows.values():
            for window in kept.values():
                window.clear()


def judge_of(rule: Rule) -> Judge | None:
    """Return the judge of a rule; None for one that is judged in columns."""
    match rule.kind:
        case "rate":
            return Slope(rule)
        case "flatline":
            return Flat(rule)
        case "condition":
            return Expressed(rule.expression, rule.point, _FORCED[rule.on_bad])
        case "deviation" | "discrepancy" if rule.reference:
            return Against(rule)
        case _:
            return None


def suppressor_of(rule: Rule) -> Judge:
    """Return what judges when a rule is suppressed by its `suppress_when`."""
    return Expressed(rule.suppress_when)


def _level(x: float, limit: float, deadband: float) -> int:
    if x >= limit:
        return VIOLATED
    return CLEAR if x <= limit - deadband else BAND
