"""What a gateway remembers to obey well: who holds a device, what runs since when, who commanded last.

Inside the process times are monotonic, so that a stepped clock neither shortens nor lengthens a minimum
time or a hold; on the disk they are UTC, because a monotonic clock begins anew with the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

ALL: Final = "*"
"""Stands for every device of the gateway."""


class ManualHold(msgspec.Struct, frozen=True):
    """Who took a device into local manual mode, why, and when (UTC)."""

    actor: str
    reason: str
    since_us: int


class Run(msgspec.Struct, frozen=True):
    """A point is on (any value but 0) or off since then."""

    on: bool
    since_us: int


class _Kept(msgspec.Struct):
    manual: dict[str, ManualHold] = {}
    runs: dict[str, Run] = {}
    commanded: dict[str, int] = {}


class Memory:
    """Memory of one gateway; devices and points by key, so that it outlives a change of configuration.

    manual: by device. commanded: when a person last commanded a point. Times but those of `manual` are
    monotonic microseconds; those of a former process may be negative.
    """

    def __init__(self, kept: bytes | None, now_us: int, mono_us: int) -> None:
        stored = msgspec.json.decode(kept, type=_Kept) if kept else _Kept()
        self.manual = stored.manual
        # A clock that was set back since must not make a time lie in the future.
        self.runs = {
            point: Run(run.on, mono_us - max(now_us - run.since_us, 0)) for point, run in stored.runs.items()
        }
        self.commanded = {point: mono_us - max(now_us - at, 0) for point, at in stored.commanded.items()}

    def kept(self, now_us: int, mono_us: int) -> bytes:
        """Return what must outlive the process."""
        return msgspec.json.encode(
            _Kept(
                self.manual,
                {point: Run(run.on, now_us - (mono_us - run.since_us)) for point, run in self.runs.items()},
                {point: now_us - (mono_us - at) for point, at in self.commanded.items()},
            )
        )

    def held(self, device: str) -> ManualHold | None:
        """Return who holds a device by hand, itself or with the whole gateway."""
        return self.manual.get(device) or self.manual.get(ALL)

    def saw(self, present: Mapping[str, float | None], mono_us: int) -> bool:
        """Note which points are on and off now; return whether one has changed.

        A point never seen before counts from now on: nobody knows how long it has been so. A value that
        is not known leaves the last one standing.
        """
        changed = False
        for point, value in present.items():
            if value is None:
                continue
            run, on = self.runs.get(point), value != 0
            if run is None or run.on != on:
                self.runs[point] = Run(on, mono_us)
                changed = True
        return changed
