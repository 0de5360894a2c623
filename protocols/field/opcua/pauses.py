"""Growing pauses between tries of what a server refused."""

from __future__ import annotations

import math
from typing import Final

RETRY_S: Final = (60.0, 120.0, 300.0, 600.0)
"""Pauses before what the server refused is asked for again: nodes, items, a subscription."""


class Pause:
    """A growing pause between tries; `at` is when the next one is due."""

    def __init__(self) -> None:
        self.at = math.inf
        self._tries = 0

    def begin(self, now: float) -> None:
        """Wait the shortest pause from now."""
        self._tries = 0
        self.at = now + RETRY_S[0]

    def next(self, now: float) -> None:
        """Wait the next longer pause from now."""
        self._tries = min(self._tries + 1, len(RETRY_S) - 1)
        self.at = now + RETRY_S[self._tries]

    def due(self, now: float) -> bool:
        """Tell whether the pause is over."""
        return now >= self.at
