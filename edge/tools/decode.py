"""Raw registers as everything they may mean, the likeliest first: a pure function over words.

    registers × type × word order × neighbour  ─→  evidence (`evidence.py`)  ─→  ranked guesses
                                                        ↑ a point of a known profile at that address

The manual's address may be one off, its word order unsaid: so each offset is tried as well, and costs a
little. Types and orders: `../shared/domain/field_protocols.md` 1.3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, get_args

import numpy as np

from edge.tools.dates import dates
from edge.tools.evidence import IMPLAUSIBLE, of_bcd, of_flags, of_float, of_integer, of_text
from protocols.errors import Rejected
from protocols.model.address.modbus import ModbusAddress
from protocols.model.datatypes import REGISTERS, WordOrder
from protocols.model.device import PointProfile, Profile

ORDERS: Final[tuple[WordOrder, ...]] = get_args(WordOrder)
_HABIT: Final[dict[WordOrder, float]] = {"ABCD": 0.0, "CDAB": -1.0, "BADC": -5.0, "DCBA": -5.0}
"""How often devices use an order, in bits; most are big-endian, some swap words, few swap bytes."""
_WIDE: Final = {
    "i16": ">h", "u16": ">H", "i32": ">i", "u32": ">I", "f32": ">f", "i64": ">q", "u64": ">Q", "f64": ">d",
}  # fmt: skip
_SHARE: Final = {"u16": 0.4, "i16": 0.4, "u32": 0.7, "i32": 0.7, "u64": 0.55, "i64": 0.55}
_SENTINELS: Final = {0xFFFF, 0x8000, 0x7FFF, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF}
_SWAPPED_TEXT_BITS: Final = 2.0
_NEIGHBOUR_BITS: Final = 2.0
_KNOWN_POINT_BITS: Final = 10.0
_TELLING_BITS: Final = 3.0
MAX_REGISTERS: Final = 125


@dataclass(frozen=True, slots=True)
class Guess:
    """One reading of some registers. `offset` counts registers from the one that was asked for.

    score: evidence in bits; above 8 it is worth believing. `why` says in words what speaks for it or
    against it. `profile` and `point` name a profile's point that lies there, `unit` its unit; `value`
    is then scaled.
    """

    type: str
    order: WordOrder
    offset: int
    registers: int
    value: float | str
    score: float
    why: tuple[str, ...] = ()
    profile: str = ""
    point: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a profile explains registers of a known place: `good` of `tried` points are believable."""

    profile: str
    name: str
    good: int
    tried: int
    score: float


def decode(
    registers: Sequence[int],
    *,
    before: int = 0,
    address: int | None = None,
    fc: int = 3,
    profiles: Iterable[Profile] = (),
    now: datetime | None = None,
) -> list[Guess]:
    """Return every believable reading of `registers`, best first.

    `before` of them lie before the one asked for, whose wire address is `address` where known; only then
    can points of `profiles` be found in them. Raises Rejected (`registers`) for what is no register.
    """
    words = _checked(registers)
    guesses = [guess for start in range(len(words)) for guess in _from(words, start, start - before, now)]
    if address is not None:
        first = address - before
        guesses += [
            guess
            for profile in profiles
            for guess in _points(words, first, fc, before, profile)
            if guess.score > IMPLAUSIBLE
        ]
    guesses = [replace(guess, score=round(guess.score, 2)) for guess in guesses if guess.score > -6]
    return sorted(_without_doubles(guesses), key=lambda guess: (-guess.score, abs(guess.offset), guess.type))


def fits(registers: Sequence[int], address: int, fc: int, profiles: Iterable[Profile]) -> list[Fit]:
    """Return the profiles that have points in these registers, the best explanation first.

    `address` is that of the first register. A point speaks for its profile by the evidence of its value,
    and against it when the value is outside the point's range or says "no value".
    """
    words = _checked(registers)
    found = []
    for profile in profiles:
        guesses = list(_points(words, address, fc, 0, profile))
        if guesses:
            good = sum(guess.score > 0 for guess in guesses)
            score = sum(max(guess.score, -8.0) for guess in guesses) / len(guesses)
            # A profile that explains more of the registers is the better one of two that contradict nothing.
            covered = sum(guess.registers for guess in guesses) / len(words)
            fit = Fit(profile.id, profile.name.en, good, len(guesses), round(score * math.sqrt(covered), 2))
            found.append(fit)
    return sorted(found, key=lambda fit: (-fit.score, fit.profile))


