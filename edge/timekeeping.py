"""The gateway's time: runs on the kernel's monotonic clock, and is led by whoever knows better.

    time = uptime + offset        uptime: CLOCK_BOOTTIME, which no person and no daemon can step

The offset follows, in this order: the system's clock while the kernel calls it synchronised (NTP, PTP,
adjtimex(2)); the centre's clock (of several answers the one with the shortest way, RFC 5905 clause 10);
the system's clock alone, where nobody else is heard. Up to two seconds are slewed at 1 %, so that time
never runs backwards; more is one recorded step. Somebody who sets the system's clock by a day therefore
changes nothing here, unless NTP or the centre agree with him, or nobody contradicts.

Until one of the two has confirmed the time, it is in doubt: what is recorded meanwhile carries a `Stamp`,
and as the offset is a constant of one run of the kernel, its times can be corrected afterwards, exactly.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import structlog

from protocols.model.clock import LATEST_US, SECOND_US, Clock, now_us

FILE_NAME: Final = "clock.json"
SLEW_US: Final = 2 * SECOND_US
"""Up to so much is slewed; more is a step."""
SLEW_RATE: Final = 0.01
PERSIST_US: Final = 600 * SECOND_US
"""A confirmed time is stepped only after so long a disagreement: a source can be wrong for a while."""
ALONE_US: Final = 60 * SECOND_US
"""Where nobody else is heard, a system clock that was set is followed after so long."""
_LOOK_US: Final = SECOND_US
_SAVE_US: Final = 600 * SECOND_US
_IGNORED_US: Final = 50_000
_ANSWERS: Final = 8
_ANSWERS_US: Final = 3600 * SECOND_US
_TIME_ERROR: Final = 5
_TIMESYNC: Final = Path("/run/systemd/timesync/synchronized")


class Stamp(NamedTuple):
    """Under which clock something was recorded in doubt: the run of the kernel, and time minus uptime."""

    kernel: str
    offset_us: int


class _Saved(msgspec.Struct):
    time_us: int
    kernel: str
    offset_us: int
    confirmed: bool


class _Line(NamedTuple):
    """Time as a straight line: `time_us` at `up_us`, with `due_us` still to be slewed from there on."""

    up_us: int
    time_us: int
    due_us: int

    def at(self, up_us: int) -> int:
        run = up_us - self.up_us
        if not self.due_us:
            return self.time_us + run
        slewed = min(abs(self.due_us), int(run * SLEW_RATE))
        return self.time_us + run + (slewed if self.due_us > 0 else -slewed)


class _Answer(NamedTuple):
    up_us: int
    offset_us: int
    rtt_us: int


def uptime_us() -> int:
    """Return microseconds since the kernel started, sleep included; only the kernel moves it."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000


