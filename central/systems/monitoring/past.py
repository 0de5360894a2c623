"""The past of points: raw or rolled up, always with unit and quality."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from central.city.registry import PointRecord
from central.kernel.problem import Problem
from central.kernel.shapes import QualityOut
from central.store.history import History, RawHistory, Resolution, RolledHistory, choose_resolution
from central.systems.monitoring import schemas, schemas_alarms
from central.systems.monitoring.gaps import gaps
from central.systems.monitoring.schemas_past import Gap
from protocols.model.clock import LATEST_US, SECOND_US, to_datetime

MAX_POINTS = 8
COLUMNS = ("value", "quality", "n", "bad", "min", "avg", "max", "last")
"""What `fields` may name in the compact form: the first two raw, the others rolled up."""
EVIDENCE_US = 120 * SECOND_US


@dataclass(frozen=True, slots=True)
class Past:
    """The past of points at one resolution within one span, µs UTC, before it is put into a shape."""

    resolution: Resolution
    span: tuple[int, int]
    series: Sequence[tuple[PointRecord, RawHistory | RolledHistory]]


def check_span(from_us: int, to_us: int) -> None:
    """Refuse an empty span: Problem 422 `bad-span`."""
    if to_us <= from_us:
        raise Problem(422, "bad-span", "The span is empty", "`from` must lie before `to`.")


async def load(
    store: History,
    points: Sequence[PointRecord],
    *,
    from_us: int,
    to_us: int,
    resolution: Literal["auto"] | Resolution,
    limit: int,
) -> Past:
    """Return the past of the points in `[from_us, to_us)`; Problem 422 `bad-span` for an empty span.

    The span is cut to the times that a reading may have.
    """
    check_span(from_us, to_us)
    from_us, to_us = (min(max(moment_us, 0), LATEST_US) for moment_us in (from_us, to_us))
    if resolution == "auto":
        resolution = choose_resolution(from_us, to_us, min(point.period_s for point in points))
    found: Sequence[RawHistory | RolledHistory]
    if resolution == "raw":
        found = await asyncio.gather(*(store.raw(point.series, from_us, to_us, limit) for point in points))
    else:
        found = await asyncio.gather(
            *(store.rolled(point.series, resolution, from_us, to_us, limit) for point in points)
        )
    return Past(resolution, (from_us, to_us), list(zip(points, found, strict=True)))


def shown(past: Past, now_us: int) -> schemas.History:
    """Return the past as lists; what lies ahead of `now_us` is no gap."""
    series = []
    for point, found in past.series:
        missing = _gaps(past, point, found, now_us)
        series.append(
            _raw(point, found, missing) if isinstance(found, RawHistory) else _rolled(point, found, missing)
        )
    return schemas.History(resolution=past.resolution, series=series)


def known_columns(names: Sequence[str]) -> frozenset[str]:
    """Return names of columns, of raw or rolled-up readings. Problem 422 `bad-field` for one there is not."""
    if unknown := [name for name in names if name not in COLUMNS]:
        detail = f"{', '.join(unknown)}: no such column. There are {', '.join(COLUMNS)}."
        raise Problem(422, "bad-field", "Unknown column", detail)
    return frozenset(names)


def compact(past: Past, now_us: int, fields: frozenset[str] | None = None) -> bytes:
    """Return a `CompactHistory` as JSON, made of whole columns; fields: the columns wanted, None: all."""
    series = []
    for point, found in past.series:
        columns = _columns(found)
        times = found.time_us // 1000
        raw = found if isinstance(found, RawHistory) else None
        series.append(
            {
                "point": point.id,
                "unit": point.unit,
                "start": int(times[0]) if len(times) else None,
                "steps": np.diff(times).tolist(),
                "columns": {
                    name: column.tolist()
                    for name, column in columns.items()
                    if fields is None or name in fields
                },
                "quality": _runs(raw.quality) if raw and (fields is None or "quality" in fields) else [],
                "text": raw.text if raw else {},
                "gaps": [gap.model_dump() for gap in _gaps(past, point, found, now_us)],
                "truncated": found.truncated,
            }
        )
    # msgspec writes NaN, which is "no number" here, as null.
    return msgspec.json.encode({"resolution": past.resolution, "series": series})


def _gaps(past: Past, point: PointRecord, found: RawHistory | RolledHistory, now_us: int) -> list[Gap]:
    end = int(found.time_us[-1]) if found.truncated else min(past.span[1], now_us)
    return gaps(
        found.time_us,
        found.quality if isinstance(found, RawHistory) else None,
        (past.span[0], end),
        resolution=past.resolution,
        period_s=point.period_s,
    )


def _columns(found: RawHistory | RolledHistory) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    if isinstance(found, RawHistory):
        return {"value": found.value}
    return {
        "n": found.n, "bad": found.bad, "min": found.min, "avg": found.avg, "max": found.max,
        "last": found.last,
    }  # fmt: skip


def _runs(quality: NDArray[np.uint32]) -> list[tuple[int, int]]:
    if not len(quality):
        return []
    starts = np.flatnonzero(np.append(True, quality[1:] != quality[:-1]))
    lengths = np.diff(np.append(starts, len(quality)))
    return list(zip(lengths.tolist(), quality[starts].tolist(), strict=True))


async def evidence(store: History, series: int, moment_us: int) -> list[schemas_alarms.EvidenceSample]:
    """Return the raw readings from two minutes before a moment to two minutes after it."""
    found = await store.raw(series, moment_us - EVIDENCE_US, moment_us + EVIDENCE_US)
    return [
        schemas_alarms.EvidenceSample(time=to_datetime(time_us), value=value, quality=QualityOut.of(quality))
        for time_us, value, quality in zip(
            found.time_us.tolist(), _numbers(found.value), found.quality.tolist(), strict=True
        )
    ]


def _raw(point: PointRecord, found: RawHistory, missing: list[Gap]) -> schemas.Series:
    return schemas.Series(
        point=point.id,
        unit=point.unit,
        t=(found.time_us // 1000).tolist(),
        value=_numbers(found.value),
        quality=found.quality.tolist(),
        text=found.text or None,
        gaps=missing,
        truncated=found.truncated,
    )


def _rolled(point: PointRecord, found: RolledHistory, missing: list[Gap]) -> schemas.Series:
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
        gaps=missing,
        truncated=found.truncated,
    )


def _numbers(column: NDArray[np.float64]) -> list[float | None]:
    """Return a column as JSON can hold it: None where there is no number."""
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124  NaN
