"""Commands to a device, from the centre or at the gateway, and what became of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class CommandState(StrEnum):
    """Life of a command. All but the first two are final.

    pending → delivered → verified | written | mismatch | selected | rejected | expired | failed | unknown
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    VERIFIED = "verified"
    """Written, and the read-back equals what was asked."""
    WRITTEN = "written"
    """The device confirmed; the point cannot be read back."""
    MISMATCH = "mismatch"
    """Written, and the read-back says otherwise."""
    SELECTED = "selected"
    """The point is reserved for its issuer; nothing was written yet."""
    REJECTED = "rejected"
    """Not written: a rule forbids it, and the reason names which."""
    EXPIRED = "expired"
    """Its time ran out before it reached the device; it was not written."""
    FAILED = "failed"
    """The device or the line refused it."""
    UNKNOWN = "unknown"
    """No answer to the write: it may or may not have been done. Never repeated by itself."""


class Reason(StrEnum):
    """Why a command ended as it did; `docs/control.md` has a line for each. Orders that are no commands
    have reasons of their own.
    """

    VERIFIED = "verified"
    NOT_READABLE = "not-readable"
    SUPERSEDED = "superseded"
    READ_BACK_DIFFERS = "read-back-differs"
    SELECTED = "selected"
    UNKNOWN_POINT = "unknown-point"
    NOT_WRITABLE = "not-writable"
    WRONG_TYPE = "wrong-type"
    OUT_OF_LIMITS = "out-of-limits"
    NOT_REPRESENTABLE = "not-representable"
    LOCAL_MANUAL = "local-manual"
    SELECT_FIRST = "select-first"
    SELECTED_BY_OTHER = "selected-by-other"
    NOT_AS_SELECTED = "not-as-selected"
    HELD = "held"
    OUTRANKED = "outranked"
    INTERLOCK = "interlock"
    INTERLOCK_UNKNOWN = "interlock-unknown"
    MIN_ON = "min-on"
    MIN_OFF = "min-off"
    EXCLUDED = "excluded"
    UNEXPECTED_VALUE = "unexpected-value"
    PRESENT_VALUE_UNKNOWN = "present-value-unknown"
    NOT_SUPPORTED = "not-supported"
    EXPIRED = "expired"
    NO_CONNECTION = "no-connection"
    DEVICE_REFUSED = "device-refused"
    NO_ANSWER = "no-answer"
    CONNECTION_LOST = "connection-lost"
    BAD_ANSWER = "bad-answer"
    DRIVER_FAILED = "driver-failed"
    INTERRUPTED = "interrupted"


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
    """What the gateway did with a command: a row of the stream `outcomes`.

    point, value, issued_by and issued_us repeat the command, so that the centre can show one that it did
    not send: `action:KEY` for an action of the gateway, `page:…` or `local:…` for a person beside it.
    point is empty for orders that are no commands.
    """

    command: str
    state: CommandState
    reason: str
    detail: str
    finished_us: int
    read_back: float | str | None = None
    point: str = ""
    value: float | str | None = None
    issued_by: str = ""
    issued_us: int = 0
