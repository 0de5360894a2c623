"""Raises and clears alarms: pure, with injected time. Source: alarms.md sections 4, 5 and 11.

    readings → verdicts (columns, judges) → delays → machine (base state, overlays) → transitions

Delays run on source time from the first violating (or clearing) sample. A clock tick drives them on,
because a value that stops changing sends no more samples; it waits `grace_us` longer than the delay,
so that a sample under way decides first and a replay of the same samples gives the same journal.
Bad quality holds: it neither raises nor clears, and stops a running delay until a good sample comes.
A sample older than the last one judged of its point is late; it belongs into the history and decides
nothing. Steps of different rules come in the order of their samples' times, the hiding rule first.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edge.alarms import acts
from edge.alarms.machine import Machine
from edge.alarms.rates import Rates
from edge.alarms.rule import JUDGED, RuleTable
from edge.alarms.standing import NEVER_US, WHEN, Saved, Standing, Timer, restore, save
from edge.alarms.verdict import ANEW, BAD, CLEAR, MOVED, UNHEARD, VIOLATED, Sample
from edge.alarms.view import AlarmView, view
from protocols.model.alarm import AlarmTransition, Rule
from protocols.model.clock import SECOND_US
from protocols.model.order import AlarmAct
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from protocols.model.step import Step

GRACE_US: Final = 500_000


class AlarmEngine:
    """Judges all rules of one gateway. Only rules whose condition changed or whose delay runs cost Python.

    `restored` is what `state` returned when the process ended, or the configuration before ran: alarms,
    overlays and running delays go on. `changes` counts what `state` would say differently.
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
        self.rates = Rates()
        self.changes = 0
        self._grace_us = grace_us
        self._now_us = now_us
        self._table = RuleTable(rules, indexes, len(indexes))
        # Weakly: a ring of the two would keep a whole engine in memory after each change of configuration.
        mine = weakref.proxy(self)
        self._machine = Machine(gateway, rules, declaration, lambda i: mine._annunciated(i))  # noqa: PLW0108 - its method holds it
        self._places = {rule.id: i for i, rule in enumerate(rules)}
        targets = len(self._table)
        self._ranks = np.concatenate([self._machine.hiding.ranks, np.full(targets - len(rules), -1)])
        self._active = np.zeros(targets, np.bool_)
        self._running = np.zeros(targets, np.bool_)
        self._last_us = np.zeros(len(self._table.slot_target), np.int64)
        self._good_us = np.full(targets, now_us, np.int64)
        self._timers: dict[int, Timer] = {}
        self._soonest_us = 0
        """No delay ends before; most ticks look no further."""
        saved = restore(restored)
        if saved is not None:
            self._restore(saved)

    def state(self) -> bytes:
        """Return what must outlive the process and a change of configuration; give it as `restored`."""
        rules = self._table.rules
        standings = list(self._machine.standings.values())
        timers = {rules[i].id: timer for i, timer in self._timers.items()}
        return save(Saved(now_us=self._now_us, standings=standings, timers=timers))

    def standings(self) -> list[Standing]:
        """Return the alarms that are not closed, or lie under an overlay."""
        return list(self._machine.standings.values())

    def counts(self) -> tuple[int, int]:
        """Return how many alarms are active, and how many wait for somebody; hidden ones not counted."""
        seen = [standing for standing in self._machine.standings.values() if not standing.covers]
        return sum(standing.active for standing in seen), sum(standing.unacked for standing in seen)

    def views(self, now_us: int) -> list[AlarmView]:
        """Return the alarms that a person should see, open or put aside, the newest first."""
        rules, rates = self._table.rules, self.rates
        views = [
            view(rules[i], standing, chattering=rates.chattering(i, now_us))
            for i, standing in self._machine.standings.items()
            if standing.open or standing.aside
        ]
        return sorted(views, key=lambda seen: (-seen.raised_us, seen.rule))

    def act(self, act: AlarmAct, now_us: int) -> list[AlarmTransition]:
        """Do what a person asks; nothing comes back where it changes nothing.

        Raises Rejected: `unknown-alarm`, `not-current`, the codes of `protocols.model.alarm.step`, and
        for overlays `already-…`, `not-…`, `shelving-time`, `not-shelvable`, `reason-missing`.
        """
        i = self._places.get(act.rule)
        self._step_clock(now_us)
        acts.carry_out(self._machine, i, self._table.rules, act, now_us)
        return self._steps()

    def evaluate(self, readings: Readings, now_us: int) -> list[AlarmTransition]:
        """Judge shaped readings in arrival order; return the steps in order of time."""
        self._step_clock(now_us)
        if not len(self._table) or not len(readings):
            return self._steps()
        table = self._table
        rows, slot = table.pairs(readings.point)
        times = np.minimum(readings.time_us[rows], now_us + SECOND_US)
        timely = times >= self._last_us[slot]
        if not timely.all():
            rows, slot, times = rows[timely], slot[timely], times[timely]
        if not len(rows):
            return self._steps()
        target = table.slot_target[slot]
        value, quality = readings.value[rows], readings.quality[rows]
        good = target[quality < 0x4000_0000]
        verdict = table.verdicts(target, value, quality)
        np.maximum.at(self._last_us, slot, times)
        if table.judges:
            places = np.flatnonzero(table.kind[target] == JUDGED)
            for place in places[np.argsort(times[places], kind="stable")].tolist():
                judge, which = table.judges[int(target[place])], int(table.slot_input[slot[place]])
                said = judge.judge(which, int(times[place]), float(value[place]), int(quality[place]))
                figure = math.nan if said.value is None else said.value
                times[place], value[place], quality[place], verdict[place] = (
                    said.time_us, figure, said.quality, said.verdict
                )  # fmt: skip
        wanted = np.where(self._active[target], CLEAR, VIOLATED)
        concerned = self._running[target] | (verdict == wanted) | (verdict == ANEW) | (verdict == MOVED)
        if concerned.any():
            stirred = np.zeros(len(table), np.bool_)
            stirred[target[concerned]] = True
            chosen = np.flatnonzero(stirred[target])
            chosen = chosen[np.lexsort((self._ranks[target[chosen]], times[chosen]))]
            for i, t, x, code, says in zip(
                target[chosen].tolist(),
                times[chosen].tolist(),
                value[chosen].tolist(),
                quality[chosen].tolist(),
                verdict[chosen].tolist(),
                strict=True,
            ):
                self._sample(i, Sample(t, None if math.isnan(x) else x, code, says), now_us)
        self._good_us[good] = now_us
        return self._steps()

    def tick(self, now_us: int) -> list[AlarmTransition]:
        """Let delays and shelvings end and silences be noticed; call it a few times per second."""
        self._step_clock(now_us)
        self._machine.expire(now_us)
        if self._soonest_us + self._grace_us < now_us:
            self._look_at_timers(now_us)
        silent = self._table.silent
        if len(silent):
            due = self._good_us[silent] + self._table.silence_us[silent] + self._table.on_us[silent]
            for i in silent[(due <= now_us) & ~self._active[silent]].tolist():
                at_us = int(self._good_us[i] + self._table.silence_us[i] + self._table.on_us[i])
                last = Sample(int(self._good_us[i]), None, int(Quality.BAD_NO_COMMUNICATION), BAD)
                self._change(i, at_us, last)
        self.rates.tick(now_us)
        return self._steps()

    def stepped(self, by_us: int, now_us: int) -> None:
        """The clock was stepped, to `now_us`: nothing is over, and nothing is silent, because of it.

        Times that sensors told are moved only where they were told by our clock: see `Step`.
        """
        step = Step(by_us, now_us)
        self._now_us = now_us
        self._good_us += by_us
        self._last_us = step.column(self._last_us)
        self._machine.stepped(step)
        self.rates.step_back(-by_us)
        for judge in self._table.judges.values():
            judge.forget()
        for timer in self._timers.values():
            timer.due_us += by_us
            timer.since_us = step.time(timer.since_us)
            timer.sample = (step.time(timer.sample[0]), *timer.sample[1:])
            timer.held_us = None if timer.held_us is None else step.time(timer.held_us)
        self._soonest_us = 0
        self.changes += 1

    def _look_at_timers(self, now_us: int) -> None:
        for i, timer in list(self._timers.items()):
            if timer.held_us is None and timer.due_us + self._grace_us < now_us:
                self._expire(i, timer)
        self._soonest_us = min((timer.due_us for timer in self._timers.values()), default=NEVER_US)

    def _sample(self, i: int, sample: Sample, now_us: int) -> None:
        t, verdict = sample.time_us, sample.verdict
        timer = self._timers.get(i)
        if timer is not None and timer.held_us is None and self._ends(i, timer) < t:
            self._expire(i, timer)
            timer = None
        if verdict == UNHEARD:
            return
        if verdict == BAD:
            if timer is not None and timer.held_us is None:
                timer.held_us = t
                self.changes += 1
            return
        if verdict in {ANEW, MOVED}:
            if self._active[i]:
                verdict = VIOLATED if verdict == ANEW else CLEAR
            else:
                verdict = VIOLATED
                self._stop(i)
                timer = None
        if verdict != (CLEAR if self._active[i] else VIOLATED):
            self._stop(i)
            return
        if timer is None:
            delay = self._delay(i)
            if not delay:
                self._change(i, t, sample)
                return
            self._timers[i] = Timer(t, now_us + delay, sample[:3])
            self._soonest_us = min(self._soonest_us, now_us + delay)
            self._running[i] = True
            self.changes += 1
            return
        if timer.held_us is not None:
            timer.since_us += t - timer.held_us
            timer.due_us = now_us + self._ends(i, timer) - t
            timer.held_us = None
            self._soonest_us = min(self._soonest_us, timer.due_us)
            self.changes += 1
        timer.sample = sample[:3]
        if self._ends(i, timer) <= t:
            self._expire(i, timer)

    def _delay(self, i: int) -> int:
        return int((self._table.off_us if self._active[i] else self._table.on_us)[i])

    def _ends(self, i: int, timer: Timer) -> int:
        return timer.since_us + self._delay(i)

    def _stop(self, i: int) -> None:
        if self._timers.pop(i, None) is not None:
            self._running[i] = False
            self.changes += 1

    def _expire(self, i: int, timer: Timer) -> None:
        ends = self._ends(i, timer)
        self._stop(i)
        self._change(i, ends, Sample(*timer.sample, VIOLATED))

    def _change(self, i: int, at_us: int, sample: Sample) -> None:
        """The condition of a target has changed: of a rule, or of what suppresses one."""
        on = not self._active[i]
        self._active[i] = on
        rules = self._table.rules
        if i >= len(rules):
            self._machine.suppress(self._table.suppresses[i - len(rules)], WHEN, at_us, on=on)
            self.changes += 1
            return
        self.rates.changed(i, self._now_us)
        if on:
            self._machine.activate(i, at_us, sample)
        else:
            self._machine.clear(i, at_us, sample)

    def _annunciated(self, i: int) -> None:
        self.rates.annunciated(self._now_us)

    def _steps(self) -> list[AlarmTransition]:
        steps = self._machine.take()
        self.changes += len(steps)
        return steps

    def _restore(self, saved: Saved) -> None:
        """Go on where the process before ended; its clock may have been ahead of ours."""
        now_us = self._now_us
        self._machine.restore(saved.standings, self._places, now_us)
        for i, standing in self._machine.standings.items():
            self._active[i] = standing.active
            if standing.active:
                first = int(np.searchsorted(self._table.slot_target, i))
                self._last_us[first] = standing.event_us
        for j, i in enumerate(self._table.suppresses):
            self._active[len(self._table.rules) + j] = self._machine.suppressed(i, WHEN)
        for rule, timer in saved.timers.items():
            i = self._places.get(rule, -1)
            if i >= 0 and self._delay(i):
                self._timers[i] = timer
                self._running[i] = True
        for i, judge in self._table.judges.items():
            known = self._timers.get(i)
            last = known.sample[1] if known else self._machine.value(i)
            if last is not None:
                judge.resume(last)
        self._now_us = saved.now_us
        self._step_clock(now_us)

    def _step_clock(self, now_us: int) -> None:
        """After a clock that was set back samples are not late, and nothing lasts longer for it."""
        back = self._now_us - now_us
        self._now_us = now_us
        if back <= SECOND_US:
            return
        np.minimum(self._last_us, now_us, out=self._last_us)
        np.minimum(self._good_us, now_us, out=self._good_us)
        self._machine.step_back(back)
        self.rates.step_back(back)
        for judge in self._table.judges.values():
            judge.forget()
        for timer in self._timers.values():
            timer.due_us -= back
        self._soonest_us = 0
        self.changes += 1
