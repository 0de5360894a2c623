"""What is in hand: judged, and not on the disk yet. It follows each step of the clock.

    add ──► [open batch] ──┐
    step ─► [alarms' steps]┴─ close ─► [closed batches] ─ kept on the disk, or dropped where it refuses

A closed batch that a thread is writing stays as it is; what follows the clock late is `owed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from edge.buffer.base import Entry
from edge.buffer.moved import moved_alarms, moved_entry, moved_readings
from edge.timekeeping import Stamp
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings
from protocols.model.step import Step

LATE_US: Final = 5 * SECOND_US
"""So long after a step of the clock, readings come in that were taken before it."""
_STEPS: Final = 200
"""Steps of alarms in one batch: the centre applies each by itself, and has to answer in time in a storm."""


class InHand:
    """The open batch, the steps of alarms, and the closed batches of one gateway; in one thread.

    stamp: under which clock a batch is made, where the time is in doubt.
    """

    def __init__(self, stamp: Callable[[], Stamp | None]) -> None:
        self._stamp = stamp
        self.rows = 0
        """Readings in the open batch."""
        self.closed: list[Entry] = []
        self._open: list[Readings] = []
        self._opened_us = 0
        self._steps: list[AlarmTransition] = []
        self._owed: list[int] = []
        """Steps of the clock that batches under way to the disk have not followed yet."""
        self._writing = False

    @property
    def urgent(self) -> bool:
        """Whether steps of alarms, or closed batches, wait for the disk."""
        return bool(self._steps or self.closed)

    def ripe(self, now_us: int, span_us: int) -> bool:
        """Whether the open batch was begun at least `span_us` ago."""
        # A clock that was set back gives a negative age; the batch is closed then too.
        return bool(self._open) and not 0 <= now_us - self._opened_us < span_us

    def add(self, readings: Readings, now_us: int) -> None:
        """Put readings into the open batch."""
        if not self._open:
            self._opened_us = now_us
        self._open.append(readings)
        self.rows += len(readings)

    def judged(self, steps: Sequence[AlarmTransition]) -> None:
        """Take steps of alarms."""
        self._steps += steps

    def close(self, declaration: str, now_us: int, rows: int) -> Sequence[AlarmTransition]:
        """Close the open batch, at most `rows` readings in each; return the steps that went with it."""
        stamp = self._stamp()
        steps, self._steps = tuple(self._steps), []
        for start in range(0, len(steps), _STEPS):
            self.closed.append(Entry("alarms", declaration, now_us, steps[start : start + _STEPS], stamp))
        if self._open:
            whole, self._open, self.rows = Readings.concat(self._open), [], 0
            self.closed += [
                Entry("readings", declaration, now_us, part, stamp) for part in whole.slices(rows)
            ]
        return steps

    def held(self, declaration: str) -> list[tuple[str, Readings]]:
        """Return the readings, in order, each part with its declaration; the open batch has this one."""
        closed = [
            (entry.declaration, entry.payload) for entry in self.closed if isinstance(entry.payload, Readings)
        ]
        return [*closed, *((declaration, part) for part in self._open)]

    def kept(self, entries: Sequence[Entry]) -> None:
        """Let go of closed batches that are on the disk."""
        kept = {id(entry) for entry in entries}
        self.closed = [entry for entry in self.closed if id(entry) not in kept]

    def drop(self, most: int) -> int:
        """Drop the oldest closed readings beyond `most`, alarms never; return how many."""
        held = sum(len(entry.payload) for entry in self.closed if entry.stream == "readings")
        dropped = 0
        left = []
        for entry in self.closed:
            if held - dropped > most and entry.stream == "readings":
                dropped += len(entry.payload)
            else:
                left.append(entry)
        self.closed = left
        return dropped

    def follow(self, by_us: int, now_us: int, span_us: int) -> None:
        """Follow a step of the clock to `now_us`; a closed batch was gathered within `span_us`."""
        if self._open:
            step = Step(by_us, now_us, max(now_us - by_us - self._opened_us, 0) + SECOND_US)
            self._open = [moved_readings(part, step) for part in self._open]
            self._opened_us += by_us
        if self._steps:
            self._steps = list(moved_alarms(self._steps, Step(by_us, now_us, LATE_US)))
        self._owed.append(by_us)
        self._catch_up(span_us)

    @contextmanager
    def writing(self, span_us: Callable[[], int]) -> Iterator[None]:
        """Leave the closed batches as they are while a thread writes them; they follow the clock after it."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
            self._catch_up(span_us())

    def _catch_up(self, span_us: int) -> None:
        if self._writing:
            return
        for by_us in self._owed:
            self.closed = [moved_entry(entry, by_us, span_us, self._stamp()) for entry in self.closed]
        self._owed = []
