"""Select before operate (IEC 60870-5-101 clause 7.2.6, IEC 61850-7-2 clause 20): two steps instead of one.

    (nobody) ── select ──► selected by ISSUER for VALUE ── operate, same issuer and value ──► (nobody)
                                     │
                                     └── time over · operated with another value · written by another way

A selection is spent by the first operate of its issuer, whatever becomes of it. None outlives a restart:
the operator then selects again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.errors import Rejected
from protocols.model.command import Reason

_NOTHING: Final = "nothing was written"


@dataclass(frozen=True, slots=True)
class _Selection:
    issuer: str
    value: float | str
    until_us: int


class Selections:
    """Who has selected which point. Times are monotonic microseconds."""

    def __init__(self) -> None:
        self._held: dict[str, _Selection] = {}

    def select(self, point: str, issuer: str, value: float | str, now_us: int, lasts_us: int) -> None:
        """Reserve a point; its own issuer may do so again, with another value too.

        Raises Rejected: `selected-by-other`.
        """
        self._mine(point, issuer, now_us)
        self._held[point] = _Selection(issuer, value, now_us + lasts_us)

    def operate(self, point: str, issuer: str, value: float | str, now_us: int) -> None:
        """Spend a selection. Raises Rejected: `select-first`, `selected-by-other`, `not-as-selected`."""
        selection = self._mine(point, issuer, now_us)
        if selection is None:
            raise Rejected(
                Reason.SELECT_FIRST, f"{point!r} is not selected, or the time for it is over; {_NOTHING}"
            )
        del self._held[point]
        if selection.value != value:
            raise Rejected(
                Reason.NOT_AS_SELECTED,
                f"{point!r} was selected for {selection.value}, not for {value}; {_NOTHING}; select again",
            )

    def drop(self, point: str) -> None:
        """Forget a selection: the point was written by another way, and is not what was seen any more."""
        self._held.pop(point, None)

    def _mine(self, point: str, issuer: str, now_us: int) -> _Selection | None:
        selection = self._held.get(point)
        if selection is None or now_us >= selection.until_us:
            self._held.pop(point, None)
            return None
        if selection.issuer != issuer:
            left_s = (selection.until_us - now_us) / 1e6
            raise Rejected(
                Reason.SELECTED_BY_OTHER,
                f"{point!r} is selected by {selection.issuer} for another {left_s:.0f} s; {_NOTHING}",
            )
        return selection
