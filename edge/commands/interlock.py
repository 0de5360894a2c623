"""Interlocks: what protects the equipment from every command, whoever gives it.

    permissives → mutual exclusion → minimum on and off time

Fail-safe: what is not known forbids. `on` is any value but 0. Only stopping a point of which nobody knows
how long it has been on is allowed without knowing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.commands.condition import Condition
from edge.commands.memory import Run
from edge.expression.now import Look
from protocols.errors import Rejected
from protocols.model.clock import SECOND_US
from protocols.model.command import Reason


@dataclass(frozen=True, slots=True)
class Guard:
    """The interlock of one point. Times in microseconds; `excludes` are points by `device.point`."""

    permit: tuple[Condition, ...] = ()
    permit_for: Literal["on", "off", "any"] = "on"
    excludes: tuple[str, ...] = ()
    min_on_us: int = 0
    min_off_us: int = 0
    why: str = ""

    @property
    def timed(self) -> bool:
        """Whether it matters since when the point is on or off."""
        return bool(self.min_on_us or self.min_off_us)

    def check(self, value: float | str, number: Look, run: Run | None, now_us: int) -> None:
        """Raise Rejected where this value must not be written now; `now_us` as in `Run`, monotonic.

        Reasons: `interlock`, `interlock-unknown`, `excluded`, `min-off`, `min-on`.
        """
        on = value != 0
        if self.permit_for == "any" or (not isinstance(value, str) and on == (self.permit_for == "on")):
            self._permitted(number)
        if isinstance(value, str):
            return
        if on:
            self._exclusive(number)
        self._rested(on, run, now_us)

    def _permitted(self, number: Look) -> None:
        for condition in self.permit:
            holds = condition.holds(number)
            because = f" ({self.why})" if self.why else ""
            if holds is None:
                raise Rejected(
                    Reason.INTERLOCK_UNKNOWN,
                    f"not known whether {condition}{because}; a value it needs is bad or too old",
                )
            if not holds:
                raise Rejected(Reason.INTERLOCK, f"{condition} does not hold{because}")

    def _exclusive(self, number: Look) -> None:
        for other in self.excludes:
            value = number(other)
            if value is None:
                raise Rejected(
                    Reason.INTERLOCK_UNKNOWN, f"not known whether {other} is off, and both never run together"
                )
            if value != 0:
                raise Rejected(Reason.EXCLUDED, f"{other} is on, and both never run together; stop it first")

    def _rested(self, on: bool, run: Run | None, now_us: int) -> None:
        least_us = self.min_off_us if on else self.min_on_us
        if not least_us or (run is not None and run.on == on):
            return
        if run is None:
            if on:
                raise Rejected(Reason.INTERLOCK_UNKNOWN, "not known yet for how long it has been off")
            return
        left_us = run.since_us + least_us - now_us
        if left_us > 0:
            state, reason = ("off", Reason.MIN_OFF) if on else ("on", Reason.MIN_ON)
            raise Rejected(
                reason,
                f"it stays {state} for at least {least_us / SECOND_US:g} s; {left_us / SECOND_US:.0f} s left",
            )


def mutual(pairs: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return the exclusions of each point, in both directions: who excludes is excluded."""
    both: dict[str, dict[str, None]] = {}
    for point, others in pairs.items():
        for other in others:
            both.setdefault(point, {})[other] = None
            both.setdefault(other, {})[point] = None
    return {point: tuple(others) for point, others in both.items()}


def groups(excludes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return for each point a name of all that hang together by exclusions: they are written in turn."""
    name: dict[str, str] = {}
    for start in sorted(excludes):
        waiting = [] if start in name else [start]
        while waiting:
            point = waiting.pop()
            if point not in name:
                name[point] = start
                waiting += excludes.get(point, ())
    return name
