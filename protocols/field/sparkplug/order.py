"""The sequence of an edge node's messages: 0 to 255 and round again, over the node and all its devices.

    expected ──────────────► handed on, and all that waited behind it
    a later one ───────────► held; from the first on, the reorder timeout runs
    one that came already ─► ignored (a broker may deliver twice)
    timeout, too many held ► a gap: what was held goes on, and the node is asked for a rebirth

Sparkplug B 3.0.0, clause 5.9 (tck-id-operational-behavior-host-reordering-*). Time is given, in seconds.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
RANGE: Final = 256
MOST_HELD: Final = 64
_REMEMBERED: Final = 16


class Order(Generic[Item]):
    """One session of one edge node. `gaps` and `repeats` count since the beginning."""

    def __init__(self, reorder_s: float) -> None:
        self.gaps = 0
        self.repeats = 0
        self._reorder_s = reorder_s
        self._expected = 0
        self._held: dict[int, tuple[int, Item]] = {}
        self._give_up_at: float | None = None
        self._recent: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    def begin(self, seq: int) -> None:
        """Start anew after a node birth with this number; what was held belongs to the past."""
        self._expected = (seq + 1) % RANGE
        self._held.clear()
        self._give_up_at = None
        self._recent.clear()

    def offer(self, seq: int, mark: int, item: Item, now: float) -> list[Item]:
        """Return what may be handed on now, in order; `mark` tells a repetition from another message."""
        if (seq, mark) in self._recent:
            self.repeats += 1
            return []
        if seq != self._expected:
            self._held[seq] = (mark, item)
            if self._give_up_at is None:
                self._give_up_at = now + self._reorder_s
            return []
        self._recent.append((seq, mark))
        ready = [item]
        self._expected = (seq + 1) % RANGE
        while self._expected in self._held:
            held_mark, held = self._held.pop(self._expected)
            self._recent.append((self._expected, held_mark))
            ready.append(held)
            self._expected = (self._expected + 1) % RANGE
        self._give_up_at = None if not self._held else now + self._reorder_s
        return ready

    def overdue(self, now: float) -> bool:
        """Tell whether a missing message is not coming any more."""
        return self._give_up_at is not None and (now >= self._give_up_at or len(self._held) > MOST_HELD)

    def give_up(self) -> list[Item]:
        """Return what was held, in its order; the sequence goes on behind it."""
        places = sorted(self._held, key=lambda seq: (seq - self._expected) % RANGE)
        held = [self._held[seq][1] for seq in places]
        if places:
            self.gaps += 1
            self._recent.extend((seq, self._held[seq][0]) for seq in places)
            self._expected = (places[-1] + 1) % RANGE
        self._held.clear()
        self._give_up_at = None
        return held
