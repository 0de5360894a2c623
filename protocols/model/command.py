"""Commands from the centre to a device, and what became of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class CommandState(StrEnum):
    """Life of a command. The last seven are final.

    pending → delivered → verified | written | mismatch | rejected | expired | failed | unknown
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    VERIFIED = "verified"
    """Written, and the read-back equals what was asked."""
    WRITTEN = "written"
    """The device confirmed; the point cannot be read back."""
    MISMATCH = "mismatch"
    """Written, and the read-back says otherwise."""
    REJECTED = "rejected"
    """Not written: not writable, outside the limits, unknown point, unexpected present value."""
    EXPIRED = "expired"
    """Its time ran out before it reached the device; it was not written."""
    FAILED = "failed"
    """The device or the line refused it."""
    UNKNOWN = "unknown"
    """No answer to the write: it may or may not have been done. Never repeated by itself."""


CommandStep = Literal["direct", "select", "operate"]

FINAL_STATES = frozenset(CommandState) - {CommandState.PENDING, CommandState.DELIVERED}


class Command(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    """One write to one point. value is in the point's unit; text for points that speak text.

    expected, where given, is the present value the device must show before anything is written.
    step: `select` reserves the point for its issuer and writes nothing; `operate` then writes, with the
    same value and issuer, while the selection lasts (select-before-operate, IEC 60870-5-101 clause 7.2.6).
    """

    id: str
    point: str
    value: float | str
    issued_us: int
    expires_us: int
    issued_by: str
    expected: float | None = None
    step: CommandStep = "direct"


class CommandOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway did with a command: a row of the stream `outcomes`."""

    command: str
    state: CommandState
    reason: str
    detail: str
    finished_us: int
    read_back: float | str | None = None