def kernel_run() -> str:
    """Return the name of this run of the kernel; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@cache
def _libc() -> ctypes.CDLL:
    """Load the C library once: each load makes a class of its own."""
    return ctypes.CDLL(None)


def disciplined() -> bool:
    """Return whether the kernel's clock is kept by NTP or PTP: adjtimex(2), or systemd-timesyncd's mark."""
    try:
        state = int(_libc().adjtimex(ctypes.create_string_buffer(512)))
    except (OSError, AttributeError):
        state = -1
    return 0 <= state < _TIME_ERROR or (state < 0 and _TIMESYNC.exists())


class Timekeeper:
    """The clock of one gateway; `now_us` is given to everything that needs one. Safe in every thread.

    folder: where the last known time is kept (`clock.json`), or None. `on_step` hears each step in µs.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        wall: Clock = now_us,
        uptime: Clock = uptime_us,
        kernel: str | None = None,
        disciplined: Callable[[], bool] = disciplined,
        installed_us: int | None = None,
        on_step: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.kernel = kernel_run() if kernel is None else kernel
        self.steps = 0
        self.on_step = on_step
        self._path = None if folder is None else folder / FILE_NAME
        self._wall, self._uptime, self._disciplined = wall, uptime, disciplined
        self._gate = threading.Lock()
        self._log = structlog.get_logger("edge.time")
        self._answers: deque[_Answer] = deque(maxlen=_ANSWERS)
        saved = self._load()
        installed = _installed_us() if installed_us is None else installed_us
        up, wall_us = uptime(), wall()
        self._floor_us = max(installed, saved.time_us if saved else 0)
        same_run = saved is not None and bool(self.kernel) and saved.kernel == self.kernel
        self._confirmed = same_run and saved is not None and saved.confirmed
        if saved is not None and same_run and saved.confirmed:
            start = up + saved.offset_us
        else:
            start = max(wall_us, self._floor_us)
        self._line = _Line(up, start, 0)
        self._wall_offset = wall_us - up
        self._set_up = up - ALONE_US if wall_us >= self._floor_us else up
        """Uptime at which somebody set the system's clock last; long ago where it is believed."""
        self._differs_up: int | None = None
        self._looked = self._saved_up = up
        if wall_us < self._floor_us:
            self._log.warning("the clock is not set; times are in doubt", wall_us=wall_us, known_us=start)
        with self._gate:
            self._look(up)

    @property
    def synced(self) -> bool:
        """Whether NTP or the centre has confirmed the time since the kernel started."""
        return self._confirmed

    @property
    def plausible(self) -> bool:
        """Whether the time can be right: confirmed, or not before the last time that is known."""
        return self._confirmed or self._wall() >= self._floor_us

    @property
    def offset_us(self) -> int | None:
        """Centre's clock minus ours by the best answer of the last hour; None before the first."""
        best = self._best(self._uptime())
        return None if best is None else best.up_us + best.offset_us - self._line.at(best.up_us)

    def now_us(self) -> int:
        """Return the time, UTC microseconds. Never runs backwards but for a recorded step."""
        up = self._uptime()
        if up - self._looked >= _LOOK_US and self._gate.acquire(blocking=False):
            try:
                self._look(up)
            finally:
                self._gate.release()
        return self._line.at(up)

    def note_centre(self, offset_us: int, rtt_us: int) -> None:
        """Hear the centre's clock: its time minus `now_us` in the middle of the way there and back."""
        with self._gate:
            up = self._uptime()
            centre_us = self._line.at(up) + offset_us
            if not self._floor_us // 2 < centre_us < LATEST_US:
                return
            self._answers.append(_Answer(up, centre_us - up, max(rtt_us, 0)))
            self._look(up)

    def stamp(self) -> Stamp | None:
        """Return what a record made now needs to be corrected later; None where time is sure."""
        if self._confirmed:
            return None
        line = self._line
        return Stamp(self.kernel, line.time_us - line.up_us)

    def correction(self, stamp: Stamp) -> int | None:
        """Return the microseconds that times under `stamp` lack; None where nobody will ever know."""
        if not self.kernel or stamp.kernel != self.kernel:
            return None
        up = self._uptime()
        return self._line.at(up) - up - stamp.offset_us

    def save(self) -> None:
        """Keep the present time for the next start; a disk that refuses costs only precision."""
        if self._path is None:
            return
        up = self._uptime()
        time_us = self._line.at(up)
        self._saved_up = up
        saved = _Saved(time_us, self.kernel, time_us - up, self._confirmed)
        beside = self._path.with_suffix(".new")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(saved))
            beside.replace(self._path)
        except OSError as error:
            self._log.debug("the time cannot be kept", reason=str(error))

    def _load(self) -> _Saved | None:
        if self._path is None:
            return None
        try:
            saved = msgspec.json.decode(self._path.read_bytes(), type=_Saved)
        except (OSError, msgspec.DecodeError):
            return None
        # A damaged file must not hold the clock in the far future.
        return saved if 0 < saved.time_us < LATEST_US else None

    def _best(self, up: int) -> _Answer | None:
        recent = [answer for answer in self._answers if up - answer.up_us < _ANSWERS_US]
        return min(recent, key=lambda answer: answer.rtt_us, default=None)

    def _look(self, up: int) -> None:
        """Compare with whoever knows better, and follow. Holds the gate."""
        self._looked = up
        wall_us = self._wall()
        if abs(wall_us - up - self._wall_offset) > SECOND_US:
            self._log.warning(
                "somebody set the system's clock", by_s=(wall_us - up - self._wall_offset) / 1e6
            )
            self._set_up = up
        self._wall_offset = wall_us - up
        best = self._best(up)
        if self._disciplined():
            self._follow(wall_us, up, 1_000)
        elif best is not None:
            self._follow(up + best.offset_us, up, max(_IGNORED_US, best.rtt_us // 2))
        elif not self._confirmed and wall_us >= self._floor_us and up - self._set_up >= ALONE_US:
            self._lead(wall_us, up, _IGNORED_US)
        if up - self._saved_up >= _SAVE_US:
            self.save()

    def _follow(self, truth_us: int, up: int, ignored_us: int) -> None:
        """Hear a confirmed time; what is confirmed already is stepped only by patience."""
        if self._confirmed and abs(truth_us - self._line.at(up)) > SLEW_US:
            if self._differs_up is None:
                self._differs_up = up
            if up - self._differs_up < PERSIST_US:
                return
        self._differs_up = None
        self._lead(truth_us, up, ignored_us)
        if not self._confirmed:
            self._confirmed = True
            self._log.info("time is confirmed")
            self.save()

    def _lead(self, truth_us: int, up: int, ignored_us: int) -> None:
        now = self._line.at(up)
        lacks = truth_us - now
        if abs(lacks) <= ignored_us:
            return
        if abs(lacks) <= SLEW_US:
            self._line = _Line(up, now, lacks)
            return
        self._line = _Line(up, truth_us, 0)
        self.steps += 1
        self._log.warning("time is stepped", by_s=lacks / SECOND_US)
        self.on_step(lacks)


def _installed_us() -> int:
    """Return when this program was put here: no true time lies before it."""
    try:
        return int(Path(__file__).stat().st_mtime * SECOND_US)
    except OSError:
        return 0
