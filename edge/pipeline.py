"""From the driver's hand to the disk: the one road that every reading takes.

    put → [waiting columns] → shape → judge alarms → [open batch] → append, in one transaction

Drivers only leave their columns here; everything else happens ten times a second for all of them at
once, and the disk is written in a thread, so that polling never waits for it. Two bounds, both
counted in `dropped` and told to the centre: what waits to be shaped (the oldest goes), and what the
disk does not take (the oldest readings go; alarms never).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn

import numpy as np
import structlog

from edge.alarms.engine import AlarmEngine
from edge.alarms.rates import Rates
from edge.alarms.view import AlarmView
from edge.buffer.base import Buffer, Entry
from edge.buffer.hand import LATE_US, InHand
from edge.buffer.moved import moved_readings
from edge.config.bind import HEARTBEAT_S, Plan
from edge.shaping import Shaper
from edge.timekeeping import Stamp
from protocols.errors import StorageError
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.order import AlarmAct
from protocols.model.reading import PointIndexes, Readings
from protocols.model.step import Step

OnSteps = Callable[[Sequence[AlarmTransition]], None]
"""Is told the steps of alarms as they are judged; never blocks and never raises."""
ALARM_STATE: Final = "alarms"
TICK_S: Final = 0.1
MAX_WAITING: Final = 500_000
"""Readings that may wait in memory for shaping, and again for the disk."""
GATHER_S: Final = 0.5
"""An alarm is stored at once, those that follow it so soon together: in a storm each would go alone."""
_RETRY_S: Final = 1.0
_SLICE: Final = 65_536


class _Next(NamedTuple):
    """Another plan that waits for the moment between two batches."""

    plan: Plan
    shaper: Shaper
    table: PointIndexes
    again: Sequence[int]
    then: Callable[[], None]
    done: asyncio.Future[None]


class Pipeline:
    """The road of one gateway. `put` may be given to any driver as its sink."""

    def __init__(
        self,
        plan: Plan,
        buffer: Buffer,
        clock: Clock = now_us,
        stored: Callable[[], None] = lambda: None,
        stamp: Callable[[], Stamp | None] = lambda: None,
    ) -> None:
        self._urgent = asyncio.Event()
        self._written = asyncio.Event()
        self._next: _Next | None = None
        self.dropped = 0
        self.received = 0
        self.alarms_open = 0
        self.storage_error: str | None = None
        self._retry_s = 0.0
        self._gather_s = 0.0
        self._buffer = buffer
        self._clock = clock
        self._stored = stored
        self._stepped: deque[int] = deque()
        self._late = (0, 0)
        """The last step, and until when readings from before it may still come."""
        self._hand = InHand(stamp)
        self._begin(plan, _shaper(plan), buffer.load_state(ALARM_STATE))
        self._waiting: deque[Readings] = deque()
        self._waiting_rows = 0
        self._log = structlog.get_logger("edge.pipeline")

    def _begin(self, plan: Plan, shaper: Shaper, alarms: bytes | None) -> None:
        """Take up a plan. `alarms` is the state of the alarms before it."""
        batch = plan.loaded.entry.batch
        self._plan = plan
        self._batch_us, self._batch_rows = round(batch.seconds * SECOND_US), batch.readings
        self._urgent_points = np.zeros(len(plan.points), np.bool_)
        self._hurries = False
        self._on_steps: list[OnSteps] = []
        self.shaper = shaper
        self._engine = AlarmEngine(
            plan.gateway, plan.rules, plan.indexes, plan.declaration, self._clock(), restored=alarms
        )
        self.alarms_open = self._engine.counts()[0]
        self._kept_changes = -1

    async def change(
        self, plan: Plan, table: PointIndexes, again: Sequence[int], then: Callable[[], None]
    ) -> None:
        """Take up another plan; `then` is called in the same instant, so that no reading falls between.

        What waits is shaped, judged and closed under the old plan; what is remembered of point i goes on
        as point `table[i]`, see `Shaper.carry`. Whoever watches has to `watch` again, in `then`.
        """
        shaper = await asyncio.to_thread(_shaper, plan)
        done = asyncio.get_running_loop().create_future()
        self._next = _Next(plan, shaper, table, again, then, done)
        self._urgent.set()
        await done

    def _change(self, asked: _Next) -> None:
        self._next = None
        self.step(self._clock())
        self._close()
        before = self.shaper
        self._begin(asked.plan, asked.shaper, self._engine.state())
        self.shaper.carry(before, asked.table, asked.again)
        asked.then()
        if not asked.done.done():
            asked.done.set_result(None)

    def put(self, readings: Readings) -> None:
        """Take raw readings; never blocks and never raises. When full, the oldest give way."""
        n = len(readings)
        if not n:
            return
        self._waiting.append(readings)
        self._waiting_rows += n
        while self._waiting_rows > MAX_WAITING and len(self._waiting) > 1:
            lost = len(self._waiting.popleft())
            self._waiting_rows -= lost
            self.dropped += lost
        if self._hurries and not self._urgent.is_set() and self._urgent_points[readings.point].any():
            self._urgent.set()

    def stepped(self, by_us: int) -> None:
        """Hear from any thread that the clock was stepped: what is in hand moves along, and no alarm."""
        self._stepped.append(by_us)

    def _now(self) -> int:
        """Return the time, once all that is in hand has followed the clock's steps."""
        now = self._clock()
        while self._stepped:
            by_us = self._stepped.popleft()
            now = self._clock()
            self._follow(by_us, now)
        return now

    def _follow(self, by_us: int, now: int) -> None:
        self._late = (by_us, now + LATE_US)
        self._hand.follow(by_us, now, self._span_us())
        self._engine.stepped(by_us, now)

    def _span_us(self) -> int:
        """Return within which time a batch is gathered."""
        return max(self._batch_us, round(self._buffer.rhythm_s() * SECOND_US)) + SECOND_US

    def watch(self, points: Iterable[int], on_steps: OnSteps) -> None:
        """Tell `on_steps` every step of an alarm, and judge readings of these points without waiting."""
        self._urgent_points[list(points)] = True
        self._hurries = bool(self._urgent_points.any())
        self._on_steps.append(on_steps)

    def act(self, act: AlarmAct) -> list[AlarmTransition]:
        """Do what a person asks of an alarm; empty where it changes nothing. Raises Rejected with a code."""
        steps = self._engine.act(act, self._now())
        self._judged(steps)
        self._gather_s = 0.0  # who asked waits for the disk
        self._urgent.set()
        return steps

    async def settled(self) -> None:
        """Return when every step judged so far is on the disk, or the disk refuses."""
        while self._hand.urgent and self.storage_error is None:
            self._written.clear()
            await self._written.wait()

    def held(self) -> list[tuple[str, Readings]]:
        """Return the readings that are not on the disk yet, in order, each part with its declaration."""
        return self._hand.held(self._plan.declaration)

    def alarm_views(self) -> list[AlarmView]:
        """Return the alarms that a person should see, open or put aside, the newest first."""
        return self._engine.views(self._clock())

    @property
    def alarm_rates(self) -> Rates:
        """How busy the alarms are: chattering ones, a flood."""
        return self._engine.rates

    async def run(self) -> NoReturn:
        """Shape, judge and store until cancelled; what is in hand is then written by `finish`."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), TICK_S)
            self._urgent.clear()
            self.step(self._clock())
            if self._due():
                await self.store()
            if self._next is not None:
                self._change(self._next)

    async def finish(self) -> None:
        """Write what is in hand, at the end."""
        self.step(self._clock())
        await self.store()

    def step(self, now: int) -> None:
        """Shape and judge what waits, and let the alarm delays run on."""
        if self._stepped:
            now = self._now()
        if self._waiting:
            parts, self._waiting = self._waiting, deque()
            self._waiting_rows = 0
            raw = Readings.concat(list(parts))
            by_us, until_us = self._late
            if now < until_us:
                raw = moved_readings(raw, Step(by_us, now, SECOND_US))
            self.received += len(raw)
            for part in raw.slices(_SLICE):
                self._shape(part, now)
        self._judged(self._engine.tick(now))

    def _shape(self, raw: Readings, now: int) -> None:
        readings, forward = self.shaper.shape(raw, now)
        self._judged(self._engine.evaluate(readings, now))
        if not forward.all():
            readings = readings.take(forward)
        if len(readings):
            self._hand.add(readings, now)

    def _judged(self, steps: list[AlarmTransition]) -> None:
        if not steps:
            return
        self._hand.judged(steps)
        for tell in self._on_steps:
            tell(steps)

    def _due(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if self._hand.closed and now_s < self._retry_s:
            return False  # the disk refused a moment ago; judging goes on meanwhile
        rhythm_us = round(self._buffer.rhythm_s() * SECOND_US)
        rows = self._batch_rows if rhythm_us <= self._batch_us else MAX_WAITING // 2
        if self._hand.rows >= rows or (self._hand.urgent and now_s >= self._gather_s):
            return True
        return self._hand.ripe(self._clock(), max(self._batch_us, rhythm_us))

    async def store(self) -> None:
        """Close the open batch and append it, with the alarms and their state, in one transaction."""
        if self._hand.urgent:
            self._gather_s = asyncio.get_running_loop().time() + GATHER_S
        self._close()
        closed = self._hand.closed
        if not closed:
            return
        error = await self._written_of(closed)
        if error is not None:
            urgent = [entry for entry in self._hand.closed if entry.stream != "readings"]
            if 0 < len(urgent) < len(self._hand.closed) and await self._written_of(urgent) is None:
                # What must not be lost finds room where readings do not.
                self._stored()
            self._refused(error)
            return
        self._written.set()
        if self.storage_error is not None:
            self._log.info("storage works again")
            self.storage_error = None
        self._stored()

    async def _written_of(self, entries: list[Entry]) -> StorageError | None:
        with self._hand.writing(self._span_us):
            return await self._append(entries)

    async def _append(self, entries: list[Entry]) -> StorageError | None:
        """Write some of what is closed; return why the disk refused."""
        changes = self._engine.changes
        # Also a delay that begins or ends: a restart lets it run on.
        state = {ALARM_STATE: self._engine.state()} if changes != self._kept_changes else None
        write = asyncio.ensure_future(asyncio.to_thread(self._buffer.append, entries, state))
        try:
            await self._judging_beside(write)
            write.result()
        except asyncio.CancelledError:
            # The thread cannot be stopped: wait for it, else `finish` would write the same again.
            await asyncio.wait([write])
            if write.exception() is None:
                self._keep(entries, changes)
            raise
        except StorageError as error:
            return error
        self._keep(entries, changes)
        return None

    async def _judging_beside(self, write: asyncio.Future[list[int]]) -> None:
        """Wait for the disk; urgent readings do not: what they decide must not wait for a slow one."""
        while not write.done():
            urgent = asyncio.ensure_future(self._urgent.wait())
            try:
                await asyncio.wait((write, urgent), return_when=asyncio.FIRST_COMPLETED)
            finally:
                urgent.cancel()
            if self._urgent.is_set() and not write.done():
                self._urgent.clear()
                self.step(self._clock())

    def _keep(self, entries: list[Entry], changes: int) -> None:
        self._hand.kept(entries)
        self._kept_changes = changes

    def _close(self) -> None:
        steps = self._hand.close(self._plan.declaration, self._now(), self._batch_rows)
        if steps:
            self.alarms_open = self._engine.counts()[0]
        for step in steps:
            self._log.info("alarm", rule=step.rule, step=step.event.value, value=step.value)

    def _refused(self, error: StorageError) -> None:
        if self.storage_error is None:
            self._log.error("storage refuses; readings are held in memory", reason=str(error))
        self.storage_error = str(error)
        self._retry_s = asyncio.get_running_loop().time() + _RETRY_S
        self._written.set()
        self.dropped += self._hand.drop(MAX_WAITING)


def _shaper(plan: Plan) -> Shaper:
    return Shaper(plan.points, round(HEARTBEAT_S * SECOND_US))
