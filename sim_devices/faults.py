"""Faults as values: what goes wrong, with which device or server, until somebody clears it.

Written the same way on the command line, in a schedule and over HTTP, as `kind:target[:argument]`:

    dead:ps-riverside-pump2         the device answers nothing (its neighbours on the line do)
    broken:ps-riverside-pump2       the device answers, with its protocol's "device failure"
    slow:ps-riverside-pump2:2.5     every answer is 2.5 s late (default 2)
    drop:modbus-north:10            connections to the server are cut now and every 10 s (default: none stays)
    drift:aq-centre.pm25:4          the point reads 4 units more each hour of the world's time
    frozen:cam-river                the camera shows one picture for ever; on a sensor, its values stand
    black:cam-river                 the camera shows a black picture
    blurred:cam-river               its lens is out of focus
    covered:cam-river               something hangs before its lens
    moved:cam-river                 it looks elsewhere
    stalled:cam-river               its stream plays and brings no frames
    busy:cam-river                  its stream is refused: too many viewers (503)
    clock:cam-river:90              its clock is 90 s ahead (negative: behind)
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocols.errors import Rejected

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Dead:
    """The device is silent."""

    device: str

    def __str__(self) -> str:
        return f"dead:{self.device}"


@dataclass(frozen=True, slots=True)
class Broken:
    """The device answers every request with a failure of its own."""

    device: str

    def __str__(self) -> str:
        return f"broken:{self.device}"


@dataclass(frozen=True, slots=True)
class Slow:
    """The device answers late. `delay_s` in seconds of the wall clock, above 0."""

    device: str
    delay_s: float = 2.0

    def __str__(self) -> str:
        return f"slow:{self.device}:{self.delay_s:g}"


@dataclass(frozen=True, slots=True)
class Drop:
    """The server cuts its connections. `every_s` 0: each one as soon as it is made."""

    endpoint: str
    every_s: float = 0.0

    def __str__(self) -> str:
        return f"drop:{self.endpoint}:{self.every_s:g}" if self.every_s else f"drop:{self.endpoint}"


@dataclass(frozen=True, slots=True)
class Drift:
    """A sensor wanders off: `per_hour` engineering units in an hour of the world's time."""

    device: str
    point: str
    per_hour: float

    def __str__(self) -> str:
        return f"drift:{self.device}.{self.point}:{self.per_hour:g}"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A camera repeats its picture; a sensor repeats its values (only `point`, if that is given)."""

    device: str
    point: str = ""

    def __str__(self) -> str:
        return f"frozen:{self.device}.{self.point}" if self.point else f"frozen:{self.device}"


@dataclass(frozen=True, slots=True)
class Black:
    """A camera's picture is black: lens covered or sensor dead."""

    device: str

    def __str__(self) -> str:
        return f"black:{self.device}"


