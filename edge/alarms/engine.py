"""Raises and clears alarms: pure, with injected time. Source: alarms.md sections 4, 5 and 11.

Delays run on source time from the first violating (or clearing) sample. A clock tick drives them on,
because a value that stops changing sends no more samples; it waits `grace_us` longer than the delay,
so that a sample under way decides first and a replay of the same samples gives the same journal.
Bad quality holds: it neither raises nor clears, and stops a running delay until a good sample comes.
A sample older than the last one judged is late; it belongs into the history and decides nothing.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np

from edge.alarms.rule import BAD, CLEAR, VIOLATED, RuleTable
from protocols.model.alarm import AlarmEvent, AlarmTransition, Rule
from protocols.model.clock import SECOND_US
from protocols.model.quality import Quality
from protocols.model.reading import Readings, Values

GRACE_US: Final = 500_000
_NAMES: Final = uuid.UUID("6f4b6c1e-52a4-5a53-9f0e-0d2c6a1f7b10")


class OpenAlarm(msgspec.Struct, frozen=True):
    """An occurrence that has been raised and not cleared; what survives a restart.

    number is that of its last step; event_us the source time of it.
    """

    occurrence: str
    rule: str
    point: str
    number: int
    event_us: int


class _Sample(NamedTuple):
    """The reading that decides a step, and what a rule says of it."""

    time_us: int
    value: float | None
    quality: int
    verdict: int


@dataclass(slots=True)
class _Timer:
    """A running delay. `since_us` is the source time of its first sample, `due_us` wall-clock time."""

    since_us: int
    due_us: int
    sample: _Sample
    held_us: int | None = None
    """Source time at which a bad sample stopped it."""


class AlarmEngine:
    """Judges all rules of one gateway. Only rules whose condition changed or whose delay runs cost Python.

    `restored` is what `state` returned when the process ended, or the configuration before ran.
    """

    def __init__(
        self,
        gateway: str,
        rules: Sequence[Rule],
        indexes: Mapping[str, int],
        declaration: str,
        now_us: int,
        *,
        restored: bytes | None = None,
        grace_us: int = GRACE_US,
    ) -> None:
        self._gateway = gateway
        self._declaration = declaration
        self._grace_us = grace_us
        self._now_us = now_us
        self._table = RuleTable(rules, indexes, len(indexes))
        m = len(rules)
        self._active = np.zeros(m, np.bool_)
        self._running = np.zeros(m, np.bool_)
        self._last_us = np.zeros(m, np.int64)
        self._good_us = np.full(m, now_us, np.int64)
        self._timers: dict[int, _Timer] = {}
        self._open: dict[int, OpenAlarm] = {}
        self._orphans: list[OpenAlarm] = []
        places = {rule.id: i for i, rule in enumerate(rules)}
        for alarm in msgspec.msgpack.decode(restored, type=list[OpenAlarm]) if restored else []:
            i = places.get(alarm.rule)
            if i is None or rules[i].point != alarm.point:
                self._orphans.append(alarm)
                continue
            self._open[i] = alarm
            self._active[i] = True
            self._last_us[i] = alarm.event_us

    def state(self) -> bytes:
        """Return what must outlive the process and a change of configuration; give it as `restored`."""
        return msgspec.msgpack.encode(self.open_alarms())

    def open_alarms(self) -> list[OpenAlarm]:
        """Return every occurrence that is raised and not cleared, to be kept over a restart."""
        return [*self._open.values(), *self._orphans]

    def evaluate(self, readings: Readings, now_us: int) -> list[AlarmTransition]:
        """Judge shaped readings in arrival order; return the steps, each rule's in order of time."""
        out = self._orphaned(now_us)
        self._step_clock(now_us)
        if not len(self._table) or not len(readings):
            return out
        rows, rule = self._table.pairs(readings.point)
        times = np.minimum(readings.time_us[rows], now_us + SECOND_US)
        timely = times >= self._last_us[rule]
        if not timely.all():
            rows, rule, times = rows[timely], rule[timely], times[timely]
        if not len(rows):
            return out
        verdict = self._table.verdicts(rule, readings.value[rows], readings.quality[rows])
        active = self._active[rule]
        concerned = self._running[rule] | (verdict == np.where(active, CLEAR, VIOLATED))
        if concerned.any():
            chosen = np.flatnonzero(np.isin(rule, rule[concerned]))
            chosen = chosen[np.lexsort((times[chosen], rule[chosen]))]
            for i, *sample in zip(
                rule[chosen].tolist(),
                times[chosen].tolist(),
                _numbers(readings.value[rows[chosen]]),
                readings.quality[rows[chosen]].tolist(),
                verdict[chosen].tolist(),
                strict=True,
            ):
                self._sample(i, _Sample(*sample), now_us, out)
        np.maximum.at(self._last_us, rule, times)
        self._good_us[rule[readings.quality[rows] < 0x4000_0000]] = now_us
        return out

    def tick(self, now_us: int) -> list[AlarmTransition]:
        """Let delays end and silences be noticed; call it a few times per second."""
        out = self._orphaned(now_us)
        self._step_clock(now_us)
        for i, timer in list(self._timers.items()):
            if timer.held_us is None and timer.due_us + self._grace_us < now_us:
                self._expire(i, timer, out)
        silent = self._table.silent
        if len(silent):
            due = self._good_us[silent] + self._table.silence_us[silent] + self._table.on_us[silent]
            for i in silent[(due <= now_us) & ~self._active[silent]].tolist():
                at_us = int(self._good_us[i] + self._table.silence_us[i] + self._table.on_us[i])
                last = _Sample(int(self._good_us[i]), None, Quality.BAD_NO_COMMUNICATION, BAD)
                self._raise(i, at_us, last, out)
        return out

    def _sample(self, i: int, sample: _Sample, now_us: int, out: list[AlarmTransition]) -> None:
        t = sample.time_us
        timer = self._timers.get(i)
        if timer is not None and timer.held_us is None and self._ends(i, timer) < t:
            self._expire(i, timer, out)
            timer = None
        if sample.verdict == BAD:
            if timer is not None and timer.held_us is None:
                timer.held_us = t
            return
        if sample.verdict != (CLEAR if self._active[i] else VIOLATED):
            self._stop(i)
            return
        if timer is None:
            delay = self._delay(i)
            if not delay:
                self._change(i, t, sample, out)
                return
            self._timers[i] = _Timer(t, now_us + delay, sample)
            self._running[i] = True
            return
        if timer.held_us is not None:
            timer.since_us += t - timer.held_us
            timer.due_us = now_us + self._ends(i, timer) - t
            timer.held_us = None
        timer.sample = sample
        if self._ends(i, timer) <= t:
            self._expire(i, timer, out)

    def _delay(self, i: int) -> int:
        return int((self._table.off_us if self._active[i] else self._table.on_us)[i])

    def _ends(self, i: int, timer: _Timer) -> int:
        return timer.since_us + self._delay(i)

    def _stop(self, i: int) -> None:
        self._timers.pop(i, None)
        self._running[i] = False

    def _expire(self, i: int, timer: _Timer, out: list[AlarmTransition]) -> None:
        ends = self._ends(i, timer)
        self._stop(i)
        self._change(i, ends, timer.sample, out)

    def _change(self, i: int, at_us: int, sample: _Sample, out: list[AlarmTransition]) -> None:
        if self._active[i]:
            self._clear(i, at_us, sample, out)
        else:
            self._raise(i, at_us, sample, out)

    def _raise(self, i: int, at_us: int, sample: _Sample, out: list[AlarmTransition]) -> None:
        rule = self._table.rules[i]
        # The name follows from what happened, so that judging the same samples again names it the same.
        occurrence = str(uuid.uuid5(_NAMES, f"{self._gateway}/{rule.id}/{at_us}"))
        opened = OpenAlarm(occurrence, rule.id, rule.point, 1, at_us)
        self._open[i] = opened
        self._active[i] = True
        out.append(self._transition(opened, AlarmEvent.ACT, sample))

    def _clear(self, i: int, at_us: int, sample: _Sample, out: list[AlarmTransition]) -> None:
        self._active[i] = False
        out.append(self._transition(_next(self._open.pop(i), at_us), AlarmEvent.CLR, sample))

    def _orphaned(self, now_us: int) -> list[AlarmTransition]:
        """Clear what was open under a rule that the configuration no longer has."""
        orphans, self._orphans = self._orphans, []
        gone = _Sample(now_us, None, Quality.BAD_OUT_OF_SERVICE, BAD)
        return [self._transition(_next(alarm, now_us), AlarmEvent.CLR, gone) for alarm in orphans]

    def _transition(self, alarm: OpenAlarm, event: AlarmEvent, sample: _Sample) -> AlarmTransition:
        return AlarmTransition(
            occurrence=alarm.occurrence,
            rule=alarm.rule,
            point=alarm.point,
            number=alarm.number,
            event=event,
            event_us=alarm.event_us,
            sample_us=sample.time_us,
            value=sample.value,
            quality=int(sample.quality),
            declaration=self._declaration,
        )

    def _step_clock(self, now_us: int) -> None:
        """After a clock that was set back samples are not late, and delays last no longer for it."""
        back = self._now_us - now_us
        self._now_us = now_us
        if back <= SECOND_US:
            return
        np.minimum(self._last_us, now_us, out=self._last_us)
        np.minimum(self._good_us, now_us, out=self._good_us)
        for timer in self._timers.values():
            timer.due_us -= back


def _next(alarm: OpenAlarm, at_us: int) -> OpenAlarm:
    return msgspec.structs.replace(alarm, number=alarm.number + 1, event_us=max(at_us, alarm.event_us))


def _numbers(values: Values) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]
