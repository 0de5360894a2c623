"""What a payload is before a path looks into it: a JSON document, a row of CSV, or bytes in a fixed layout.

A row of CSV is a list of texts, so that `[2]` finds its third column as it finds an element of JSON.
"""

from __future__ import annotations

import csv
import math
import struct
from collections.abc import Callable
from typing import Any, Final

from protocols.field.mqtt.payload import MISSING, UNREADABLE, Value, interpret, parse
from protocols.model.address.mqtt import MqttAddress, MqttBytes
from protocols.model.datatypes import DataType, WordOrder
from protocols.model.quality import Quality

_FLOATS: Final = {"f32": "f", "f64": "d"}
_SIZES: Final = {
    "bool": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4, "i64": 8, "u64": 8, "f32": 4, "f64": 8, "bcd16": 2,
    "bcd32": 4,
}  # fmt: skip

Reader = Callable[[bytes], Any]
"""Returns what a path looks into, or MISSING where the payload is no such thing."""


def reader(address: MqttAddress) -> Reader:
    """Return how payloads of this address are read."""
    if address.format == "csv":
        return lambda payload: row(payload, address.separator)
    return parse


def row(payload: bytes, separator: str) -> Any:
    """Return the columns of the last line that holds something, without the blanks around them."""
    try:
        lines = [line for line in payload.decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        return MISSING
    if not lines:
        return MISSING
    try:
        columns = next(csv.reader([lines[-1]], delimiter=separator, strict=True))
    except (csv.Error, StopIteration):
        return MISSING
    return [column.strip() for column in columns]


def unpack(payload: bytes, kind: DataType, place: MqttBytes) -> Value:
    """Return the value at a place of a binary payload; unreadable where the payload ends before it."""
    size = place.length or _SIZES.get(kind, 0)
    raw = payload[place.offset : place.offset + size] if size else payload[place.offset :]
    if not raw or len(raw) < size:
        return UNREADABLE
    if kind in ("ascii", "text"):
        try:
            return interpret(raw.split(b"\0", 1)[0].decode("utf-8").strip(), kind)
        except UnicodeDecodeError:
            return UNREADABLE
    raw = big_endian(raw, place.order)
    if kind in _FLOATS:
        return interpret(struct.unpack(f">{_FLOATS[kind]}", raw)[0], kind)
    if kind in ("bcd16", "bcd32"):
        digits = raw.hex()
        return interpret(int(digits), kind) if digits.isdecimal() else UNREADABLE
    number = int.from_bytes(raw, "big", signed=kind.startswith("i"))
    if place.bit is not None:
        if place.bit >= 8 * len(raw):
            return Value(math.nan, Quality.BAD_CONFIGURATION_ERROR, None)
        number = number >> place.bit & 1
    return interpret(number, kind)


def big_endian(raw: bytes, order: WordOrder) -> bytes:
    """Return bytes with the most significant first; words are of two bytes."""
    if order == "DCBA":
        return raw[::-1]
    if order == "ABCD":
        return raw
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order == "CDAB":
        return b"".join(reversed(words))
    return b"".join(word[::-1] for word in words)
