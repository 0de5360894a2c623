"""What the exceptions of a Modbus device mean, and the quality that they leave."""

from __future__ import annotations

from typing import Final

from protocols.model.quality import Quality

ILLEGAL_FUNCTION: Final = 1
BUSY: Final = frozenset({5, 6})
"""Acknowledge (a long job is under way) and device busy: asked again later, the last value stays."""
HOLE: Final = frozenset({2, 3})
"""Illegal address and illegal quantity: on a merged block, some part of it does not exist."""
NOBODY: Final = frozenset({0x0A, 0x0B})
"""What a serial gateway says in a silent unit's place."""
NOBODY_KNOWS: Final = frozenset({5, 0x0B})
"""After a write: still under way, or the gateway did not hear its device. Neither done nor refused."""

_NAMES: Final = {
    1: "illegal function", 2: "illegal address", 3: "illegal value or quantity", 4: "device failure",
    5: "acknowledge, long job", 6: "busy", 7: "negative acknowledge", 8: "memory parity error",
    0x0A: "gateway path unavailable", 0x0B: "gateway target did not respond",
}  # fmt: skip
_QUALITIES: Final = {
    1: Quality.BAD_NOT_SUPPORTED, 2: Quality.BAD_CONFIGURATION_ERROR, 3: Quality.BAD_OUT_OF_RANGE,
    0x0A: Quality.BAD_NO_COMMUNICATION, 0x0B: Quality.BAD_TIMEOUT,
}  # fmt: skip


def exception_name(code: int) -> str:
    """Return an exception code in words, such as `exception 02 illegal address`."""
    return f"exception {code:02X} {_NAMES.get(code, 'not in the standard')}"


def exception_quality(code: int) -> Quality:
    """Return the quality of readings that an exception took away (`../shared/domain/alarms.md` 6)."""
    return _QUALITIES.get(code, Quality.BAD_DEVICE_FAILURE)
