"""When to read what: one loop per connection, commands first, no cycle ever queued up.

    Schedule (what is due) → Breaker (may it go out) → Driver.read → sink

A cycle that cannot be kept is skipped and counted: a slow line gives fewer readings, never late ones.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

import numpy as np
import structlog

from edge.session import Session, Turned
from protocols.field.base import Driver, ReadTask
from protocols.model.clock import Clock, now_us
from protocols.model.device import PeriodClass
from protocols.model.quality import Quality
from protocols.model.reading import PointIndexes, Readings

_SILENT = np.array(
    [Quality.BAD_TIMEOUT, Quality.BAD_NO_COMMUNICATION, Quality.BAD_COMMUNICATION_ERROR], np.uint32
)
_BAD = int(Quality.BAD)
_REPEAT_S = 60.0
_SMOOTHING = 0.2
_LATE = 1e-6
SOON_S = 10.0
"""A slow point too is read this soon after the start: whoever connects a device waits for its first value."""
SPARED: Final = 0.02
"""Share of a line's time that devices which do not answer may cost it, however many they are."""
_CREDIT_S: Final = 5.0
Turns = dict[tuple[str, PeriodClass, int], float]
"""(device, period, which of its tasks with that period) → when it is due."""


class Schedule:
    """Which task is due next. Times are monotonic seconds; tasks are known by their position.

    Devices start spread over their period, so that a hundred of them do not speak at second zero.
    `known` are the turns of an earlier schedule: tasks that were in it keep them.
    """

    def __init__(
        self,
        tasks: Sequence[ReadTask],
        periods: Mapping[PeriodClass, float],
        now: float,
        known: Turns | None = None,
    ) -> None:
        self.overruns = 0
        """Cycles skipped because the line was still busy with earlier ones."""
        self._periods = [periods[task.period] for task in tasks]
        self._names = _names(tasks)
        devices = list(dict.fromkeys(task.device for task in tasks))
        phase = {device: i / len(devices) for i, device in enumerate(devices)}
        self._grid: dict[int, float] = {}
        """Tasks whose first turn is out of their turn → when they are due after it."""
        self._heap: list[tuple[float, int]] = []
        self._ready: list[tuple[float, float, int]] = []
        """(when its next turn is due, when this one was, task): what is due already."""
        for i, task in enumerate(tasks):
            soon = now + min(self._periods[i], SOON_S) * phase[task.device]
            turn = now + self._periods[i] * phase[task.device]
            if known and self._names[i] in known:
                turn = min(known[self._names[i]], now + self._periods[i])
            if soon < turn:
                self._grid[i] = turn
            self._heap.append((min(soon, turn), i))
        heapq.heapify(self._heap)

    def due(self) -> float | None:
        """Return when the next task is due; None where there is none."""
        if self._ready:
            return self._ready[0][1]
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> int:
        """Return a task that is due, the one whose next turn is nearest, and plan its turn after `now`.

        So a fast point keeps its pace on a busy line, and slow ones share what is left: none waits longer
        than its own period, as long as the line can do it at all.
        """
        while self._heap and (not self._ready or self._heap[0][0] <= now):
            due, task = heapq.heappop(self._heap)
            heapq.heappush(self._ready, (due + self._periods[task], due, task))
        _, due, task = heapq.heappop(self._ready)
        period = self._periods[task]
        early = self._grid.pop(task, None)
        if early is not None:
            due = early - period
        missed = int((now - due) / period + _LATE) if now > due else 0
        if early is None:
            self.overruns += missed
        heapq.heappush(self._heap, (due + (missed + 1) * period, task))
        return task

    def period(self, task: int) -> float:
        """Return a task's period in seconds."""
        return self._periods[task]

    def turns(self) -> Turns:
        """Return when each task is due, for a schedule that takes over from this one."""
        waiting = [*self._heap, *((due, task) for _, due, task in self._ready)]
        return {self._names[task]: self._grid.get(task, due) for due, task in waiting}


class Mercy:
    """What a line still has to spend on devices that stay silent: a little of all time, kept for a while.

    The one that has waited longest is tried first: none stays lost because others are asked for before it.
    """

    def __init__(self, now: float) -> None:
        self._credit_s = _CREDIT_S
        self._at = now
        self._since: dict[str, float] = {}
        """Devices that wait for a try → since when."""

    def allows(self, now: float, device: str) -> bool:
        """Return whether this one, whose pause is over, may be tried now."""
        self._credit_s = min(_CREDIT_S, self._credit_s + SPARED * (now - self._at))
        self._at = now
        self._since.setdefault(device, now)
        return self._credit_s > 0 and min(self._since, key=self._since.__getitem__) == device

    def spent(self, device: str, seconds: float) -> None:
        """Note what a try has cost."""
        del self._since[device]
        self._credit_s -= seconds


