"""Where one alarm stands: base state, occurrence, overlays. And how all of it outlives the process."""

from __future__ import annotations

from typing import Final

import msgspec

from protocols.model.alarm import ACTIVE_STATES, UNACKED_STATES, AlarmState, Overlay

VERSION: Final = 2
NEVER_US: Final = 1 << 62
WHEN: Final = "when"
"""Source of a suppression by the rule's own `suppress_when`; other sources are ids of rules."""


class Cover(msgspec.Struct):
    """An overlay in force: since when, by whom and why. until_us ends a shelving, absolutely.

    sources: what suppresses (DSUPR) at present, `when` or ids of rules.
    """

    since_us: int
    actor: str = ""
    comment: str = ""
    until_us: int | None = None
    one_shot: bool = False
    sources: list[str] = msgspec.field(default_factory=list)


class Standing(msgspec.Struct):
    """One alarm. number is that of the occurrence's last step; times are source time, `realarm_us` ours.

    quiet: since the alarm is hidden, only a higher level of the same point has hidden it.
    """

    rule: str
    point: str
    state: AlarmState = AlarmState.NORM
    occurrence: str = ""
    number: int = 0
    event_us: int = 0
    sample_us: int = 0
    raised_us: int = 0
    cleared_us: int | None = None
    acked_us: int | None = None
    acked_by: str = ""
    raise_value: float | None = None
    value: float | None = None
    quality: int = 0
    realarms: int = 0
    reactivations: int = 0
    realarm_us: int | None = None
    first_out: bool = False
    quiet: bool = False
    covers: dict[Overlay, Cover] = msgspec.field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether the condition holds."""
        return self.state in ACTIVE_STATES

    @property
    def unacked(self) -> bool:
        """Whether somebody must acknowledge it."""
        return self.state in UNACKED_STATES

    @property
    def open(self) -> bool:
        """Whether its occurrence is not closed."""
        return self.state is not AlarmState.NORM

    @property
    def aside(self) -> bool:
        """Whether a person has put it aside."""
        return Overlay.SHLVD in self.covers or Overlay.OOSRV in self.covers

    @property
    def due_us(self) -> int:
        """When the clock has something to do: end a shelving, call again.

        A call that is due under an overlay waits for the overlay to go, which calls by itself.
        """
        shelf = self.covers.get(Overlay.SHLVD)
        until = NEVER_US if shelf is None or shelf.until_us is None else shelf.until_us
        return until if self.realarm_us is None or self.covers else min(until, self.realarm_us)

    @property
    def overlays(self) -> tuple[Overlay, ...]:
        """The overlays in force, in the order in which they are shown."""
        return tuple(overlay for overlay in Overlay if overlay in self.covers)


class Timer(msgspec.Struct):
    """A running delay. `since_us` is the source time of its first sample, `due_us` wall-clock time.

    sample: (time, value, quality) of the last sample that kept it running. held_us: source time at which
    a bad sample stopped it.
    """

    since_us: int
    due_us: int
    sample: tuple[int, float | None, int]
    held_us: int | None = None


class Saved(msgspec.Struct, kw_only=True):
    """All that outlives the process or a change of configuration. timers: by rule."""

    version: int = VERSION
    now_us: int
    standings: list[Standing]
    timers: dict[str, Timer]


def save(saved: Saved) -> bytes:
    """Return the bytes to be kept."""
    return msgspec.msgpack.encode(saved)


def restore(kept: bytes | None) -> Saved | None:
    """Read what was kept; None where there is nothing, or nothing that this version can read."""
    if kept is None:
        return None
    try:
        saved = msgspec.msgpack.decode(kept, type=Saved)
    except msgspec.DecodeError:
        # Written by another version. The alarms that still hold are raised again by their next samples.
        return None
    return saved if saved.version == VERSION else None
