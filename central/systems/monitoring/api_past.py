"""Routes of the past: history for screens, exports for other tools, marks beside a trend, saved views."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from central.kernel.packed import packed
from central.kernel.shapes import names, problems
from central.security.permissions import MayExport, MayRead
from central.security.principal import Principal
from central.store.history import Resolution
from central.systems.monitoring import export, past, schemas, schemas_past, trend_marks
from central.systems.monitoring.parts import Room
from central.systems.monitoring.trend_views import NewTrendView
from protocols.model.clock import LATEST_US, SECOND_US, from_datetime

router = APIRouter(tags=["monitoring"])

DEFAULT_SPAN_US = 3600 * SECOND_US
MAX_EXPORTED = 200

From = Annotated[AwareDatetime | None, Query(alias="from", description="left out: an hour before `to`")]
To = Annotated[AwareDatetime | None, Query(description="not included; left out: now")]
Points = Annotated[list[str], Query(min_length=1, max_length=past.MAX_POINTS)]
Wanted = Annotated[Literal["auto"] | Resolution, Query(description="auto: about a thousand values per point")]
Most = Annotated[int, Query(ge=1, le=100_000, description="values per point at most")]
Fields = Annotated[str | None, Query(max_length=200, description="comma separated columns; left out: all")]


@router.get("/history", operation_id="getHistory", responses=problems(401, 403, 404, 422, 503))
async def get_history(
    *,
    who: MayRead,
    room: Room,
    point: Points,
    from_: From = None,
    to: To = None,
    resolution: Wanted = "auto",
    limit: Most = 10_000,
) -> schemas.History:
    """Return the past of up to eight points, raw or rolled up, always with unit, quality and gaps."""
    found = await _load(room, who, point, (from_, to), resolution, limit)
    return past.shown(found, room.clock())


@router.get(
    "/history/columns",
    operation_id="getHistoryColumns",
    response_model=schemas_past.CompactHistory,
    responses=problems(401, 403, 404, 422, 503),
)
async def get_history_columns(
    *,
    who: MayRead,
    room: Room,
    request: Request,
    point: Points,
    from_: From = None,
    to: To = None,
    resolution: Wanted = "auto",
    limit: Most = 100_000,
    fields: Fields = None,
) -> Response:
    """Return the same in a third of the bytes: times as steps, quality as runs, columns as asked for."""
    found = await _load(room, who, point, (from_, to), resolution, limit)
    wanted = None if fields is None else past.known_columns(names(fields))
    now_us = room.clock()
    return await asyncio.to_thread(lambda: packed(past.compact(found, now_us, wanted), request))


@router.get(
    "/export/readings",
    operation_id="exportReadings",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file, as it is read: one row per reading or bucket, point after point",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in export.MEDIA_TYPES.values()
            },
        },
        **problems(401, 403, 404, 422, 503),
    },
)
async def export_readings(
    *,
    who: MayExport,
    room: Room,
    point: Annotated[list[str], Query(min_length=1, max_length=MAX_EXPORTED)],
    from_: From = None,
    to: To = None,
    format: export.Format = "csv",
    resolution: Resolution = "raw",
    fields: Fields = None,
    bom: Annotated[bool, Query(description="CSV: begin with a byte order mark, for Excel")] = False,
) -> StreamingResponse:
    """Return the past of points as a file of any length: CSV, Arrow stream or Parquet."""
    from_us, to_us = _span(room, from_, to)
    past.check_span(from_us, to_us)
    points = [await room.monitoring.find_point(item, who.sight) for item in dict.fromkeys(point)]
    job = export.Export(
        room.history,
        points,
        span=(max(from_us, 0), min(to_us, LATEST_US)),
        resolution=resolution,
        fields=None if fields is None else names(fields),
    )
    headers = {
        "Content-Disposition": f'attachment; filename="readings.{format}"',
        "Cache-Control": "no-store",
    }
    encoder = export.encoder(format, job.schema, bom=bom)
    return StreamingResponse(job.stream(encoder), media_type=export.MEDIA_TYPES[format], headers=headers)


@router.get("/history/marks", operation_id="listHistoryMarks", responses=problems(401, 403, 404, 422, 503))
async def list_history_marks(
    *, who: MayRead, room: Room, point: Points, from_: From = None, to: To = None
) -> schemas_past.Marks:
    """List what happened to points in a span: alarms that stood, commands that were sent."""
    from_us, to_us = _span(room, from_, to)
    past.check_span(from_us, to_us)
    points = [await room.monitoring.find_point(item, who.sight) for item in point]
    span = (max(from_us, 0), min(to_us, LATEST_US))
    return await trend_marks.marks(room.database, points, span, who.sight)


@router.get("/trend-views", operation_id="listTrendViews", responses=problems(401, 403, 503))
async def list_trend_views(who: MayRead, room: Room) -> schemas_past.TrendViews:
    """List one's own saved trends and those that others share, by name, as far as one sees their points."""
    return await room.trend_views.list(who)


@router.post("/trend-views", operation_id="saveTrendView", responses=problems(401, 403, 404, 409, 422, 503))
async def save_trend_view(who: MayRead, room: Room, asked: NewTrendView) -> schemas_past.TrendView:
    """Keep a trend under a name; one's own of that name is replaced. Sharing needs more than reading."""
    return await room.trend_views.save(asked, who)


@router.delete(
    "/trend-views/{view_id}",
    operation_id="deleteTrendView",
    status_code=204,
    responses=problems(401, 403, 404, 503),
)
async def delete_trend_view(view_id: str, who: MayRead, room: Room) -> None:
    """Delete one of one's own saved trends."""
    await room.trend_views.delete(view_id, who)


async def _load(
    room: Room,
    who: Principal,
    point: list[str],
    span: tuple[AwareDatetime | None, AwareDatetime | None],
    resolution: Literal["auto"] | Resolution,
    limit: int,
) -> past.Past:
    from_us, to_us = _span(room, *span)
    points = [await room.monitoring.find_point(item, who.sight) for item in point]
    return await past.load(
        room.history, points, from_us=from_us, to_us=to_us, resolution=resolution, limit=limit
    )


def _span(room: Room, from_: AwareDatetime | None, to: AwareDatetime | None) -> tuple[int, int]:
    to_us = room.clock() if to is None else from_datetime(to)
    return to_us - DEFAULT_SPAN_US if from_ is None else from_datetime(from_), to_us