class Poller:
    """Drives one session's connection: `work` is what `Session.run` wants."""

    def __init__(
        self,
        session: Session,
        periods: Mapping[PeriodClass, float],
        clock: Clock = now_us,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.overruns = 0
        self.reads = 0
        self.silences = 0
        self.periods = periods
        """Seconds of each class; another value holds from the next opening of the line."""
        self._session = session
        self._turns: Turns = {}
        self._clock = clock
        self._monotonic = monotonic
        self._log = structlog.get_logger("edge.poller").bind(connection=session.key)

    async def work(self, driver: Driver, tasks: tuple[ReadTask, ...]) -> NoReturn:
        """Poll until cancelled, and serve commands before each read. Raises ConnectionLost, and Turned."""
        schedule = Schedule(tasks, self.periods, self._monotonic(), self._turns)
        self._turns = {}
        try:
            await self._poll(driver, tasks, schedule)
        except Turned:
            # The line is closed for a moment only: the devices that stay on it keep their turns.
            self._turns = schedule.turns()
            raise
        raise AssertionError("a poller never ends by itself")

    async def _poll(self, driver: Driver, tasks: tuple[ReadTask, ...], schedule: Schedule) -> NoReturn:
        session, monotonic = self._session, self._monotonic
        probes = _probes(tasks, schedule)
        points = {
            device: np.concatenate([task.points for task in tasks if task.device == device])
            for device in probes
        }
        told: dict[str, float] = {}
        mercy = Mercy(monotonic())
        while True:
            await session.serve(driver)
            due, now = schedule.due(), monotonic()
            if due is None or due > now:
                await session.idle(None if due is None else due - now)
                continue
            place = schedule.take(now)
            self.overruns += schedule.overruns
            schedule.overruns = 0
            task = tasks[place]
            breaker = session.breakers[task.device]
            allowed = breaker.allows(now, place == probes[task.device])
            if not allowed or (breaker.open and not mercy.allows(now, task.device)):
                if breaker.open and now - told.get(task.device, 0.0) >= _REPEAT_S:
                    told[task.device] = now
                    self._silent(points[task.device])
                continue
            if breaker.open:
                answers = await driver.probe(task)
                tried = monotonic()
                mercy.spent(task.device, tried - now)
                if not answers:
                    self.silences += 1
                    breaker.failed(tried, schedule.period(probes[task.device]))
                    continue
                now = tried
            readings = await driver.read(task)
            session.put(readings)
            self.reads += 1
            if session.turning:
                continue  # what is known of this device may be about another one by now
            after = monotonic()
            if len(readings):
                session.heard(task.device, readings.quality.item(0))
            if not _silent(readings):
                self._answered(task.device, (after - now) * 1000)
                continue
            self.silences += 1
            if breaker.failed(after, schedule.period(probes[task.device])):
                told[task.device] = after
                self._silent(points[task.device])
                self._log.warning("device does not answer; left in peace for a while", device=task.device)

    def _answered(self, device: str, latency_ms: float) -> None:
        breaker = self._session.breakers[device]
        if breaker.failures and breaker.succeeded():
            self._log.info("device answers again", device=device)
        latencies = self._session.latency_ms
        known = latencies.get(device, latency_ms)
        latencies[device] = known + _SMOOTHING * (latency_ms - known)

    def _silent(self, points: PointIndexes) -> None:
        self._session.put(Readings.bad(points, self._clock(), Quality.BAD_TIMEOUT))


def _silent(readings: Readings) -> bool:
    """Return whether nothing at all came from the device."""
    quality = readings.quality
    # Asked for every answer: a plain int compares ten times faster than a numpy scalar.
    if not len(quality) or quality.item(0) < _BAD:
        return False
    return bool(np.isin(quality & np.uint32(0xFFFF_0000), _SILENT).all())


def _probes(tasks: Sequence[ReadTask], schedule: Schedule) -> dict[str, int]:
    """Return each device's cheapest task: soonest due again, then fewest requests and points."""
    probes: dict[str, int] = {}
    cost = [(schedule.period(i), task.requests, len(task.points)) for i, task in enumerate(tasks)]
    for i, task in enumerate(tasks):
        if task.device not in probes or cost[i] < cost[probes[task.device]]:
            probes[task.device] = i
    return probes


def _names(tasks: Sequence[ReadTask]) -> list[tuple[str, PeriodClass, int]]:
    seen: Counter[tuple[str, PeriodClass]] = Counter()
    names = []
    for task in tasks:
        names.append((task.device, task.period, seen[task.device, task.period]))
        seen[task.device, task.period] += 1
    return names
