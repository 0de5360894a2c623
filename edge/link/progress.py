"""How fast the backlog goes, and when it will be gone: for the page and for the status at the centre."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from edge.buffer.base import Depth
from protocols.wire.handshake import BacklogStatus

WINDOW_S: Final = 60.0
SLOWEST_PER_S: Final = 0.1
"""A backlog that shrinks more slowly stands still, to the eye."""
_MARK_S: Final = 1.0


class Progress:
    """Counts readings that the centre has committed, and watches what waits. Times: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent = 0
        self._marks: deque[tuple[float, int, int]] = deque()
        self._began = clock()

    def note(self, readings: int) -> None:
        """Count readings that arrived."""
        self._sent += readings

    def look(self, depth: Depth) -> BacklogStatus:
        """Return the state of the backlog; call it every few seconds with the depth of `readings`.

        eta_s follows from how what waits has shrunk within the last minute; None while it has not.
        """
        now = self._clock()
        while self._marks and now - self._marks[0][0] > WINDOW_S:
            self._marks.popleft()
        since, sent, waited = self._marks[0] if self._marks else (self._began, 0, depth.rows)
        passed = max(now - since, _MARK_S)
        if not self._marks or now - self._marks[-1][0] >= _MARK_S:
            self._marks.append((now, self._sent, depth.rows))
        shrinks = (waited - depth.rows) / passed
        eta_s = 0.0 if not depth.rows else depth.rows / shrinks if shrinks >= SLOWEST_PER_S else None
        return BacklogStatus(
            batches=depth.batches,
            readings=depth.rows,
            bytes=depth.bytes,
            oldest_us=depth.oldest_us,
            readings_per_s=(self._sent - sent) / passed,
            eta_s=eta_s,
        )
