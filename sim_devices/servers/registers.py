"""Values as Modbus registers, written from the specification and apart from the gateway's decoder.

A value of n registers is 2n bytes, most significant first (`ABCD`). The other orders move bytes:

    ABCD  w0 w1 w2 w3      CDAB  w2 w3 w0 w1      BADC  w1 w0 w3 w2      DCBA  w3 w2 w1 w0

64-bit values likewise (word swap, byte swap, both); ASCII only knows the byte swap.
Source: `../shared/domain/field_protocols.md` section 1.3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime

from protocols.model.datatypes import REGISTERS, DataType, WordOrder
from protocols.model.device import PointProfile

_INTEGERS: dict[str, tuple[str, int, int]] = {
    "i16": (">h", -(2**15), 2**15 - 1),
    "u16": (">H", 0, 2**16 - 1),
    "bool": (">H", 0, 1),
    "i32": (">i", -(2**31), 2**31 - 1),
    "u32": (">I", 0, 2**32 - 1),
    "i64": (">q", -(2**63), 2**63 - 1),
    "u64": (">Q", 0, 2**64 - 1),
}
_FLOATS = {"f32": ">f", "f64": ">d"}
_F32_MAX = 3.4028234663852886e38


def register_count(type_: DataType, length: int = 0) -> int:
    """Return how many registers a value of this type fills."""
    return length if type_ in ("ascii", "text") else REGISTERS[type_]


def reorder(data: bytes, order: WordOrder) -> bytes:
    """Move bytes between ABCD and another order; each order is its own inverse."""
    if order == "ABCD":
        return data
    if order == "DCBA":
        return data[::-1]
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if order == "CDAB":
        return b"".join(reversed(words))
    return b"".join(word[::-1] for word in words)


def encode(type_: DataType, raw: float | str, order: WordOrder = "ABCD", length: int = 0) -> bytes:
    """Return the registers' bytes of a raw value; numbers outside the type's range stop at its ends."""
    if type_ in ("ascii", "text"):
        text = str(raw).encode("ascii", "replace")[: length * 2].ljust(length * 2, b"\0")
        return reorder(text, "BADC" if order in ("BADC", "DCBA") else "ABCD")
    number = float(raw)
    if type_ in _FLOATS:
        if type_ == "f32" and math.isfinite(number):
            number = max(-_F32_MAX, min(_F32_MAX, number))
        return reorder(struct.pack(_FLOATS[type_], number), order)
    if type_ in ("sm16", "sm32"):
        bits = 16 * REGISTERS[type_]
        whole = max(1 - 2 ** (bits - 1), min(2 ** (bits - 1) - 1, round(number)))
        return reorder((abs(whole) | (whole < 0) << bits - 1).to_bytes(bits // 8), order)
    if type_ in ("date6", "date3"):
        return reorder(_date(type_, number), order)
    if type_ in ("unix32", "unix64"):
        whole = max(0, round(number * (1000 if type_ == "unix64" else 1)))
        return reorder(whole.to_bytes(2 * REGISTERS[type_]), order)
    if type_ in ("bcd16", "bcd32"):
        digits = 4 * REGISTERS[type_]
        whole = max(0, min(10**digits - 1, round(number)))
        return reorder(bytes.fromhex(f"{whole:0{digits}d}"), order)
    code, low, high = _INTEGERS[type_]
    whole = int(raw) if isinstance(raw, int) else round(number)
    return reorder(struct.pack(code, max(low, min(high, whole))), order)


def decode(type_: DataType, data: bytes, order: WordOrder = "ABCD") -> float | str:
    """Return the raw value that a client wrote. Raises ValueError for a BCD nibble above 9."""
    if type_ in ("ascii", "text"):
        text = reorder(data, "BADC" if order in ("BADC", "DCBA") else "ABCD")
        return text.split(b"\0", 1)[0].decode("ascii", "replace").rstrip()
    data = reorder(data, order)
    if type_ in ("sm16", "sm32"):
        size = int.from_bytes(data)
        sign = 1 << (8 * len(data) - 1)
        return float(sign - size if size >= sign else size)
    if type_ == "date6":
        year, month, day, hour, minute, second = struct.unpack(">6H", data)
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    if type_ == "date3":
        minute, second, day, hour, year, month = data
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    if type_ in ("unix32", "unix64"):
        return int.from_bytes(data) / (1000 if type_ == "unix64" else 1)
    if type_ in _FLOATS:
        return float(struct.unpack(_FLOATS[type_], data)[0])
    if type_ in ("bcd16", "bcd32"):
        if not data.hex().isdigit():
            raise ValueError(f"{data.hex(' ')} is not BCD")
        return float(int(data.hex()))
    number: int = struct.unpack(_INTEGERS[type_][0], data)[0]
    return number


def _date(type_: DataType, seconds: float) -> bytes:
    """Return a date-time as devices pack it: six registers, or two fields in each of three."""
    at = datetime.fromtimestamp(max(946_684_800.0, min(4_102_444_799.0, seconds)), UTC)
    if type_ == "date6":
        return struct.pack(">6H", at.year, at.month, at.day, at.hour, at.minute, at.second)
    return bytes((at.minute, at.second, at.day, at.hour, at.year - 2000, at.month))


def to_raw(point: PointProfile, value: float | str | None) -> float | str:
    """Return what the device stores for an engineering value: (value - offset) / scale, or a sentinel."""
    if value is None:
        return sentinel(point)
    if isinstance(value, str):
        return value
    if point.scale == 1.0 and point.offset == 0.0:
        return value
    return (value - point.offset) / point.scale


def to_value(point: PointProfile, raw: float | str) -> float | str:
    """Return the engineering value of a raw one: raw * scale + offset."""
    return raw if isinstance(raw, str) else raw * point.scale + point.offset


def sentinel(point: PointProfile) -> float | str:
    """Return the raw value that says "sensor failed": the profile's own, or the type's usual one."""
    if point.sentinels:
        return point.sentinels[0]
    if point.type in ("ascii", "text"):
        return ""
    if point.type in _FLOATS:
        return math.nan
    if point.type not in _INTEGERS or point.type == "bool":
        return 0
    low, high = _INTEGERS[point.type][1:]
    return low if point.type.startswith("i") else high


def encoder(point: PointProfile, order: WordOrder, length: int) -> Callable[[float | str | None], bytes]:
    """Return a ready function from an engineering value to register bytes."""
    if point.type in _FLOATS and order == "ABCD" and point.scale == 1.0 and point.offset == 0.0:
        pack = struct.Struct(_FLOATS[point.type]).pack
        empty = encode(point.type, sentinel(point))

        def plain(value: float | str | None) -> bytes:
            return empty if value is None else pack(value)

        return plain
    type_ = point.type

    def general(value: float | str | None) -> bytes:
        return encode(type_, to_raw(point, value), order, length)

    return general
