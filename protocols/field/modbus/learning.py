"""What a device turns out to bear, beside what its profile says: holes, its longest read, the pause it needs.

    a merged read is refused ─→ halves ─→ … ─→ both halves answer ─┬ a gap lies between them: it has a hole
                                                                    └ none does: the read was too long
Kept over restarts in the driver's notes (`protocols.field.base.Notes`), by device, as plain data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from protocols.field.base import Notes
from protocols.model.device import Limits

VERSION: Final = 1
PAUSES_MS: Final = (0, 5, 10, 20, 50, 100, 200)
"""Rests that are tried one after the other with a device that leaves hurried questions unanswered."""
_HURRIED_S: Final = 0.25
"""A question so soon after the last answer is a hurried one."""
_PROOFS: Final = 3


@dataclass(frozen=True, slots=True, order=True)
class Hole:
    """`count` registers or bits from `start` that the device refuses with `code`.

    whole: they are a value that was refused alone; else at least one of them does not exist.
    """

    fc: int
    start: int
    count: int
    code: int
    whole: bool

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.start + self.count


@dataclass(slots=True)
class Learnt:
    """What is known of one device. `largest` counts registers, `largest_bits` bits; None: as said."""

    holes: set[Hole] = field(default_factory=set)
    largest: int | None = None
    largest_bits: int | None = None
    pause_ms: int = 0
    learnt_us: int = 0
    """When something was learnt last, UTC."""

    def limits(self, limits: Limits) -> Limits:
        """Return a profile's limits, as far as the device bears them."""
        if self.largest is None or self.largest >= limits.max_registers:
            return limits
        return limits.model_copy(update={"max_registers": self.largest})

    def holes_of(self, fc: int) -> list[Hole]:
        """Return the holes of a table, by address."""
        return sorted(hole for hole in self.holes if hole.fc == fc)

    def shrink(self, fc: int, count: int) -> None:
        """Note that the device bears reads of at most `count`."""
        if fc <= 2:
            self.largest_bits = min(count, self.largest_bits or count)
        else:
            self.largest = min(count, self.largest or count)

    def most(self, fc: int) -> int | None:
        """Return the longest read of a table that was learnt."""
        return self.largest_bits if fc <= 2 else self.largest

    @property
    def nothing(self) -> bool:
        """Whether the profile has said everything."""
        return not self.holes and self.largest is None and self.largest_bits is None and not self.pause_ms

    def record(self, profile: str) -> dict[str, Any]:
        """Return it as plain data. It holds for this profile only: another one asks other questions."""
        return {
            "version": VERSION,
            "profile": profile,
            "holes": [
                {
                    "fc": hole.fc,
                    "address": hole.start,
                    "count": hole.count,
                    "exception": hole.code,
                    "value": hole.whole,
                }
                for hole in sorted(self.holes)
            ],
            "max_registers": self.largest,
            "max_bits": self.largest_bits,
            "pause_ms": self.pause_ms,
            "learnt_us": self.learnt_us,
        }

    @classmethod
    def of(cls, record: dict[str, Any], profile: str) -> Learnt:
        """Take up what was kept; nothing where it is of another profile, another version or damaged."""
        if record.get("version") != VERSION or record.get("profile") != profile:
            return cls()
        try:
            return cls(
                {
                    Hole(
                        int(one["fc"]),
                        int(one["address"]),
                        int(one["count"]),
                        int(one["exception"]),
                        bool(one["value"]),
                    )
                    for one in record["holes"]
                },
                None if record["max_registers"] is None else max(1, int(record["max_registers"])),
                None if record["max_bits"] is None else max(1, int(record["max_bits"])),
                max(0, min(PAUSES_MS[-1], int(record["pause_ms"]))),
                int(record["learnt_us"]),
            )
        except (KeyError, TypeError, ValueError):
            return cls()


def crosses(holes: Sequence[Hole], start: int, end: int) -> bool:
    """Tell whether one of the holes lies in the addresses from `start` up to `end`."""
    return any(hole.start < end and start < hole.end for hole in holes)


class Hurry:
    """Finds out whether a device needs rest between two questions.

    A hurried question that stays silent, and is answered when it is asked again a time-out later, is a proof;
    a hurried one that is answered at once takes one back.
    """

    def __init__(self, learnt: Learnt) -> None:
        self._learnt = learnt
        self._proofs = 0

    def asked(self, hurried: bool, attempts: int) -> bool:
        """Note a question that was answered after so many attempts; return whether the pause has grown."""
        if not hurried:
            return False
        self._proofs = self._proofs + 1 if attempts > 1 else max(0, self._proofs - 1)
        if self._proofs < _PROOFS:
            return False
        longer = [pause for pause in PAUSES_MS if pause > self._learnt.pause_ms]
        if not longer:
            return False
        self._proofs = 0
        self._learnt.pause_ms = longer[0]
        return True


def is_hurried(since_s: float) -> bool:
    """Tell whether a question that many seconds after the unit's last answer is a hurried one."""
    return since_s < _HURRIED_S


def kept(notes: Notes, device: str, profile: str) -> Learnt:
    """Return what is noted of a device."""
    return Learnt.of(notes.get(device), profile)
