"""From a raw value to registers, for writing; what does not fit is refused before anything is sent."""

from __future__ import annotations

import struct

from protocols.errors import DeviceRefused
from protocols.field.base import BoundPoint
from protocols.field.modbus.dates import DATES, registers_of
from protocols.field.modbus.decode import wire_positions
from protocols.field.modbus.planner import span_of
from protocols.model.quality import Quality

_INTEGERS = {
    "i16": (-(2**15), 2**15 - 1, ">h"), "u16": (0, 2**16 - 1, ">H"),
    "i32": (-(2**31), 2**31 - 1, ">i"), "u32": (0, 2**32 - 1, ">I"),
    "i64": (-(2**63), 2**63 - 1, ">q"), "u64": (0, 2**64 - 1, ">Q"),
    "unix32": (0, 2**32 - 1, ">I"),
}  # fmt: skip
_BCD_DIGITS = {"bcd16": 4, "bcd32": 8}
_SIGNED = {"sm16": 16, "sm32": 32}
"""Sign and magnitude: the top bit says minus."""
_ROUNDING = 1e-6
"""A value that was unscaled (2.3 / 0.1) is off an integer by floating-point noise, never by more."""


def encode(point: BoundPoint, value: float | str) -> list[int]:
    """Return the registers of a raw value. Raises DeviceRefused (BadOutOfRange, BadTypeMismatch)."""
    span = span_of(point)
    big = _big_endian(point, value, 2 * span.count)
    wire = bytearray(len(big))
    for byte, position in zip(big, wire_positions(0, span.count, span.address.order), strict=True):
        wire[position] = byte
    return list(struct.unpack(f">{span.count}H", wire))


def encode_bit(point: BoundPoint, value: float | str) -> bool:
    """Return a switch value. Raises DeviceRefused for anything but 0 and 1."""
    if value not in (0, 1):
        raise _refused(point, value, "0 or 1", Quality.BAD_OUT_OF_RANGE)
    return bool(value)


def _big_endian(point: BoundPoint, value: float | str, size: int) -> bytes:
    kind = point.profile.type
    if kind == "ascii":
        if not isinstance(value, str) or not value.isascii():
            raise _refused(point, value, "ASCII text", Quality.BAD_TYPE_MISMATCH)
        if len(value) > size:
            raise _refused(point, value, f"at most {size} characters", Quality.BAD_OUT_OF_RANGE)
        return value.encode("ascii").ljust(size, b"\0")
    if isinstance(value, str):
        raise _refused(point, value, "a number", Quality.BAD_TYPE_MISMATCH)
    if kind == "bool":
        return int(encode_bit(point, value)).to_bytes(size, "big")
    if kind in ("f32", "f64"):
        try:
            packed = struct.pack(">f" if kind == "f32" else ">d", value)
        except OverflowError:
            packed = b""
        if not packed or value - value != 0:
            raise _refused(point, value, f"a finite number that fits {kind}", Quality.BAD_OUT_OF_RANGE)
        return packed
    if kind in DATES:
        try:
            return registers_of(kind, value)
        except (ValueError, OverflowError, OSError):
            raise _refused(point, value, "seconds since 1970", Quality.BAD_OUT_OF_RANGE) from None
    if kind == "unix64":
        if not 0 <= value < 2**43:
            raise _refused(point, value, "seconds since 1970", Quality.BAD_OUT_OF_RANGE)
        return round(value * 1000).to_bytes(8, "big")
    return _integer(point, value, kind)


def _integer(point: BoundPoint, value: float, kind: str) -> bytes:
    whole = round(value) if value - value == 0 else None
    if whole is None or abs(value - whole) > _ROUNDING * max(1.0, abs(value)):
        raise _refused(point, value, "a whole number of device units", Quality.BAD_OUT_OF_RANGE)
    if kind in _BCD_DIGITS:
        digits = _BCD_DIGITS[kind]
        if not 0 <= whole < 10**digits:
            raise _refused(point, value, f"0 to {10**digits - 1}", Quality.BAD_OUT_OF_RANGE)
        return bytes.fromhex(f"{whole:0{digits}d}")
    if kind in _SIGNED:
        bits = _SIGNED[kind]
        most = 2 ** (bits - 1) - 1
        if abs(whole) > most:
            raise _refused(point, value, f"{-most} to {most}", Quality.BAD_OUT_OF_RANGE)
        return (abs(whole) | (whole < 0) << bits - 1).to_bytes(bits // 8, "big")
    low, high, layout = _INTEGERS[kind]
    if not low <= whole <= high:
        raise _refused(point, value, f"{low} to {high}", Quality.BAD_OUT_OF_RANGE)
    return struct.pack(layout, whole)


def _refused(point: BoundPoint, value: float | str, expected: str, quality: Quality) -> DeviceRefused:
    name = f"{point.device}.{point.profile.key}"
    return DeviceRefused(f"{name}: {value!r} was not sent; {point.profile.type} takes {expected}", quality)
