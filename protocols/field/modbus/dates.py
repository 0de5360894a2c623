"""Date-times as meters and controllers pack them, to seconds since 1970 by the device's own clock and back.

date6   year (2026 or 26) | month | day | hour | minute | second            a register each
date3   minute, second | day, hour | year, month                             a byte each (EPEVER 9013h)
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Final

DATES: Final = frozenset({"date6", "date3"})
_CENTURY: Final = 2000


def seconds_of(kind: str, big: bytes) -> float | None:
    """Return the seconds of registers, the high byte of each first; None where they are no date."""
    if kind == "date6":
        year, month, day, hour, minute, second = struct.unpack(">6H", big)
    else:
        minute, second, day, hour, year, month = big
    try:
        whole = year + _CENTURY if year < 100 else year
        return datetime(whole, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def registers_of(kind: str, seconds: float) -> bytes:
    """Return the registers of a date-time. Raises ValueError, OverflowError where it has none."""
    at = datetime.fromtimestamp(seconds, UTC)
    if kind == "date6":
        return struct.pack(">6H", at.year, at.month, at.day, at.hour, at.minute, at.second)
    if not 0 <= at.year - _CENTURY < 100:
        raise ValueError(f"the year {at.year} is none of two digits from {_CENTURY}")
    return bytes((at.minute, at.second, at.day, at.hour, at.year - _CENTURY, at.month))
