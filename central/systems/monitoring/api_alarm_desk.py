"""Routes of the alarm desk: many acts at once, covers, folded storms, groups, saved views, assignees."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from central.kernel.shapes import problems
from central.security.permissions import MayAcknowledge, MayRead, MayShelve, MaySuppress
from central.systems.monitoring import schemas_desk as schemas
from central.systems.monitoring.alarm_filter import AlarmFilter, Moment
from central.systems.monitoring.alarm_health import AlarmHealth
from central.systems.monitoring.parts import Room

router = APIRouter(tags=["alarm desk"])
_ACT = problems(401, 403, 404, 409, 422, 503)
_READ = problems(401, 403, 422, 503)
Number = Annotated[int, Path(ge=1, lt=1 << 63)]


@router.post("/alarms/acts", operation_id="actOnAlarms", responses=_ACT)
async def act_on_alarms(asked: schemas.Acts, who: MayAcknowledge, room: Room) -> schemas.ActsDone:
    """Acknowledge, reset, comment or assign many alarms: all, or named failures."""
    if asked.verb == "assign" and asked.assignee is not None:
        await room.people.require(asked.assignee, who.sight)
    return await room.desk.act(asked, who)


@router.post("/alarms/overlays", operation_id="overlayAlarms", responses=_ACT)
async def overlay_alarms(asked: schemas.OverlayActs, who: MayShelve, room: Room) -> schemas.ActsDone:
    """Shelve or take out of service many alarms, or end that: all, or named failures."""
    return await room.desk.overlay(asked, who)


@router.get("/alarms/assignees", operation_id="listAssignees", responses=_READ)
async def list_assignees(who: MayAcknowledge, room: Room) -> schemas.AssigneeList:
    """List the people to whom an alarm may be assigned."""
    return await room.people.list(who.sight)


@router.get("/alarms/groups", operation_id="groupAlarms", responses=_READ)
async def group_alarms_by_cause(
    who: MayRead, room: Room, asked: Annotated[AlarmFilter, Query()]
) -> schemas.GroupList:
    """Group alarms by cause: a gateway that is down, a first-out group (首发), else the same rule."""
    return await room.desk.groups("cause", asked, who)


@router.get("/alarms/sites", operation_id="groupAlarmsBySite", responses=_READ)
async def group_alarms_by_site(
    who: MayRead, room: Room, asked: Annotated[AlarmFilter, Query()]
) -> schemas.GroupList:
    """Group alarms by site."""
    return await room.desk.groups("site", asked, who)


@router.get("/alarms/health", operation_id="getAlarmHealth", responses=_READ)
async def get_alarm_health(
    who: MayRead,
    room: Room,
    from_at: Annotated[Moment | None, Query(alias="from", description="30 days before `to`")] = None,
    to_at: Annotated[Moment | None, Query(alias="to", description="now by default")] = None,
) -> AlarmHealth:
    """Return the alarm system's health (EEMUA 191, ISA-18.2) over a period, each figure with its target."""
    return await room.health.health(from_at, to_at, who.sight)


@router.get("/alarms/covers", operation_id="listCovers", responses=_READ)
async def list_covers(who: MayRead, room: Room, state: Literal["now", "all"] = "now") -> schemas.CoverList:
    """List maintenance windows, suppressions and inhibition: those not over yet, or the last hundred."""
    return await room.desk.covers(who, ended=state == "all")


@router.post("/alarms/covers", operation_id="layCover", status_code=201, responses=_ACT)
async def lay_cover(asked: schemas.NewCover, who: MaySuppress, room: Room) -> schemas.Cover:
    """Lay a maintenance window (维护窗口) or a suppression (抑制) over alarms, with reason and end."""
    return await room.desk.new_cover(asked, who)


@router.post("/alarms/covers/{cover}/end", operation_id="endCover", responses=_ACT)
async def end_cover(cover: Number, asked: schemas.Reason, who: MaySuppress, room: Room) -> schemas.Cover:
    """End it now: what is still active calls again."""
    return await room.desk.end_cover(cover, asked, who)


@router.get("/alarms/folds", operation_id="listFolds", responses=_READ)
async def list_folds(who: MayRead, room: Room) -> schemas.FoldList:
    """List folded storms, and how near the list is to a flood (报警泛滥)."""
    return await room.desk.folds(who)


@router.post("/alarms/folds", operation_id="foldAlarms", status_code=201, responses=_ACT)
async def fold_alarms(asked: schemas.NewFold, who: MayShelve, room: Room) -> schemas.Fold:
    """Fold a storm of P3 and P4 alarms into one entry; it can be undone."""
    return await room.desk.fold(asked, who)


@router.post("/alarms/folds/{fold}/undo", operation_id="unfoldAlarms", responses=_ACT)
async def unfold_alarms(fold: Number, asked: schemas.Reason, who: MayShelve, room: Room) -> schemas.Fold:
    """Undo a fold: its alarms stand in the list again."""
    return await room.desk.unfold(fold, asked, who)


@router.get("/alarms/views", operation_id="listAlarmViews", responses=_READ)
async def list_views(who: MayRead, room: Room) -> schemas.ViewList:
    """List your saved views and those that are shared."""
    return await room.saved.list(who)


@router.post("/alarms/views", operation_id="saveAlarmView", status_code=201, responses=_ACT)
async def save_view(asked: schemas.NewView, who: MayRead, room: Room) -> schemas.View:
    """Save a filter under a name; one of your own of that name is replaced."""
    return await room.saved.save(asked, who)


@router.delete(
    "/alarms/views/{view}",
    operation_id="deleteAlarmView",
    status_code=204,
    responses=problems(401, 403, 404, 422, 503),
)
async def delete_view(view: Number, who: MayRead, room: Room) -> Response:
    """Delete a view of yours."""
    await room.saved.delete(view, who)
    return Response(status_code=204)