def value_of(words: Sequence[int], kind: str, order: WordOrder) -> float | int | str | None:
    """Return what the first registers of `words` say as a type, or None where they cannot be that."""
    if kind == "ascii":
        return _bytes(words, order).split(b"\0")[0].decode("latin-1").rstrip()
    if kind in ("bcd16", "bcd32"):
        text = _bytes(words[: REGISTERS[kind]], order).hex()
        return int(text) if text.isdecimal() else None
    if kind == "bool":
        return int(words[0] != 0)
    data = _bytes(words[: REGISTERS[kind]], order)
    if kind in ("date3", "date6"):
        ordered = struct.unpack(f">{REGISTERS[kind]}H", data)
        return next((at.timestamp() for form, _, at, _ in dates(ordered, None) if form == kind), None)
    if kind in ("unix32", "unix64"):
        return int.from_bytes(data) / (1000 if kind == "unix64" else 1)
    if kind in ("sm16", "sm32"):
        sign = 1 << (8 * len(data) - 1)
        size = int.from_bytes(data)
        return sign - size if size >= sign else size
    found: float | int = struct.unpack(_WIDE[kind], data)[0]
    # The shortest text that is the same 32 bits: 230.2, where widening says 230.1999969482422.
    return float(str(np.float32(found))) if kind == "f32" else found


def _checked(registers: Sequence[int]) -> list[int]:
    if not registers or len(registers) > MAX_REGISTERS:
        raise Rejected("registers", f"give 1 to {MAX_REGISTERS} registers, not {len(registers)}")
    for word in registers:
        if not 0 <= word <= 0xFFFF:
            raise Rejected("registers", f"{word} is no register; give 0 to 65535 (0xFFFF)")
    return list(registers)


def _bytes(words: Sequence[int], order: WordOrder) -> bytes:
    turned = reversed(words) if order in ("CDAB", "DCBA") else words
    layout: str = "<" if order in ("BADC", "DCBA") else ">"
    return b"".join(struct.pack(f"{layout}H", word) for word in turned)


def _from(words: list[int], start: int, offset: int, now: datetime | None) -> Iterator[Guess]:
    """Yield every reading that begins at `start`."""
    away = _NEIGHBOUR_BITS * (offset != 0)
    rest = words[start:]
    for kind in ("u16", "i16", "u32", "i32", "f32", "u64", "i64", "f64", "bcd16", "bcd32"):
        count = REGISTERS[kind]
        if count > len(rest):
            continue
        # Where the words are one another's equals, swapping them is the same reading.
        for order in ORDERS if count > 1 else (ORDERS[0], ORDERS[2]):
            value = value_of(rest, kind, order)
            if value is None or isinstance(value, str):
                continue
            score, why = _weigh(kind, value, rest[:count])
            yield Guess(kind, order, offset, count, value, score + _HABIT[order] - away, why)
    for order in (ORDERS[0], ORDERS[2]):
        text = _bytes(rest, order).split(b"\0")[0]
        # A text begins where no text was before it; its tails would crowd out everything else.
        inside = start > 0 and of_text(_bytes(words[start - 1 : start + 1], order)) > IMPLAUSIBLE
        if not inside:
            score = of_text(text) - _SWAPPED_TEXT_BITS * (order == "BADC") - away
            yield Guess(
                "ascii", order, offset, (len(text) + 1) // 2, text.decode("latin-1"), score, ("text",)
            )
    for form, count, moment, evidence in dates(rest, now):
        stamp = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
        why = ("a date-time",) if evidence < 30 else ("a date-time, field by field",)
        yield Guess(form, "ABCD", offset, count, stamp, evidence - away, why)
    if rest[0]:
        bits = ", ".join(str(bit) for bit in range(16) if rest[0] >> bit & 1)
        yield Guess("bits", "ABCD", offset, 1, f"set: {bits}", of_flags(rest[0]) - away, ("flags",))


