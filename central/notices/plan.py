"""The planner of escalations: which step is due when. Pure; the time is given.

The fires of a plan are counted from 0: first its steps, in order, then the last step again every `repeat`.
What has been done is one number, how many fires are over, and it is kept with what they sent: two centres,
or one that starts anew, come to the same next fire and not to one that is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from central.notices.bodies import Until

UNACKED: Final = frozenset({"UNACK", "RTNUN", "LTUNK"})
ACTIVE: Final = frozenset({"UNACK", "ACKED"})

Ended = Literal["acknowledged", "cleared", "closed", "covered", "rule-gone"]
"""Why an escalation is over: covered is shelved, suppressed or in maintenance."""


@dataclass(frozen=True, slots=True)
class Fire:
    """One step that is due. step counts from 0; upto: fires that are over once it is sent."""

    step: int
    at: datetime
    upto: int


@dataclass(frozen=True, slots=True)
class Plan:
    """When each step comes after the start, rising; repeat of the last one, None: never."""

    after: Sequence[timedelta]
    repeat: timedelta | None

    def at(self, fire: int, started: datetime) -> datetime | None:
        """Return when a fire comes; None where there is none of that number."""
        if fire < len(self.after):
            return started + self.after[fire]
        if self.repeat is None:
            return None
        return started + self.after[-1] + (fire - len(self.after) + 1) * self.repeat

    def due(self, started: datetime, fired: int, now: datetime) -> list[Fire]:
        """Return the steps that are due, each once: repeats that were missed while nobody ran are one."""
        fires: list[Fire] = []
        number = fired
        while number < len(self.after) and started + self.after[number] <= now:
            fires.append(Fire(number, started + self.after[number], number + 1))
            number += 1
        if number < len(self.after) or self.repeat is None:
            return fires
        over = now - started - self.after[-1]
        last = len(self.after) - 1 + over // self.repeat
        if last >= number:
            upto = last + 1
            at = self.at(last, started)
            assert at is not None  # noqa: S101 - it repeats
            if fires:  # the last step itself is due as well: that is one message, not two
                fires[-1] = Fire(fires[-1].step, fires[-1].at, upto)
            else:
                fires.append(Fire(len(self.after) - 1, at, upto))
        return fires


def ended(until: Until, state: str, *, closed: bool, covered: bool) -> Ended | None:
    """Say why nobody needs to be told any more, or None while somebody does."""
    if closed:
        return "closed"
    if covered:
        return "covered"
    if until != "cleared" and state not in UNACKED:
        return "acknowledged"
    if until != "acknowledged" and state not in ACTIVE:
        return "cleared"
    return None
