"""How busy the alarms are: one that chatters, and a flood of them. Source: alarms.md section 8.

Chattering: more than 5 state changes within 5 minutes, rolling. Flood: begins with more than 10
annunciations within 10 minutes, looked at with each of them; ends with fewer than 5 within 10 minutes,
looked at each minute. Both run on the gateway's clock, minutes aligned to it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from protocols.model.clock import SECOND_US

CHATTER_CHANGES: Final = 5
CHATTER_US: Final = 300 * SECOND_US
FLOOD_BEGINS: Final = 10
FLOOD_ENDS: Final = 5
FLOOD_MINUTES: Final = 10
_MINUTE_US: Final = 60 * SECOND_US


class Rates:
    """Counts for one gateway; rules by their position. `flood_since_us` None: no flood."""

    def __init__(self) -> None:
        self.flood_since_us: int | None = None
        self._changes: dict[int, deque[int]] = {}
        self._minutes: deque[tuple[int, int]] = deque()
        self._minute = 0

    def changed(self, rule: int, now_us: int) -> None:
        """A rule has become active, or no longer is."""
        self._changes.setdefault(rule, deque(maxlen=CHATTER_CHANGES + 1)).append(now_us)

    def annunciated(self, now_us: int) -> None:
        """An operator has been called to an alarm."""
        minute = now_us // _MINUTE_US
        last = self._minutes[-1] if self._minutes else (minute - 1, 0)
        if last[0] == minute:
            self._minutes[-1] = (minute, last[1] + 1)
        else:
            self._minutes.append((minute, 1))
        self._forget(minute)
        if self.flood_since_us is None and self._annunciations() > FLOOD_BEGINS:
            self.flood_since_us = now_us

    def tick(self, now_us: int) -> None:
        """Look at the end of each minute whether a flood is over, and forget what chatters no more."""
        minute = now_us // _MINUTE_US
        if minute == self._minute:
            return
        self._minute = minute
        self._forget(minute)
        if self.flood_since_us is not None and self._annunciations() < FLOOD_ENDS:
            self.flood_since_us = None
        old = [rule for rule, times in self._changes.items() if now_us - times[-1] > CHATTER_US]
        for rule in old:
            del self._changes[rule]

    def chattering(self, rule: int, now_us: int) -> bool:
        """Return whether a rule chatters at present."""
        times = self._changes.get(rule)
        return times is not None and len(times) > CHATTER_CHANGES and now_us - times[0] <= CHATTER_US

    def chatterers(self, now_us: int) -> int:
        """Return how many rules chatter at present."""
        return sum(self.chattering(rule, now_us) for rule in self._changes)

    def step_back(self, back_us: int) -> None:
        """The clock was set back: what was counted moves along."""
        self._minutes.clear()
        self._minute = 0
        for times in self._changes.values():
            moved = [time - back_us for time in times]
            times.clear()
            times.extend(moved)

    def _forget(self, minute: int) -> None:
        while self._minutes and self._minutes[0][0] <= minute - FLOOD_MINUTES:
            self._minutes.popleft()

    def _annunciations(self) -> int:
        return sum(count for _, count in self._minutes)
