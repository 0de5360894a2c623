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
    spike:aq-centre.pm25:30         one reading in 30 s is far off (default 10)
    sentinel:aq-centre.pm25         the sensor says "no value"; without a point every sensor of the device
    exception:ps-riverside-pump2:2  a Modbus device answers with this exception code (default 4)

`offline` is another word for dead.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocols.errors import Rejected


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


@dataclass(frozen=True, slots=True)
class Spike:
    """A point is far off for a second, once in `every_s` seconds of the world's time."""

    device: str
    point: str
    every_s: float = 10.0

    def __str__(self) -> str:
        return f"spike:{self.device}.{self.point}:{self.every_s:g}"


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A sensor failed and says so (only `point`, if that is given)."""

    device: str
    point: str = ""

    def __str__(self) -> str:
        return f"sentinel:{self.device}.{self.point}" if self.point else f"sentinel:{self.device}"


@dataclass(frozen=True, slots=True)
class Exceptional:
    """A Modbus device answers every request with an exception; of other protocols it is broken."""

    device: str
    code: int = 4

    def __str__(self) -> str:
        return f"exception:{self.device}:{self.code}"


Fault: TypeAlias = (
    Dead
    | Broken
    | Slow
    | Drop
    | Drift
    | Frozen
    | Black
    | Trouble
    | WrongClock
    | Spike
    | Sentinel
    | Exceptional
)

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
    "spike": "spike:DEVICE.POINT[:EVERY_SECONDS]",
    "sentinel": "sentinel:DEVICE[.POINT]",
    "exception": "exception:DEVICE[:CODE]",
}
"""How each kind is written; the help texts print it."""


_OTHER_WORDS = {"offline": "dead"}


def parse_fault(text: str) -> Fault:
    """Return the fault that a person wrote. Raises Rejected `fault-syntax` with the right form."""
    kind, _, rest = text.strip().partition(":")
    kind = _OTHER_WORDS.get(kind, kind)
    if kind not in GRAMMAR:
        near = difflib.get_close_matches(kind, GRAMMAR, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(GRAMMAR)}"
        raise Rejected("fault-syntax", f"fault {text!r}: there is no kind {kind!r}{hint}")
    target, _, argument = rest.partition(":")
    device, _, point = target.partition(".")
    takes_point = kind in ("drift", "frozen", "spike", "sentinel")
    if (
        not device
        or (point and not takes_point)
        or (argument and kind not in ("slow", "drop", "drift", "clock", "spike", "exception"))
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
        case "sentinel":
            return Sentinel(device, point)
        case "exception":
            return Exceptional(device, _code(text, argument or "4"))
        case "spike" if point:
            return Spike(device, point, _number(text, kind, argument or "10", at_least=2.0))
        case "spike":
            raise _syntax(text, kind)
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


def _code(text: str, argument: str) -> int:
    if not argument.isdecimal() or not 1 <= int(argument) <= 11:
        form = GRAMMAR["exception"]
        raise Rejected("fault-syntax", f"fault {text!r}: {argument!r} is no code from 1 to 11 ({form})")
    return int(argument)


def _number(
    text: str, kind: str, argument: str, above: float | None = None, at_least: float | None = None
) -> float:
    try:
        number = float(argument)
    except ValueError:
        raise _syntax(text, kind) from None
    too_low = (above is not None and number <= above) or (at_least is not None and number < at_least)
    if too_low or not math.isfinite(number):
        bound = f"above {above:g}" if above is not None else f"a finite number, {at_least or 0:g} or more"
        raise Rejected("fault-syntax", f"fault {text!r}: {argument!r} must be {bound} ({GRAMMAR[kind]})")
    return number
