"""What a rule says of a sample: the codes that columns, judges and timers share."""

from __future__ import annotations

from typing import Final, NamedTuple

BAD: Final = 0
"""Nothing is known: everything is held, delays pause."""
BAND: Final = 1
"""Neither violated nor clear: between the limit and its deadband."""
VIOLATED: Final = 2
CLEAR: Final = 3
ANEW: Final = 4
"""Violated for a new reason: a delay that runs begins again at this sample."""
UNHEARD: Final = 5
"""Another point of the rule has not been heard since the start: this sample says nothing, not even that."""
MOVED: Final = 6
"""What stood still has moved: clear, and the time of standing still begins anew at this sample."""


class Sample(NamedTuple):
    """The reading that decides a step, and what a rule says of it. value None: it has no number."""

    time_us: int
    value: float | None
    quality: int
    verdict: int
