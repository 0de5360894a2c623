"""When a case must be done: one limit per priority, in natural time (7 x 24, 紧急工作时).

Working calendars (工作日) are not here yet; alarms of devices do not keep office hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from protocols.model.alarm import Priority

DEFAULT_MINUTES: Final[Mapping[str, int]] = {"P1": 30, "P2": 120, "P3": 480, "P4": 1440}


@dataclass(frozen=True, slots=True)
class Limits:
    """Minutes from the opening of a case to its due time, by priority."""

    minutes: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_MINUTES))

    @classmethod
    def of(cls, changed: Mapping[str, int]) -> Limits:
        """Return the default limits with these changed."""
        return cls({**DEFAULT_MINUTES, **changed})

    def due_at(self, opened_at: datetime, priority: Priority) -> datetime:
        """Return the due time of a case of that priority, opened then."""
        return opened_at + timedelta(minutes=self.minutes[priority])


def is_overdue(due_at: datetime, ended_at: datetime | None, now: datetime) -> bool:
    """Say whether a due time was missed: the work ended after it, or it is open and the time is past."""
    return (now if ended_at is None else ended_at) > due_at
