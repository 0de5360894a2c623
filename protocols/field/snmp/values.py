"""What an agent holds, as a raw value of a point, and a written value as what an agent takes.

    Integer32, Counter32, Gauge32, TimeTicks, Counter64   numbers      OctetString   text, or a number in it
    Opaque  9F 78 04 …  float, 9F 79 08 …  double         IpAddress, ObjectIdentifier                  text

(RFC 2578 clause 7; the floats in Opaque are net-snmp's.) A bool is a TruthValue (RFC 2579): 1 true, 2 false,
unless the profile says other numbers. A bit is one of BITS: bit 0 is the first octet's most significant.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import Final, Literal

from protocols.model.address.snmp import SnmpAddress
from protocols.model.device import PointProfile
from protocols.model.quality import Quality

Kind = Literal["integer", "octets", "oid", "ip", "opaque", "missing", "null"]

RANGES: Final = {
    "i16": (-(2**15), 2**15 - 1), "u16": (0, 2**16 - 1), "i32": (-(2**31), 2**31 - 1), "u32": (0, 2**32 - 1),
    "i64": (-(2**63), 2**63 - 1), "u64": (0, 2**64 - 1),
}  # fmt: skip
WRITTEN: Final = {"integer": RANGES["i32"], "unsigned": RANGES["u32"], "timeticks": RANGES["u32"]}
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*")
_OPAQUE: Final = {b"\x9f\x78\x04": ">f", b"\x9f\x79\x08": ">d"}
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Held:
    """An object's value: int for `integer`, bytes for `octets` and `opaque`, text for the rest."""

    kind: Kind
    value: int | bytes | str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A raw value: NaN and no text where there is none, and `quality` says why."""

    value: float
    quality: int = Quality.GOOD
    text: str | None = None


def bad(quality: int) -> Sample:
    """Return no value, and why."""
    return Sample(math.nan, quality)


def sample(held: Held, point: PointProfile) -> Sample:
    """Return what an object holds as a value of the point's type. Never raises, never guesses."""
    address = SnmpAddress.of(point)
    if held.kind == "missing":
        return bad(Quality.BAD_CONFIGURATION_ERROR)
    if held.kind == "null":
        return bad(Quality.BAD_SENSOR_FAILURE)
    if point.type == "text":
        return _text(held)
    if address.bit is not None:
        return _bit(held, address.bit)
    number = _number(held)
    if isinstance(number, Sample):
        return number
    if point.type == "bool":
        if number not in (address.when_true, address.when_false):
            return bad(Quality.BAD_OUT_OF_RANGE)
        return Sample(float(number == address.when_true))
    if point.type in RANGES:
        low, high = RANGES[point.type]
        if number != int(number):
            return bad(Quality.BAD_TYPE_MISMATCH)
        if not low <= number <= high:
            return bad(Quality.BAD_OUT_OF_RANGE)
    return Sample(float(number))


def _text(held: Held) -> Sample:
    if isinstance(held.value, str):
        return Sample(math.nan, Quality.GOOD, held.value)
    if held.kind != "octets" or isinstance(held.value, int):
        return bad(Quality.BAD_TYPE_MISMATCH)
    try:
        return Sample(math.nan, Quality.GOOD, held.value.rstrip(b"\0").decode("utf-8"))
    except UnicodeDecodeError:
        return bad(Quality.BAD_DECODING_ERROR)


def _bit(held: Held, bit: int) -> Sample:
    if held.kind == "integer" and isinstance(held.value, int):
        return Sample(float(held.value >> bit & 1)) if held.value >= 0 else bad(Quality.BAD_OUT_OF_RANGE)
    if held.kind != "octets" or not isinstance(held.value, bytes):
        return bad(Quality.BAD_TYPE_MISMATCH)
    if bit >= 8 * len(held.value):
        # An agent may leave out trailing octets that are zero (RFC 2578, 7.1.4).
        return Sample(0.0)
    return Sample(float(held.value[bit // 8] >> (7 - bit % 8) & 1))


def _number(held: Held) -> int | float | Sample:
    """Return the number that an object holds, or a sample that says why it holds none."""
    if isinstance(held.value, int):
        return held.value
    if not isinstance(held.value, bytes):
        return bad(Quality.BAD_TYPE_MISMATCH)
    if held.kind == "opaque":
        form = _OPAQUE.get(held.value[:3])
        if form is None or len(held.value) != 3 + struct.calcsize(form):
            return bad(Quality.BAD_TYPE_MISMATCH)
        found = float(struct.unpack(form, held.value[3:])[0])
    else:
        try:
            text = held.value.rstrip(b"\0").decode("ascii")
        except UnicodeDecodeError:
            return bad(Quality.BAD_DECODING_ERROR)
        if not _NUMBER.fullmatch(text):
            return bad(Quality.BAD_DECODING_ERROR)
        found = float(text)
    return found if math.isfinite(found) else bad(Quality.BAD_SENSOR_FAILURE)


def to_write(point: PointProfile, address: SnmpAddress, value: float | str) -> int | bytes | str:
    """Return a raw value in the syntax that the profile says. Raises ValueError: what it takes, in words."""
    if address.write_as == "octets":
        return (value if isinstance(value, str) else f"{value:.15g}").encode()
    if address.write_as == "ip":
        if isinstance(value, str) and re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", value):
            parts = [int(part) for part in value.split(".")]
            if max(parts) < 256:
                return value
        raise ValueError("an IPv4 address in text")
    low, high = WRITTEN[address.write_as]
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError("a number")
    if point.type == "bool":
        if value not in (0, 1):
            raise ValueError("0 or 1")
        return address.when_true if value else address.when_false
    whole = round(value)
    if abs(value - whole) > _ROUNDING * max(1.0, abs(value)) or not low <= whole <= high:
        raise ValueError(f"a whole number from {low} to {high}")
    return whole