CameraTrouble: TypeAlias = Literal["blurred", "covered", "moved", "stalled", "busy"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What else may be wrong with a camera: its lens, its aim, its stream."""

    kind: CameraTrouble
    device: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.device}"


@dataclass(frozen=True, slots=True)
class WrongClock:
    """A camera's own clock is wrong; `ahead_s` is negative where it is behind."""

    device: str
    ahead_s: float

    def __str__(self) -> str:
        return f"clock:{self.device}:{self.ahead_s:g}"


Fault: TypeAlias = Dead | Broken | Slow | Drop | Drift | Frozen | Black | Trouble | WrongClock

GRAMMAR: dict[str, str] = {
    "dead": "dead:DEVICE",
    "broken": "broken:DEVICE",
    "slow": "slow:DEVICE[:SECONDS]",
    "drop": "drop:SERVER[:EVERY_SECONDS]",
    "drift": "drift:DEVICE.POINT:UNITS_PER_HOUR",
    "frozen": "frozen:DEVICE[.POINT]",
    "black": "black:DEVICE",
    "blurred": "blurred:DEVICE",
    "covered": "covered:DEVICE",
    "moved": "moved:DEVICE",
    "stalled": "stalled:DEVICE",
    "busy": "busy:DEVICE",
    "clock": "clock:DEVICE:SECONDS",
}
"""How each kind is written; the help texts print it."""


def parse_fault(text: str) -> Fault:
    """Return the fault that a person wrote. Raises Rejected `fault-syntax` with the right form."""
    kind, _, rest = text.strip().partition(":")
    if kind not in GRAMMAR:
        near = difflib.get_close_matches(kind, GRAMMAR, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(GRAMMAR)}"
        raise Rejected("fault-syntax", f"fault {text!r}: there is no kind {kind!r}{hint}")
    target, _, argument = rest.partition(":")
    device, _, point = target.partition(".")
    takes_point = kind in ("drift", "frozen")
    if (
        not device
        or (point and not takes_point)
        or (argument and kind not in ("slow", "drop", "drift", "clock"))
    ):
        raise _syntax(text, kind)
    match kind:
        case "dead":
            return Dead(device)
        case "broken":
            return Broken(device)
        case "black":
            return Black(device)
        case "frozen":
            return Frozen(device, point)
        case "blurred" | "covered" | "moved" | "stalled" | "busy":
            return Trouble(kind, device)
        case "clock":
            return WrongClock(device, _number(text, kind, argument))
        case "slow":
            return Slow(device, _number(text, kind, argument or "2", above=0.0))
        case "drop":
            return Drop(device, _number(text, kind, argument or "0", at_least=0.0))
        case _:
            if not point or not argument:
                raise _syntax(text, kind)
            return Drift(device, point, _number(text, kind, argument))


def _syntax(text: str, kind: str) -> Rejected:
    return Rejected("fault-syntax", f"fault {text!r}: write it as {GRAMMAR[kind]}")


def _number(
    text: str, kind: str, argument: str, above: float | None = None, at_least: float | None = None
) -> float:
    try:
        number = float(argument)
    except ValueError:
        raise _syntax(text, kind) from None
    too_low = (above is not None and number <= above) or (at_least is not None and number < at_least)
    if too_low or not math.isfinite(number):
        bound = f"above {above:g}" if above is not None else "a finite number, 0 or more"
        raise Rejected("fault-syntax", f"fault {text!r}: {argument!r} must be {bound} ({GRAMMAR[kind]})")
    return number


class FaultBoard:
    """The faults that are active now. Servers ask it; people and schedules write on it.

    One fault of a kind per target: setting `slow:x:3` replaces `slow:x:1`. Costs one dictionary look-up
    per question, so that a server under benchmark does not feel it.
    """

    def __init__(self, points: Mapping[str, Iterable[str]], endpoints: Iterable[str]) -> None:
        """`points` maps each device key to its point keys; `endpoints` are the servers' keys."""
        self._points = {device: frozenset(keys) for device, keys in points.items()}
        self._endpoints = frozenset(endpoints)
        self._active: dict[tuple[str, ...], tuple[Fault, int]] = {}
        self._dead: set[str] = set()
        self._broken: set[str] = set()
        self._black: set[str] = set()
        self._troubles: set[tuple[CameraTrouble, str]] = set()
        self._clocks: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._drops: dict[str, float] = {}
        self._altered: dict[str, dict[str, tuple[float, int]]] = {}
        self._frozen: dict[str, str] = {}
        self._listeners: list[Callable[[], None]] = []
        self.now_us = 0

    def set(self, fault: Fault) -> None:
        """Activate a fault from now on. Raises Rejected `fault-target` for an unknown target."""
        self.check(fault)
        self._active[_slot(fault)] = (fault, self.now_us)
        self._rebuild()

    def clear(self, fault: Fault) -> None:
        """End a fault (whatever its argument). Raises Rejected `fault-inactive` where there is none."""
        if self._active.pop(_slot(fault), None) is None:
            active = ", ".join(str(each) for each in self.active()) or "none"
            raise Rejected("fault-inactive", f"fault {fault} is not active; active are: {active}")
        self._rebuild()

    def clear_all(self) -> None:
        """End every fault."""
        self._active.clear()
        self._rebuild()

    def active(self) -> tuple[Fault, ...]:
        """Return the active faults, oldest first."""
        return tuple(fault for fault, _ in self._active.values())

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, in the event loop's thread; it must not block."""
        self._listeners.append(listener)

    def dead(self, device: str) -> bool:
        """Say whether the device is silent."""
        return device in self._dead

    def broken(self, device: str) -> bool:
        """Say whether the device answers with failures."""
        return device in self._broken

    def black(self, device: str) -> bool:
        """Say whether the camera is black."""
        return device in self._black

    def trouble(self, kind: CameraTrouble, device: str) -> bool:
        """Say whether this is wrong with the camera."""
        return (kind, device) in self._troubles

    def ahead_s(self, device: str) -> float:
        """Return by how many seconds the camera's own clock is ahead."""
        return self._clocks.get(device, 0.0)

    def delay_s(self, device: str) -> float:
        """Return by how many seconds the device is late; 0 for a healthy one."""
        return self._delays.get(device, 0.0)

    def drop_every_s(self, endpoint: str) -> float | None:
        """Return the seconds between cuts of the server's connections; None for a healthy one."""
        return self._drops.get(endpoint)

    def frozen(self, device: str, point: str = "") -> bool:
        """Say whether the device (or this point of it) repeats itself."""
        frozen = self._frozen.get(device)
        return frozen is not None and frozen in ("", point)

    def drift(self, device: str, point: str) -> float:
        """Return what a drifting sensor adds now, in the point's unit."""
        altered = self._altered.get(device)
        if altered is None or point not in altered:
            return 0.0
        per_hour, since_us = altered[point]
        return per_hour * (self.now_us - since_us) / HOUR_US

    def altered(self, device: str) -> bool:
        """Say whether any value of the device differs from the world's (drift or freeze)."""
        return device in self._altered or device in self._frozen

    def check(self, fault: Fault) -> None:
        """Raise Rejected `fault-target` unless the fault's target exists."""
        if isinstance(fault, Drop):
            _known(fault.endpoint, self._endpoints, f"fault {fault}: no server")
            return
        _known(fault.device, self._points, f"fault {fault}: no device")
        if isinstance(fault, Drift) or (isinstance(fault, Frozen) and fault.point):
            _known(fault.point, self._points[fault.device], f"fault {fault}: {fault.device} has no point")

    def _rebuild(self) -> None:
        for table in (
            self._dead,
            self._broken,
            self._black,
            self._troubles,
            self._clocks,
            self._delays,
            self._drops,
            self._altered,
            self._frozen,
        ):
            table.clear()
        for fault, since_us in self._active.values():
            match fault:
                case Dead(device):
                    self._dead.add(device)
                case Broken(device):
                    self._broken.add(device)
                case Black(device):
                    self._black.add(device)
                case Trouble(kind, device):
                    self._troubles.add((kind, device))
                case WrongClock(device, ahead_s):
                    self._clocks[device] = ahead_s
                case Slow(device, delay_s):
                    self._delays[device] = delay_s
                case Drop(endpoint, every_s):
                    self._drops[endpoint] = every_s
                case Drift(device, point, per_hour):
                    self._altered.setdefault(device, {})[point] = (per_hour, since_us)
                case Frozen(device, point):
                    self._frozen[device] = point
        for listener in self._listeners:
            listener()


def _slot(fault: Fault) -> tuple[str, ...]:
    match fault:
        case Drop(endpoint, _):
            return ("drop", endpoint)
        case Drift(device, point, _):
            return ("drift", device, point)
        case Trouble(kind, device):
            return (kind, device)
        case _:
            return (type(fault).__name__.lower(), fault.device)


def _known(key: str, keys: Iterable[str], what: str) -> None:
    names = sorted(keys)
    if key in names:
        return
    near = difflib.get_close_matches(key, names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(names[:12])}"
    if not near and len(names) > 12:
        hint += f" and {len(names) - 12} more"
    raise Rejected("fault-target", f"{what} {key!r}; {hint}")
