"""Commit-confirm: is a new configuration as good as the one before? Pure; the clock is given.

    watching → confirmed   the uplink and every device that was well before are well again, and stayed so
             → failed      the time is over without that

After JunOS `commit confirmed`: nobody has to be there to take back what cut him off.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

STEADY_S: Final = 10.0
"""Everything must be well for so long in one piece; a quarter of a probation that is short."""
ProbationState = Literal["watching", "confirmed", "failed"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is well at one moment: device keys, and whether the centre has answered since the change."""

    devices: frozenset[str]
    uplink: bool


class Probation:
    """One probation of `seconds`, of which `spent_s` have passed. Times are monotonic seconds.

    devices and uplink: what was well before the change and is still configured. Where everything is well
    at the end but not for long enough yet, it is watched on, for STEADY_S at most.
    """

    def __init__(
        self, now: float, seconds: float, devices: Collection[str], uplink: bool, spent_s: float = 0.0
    ) -> None:
        self.state: ProbationState = "watching"
        self.missing: tuple[str, ...] = ()
        """Devices that are not well, as last seen."""
        self.cut_off = uplink
        """Whether the uplink was up before and has not answered yet, as last seen."""
        self._needed = tuple(devices)
        self._uplink = uplink
        self._began = now - min(max(spent_s, 0.0), seconds)
        self._seconds = seconds
        self._steady_s = min(STEADY_S, seconds / 4)
        self._well_since: float | None = None
        self._why = ""

    def look(self, now: float, seen: Seen) -> ProbationState:
        """Judge what is seen now; a decision stands for ever."""
        if self.state != "watching":
            return self.state
        self.missing = tuple(device for device in self._needed if device not in seen.devices)
        self.cut_off = self._uplink and not seen.uplink
        if self.missing or self.cut_off:
            self._well_since = None
            if self.spent_s(now) >= self._seconds:
                self.state = "failed"
            return self.state
        if self._well_since is None:
            self._well_since = now
        if now - self._well_since >= self._steady_s:
            self.state = "confirmed"
        return self.state

    def confirm(self) -> ProbationState:
        """End it well by a person's word, where it has not ended yet."""
        if self.state == "watching":
            self.state = "confirmed"
        return self.state

    def give_up(self, why: str) -> ProbationState:
        """End it badly at once, where it has not ended yet; `why` in words."""
        if self.state == "watching":
            self.state, self._why = "failed", why
        return self.state

    def spent_s(self, now: float) -> float:
        """Return the seconds of it that have passed."""
        return max(now - self._began, 0.0)

    def left_s(self, now: float) -> float:
        """Return the seconds until it ends at the latest, as long as not everything is well."""
        return max(self._seconds - self.spent_s(now), 0.0)

    def why(self) -> str:
        """Return in words what is not well, as last seen, or why it was given up."""
        if self._why:
            return self._why
        parts = []
        if self.cut_off:
            parts.append("the centre has not answered since")
        if self.missing:
            shown = ", ".join(self.missing[:5]) + (", …" if len(self.missing) > 5 else "")
            n = len(self.missing)
            parts.append(f"{n} device{'s' if n != 1 else ''} that was well before did not come back: {shown}")
        return "; ".join(parts).replace("devices that was", "devices that were")
