"""Routes of cameras: the wall, one camera, a picture on demand, evidence of an alarm, a picture's bytes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response, status

from central.kernel.problem import not_found
from central.kernel.shapes import problems
from central.link.schemas import Order
from central.security.permissions import MayCommand, MayRead
from central.systems.monitoring import schemas_cameras
from central.systems.monitoring.cameras import image_headers
from central.systems.monitoring.parts import Room

router = APIRouter(tags=["cameras"])

_ABOUT = problems(401, 403, 404, 503)
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")
        },
    },
    304: {"description": "The caller has it"},
}


@router.get("/cameras", operation_id="listCameras", responses=problems(401, 403, 503))
async def list_cameras(who: MayRead, room: Room) -> schemas_cameras.CameraPage:
    """List the cameras with how they are and their newest picture: the camera wall (视频墙)."""
    return await room.cameras.wall(who.sight)


@router.get("/cameras/{camera_id}", operation_id="getCamera", responses=_ABOUT)
async def get_camera(camera_id: str, who: MayRead, room: Room) -> schemas_cameras.CameraDetail:
    """Return one camera with its last pictures, its neighbours, and what became of the last one asked for."""
    return await room.cameras.one(camera_id, who.sight)


@router.post(
    "/cameras/{camera_id}/snapshots",
    operation_id="takeSnapshot",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(401, 403, 404, 409, 503),
)
async def take_snapshot(camera_id: str, who: MayCommand, room: Room) -> Order:
    """Ask for a picture now (立即抓拍); it comes as the camera's newest one within seconds."""
    try:
        return Order.of(await room.cameras.take(camera_id, who))
    except KeyError:
        raise not_found("camera", camera_id) from None


@router.get("/alarms/{alarm_id}/evidence", operation_id="listAlarmEvidence", responses=_ABOUT)
async def list_alarm_evidence(alarm_id: str, who: MayRead, room: Room) -> schemas_cameras.Evidence:
    """List the pictures that cameras near an alarm took for it: the last before it, and at it."""
    return await room.cameras.evidence(alarm_id, who.sight)


@router.get(
    "/snapshots/{snapshot_id}/image",
    operation_id="getSnapshotImage",
    response_class=Response,
    responses={**_PICTURE, **problems(401, 403, 404, 503)},
)
async def get_snapshot_image(
    snapshot_id: str,
    who: MayRead,
    room: Room,
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Return a picture, byte for byte as its gateway sent it: JPEG or PNG by its content."""
    found = await room.cameras.image(snapshot_id, who.sight)
    headers = image_headers(found.sha256)
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)
