"""When the next readings may go: the data plan of the day for all of them, a rate for the backlog.

Alarms and outcomes are counted and never wait. Times are of the loop, in seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

OVERHEAD: Final = 700
"""Bytes of one request and its answer beside the batch: headers, TLS records, acknowledgements of TCP."""


class Pace:
    """Lets batches of readings go one by one. `spend` counts bytes and returns the pause that they cost."""

    def __init__(self, spend: Callable[[int], float], backlog_per_s: int | None = None) -> None:
        self._spend = spend
        self.backlog_per_s = backlog_per_s
        self._next = 0.0
        self._next_old = 0.0

    async def wait(self, *, backlog: bool) -> None:
        """Wait until the next batch of readings may go."""
        loop = asyncio.get_running_loop()
        while (pause := max(self._next, self._next_old if backlog else 0.0) - loop.time()) > 0:  # noqa: ASYNC110 - others move the end
            await asyncio.sleep(pause)

    def went(self, size: int, readings: int, *, backlog: bool) -> None:
        """Count a batch that went, whether it arrived or not. readings: 0 for alarms and outcomes."""
        now = asyncio.get_running_loop().time()
        gap = self._spend(size + OVERHEAD)
        if readings:
            self._next = now + gap
        if backlog and self.backlog_per_s:
            self._next_old = max(self._next_old, now) + readings / self.backlog_per_s
