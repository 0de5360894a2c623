"""Routes of alarms: list, whole story, acknowledge, shelve, take out of service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from central.kernel.shapes import problems
from central.security.permissions import MayAcknowledge, MayRead, MayShelve
from central.systems.monitoring import schemas_alarms
from central.systems.monitoring.alarm_filter import AlarmFilter, AlarmListQuery
from central.systems.monitoring.parts import Room

router = APIRouter(tags=["alarms"])

_ABOUT = problems(401, 403, 404, 503)
_ANSWER = problems(401, 403, 404, 409, 422, 503)


@router.get(
    "/alarms",
    operation_id="listAlarms",
    response_model=schemas_alarms.AlarmPage,
    responses=problems(400, 401, 403, 422, 503),
)
async def list_alarms(who: MayRead, room: Room, asked: Annotated[AlarmListQuery, Query()]) -> Response:
    """List alarms by filter, a page at a time, the newest raised first or the most urgent first."""
    return Response(await room.alarms.page(asked, who), media_type="application/json")


@router.get("/alarms/facets", operation_id="countAlarms", responses=problems(401, 403, 422, 503))
async def count_alarms(
    who: MayRead, room: Room, asked: Annotated[AlarmFilter, Query()]
) -> schemas_alarms.AlarmFacets:
    """Count the alarms that a filter lets through, by facet and value."""
    return await room.alarms.facets(asked, who)


@router.get("/alarms/{alarm_id}", operation_id="getAlarm", responses=_ABOUT)
async def get_alarm(alarm_id: str, who: MayRead, room: Room) -> schemas_alarms.AlarmDetail:
    """Return one alarm with what it rests on: rule version, samples around it, and every step since."""
    return await room.alarms.detail(alarm_id, who.sight)


@router.get("/alarms/{alarm_id}/earlier", operation_id="listEarlierAlarms", responses=_ABOUT)
async def list_earlier_alarms(alarm_id: str, who: MayRead, room: Room) -> schemas_alarms.EarlierAlarms:
    """Say how often there was an alarm at this point before, how long it lasted, and the last ten."""
    return await room.around.earlier(alarm_id, who.sight)


@router.get("/alarms/{alarm_id}/cameras", operation_id="listNearCameras", responses=_ABOUT)
async def list_near_cameras(alarm_id: str, who: MayRead, room: Room) -> schemas_alarms.NearCameras:
    """List the five cameras that stand nearest to an alarm."""
    return await room.around.cameras(alarm_id, who.sight)


@router.post("/alarms/{alarm_id}/acknowledge", operation_id="acknowledgeAlarm", responses=_ANSWER)
async def acknowledge_alarm(
    alarm_id: str, who: MayAcknowledge, room: Room, asked: schemas_alarms.Acknowledge | None = None
) -> schemas_alarms.Alarm:
    """Acknowledge an alarm (确认); one that is acknowledged already stays as it is."""
    return await room.alarms.acknowledge(alarm_id, who, asked.comment if asked else "")


@router.post("/alarms/{alarm_id}/reset", operation_id="resetAlarm", responses=_ANSWER)
async def reset_alarm(
    alarm_id: str, who: MayAcknowledge, room: Room, asked: schemas_alarms.Acknowledge | None = None
) -> schemas_alarms.Alarm:
    """Reset a latched alarm (复位) that is acknowledged and no longer active."""
    return await room.alarms.reset(alarm_id, who, asked.comment if asked else "")


@router.post("/alarms/{alarm_id}/shelve", operation_id="shelveAlarm", responses=_ANSWER)
async def shelve_alarm(
    alarm_id: str, asked: schemas_alarms.Shelve, who: MayShelve, room: Room
) -> schemas_alarms.Alarm:
    """Shelve an alarm (搁置) for a time, with a reason; it comes back by itself."""
    return await room.alarms.shelve(alarm_id, who, asked.minutes, asked.reason)


@router.post(
    "/alarms/{alarm_id}/unshelve",
    operation_id="unshelveAlarm",
    responses=problems(401, 403, 404, 409, 503),
)
async def unshelve_alarm(alarm_id: str, who: MayShelve, room: Room) -> schemas_alarms.Alarm:
    """End the shelving of an alarm; an active one annunciates again."""
    return await room.alarms.unshelve(alarm_id, who)


@router.post("/alarms/{alarm_id}/suspend", operation_id="suspendAlarm", responses=_ANSWER)
async def suspend_alarm(
    alarm_id: str, asked: schemas_alarms.Suspend, who: MayShelve, room: Room
) -> schemas_alarms.Alarm:
    """Take an alarm out of service (停用) under a permit, until somebody returns it."""
    return await room.alarms.suspend(alarm_id, who, asked.permit)


@router.post("/alarms/{alarm_id}/return", operation_id="returnAlarm", responses=_ANSWER)
async def return_alarm(
    alarm_id: str, who: MayShelve, room: Room, asked: schemas_alarms.Acknowledge | None = None
) -> schemas_alarms.Alarm:
    """Return an alarm to service (恢复使用); an active one annunciates again."""
    return await room.alarms.return_to_service(alarm_id, who, asked.comment if asked else "")
