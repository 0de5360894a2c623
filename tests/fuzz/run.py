"""Frames through a door, counted; the first that is taken wrongly, crashes or hangs is kept and told."""

from __future__ import annotations

import random
import signal
import threading
import time
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.fuzz.door import Door
from tests.fuzz.modbus import MbapDoor, RtuDoor, SessionDoor
from tests.fuzz.mqtt import BytesDoor, CsvDoor, JsonDoor, PlainDoor, SparkplugDoor
from tests.fuzz.mutation import mutate
from tests.fuzz.opcua import OpcUaDoor
from tests.fuzz.opcua_answers import OpcUaAnswersDoor
from tests.fuzz.snmp import SnmpDoor

DOORS: Final[dict[str, type[Door]]] = {
    door.name: door
    for door in (
        MbapDoor, RtuDoor, SessionDoor, JsonDoor, PlainDoor, CsvDoor, BytesDoor, SparkplugDoor, OpcUaDoor,
        OpcUaAnswersDoor, SnmpDoor,
    )
}  # fmt: skip
MILLION: Final = sum(door.share for door in DOORS.values() if door is not SnmpDoor)
HANG_CPU_S: Final = 10.0
"""So much processor for one frame is a hang; a busy machine is none."""
LIFE: Final = 500
"""Frames that one instance of a door sees: states meet, and a failure is found again by going back so far."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of some frames of a door."""

    door: str
    frames: int
    good: int
    """Frames of which a value was taken with good quality: their share shows that the door is open."""
    seconds: float
    failed: str = ""
    number: int = -1
    frame: bytes = b""


class Hang(BaseException):
    """A frame took longer than `HANG_CPU_S` of processor; no handler of errors may swallow it."""


def run(
    name: str, frames: int, seed: int, first: int = 0, progress: Callable[[int], None] | None = None
) -> Ran:
    """Send frames `first` and on through a door; stop at the first that fails."""
    began, good, door = time.process_time(), 0, DOORS[name]()
    data = b""
    at = first
    watched = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGVTALRM, _hang) if watched else None
    try:
        for at in range(first, first + frames):
            if at % LIFE == 0 and at > first:
                door.close()
                door = DOORS[name]()
                if progress is not None:
                    progress(at - first)
            if watched:
                signal.setitimer(signal.ITIMER_VIRTUAL, HANG_CPU_S)
            rng = random.Random(f"{name} {seed} {at}")  # noqa: S311 - it must come again
            true = door.frame(rng)
            data = mutate(rng, true)
            good += door.take(data, rng)
    except (Exception, Hang):  # whatever it is, it is what is looked for
        failed = traceback.format_exc()
        return Ran(name, at - first + 1, good, time.process_time() - began, failed, at, data)
    finally:
        if watched:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
        door.close()
    return Ran(name, frames, good, time.process_time() - began)


def _hang(number: int, frame: types.FrameType | None) -> None:
    del number, frame
    raise Hang(f"a frame took more than {HANG_CPU_S:g} s of processor")
