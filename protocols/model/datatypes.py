"""The types of a point's raw value, and how many registers or bytes each fills."""

from __future__ import annotations

from typing import Literal

DataType = Literal[
    "bool",
    "i16",
    "u16",
    "i32",
    "u32",
    "i64",
    "u64",
    "f32",
    "f64",
    "sm16",
    "sm32",
    "bcd16",
    "bcd32",
    "date6",
    "date3",
    "unix32",
    "unix64",
    "ascii",
    "text",
]
WordOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]

REGISTERS: dict[str, int] = {
    "bool": 1, "i16": 1, "u16": 1, "sm16": 1, "bcd16": 1, "i32": 2, "u32": 2, "f32": 2, "sm32": 2, "bcd32": 2,
    "i64": 4, "u64": 4, "f64": 4, "date6": 6, "date3": 3, "unix32": 2, "unix64": 4,
}  # fmt: skip
"""Registers that one value of a type occupies; `ascii` says its own `length`.

`sm16`, `sm32`: sign and magnitude. Date-times are seconds since 1970 by the device's own clock, of which
nobody knows the zone: `date6` year, month, day, hour, minute, second in a register each; `date3` two of them
in each (minute and second, day and hour, year and month); `unix32` seconds, `unix64` milliseconds.
"""
