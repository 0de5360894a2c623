"""A batch: the one thing that goes up the link, encoded once and sent as the same bytes.

    zstd( msgpack( {v, stream, boot, seq, decl, made, n, …payload} ) ), with zstd's content checksum
    readings: point, time, value, quality as columns (protocols.wire.columns), text as [[row, words], …]
    alarms, outcomes: rows, a list of maps named as the model names its fields

(boot, stream, seq) is the batch's name for ever: the gateway numbers a stream from 1 within one buffer
file, whose identity is `boot`; the centre commits each name once.

doubt: [kernel, offset], only where the gateway did not know the time: the run of its kernel, and its time
minus its uptime. As long as it lies at the gateway, its times can be corrected; whoever receives it
should not trust them.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import msgpack
import msgspec
import numpy as np
import zstandard

from protocols.errors import WireError
from protocols.model.alarm import ACTIVE_STATES, ENTERS, LEAVES, AlarmEvent, AlarmState, AlarmTransition
from protocols.model.clock import LATEST_US
from protocols.model.command import FINAL_STATES, CommandOutcome
from protocols.model.reading import Readings
from protocols.wire.channels import (
    MAX_BATCH_BYTES,
    MAX_BATCH_DECODED_BYTES,
    MAX_BATCH_READINGS,
    Stream,
)
from protocols.wire.columns import decode_floats, decode_ints, encode_floats, encode_ints, encode_steps

VERSION = 1
MAX_NAME = 200
"""Characters of the name of an occurrence, rule, point, declaration or command."""
MAX_SAID = 1000
"""Characters of what a person says to an alarm."""
MAX_STEPS = 1 << 31
_AFTER: Mapping[AlarmEvent, Collection[AlarmState]] = {
    AlarmEvent.ACT: ACTIVE_STATES,
    AlarmEvent.CLR: frozenset(AlarmState) - ACTIVE_STATES,
    AlarmEvent.ACK: frozenset({AlarmState.ACKED, AlarmState.NORM, AlarmState.LTACK}),
    AlarmEvent.RESET: frozenset({AlarmState.NORM}),
    AlarmEvent.REALARM: frozenset({AlarmState.UNACK}),
}
"""Base states that a step of the base state can lead to (alarms.md section 2)."""
Payload = Readings | tuple[AlarmTransition, ...] | tuple[CommandOutcome, ...]

_LEVEL = 3
_rows: dict[str, type[Any]] = {
    "alarms": tuple[AlarmTransition, ...],
    "outcomes": tuple[CommandOutcome, ...],
}


class _Coders(threading.local):
    """zstd contexts are not for two threads at once, and too large to build for every batch."""

    def __init__(self) -> None:
        # The checksum: whoever unpacks a batch, on the disk or at the centre, knows that no bit has changed.
        self.compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_coders = _Coders()


@dataclass(frozen=True, slots=True)
class Batch:
    """What a gateway recorded between two closings of a batch; `made_us` is its clock at the closing."""

    stream: Stream
    boot: str
    seq: int
    declaration: str
    made_us: int
    payload: Payload
    doubt: tuple[str, int] | None = None


class Head(NamedTuple):
    """What a batch says of itself before its columns are looked at; n counts its readings or rows."""

    stream: Stream
    boot: str
    seq: int
    declaration: str
    made_us: int
    n: int
    doubt: tuple[str, int] | None


def encode(batch: Batch) -> bytes:
    """Return the batch as it is stored and sent. An empty payload is a programming error (ValueError)."""
    n = len(batch.payload)
    if not n:
        raise ValueError("a batch without content is never made")
    message: dict[str, Any] = {
        "v": VERSION,
        "stream": batch.stream,
        "boot": batch.boot,
        "seq": batch.seq,
        "decl": batch.declaration,
        "made": batch.made_us,
        "n": n,
    }
    if batch.doubt is not None:
        message["doubt"] = list(batch.doubt)
    payload = batch.payload
    if isinstance(payload, Readings):
        message["point"] = encode_steps(payload.point.astype(np.int64))
        message["time"] = encode_steps(payload.time_us)
        message["value"] = encode_floats(payload.value)
        message["quality"] = encode_ints(payload.quality.astype(np.int64))
        if payload.text:
            message["text"] = [[row, words] for row, words in payload.text.items()]
    else:
        message["rows"] = msgspec.to_builtins(payload)
    return _coders.compress(msgpack.packb(message))


def decode(data: bytes) -> Batch:
    """Read a batch. Raises WireError: `too-large`, `corrupt`, `version` or `shape`; nothing else."""
    message = _unpack(data)
    head = _head(message)
    payload: Payload = _readings(message) if head.stream == "readings" else _records(message, head.stream)
    return Batch(head.stream, head.boot, head.seq, head.declaration, head.made_us, payload, head.doubt)


def peek(data: bytes) -> Head:
    """Unpack a batch, which checks its bytes, and read what it says of itself. Raises WireError."""
    return _head(_unpack(data))


def _head(message: dict[str, Any]) -> Head:
    if message.get("v") != VERSION:
        raise WireError("version", f"batch version {message.get('v')!r}; this side reads {VERSION}")
    stream: Any = message.get("stream")
    boot, seq, declaration, made_us = (message.get(name) for name in ("boot", "seq", "decl", "made"))
    if stream not in get_args(Stream) or not isinstance(boot, str) or not isinstance(declaration, str):
        raise WireError("shape", "a batch names its stream, boot and declaration as text")
    if not 0 < len(boot) <= 64 or len(declaration) > 64 or "\0" in boot + declaration:
        raise WireError("shape", "boot and declaration are names of at most 64 characters")
    if type(seq) is not int or type(made_us) is not int or not 0 < seq < 1 << 62:
        raise WireError("shape", "a batch has a positive sequence number and a time in microseconds")
    n, doubt = message.get("n"), message.get("doubt")
    if type(n) is not int or n < 1:
        raise WireError("shape", f"a batch holds at least one reading or row, this one says {n!r}")
    if doubt is not None:
        try:
            doubt = msgspec.convert(doubt, tuple[str, int])
        except msgspec.ValidationError as error:
            raise WireError("shape", f"the doubt of a batch: {error}") from error
    return Head(stream, boot, seq, declaration, made_us, n, doubt)


def _unpack(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BATCH_BYTES:
        raise WireError("too-large", f"a batch of {len(data)} bytes; at most {MAX_BATCH_BYTES} are taken")
    try:
        # decompress() trusts the size a frame claims, so the claim is checked before it allocates.
        size = zstandard.frame_content_size(data)
        if size > MAX_BATCH_DECODED_BYTES:
            raise WireError("too-large", f"unpacks to {size} bytes; at most {MAX_BATCH_DECODED_BYTES}")
        if size < 0:
            raise WireError("corrupt", "the zstd frame does not say its size")
        unpacked = _coders.decompress(data)
        message = msgpack.unpackb(unpacked, raw=False, strict_map_key=True)
    except (zstandard.ZstdError, ValueError, msgpack.UnpackException, RecursionError) as error:
        raise WireError("corrupt", f"these bytes are no batch: {error}") from error
    if not isinstance(message, dict):
        raise WireError("shape", f"a batch is a map, not {type(message).__name__}")
    return message


def _readings(message: dict[str, Any]) -> Readings:
    n = message.get("n")
    if type(n) is not int or not 0 < n <= MAX_BATCH_READINGS:
        raise WireError("shape", f"a batch holds 1 to {MAX_BATCH_READINGS} readings, this one says {n!r}")
    point = decode_ints(message.get("point"), n)
    quality = decode_ints(message.get("quality"), n)
    if point.min() < 0 or point.max() > np.iinfo(np.int32).max:
        raise WireError("shape", "a point index is negative or beyond 2**31")
    time_us = decode_ints(message.get("time"), n)
    if time_us.min() < 0 or time_us.max() >= LATEST_US:
        raise WireError("shape", "a source time lies before 1970 or after 2099")
    if quality.min() < 0 or quality.max() > np.iinfo(np.uint32).max:
        raise WireError("shape", "a quality is no 32-bit status code")
    return Readings(
        point.astype(np.int32),
        time_us,
        decode_floats(message.get("value"), n),
        quality.astype(np.uint32),
        _text(message.get("text", []), n),
    )


def _text(rows: Any, n: int) -> dict[int, str]:
    try:
        text = dict(msgspec.convert(rows, list[tuple[int, str]]))
    except msgspec.ValidationError as error:
        raise WireError("shape", f"the text rows of a batch: {error}") from error
    if any(not 0 <= row < n or "\0" in words for row, words in text.items()):
        raise WireError("shape", "a text row lies outside its batch, or holds a zero character")
    return text


def _records(message: dict[str, Any], stream: str) -> Any:
    try:
        rows = msgspec.convert(message.get("rows"), _rows[stream])
    except msgspec.ValidationError as error:
        raise WireError("shape", f"the rows of a batch of {stream}: {error}") from error
    if not rows or len(rows) != message.get("n"):
        raise WireError("shape", f"a batch of {stream} has {len(rows)} rows and says {message.get('n')!r}")
    for i, row in enumerate(rows):
        mistake = _of_transition(row) if isinstance(row, AlarmTransition) else _of_outcome(row)
        if mistake:
            raise WireError("shape", f"row {i} of a batch of {stream}: {mistake}")
    return rows


def _of_transition(row: AlarmTransition) -> str | None:
    """Return what is impossible about a step of an alarm, or None."""
    if not _named(row.rule, row.point, row.declaration, *([row.occurrence] if row.occurrence else [])):
        return f"a name is empty, longer than {MAX_NAME} characters, or holds a zero character"
    if not row.occurrence and not (row.event in ENTERS or row.event in LEAVES):
        return f"{row.event} without an occurrence; only a step of an overlay has none"
    if row.occurrence and row.number == 1 and row.event is not AlarmEvent.ACT:
        return f"{row.event} as the first step of an occurrence, which begins with ACT"
    if not row.occurrence and row.number != 1:
        return f"step number {row.number} of no occurrence"
    if row.state is not None and row.state not in _AFTER.get(row.event, frozenset(AlarmState)):
        return f"the alarm is {row.state} after {row.event}, which no step of the machine leads to"
    if not _said(row.actor, row.comment, row.act, row.group):
        return f"its words are longer than {MAX_SAID} characters, or hold a zero character"
    if row.until_us is not None and not 0 <= row.until_us < LATEST_US:
        return "a shelving ends before 1970 or after 2099"
    if not 0 < row.number < MAX_STEPS:
        return f"step number {row.number}; steps count from 1"
    if not (0 <= row.event_us < LATEST_US and 0 <= row.sample_us < LATEST_US):
        return "a time lies before 1970 or after 2099"
    if not 0 <= row.quality < 1 << 32:
        return "its quality is no 32-bit status code"
    return None


def _of_outcome(row: CommandOutcome) -> str | None:
    """Return what is impossible about an outcome, or None."""
    if not _named(row.command):
        return f"the command's name is empty, longer than {MAX_NAME} characters, or holds a zero character"
    if row.state not in FINAL_STATES:
        return f"{row.state} is not an end of a command"
    if row.point and not _named(row.point, row.issued_by):
        return f"its point or issuer is empty, longer than {MAX_NAME} characters, or holds a zero character"
    if not (0 <= row.finished_us < LATEST_US and 0 <= row.issued_us < LATEST_US):
        return "a time lies before 1970 or after 2099"
    return None


def _said(*words: str) -> bool:
    return all(len(word) <= MAX_SAID and "\0" not in word for word in words)


def _named(*names: str) -> bool:
    return all(0 < len(name) <= MAX_NAME and "\0" not in name for name in names)
