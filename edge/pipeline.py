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
from typing import Final, NoReturn

import numpy as np
import structlog

from edge.alarms.engine import AlarmEngine
from edge.buffer.base import Buffer, Entry
from edge.config.bind import HEARTBEAT_S, Plan
from edge.shaping import Shaper
from protocols.errors import StorageError
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.reading import Readings

OnSteps = Callable[[Sequence[AlarmTransition]], None]
"""Is told the steps of alarms as they are judged; never blocks and never raises."""
ALARM_STATE: Final = "alarms"
TICK_S: Final = 0.1
MAX_WAITING: Final = 500_000
"""Readings that may wait in memory for shaping, and again for the disk."""
_RETRY_S: Final = 1.0
_SLICE: Final = 65_536


class Pipeline:
    """The road of one gateway. `put` may be given to any driver as its sink."""

    def __init__(
        self,
        plan: Plan,
        buffer: Buffer,
        clock: Clock = now_us,
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        self._urgent_points = np.zeros(len(plan.points), np.bool_)
        self._urgent = asyncio.Event()
        self._on_steps: list[OnSteps] = []
        entry = plan.loaded.entry
        self.shaper = Shaper(plan.points, round(HEARTBEAT_S * SECOND_US))
        self.dropped = 0
        self.received = 0
        self.alarms_open = 0
        self.storage_error: str | None = None
        self._plan = plan
        self._buffer = buffer
        self._clock = clock
        self._stored = stored
        self._batch_us = round(entry.batch.seconds * SECOND_US)
        self._batch_rows = entry.batch.readings
        self._engine = AlarmEngine(
            plan.gateway,
            plan.rules,
            plan.indexes,
            plan.declaration,
            clock(),
            restored=buffer.load_state(ALARM_STATE),
        )
        self.alarms_open = len(self._engine.open_alarms())
        self._waiting: deque[Readings] = deque()
        self._waiting_rows = 0
        self._open: list[Readings] = []
        self._open_rows = 0
        self._opened_us = 0
        self._transitions: list[AlarmTransition] = []
        self._closed: list[Entry] = []
        self._log = structlog.get_logger("edge.pipeline")

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
        if not self._urgent.is_set() and self._urgent_points[readings.point].any():
            self._urgent.set()

    def watch(self, points: Iterable[int], on_steps: OnSteps) -> None:
        """Tell `on_steps` every step of an alarm, and judge readings of these points without waiting."""
        self._urgent_points[list(points)] = True
        self._on_steps.append(on_steps)

    async def run(self) -> NoReturn:
        """Shape, judge and store until cancelled; what is in hand is then written by `finish`."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), TICK_S)
            self._urgent.clear()
            self.step(self._clock())
            if self._due():
                await self.store()

    async def finish(self) -> None:
        """Write what is in hand, at the end."""
        self.step(self._clock())
        await self.store()

    def step(self, now: int) -> None:
        """Shape and judge what waits, and let the alarm delays run on."""
        if self._waiting:
            parts, self._waiting = self._waiting, deque()
            self._waiting_rows = 0
            raw = Readings.concat(list(parts))
            self.received += len(raw)
            for start in range(0, len(raw), _SLICE):
                self._shape(raw if len(raw) <= _SLICE else _part(raw, start), now)
        self._judged(self._engine.tick(now))

    def _shape(self, raw: Readings, now: int) -> None:
        readings, forward = self.shaper.shape(raw, now)
        self._judged(self._engine.evaluate(readings, now))
        if not forward.all():
            readings = readings.take(forward)
        if not len(readings):
            return
        if not self._open:
            self._opened_us = now
        self._open.append(readings)
        self._open_rows += len(readings)

    def _judged(self, steps: list[AlarmTransition]) -> None:
        if not steps:
            return
        self._transitions += steps
        for tell in self._on_steps:
            tell(steps)

    def _due(self) -> bool:
        if self._transitions or self._closed or self._open_rows >= self._batch_rows:
            return True
        # A clock that was set back gives a negative age; the batch is closed then too.
        return bool(self._open) and not 0 <= self._clock() - self._opened_us < self._batch_us

    async def store(self) -> None:
        """Close the open batch and append it, with the alarms and their state, in one transaction."""
        self._close()
        if not self._closed:
            return
        entries, state = self._closed, {ALARM_STATE: self._engine.state()}
        alarms = any(entry.stream == "alarms" for entry in entries)
        write = asyncio.ensure_future(
            asyncio.to_thread(self._buffer.append, entries, state if alarms else None)
        )
        try:
            await asyncio.shield(write)
        except asyncio.CancelledError:
            # The thread cannot be stopped: wait for it, else `finish` would write the same again.
            await asyncio.wait([write])
            if write.exception() is None:
                self._closed = []
            raise
        except StorageError as error:
            self._refused(error)
            await asyncio.sleep(_RETRY_S)
            return
        self._closed = []
        if self.storage_error is not None:
            self._log.info("storage works again")
            self.storage_error = None
        self._stored()

    def _close(self) -> None:
        now, name = self._clock(), self._plan.declaration
        if self._transitions:
            steps, self._transitions = tuple(self._transitions), []
            self.alarms_open = len(self._engine.open_alarms())
            self._closed.append(Entry("alarms", name, now, steps))
            for step in steps:
                self._log.info("alarm", rule=step.rule, step=step.event.value, value=step.value)
        if self._open:
            whole, self._open, self._open_rows = Readings.concat(self._open), [], 0
            for start in range(0, len(whole), self._batch_rows):
                rows = whole if len(whole) <= self._batch_rows else _part(whole, start, self._batch_rows)
                self._closed.append(Entry("readings", name, now, rows))

    def _refused(self, error: StorageError) -> None:
        if self.storage_error is None:
            self._log.error("storage refuses; readings are held in memory", reason=str(error))
        self.storage_error = str(error)
        held = sum(len(entry.payload) for entry in self._closed if entry.stream == "readings")
        kept = []
        for entry in self._closed:
            if held > MAX_WAITING and entry.stream == "readings":
                held -= len(entry.payload)
                self.dropped += len(entry.payload)
            else:
                kept.append(entry)
        self._closed = kept


def _part(readings: Readings, start: int, rows: int = _SLICE) -> Readings:
    stop = min(start + rows, len(readings))
    return Readings(
        readings.point[start:stop],
        readings.time_us[start:stop],
        readings.value[start:stop],
        readings.quality[start:stop],
        {row - start: words for row, words in readings.text.items() if start <= row < stop},
    )
