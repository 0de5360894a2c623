"""The trend of one point from the gateway's own memory: minimum, maximum and last value per bucket.

    now ──── slices of the log, the newest first, until the time is read or the work is enough ──── from

Reading a day of 10,000 points may take longer than a person waits, so the work is bounded: what is told
then begins later than asked for, and says so (`complete`).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.console.answers import Problem, answer, required, whole
from edge.console.layout import Layout
from edge.console.worker import Worker
from edge.house import House
from protocols.errors import WireError
from protocols.field.base import BoundPoint
from protocols.model.clock import LATEST_US, SECOND_US
from protocols.model.reading import Qualities, Readings, TimesUs, Values
from protocols.wire.batch import decode

WORK_S: Final = 3.0
MAX_ROWS: Final = 5_000
FIRST_SLICE_US: Final = 60 * SECOND_US
"""The newest slice is small, so that a slow board shows something; each next one is twice as long."""
_DEFAULT_US: Final = 3_600 * SECOND_US
_DECLARATIONS: Final = 8
Held = list[tuple[str, Readings]]


class HistoryView(msgspec.Struct, frozen=True, kw_only=True):
    """n buckets in the order of time; t is the source time of a bucket's last reading, quality its worst.

    `complete` is False where the log was not read back to `from_us`; `from_us` is where it was.
    """

    point: str
    unit: str
    from_us: int
    to_us: int
    complete: bool
    t: list[int]
    min: list[float | None]
    max: list[float | None]
    value: list[float | None]
    quality: list[int]


class _Name(msgspec.Struct, frozen=True):
    device: str
    key: str


class _Declared(msgspec.Struct, frozen=True):
    """The little of a manifest (`protocols.model.manifest`) that says which point a number is."""

    points: list[_Name]


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one point in the order of time, columns of shape (n,)."""

    time_us: TimesUs
    value: Values
    quality: Qualities

    @classmethod
    def of(cls, parts: list[Readings]) -> Series:
        """Join readings of one point; the same reading kept twice is one."""
        whole = Readings.concat(parts)
        _, order = np.unique(whole.time_us, return_index=True)
        return cls(whole.time_us[order], whole.value[order], whole.quality[order])


def downsampled(
    series: Series, from_us: int, to_us: int, rows: int
) -> dict[str, list[float | None] | list[int]]:
    """Return at most `rows` buckets of equal width over [from_us, to_us]; empty ones are left out."""
    n = len(series.time_us)
    if n <= rows:
        first = np.arange(n)
    else:
        width = max((to_us - from_us) / rows, 1.0)
        bucket = np.clip(((series.time_us - from_us) / width).astype(np.int64), 0, rows - 1)
        first = np.flatnonzero(np.diff(bucket, prepend=-1))
    if not n:
        return {"t": [], "min": [], "max": [], "value": [], "quality": []}
    last = np.append(first[1:], n) - 1
    low = np.minimum.reduceat(np.where(np.isnan(series.value), np.inf, series.value), first)
    high = np.maximum.reduceat(np.where(np.isnan(series.value), -np.inf, series.value), first)
    return {
        "t": series.time_us[last].tolist(),
        "min": _numbers(low),
        "max": _numbers(high),
        "value": _numbers(series.value[last]),
        "quality": np.maximum.reduceat(series.quality, first).tolist(),
    }


def _numbers(column: NDArray[np.float64]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in column.tolist()]


class History:
    """Looks for one point in the log."""

    def __init__(self, house: House, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._house = house
        self._monotonic = monotonic
        self._places: OrderedDict[str, dict[str, int]] = OrderedDict()

    def read(self, point: BoundPoint, from_us: int, to_us: int, rows: int, unstored: Held) -> HistoryView:
        """Return the trend of a point, `unstored` at its end. Blocks on the disk. Raises StorageError."""
        name = f"{point.device}.{point.profile.key}"
        parts, reached = self._collect(name, from_us, to_us)
        parts += [self._of(declaration, readings, name) for declaration, readings in unstored]
        series = Series.of([_between(part, from_us, to_us) for part in parts])
        columns = downsampled(series, from_us, to_us, rows)
        return HistoryView(
            point=name,
            unit=point.profile.unit,
            from_us=reached,
            to_us=to_us,
            complete=reached <= from_us,
            **columns,  # type: ignore[arg-type]
        )

    def _collect(self, name: str, from_us: int, to_us: int) -> tuple[list[Readings], int]:
        """Return the readings of a point, and from when on they are all of them."""
        enough = self._monotonic() + WORK_S
        parts: list[Readings] = []
        until, width = to_us, FIRST_SLICE_US
        while until > from_us:
            since = max(until - width, from_us)
            found: list[Readings] = []
            for stored in self._house.buffer.recent(since, until):
                if self._monotonic() >= enough:
                    return parts, until  # half a slice would show a gap where there is none
                with suppress(WireError):  # the sender reports a batch that cannot be read, and sets it aside
                    batch = decode(stored.data)
                    if isinstance(batch.payload, Readings):
                        found.append(self._of(batch.declaration, batch.payload, name))
            parts += found
            until, width = since, width * 2
        return parts, from_us

    def _of(self, declaration: str, readings: Readings, name: str) -> Readings:
        """Return what some readings hold of a point."""
        index = self._index(declaration, name)
        return Readings.empty() if index is None else readings.take(readings.point == index)

    def _index(self, declaration: str, name: str) -> int | None:
        """Return the number of a point under a declaration: a batch can be older than the configuration."""
        plan = self._house.plan
        if declaration == plan.declaration:
            return plan.indexes.get(name)
        known = self._places.get(declaration)
        if known is None:
            encoded = self._house.buffer.declaration(declaration)
            points = msgspec.json.decode(encoded, type=_Declared).points if encoded else []
            known = {f"{point.device}.{point.key}": i for i, point in enumerate(points)}
            self._places[declaration] = known
            while len(self._places) > _DECLARATIONS:
                self._places.popitem(last=False)
        return known.get(name)

    def unstored(self, point: BoundPoint) -> Held:
        """Return what is not on the disk yet, and the present value, which a deadband may have held back.

        Looks at memory only, and belongs into the loop: under another plan the point has another number.
        """
        shaper, index = self._house.pipeline.shaper, np.array([point.index], np.int32)
        at = int(shaper.latest_us[point.index])
        newest = Readings.at(
            index, at, shaper.latest_value[index].copy(), shaper.latest_quality[index].copy()
        )
        return [*self._house.pipeline.held(), (self._house.plan.declaration, newest)]


def _between(readings: Readings, from_us: int, to_us: int) -> Readings:
    return readings.take((readings.time_us >= from_us) & (readings.time_us <= to_us))


def routes(house: House, layout: Layout, history: History, worker: Worker) -> list[Route]:
    """GET /api/history?point=dev.key&from_us&to_us&max=600."""

    async def show(request: Request) -> Response:
        point = layout.point(required(request, "point"))
        now = house.clock()
        to_us = whole(request, "to_us", now, 0, LATEST_US)
        from_us = whole(request, "from_us", to_us - _DEFAULT_US, 0, LATEST_US)
        if from_us >= to_us:
            raise Problem(422, "wrong-query", "`from_us` is before `to_us`")
        rows = whole(request, "max", 600, 2, MAX_ROWS)
        unstored = history.unstored(point)
        return answer(await worker.run(history.read, point, from_us, to_us, rows, unstored))

    return [Route("/api/history", show)]
