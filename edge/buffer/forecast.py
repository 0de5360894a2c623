"""How long the log lasts if the centre stays away: what is left, by what came in the last hour."""

from __future__ import annotations

from collections import deque
from typing import Final

from protocols.model.clock import SECOND_US

_MARK_US: Final = 10 * SECOND_US
_MARKS: Final = 360
_LEAST_US: Final = SECOND_US


class Inflow:
    """Bytes that come, as a rate over the last hour."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque(maxlen=_MARKS)
        self._total = 0

    def note(self, amount: int, now_us: int) -> None:
        """Count bytes that came."""
        if not self._marks or not 0 <= now_us - self._marks[-1][0] < _MARK_US:
            if self._marks and now_us < self._marks[-1][0]:
                self._marks.clear()  # the clock was set back
            self._marks.append((now_us, self._total))
        self._total += amount

    def per_s(self, now_us: int) -> float | None:
        """Return bytes per second; None before there is a second to tell from."""
        if not self._marks:
            return None
        since_us, before = self._marks[0]
        passed_us = now_us - since_us
        return (self._total - before) * SECOND_US / passed_us if passed_us >= _LEAST_US else None


def in_words(left_s: float) -> tuple[str, str]:
    """Return a span of time as (Chinese, English) words of two units: `9 天 4 小时`, `9 d 4 h`."""
    minutes = int(left_s // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} 天 {hours} 小时", f"{days} d {hours} h"
    if hours:
        return f"{hours} 小时 {rest} 分", f"{hours} h {rest} min"
    return f"{rest} 分", f"{rest} min"


def left_in_words(left_s: float | None) -> tuple[str, str]:
    """Return the forecast as a sentence, (Chinese, English): `9 d 4 h left at this rate`."""
    if left_s is None:
        return "尚无法预测", "no forecast yet"
    zh, en = in_words(left_s)
    return f"按当前速率还可存 {zh}", f"{en} left at this rate"
