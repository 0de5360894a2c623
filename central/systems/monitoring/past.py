"""The past of points: raw or rolled up, always with unit and quality."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from central.city.registry import PointRecord
from central.kernel.problem import Problem
from central.kernel.shapes import QualityOut
from central.store.history import History, RawHistory, Resolution, RolledHistory, choose_resolution
from central.systems.monitoring import schemas, schemas_alarms
from protocols.model.clock import LATEST_US, SECOND_US, to_datetime

MAX_POINTS = 8
EVIDENCE_US = 120 * SECOND_US


async def history(
    store: History,
    points: Sequence[PointRecord],
    *,
    from_us: int,
    to_us: int,
    resolution: Literal["auto"] | Resolution,
    limit: int,
) -> schemas.History:
    """Return the past of the points in `[from_us, to_us)`; Problem 422 `bad-span` for an empty span.

    The span is cut to the times that a reading may have.
    """
    if to_us <= from_us:
        raise Problem(422, "bad-span", "The span is empty", "`from` must lie before `to`.")
    from_us, to_us = (min(max(moment_us, 0), LATEST_US) for moment_us in (from_us, to_us))
    if resolution == "auto":
        resolution = choose_resolution(from_us, to_us, min(point.period_s for point in points))
    if resolution == "raw":
        found = await asyncio.gather(*(store.raw(point.series, from_us, to_us, limit) for point in points))
        series = [_raw(point, item) for point, item in zip(points, found, strict=True)]
    else:
        rolled = await asyncio.gather(
            *(store.rolled(point.series, resolution, from_us, to_us, limit) for point in points)
        )
        series = [_rolled(point, item) for point, item in zip(points, rolled, strict=True)]
    return schemas.History(resolution=resolution, series=series)


async def evidence(store: History, series: int, moment_us: int) -> list[schemas_alarms.EvidenceSample]:
    """Return the raw readings from two minutes before a moment to two minutes after it."""
    found = await store.raw(series, moment_us - EVIDENCE_US, moment_us + EVIDENCE_US)
    return [
        schemas_alarms.EvidenceSample(time=to_datetime(time_us), value=value, quality=QualityOut.of(quality))
        for time_us, value, quality in zip(
            found.time_us.tolist(), _numbers(found.value), found.quality.tolist(), strict=True
        )
    ]


def _raw(point: PointRecord, found: RawHistory) -> schemas.Series:
    return schemas.Series(
        point=point.id,
        unit=point.unit,
        t=(found.time_us // 1000).tolist(),
        value=_numbers(found.value),
        quality=found.quality.tolist(),
        text=found.text or None,
        truncated=found.truncated,
    )


def _rolled(point: PointRecord, found: RolledHistory) -> schemas.Series:
    return schemas.Series(
        point=point.id,
        unit=point.unit,
        t=(found.time_us // 1000).tolist(),
        n=found.n.tolist(),
        bad=found.bad.tolist(),
        min=_numbers(found.min),
        max=_numbers(found.max),
        avg=_numbers(found.avg),
        last=_numbers(found.last),
        truncated=found.truncated,
    )


def _numbers(column: NDArray[np.float64]) -> list[float | None]:
    """Return a column as JSON can hold it: None where there is no number."""
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124  NaN
