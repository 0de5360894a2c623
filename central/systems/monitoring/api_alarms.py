"""Routes of alarms: list, whole story, acknowledge, shelve, take out of service."""

from __future__ import annotations

from fastapi import APIRouter

from central.kernel.shapes import Cursor, Limit, PriorityCode, problems
from central.live.alarms import AlarmQuery, StateFilter
from central.security.permissions import MayAcknowledge, MayRead, MayShelve
from central.systems.monitoring import schemas_alarms
from central.systems.monitoring.parts import Room

router = APIRouter(tags=["alarms"])

_ANSWER = problems(401, 403, 404, 409, 422, 503)


@router.get("/alarms", operation_id="listAlarms", responses=problems(400, 401, 403, 422, 503))
async def list_alarms(
    *,
    who: MayRead,
    room: Room,
    state: StateFilter = "open",
    priority: PriorityCode | None = None,
    site: str | None = None,
    device: str | None = None,
    shelved: bool | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schemas_alarms.AlarmPage:
    """List alarms, the newest raised first. `open`: not closed yet; `unacked`: waiting for somebody."""
    return await room.alarms.page(
        AlarmQuery(
            state=state,
            priority=priority,
            site=site,
            device=device,
            shelved=shelved,
            sites=who.sight.sites,
            limit=limit,
            cursor=cursor,
        )
    )


@router.get("/alarms/{alarm_id}", operation_id="getAlarm", responses=problems(401, 403, 404, 503))
async def get_alarm(alarm_id: str, who: MayRead, room: Room) -> schemas_alarms.AlarmDetail:
    """Return one alarm with what it rests on: rule version, samples around it, and every step since."""
    return await room.alarms.detail(alarm_id, who.sight)


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
