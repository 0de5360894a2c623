"""Times that were recorded in doubt, put right before they leave: a shift of what one run of the kernel made.

What an earlier run of the kernel made can never be put right: it goes as it is, its batches marked with
their doubt and its good readings with quality Uncertain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from edge.buffer.book import Doubt
from edge.buffer.log import Log, Row
from edge.timekeeping import Stamp
from protocols.errors import WireError
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import LATEST_US, SECOND_US
from protocols.model.command import CommandOutcome
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, Payload, decode, encode
from protocols.wire.channels import STREAMS

Correct = Callable[[Stamp], int | None]
"""Returns the microseconds that times under a stamp lack; None where nobody will ever know."""
CHUNK: Final = 64
_SMALL_US: Final = SECOND_US
"""A time that was right within so much stays as it was recorded."""


def settle_some(log: Log, correct: Correct) -> int | None:
    """Put the next few batches right, in one transaction; None where nothing is in doubt any more.

    Begun and cut short it goes on where it stopped: no batch is shifted twice.
    """
    if not log.book.doubts:
        return None
    doubt = log.book.doubts[0]
    lacks = correct(Stamp(doubt.kernel, doubt.offset_us))
    stream = next((stream for stream in STREAMS if stream in doubt.places), None)
    if stream is None or (lacks is not None and abs(lacks) <= _SMALL_US):
        with log.change():
            del log.book.doubts[0]
        return 0
    first, last = doubt.places[stream]
    rows = log.rows(stream, low=first, high=last, limit=CHUNK)
    with log.change():
        log.replace(stream, rows, [_settled(row, doubt, lacks) for row in rows])
        if len(rows) < CHUNK:
            del doubt.places[stream]
        else:
            doubt.places[stream] = (rows[-1].place + 1, last)
    return len(rows)


def _settled(row: Row, doubt: Doubt, lacks: int | None) -> Row:
    try:
        batch = decode(row.data)
    except WireError:
        return row  # found damaged when its turn to be sent comes, and counted then
    batch = _marked(batch, doubt) if lacks is None else _shifted(batch, lacks)
    return Row(row.place, row.n, row.made_us + (lacks or 0), encode(batch))


def _marked(batch: Batch, doubt: Doubt) -> Batch:
    payload = batch.payload
    if isinstance(payload, Readings):
        quality = payload.quality.copy()
        quality[quality < Quality.UNCERTAIN] = Quality.UNCERTAIN
        payload = replace(payload, quality=quality)
    return replace(batch, payload=payload, doubt=(doubt.kernel, doubt.offset_us))


def _shifted(batch: Batch, by_us: int) -> Batch:
    return replace(batch, made_us=batch.made_us + by_us, payload=_moved(batch.payload, by_us))


def _moved(payload: Payload, by_us: int) -> Payload:
    if isinstance(payload, Readings):
        return replace(payload, time_us=np.clip(payload.time_us + by_us, 0, LATEST_US - 1))
    moved: list[AlarmTransition | CommandOutcome] = []
    for row in payload:
        if isinstance(row, AlarmTransition):
            times = {"event_us": _time(row.event_us + by_us), "sample_us": _time(row.sample_us + by_us)}
        else:
            times = {"finished_us": _time(row.finished_us + by_us)}
        moved.append(msgspec.structs.replace(row, **times))
    return tuple(moved)  # type: ignore[return-value]


def _time(time_us: int) -> int:
    return min(max(time_us, 0), LATEST_US - 1)
