"""Routes of the registry's files: import and export as CSV and GeoJSON, photos and documents."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from central.city import attachments, tablefile
from central.kernel.problem import Problem
from central.kernel.shapes import names, problems
from central.security.permissions import MayEditRegistry, MayExport, MayRead
from central.systems.registry import schemas
from central.systems.registry.api import KIND_OF
from central.systems.registry.parts import Desk, TellAudit

router = APIRouter(tags=["registry"])

_MEDIA: dict[tablefile.Format, str] = {"csv": "text/csv; charset=utf-8", "geojson": "application/geo+json"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _files(*media: str) -> dict[int | str, dict[str, Any]]:
    """Document an answer that is a file of one of these types."""
    binary, document = {"schema": {"type": "string", "format": "binary"}}, {"schema": {"type": "object"}}
    content = {name: document if name.endswith("json") else binary for name in media}
    return {200: {"description": "The file", "content": content}}


Shape = Annotated[tablefile.Format, Query(alias="format", description="csv or geojson")]


@router.get(
    "/registry/export/{kind}",
    operation_id="exportRegistry",
    response_class=StreamingResponse,
    responses={**_files(*_MEDIA.values()), **problems(401, 403, 422, 503)},
)
async def export_registry(
    kind: schemas.Plural,
    who: MayExport,
    desk: Desk,
    shape: Shape = "csv",
    fields: Annotated[
        str | None, Query(max_length=500, description="comma separated columns after `id`; left out: all")
    ] = None,
) -> StreamingResponse:
    """Return a file of all things of a kind within sight; imported again it changes nothing."""
    lines = await desk.export(who.sight, KIND_OF[kind], shape, None if fields is None else names(fields))
    return StreamingResponse(
        lines,
        media_type=_MEDIA[shape],
        headers={
            "Content-Disposition": f'attachment; filename="{kind}.{shape}"',
            "Cache-Control": "no-store",
        },
    )


@router.post(
    "/registry/import/{kind}",
    operation_id="importRegistry",
    openapi_extra=_BODY,
    responses=problems(401, 403, 404, 409, 413, 422, 503),
)
async def import_registry(
    *,
    kind: schemas.Plural,
    request: Request,
    who: MayEditRegistry,
    desk: Desk,
    tell: TellAudit,
    shape: Shape = "csv",
    apply: Annotated[bool, Query(description="false: only say what it would change")] = False,
    reason: Annotated[str, Query(max_length=1000)] = "",
) -> schemas.ImportReport:
    """Say what a file would change, with every mistake at its line and column; then apply all of it."""
    data = await _body(request, tablefile.MOST_BYTES)
    return await desk.import_(who, KIND_OF[kind], shape, data, apply=apply, reason=reason, tell=tell)


@router.post(
    "/registry/{kind}/{thing_id}/attachments",
    operation_id="attachFile",
    status_code=status.HTTP_201_CREATED,
    openapi_extra=_BODY,
    responses=problems(401, 403, 404, 409, 413, 415, 422, 503),
)
async def attach_file(
    *,
    kind: schemas.Plural,
    thing_id: str,
    request: Request,
    who: MayEditRegistry,
    desk: Desk,
    tell: TellAudit,
    name: Annotated[str, Query(min_length=1, max_length=300, description="file name")],
    note: Annotated[str, Query(max_length=1000)] = "",
) -> schemas.AttachmentOut:
    """Keep a photo or document. Its type is read from its content; a photo's place and time are taken out."""
    data = await _body(request, attachments.MOST_BYTES)
    return await desk.attach(who, KIND_OF[kind], thing_id, name=name, note=note, body=data, tell=tell)


@router.get(
    "/registry/attachments/{attachment_id}",
    operation_id="getAttachment",
    response_class=Response,
    responses={**_files(*attachments.MEDIA_TYPES), **problems(401, 403, 404, 503)},
)
async def get_attachment(attachment_id: str, who: MayRead, desk: Desk) -> Response:
    """Return a file. Photos may be shown in a page; everything else is downloaded, and nothing may act."""
    found = await desk.attachment(who.sight, attachment_id)
    way = "inline" if found.media_type in attachments.INLINE else "attachment"
    return Response(
        found.body,
        media_type=found.media_type,
        headers={
            "Content-Disposition": f"{way}; filename*=UTF-8''{quote(found.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-cache",
            "ETag": f'"{found.sha256}"',
        },
    )


@router.delete(
    "/registry/attachments/{attachment_id}",
    operation_id="removeAttachment",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 503),
)
async def remove_attachment(attachment_id: str, who: MayEditRegistry, desk: Desk, tell: TellAudit) -> None:
    """Remove a file for good; that it was there stays in the history."""
    await desk.detach(who, attachment_id, tell)


async def _body(request: Request, most: int) -> bytes:
    """Read a body; Problem 413 as soon as it is too large, whatever it says of its length."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise Problem(
                413,
                "too-large",
                "The file is too large",
                f"At most {most} bytes are possible; split or shrink it.",
            )
        parts.append(part)
    return b"".join(parts)
