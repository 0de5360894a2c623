"""Time as the product counts it: int64 microseconds since 1970-01-01T00:00:00Z (`*_us`).

Microseconds, because PostgreSQL's timestamptz holds exactly these: no time is rounded on its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], int]
"""Returns the present as `time_us`. Injected everywhere, so that no test of time sleeps."""

SECOND_US = 1_000_000
LATEST_US = 4_102_444_800_000_000
"""2100-01-01: a time beyond it, or before 1970, is an error of whoever told it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_us() -> int:
    """Return the wall clock, UTC, in microseconds."""
    return time.time_ns() // 1_000


def to_datetime(time_us: int) -> datetime:
    """Return `time_us` as an aware UTC datetime, exactly."""
    return _EPOCH + timedelta(microseconds=time_us)


def from_datetime(moment: datetime) -> int:
    """Return an aware datetime as `time_us`, exactly; a naive one is refused with ValueError."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; give one, such as +00:00")
    return (moment - _EPOCH) // timedelta(microseconds=1)