def _weigh(kind: str, value: float | int, words: Sequence[int]) -> tuple[float, tuple[str, ...]]:
    whole = int.from_bytes(_bytes(words, "ABCD"), "big")
    if whole == 0:
        return 2.0 - len(words), ("zero in every type",)
    if kind in ("f32", "f64"):
        score = of_float(value, kind)
        return score, (
            "a usual size, few digits" if score > 12 else "a usual size" if score > 0 else "odd size",
        )
    if kind.startswith("bcd"):
        return of_bcd(4 * len(words), int(value)), ("every digit is decimal",)
    if whole in _SENTINELS:
        return -3.0, ("often means: no value",)
    if kind.startswith("i") and value >= 0:
        return IMPLAUSIBLE, ()  # reads as the unsigned type does
    score = of_integer(int(value), 16 * len(words), _SHARE[kind])
    return score, ("small for its type" if score > 8 else "any number",)


def _points(words: list[int], first: int, fc: int, before: int, profile: Profile) -> Iterator[Guess]:
    """Yield the values of a profile's points that lie wholly in the registers."""
    for point in profile.points:
        address = point.address
        if not isinstance(address, ModbusAddress) or address.fc != fc or fc < 3 or not point.readable:
            continue
        count = address.length if point.type == "ascii" else REGISTERS.get(point.type, 0)
        at = address.address - first
        if count == 0 or at < 0 or at + count > len(words):
            continue
        own = words[at : at + count]
        value = value_of(own, point.type, address.order)
        if point.type == "bool" and address.bit is not None:
            value = own[0] >> address.bit & 1
        score, why, shown = _judge(point, value, own)
        yield Guess(
            point.type, address.order, at - before, count, shown, score, why,
            profile.id, point.key, "" if point.unit == "1" else point.unit,
        )  # fmt: skip


def _judge(
    point: PointProfile, raw: float | int | str | None, words: Sequence[int]
) -> tuple[float, tuple[str, ...], float | str]:
    if raw is None:
        return IMPLAUSIBLE, ("no date" if point.type in ("date3", "date6") else "not decimal",), ""
    if isinstance(raw, str):
        return of_text(raw.encode("latin-1")) + _KNOWN_POINT_BITS, (f"known as {point.name.en}",), raw
    if not math.isfinite(raw) or raw in point.sentinels:
        return -3.0, ("known there, but says: no value",), str(raw)
    value = raw * point.scale + point.offset
    shown = round(value, point.decimals) if point.decimals is not None else value
    outside = (point.min is not None and value < point.min) or (point.max is not None and value > point.max)
    if outside or (point.labels and int(raw) not in point.labels):
        return IMPLAUSIBLE + 1, (f"outside the range of {point.name.en}",), shown
    if point.type == "bool":
        return 1.0, (f"known as {point.name.en}",), shown
    if not any(words):
        return 1.0, (f"zero, as {point.name.en} may be",), shown
    evidence = of_float(raw, point.type) if point.type in ("f32", "f64") else _narrowness(point, len(words))
    # A point that would take nearly any number is not known by this one.
    known = _KNOWN_POINT_BITS if evidence >= _TELLING_BITS else 0.0
    return min(evidence, 12.0) + known, (f"known as {point.name.en}, in its range",), shown


def _narrowness(point: PointProfile, registers: int) -> float:
    """Return the bits that a point's range or labels leave out of what its registers could say."""
    if point.labels:
        taken = float(len(point.labels))
    elif point.min is not None and point.max is not None:
        taken = (point.max - point.min) / abs(point.scale) + 1
    else:
        return 1.0
    return max(1.0, 16 * registers - math.log2(taken))


def _without_doubles(guesses: list[Guess]) -> Iterator[Guess]:
    """Leave out a reading that a better one of the same registers says already in the same words."""
    best: dict[tuple[int, int, str, str], Guess] = {}
    for guess in guesses:
        shown = f"{guess.value:.9g}" if isinstance(guess.value, float | int) else guess.value
        key = (guess.offset, guess.registers, shown, guess.profile + guess.point)
        if key not in best or guess.score > best[key].score:
            best[key] = guess
    yield from best.values()
