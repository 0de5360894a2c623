"""Date-times in registers, as meters and controllers pack them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

_SOON_S: Final = 30 * 86_400
_CENTURY: Final = 2000

Dated = tuple[str, int, datetime, float]
"""(form, registers, time, evidence in bits). Forms without a zone are shown as if they were UTC."""


def dates(words: Sequence[int], now: datetime | None) -> Iterator[Dated]:
    """Yield every date-time that the registers may begin with.

    `date6`: year, month, day, hour, minute, second, a register each. `date3`: minute and second, day and
    hour, year and month, a byte each, the first in the high byte (EPEVER 9013h). `unix-s`, `unix-ms`:
    time since 1970 in two or four registers, the high word first; `unix-s-CDAB` the low word first.
    """
    if len(words) >= 6:
        year = words[0] + _CENTURY if words[0] < 100 else words[0]
        if (found := _at(year, *words[1:6])) is not None:
            yield "date6", 6, found, 40.0 + _near(found, now)
    if len(words) >= 3:
        (minute, second), (day, hour), (year, month) = (divmod(word, 256) for word in words[:3])
        if year < 100 and (found := _at(_CENTURY + year, month, day, hour, minute, second)) is not None:
            yield "date3", 3, found, 8.0 + _near(found, now)
    if len(words) >= 2:
        for form, seconds in (
            ("unix-s", words[0] << 16 | words[1]),
            ("unix-s-CDAB", words[1] << 16 | words[0]),
        ):
            if 946_684_800 <= seconds < 2_524_608_000:
                found = datetime.fromtimestamp(seconds, UTC)
                yield form, 2, found, 1.4 + _near(found, now)
    if len(words) >= 4:
        milliseconds = words[0] << 48 | words[1] << 32 | words[2] << 16 | words[3]
        if 946_684_800_000 <= milliseconds < 2_524_608_000_000:
            found = datetime.fromtimestamp(milliseconds / 1000, UTC)
            yield "unix-ms", 4, found, 22.0 + _near(found, now)


def _at(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    if not _CENTURY <= year < _CENTURY + 100:
        return None
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _near(found: datetime, now: datetime | None) -> float:
    """Bits for a clock that is right: within a month of today."""
    return 8.0 if now is not None and abs((found - now).total_seconds()) < _SOON_S else 0.0
