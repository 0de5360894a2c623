"""What may be written or sent in one day: counted, kept over restarts, and spread over what is left of it.

When much is spent already, the pauses grow: the same readings go in fewer, larger pieces. Nothing is lost
for a budget's sake; a budget that is spent leaves one piece in every `MAX_GAP_S`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from protocols.model.clock import SECOND_US

MAX_GAP_S: Final = 60.0
_DAY_US: Final = 86_400 * SECOND_US
_IO: Final = Path("/proc/self/io")

Meter = Callable[[], int | None]
"""Returns the bytes that were written so far, or None where the system does not tell."""


def written_bytes() -> int | None:
    """Return what this process has sent to storage since it began (proc(5), `write_bytes`)."""
    try:
        for line in _IO.read_text(encoding="ascii").splitlines():
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
    except (OSError, ValueError):
        return None
    return None


class Budget:
    """Bytes of one UTC day; `limit` None only counts. Safe in every thread, and never waits for the disk."""

    def __init__(self, limit: int | None = None, day: int = 0, used: int = 0) -> None:
        self.limit = limit
        self.day = day
        self.used = used
        self._piece = 0.0
        self._gate = threading.Lock()

    def note(self, amount: int, now_us: int, pieces: int = 1) -> None:
        """Count so many bytes in so many pieces."""
        with self._gate:
            self._turn(now_us)
            self.used += amount
            piece = amount / pieces
            self._piece += (piece - self._piece) / 8 if self._piece else piece

    def gap_s(self, now_us: int) -> float:
        """Return the seconds between two usual pieces that spend the rest evenly until midnight."""
        with self._gate:
            self._turn(now_us)
            left, piece = (self.limit or 0) - self.used, self._piece
        if self.limit is None or not piece:
            return 0.0
        if left <= piece:
            return MAX_GAP_S
        left_s = (_DAY_US - now_us % _DAY_US) / SECOND_US
        return min(piece * left_s / left, MAX_GAP_S)

    def today(self, now_us: int) -> int:
        """Return the bytes of this day."""
        with self._gate:
            self._turn(now_us)
            return self.used

    def _turn(self, now_us: int) -> None:
        day = now_us // _DAY_US
        if day != self.day:
            self.day, self.used = day, 0


class Wear:
    """Counts what the disk takes, by the system's own count; where it has none, by what was handed over."""

    def __init__(self, budget: Budget, meter: Meter = written_bytes) -> None:
        self.budget = budget
        self._meter = meter
        self._last = meter()
        self._looked_us = 0
        self._handed_over = self._pieces = 0

    def note(self, handed_over: int, now_us: int) -> None:
        """Count one write of `handed_over` bytes."""
        self._handed_over += handed_over
        self._pieces += 1
        # The system is asked once a second: that costs as much as a small write.
        if 0 <= now_us - self._looked_us < SECOND_US:
            return
        self._looked_us = now_us
        total = self._meter()
        known = total is not None and self._last is not None
        amount = max((total or 0) - (self._last or 0), 0) if known else self._handed_over
        self.budget.note(amount, now_us, self._pieces)
        self._last, self._handed_over, self._pieces = total, 0, 0
