"""Newest values as JSON of `schemas.Latest`: made once for everybody, however many browsers show them.

Two hundred screens of five hundred points at two thousand changes a second would be a hundred thousand
values a second to write; this way it is two thousand, and the rest is joining bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from central.city.registry import PointRecord
from central.kernel.shapes import QualityOut
from central.live.latest import LatestBoard, SeriesColumn
from protocols.model.clock import SECOND_US, Clock, to_datetime

KEPT_US: Final = SECOND_US // 4
"""A line is used again for so long, so its age is at most so old, and whether it is stale."""
MOST_BATCHES: Final = 64


class _Line(msgspec.Struct):
    point: str
    value: float | None
    text: str | None
    time: datetime
    received_at: datetime
    quality: msgspec.Raw
    stale: bool
    age_s: float


class _Batch(NamedTuple):
    """What was written for some series, at which turn of the board, and when its oldest line was."""

    turn: int
    made_us: int
    written: bytes


@lru_cache(maxsize=256)
def _quality(code: int) -> msgspec.Raw:
    return msgspec.Raw(QualityOut.of(code).model_dump_json(by_alias=True).encode())


class LatestLines:
    """Writes newest values. What `central.systems.monitoring.views.latest` shows, as bytes."""

    def __init__(self, board: LatestBoard, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._encoder = msgspec.json.Encoder()
        self._line: NDArray[Any] = np.empty(0, object)
        self._turn: NDArray[np.int64] = np.empty(0, np.int64)
        self._made: NDArray[np.int64] = np.empty(0, np.int64)
        self._batches: dict[bytes, _Batch] = {}

    def of(self, series: SeriesColumn, points: Mapping[int, PointRecord]) -> list[bytes]:
        """Return one line for each of these series that was ever read, in their order; points: by series."""
        if not len(series):
            return []
        self._grow(int(series.max()) + 1)
        now, turns = self._clock(), self._board.turns(series)
        age = now - self._made[series]
        due = (self._turn[series] != turns) | (age > KEPT_US) | (age < 0)
        if due.any():
            self._write(series[due], turns[due], points, now)
        return [line for line in self._line[series].tolist() if line is not None]

    def batch(self, series: Sequence[int] | SeriesColumn, points: Mapping[int, PointRecord]) -> bytes:
        """Return them as a JSON array; screens that show the same are told the same bytes."""
        column = np.asarray(series, np.int32)
        if not len(column):
            return b"[]"
        key = column.tobytes()
        # Whatever changes gets the newest turn of the board, so the highest one says whether anything did.
        turn, now = int(self._board.turns(column).max()), self._clock()
        kept = self._batches.pop(key, None)
        if kept is None or kept.turn != turn or not 0 <= now - kept.made_us <= KEPT_US:
            written = b"[" + b",".join(self.of(column, points)) + b"]"
            kept = _Batch(turn, int(self._made[column].min()), written)
        self._batches[key] = kept  # at the end again: the one that was not asked for longest goes first
        if len(self._batches) > MOST_BATCHES:
            self._batches.pop(next(iter(self._batches)))
        return kept.written

    def _write(
        self, series: SeriesColumn, turns: NDArray[np.int64], points: Mapping[int, PointRecord], now: int
    ) -> None:
        found = self._board.get_many(series.tolist())
        for number in series.tolist():
            value = found.get(number)
            self._line[number] = (
                None
                if value is None
                else self._encoder.encode(
                    _Line(
                        point=points[number].id,
                        value=value.value,
                        text=value.text,
                        time=to_datetime(value.time_us),
                        received_at=to_datetime(value.received_us),
                        quality=_quality(value.quality),
                        stale=value.stale,
                        age_s=max(0.0, round((now - value.time_us) / SECOND_US, 3)),
                    )
                )
            )
        self._turn[series] = turns
        self._made[series] = now

    def _grow(self, size: int) -> None:
        if size <= len(self._turn):
            return
        more = max(size, 2 * len(self._turn)) - len(self._turn)
        self._line = np.append(self._line, np.full(more, None, object))
        self._turn = np.append(self._turn, np.full(more, -1, np.int64))
        self._made = np.append(self._made, np.zeros(more, np.int64))
