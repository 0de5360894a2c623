"""Routes of dispatch: events, cases, tasks, units, commands."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, status

from central.casebook import schemas as casebook
from central.casebook.lifecycle import Action, EventState, TaskState
from central.casebook.queries import OpenOrClosed
from central.kernel.shapes import Cursor, Limit, problems
from central.link.schemas import Command, CommandPage
from central.security.permissions import MayCommand, MayHandleCases, MayRead
from central.systems.dispatch import schemas
from central.systems.dispatch.parts import Room

router = APIRouter(tags=["dispatch"])

_CHANGE = problems(401, 403, 404, 409, 422, 503)
_LIST = problems(400, 401, 403, 422, 503)
_ONE = problems(401, 403, 404, 503)

TaskMove = Literal["accept", "on-site", "done", "verify", "rework", "refuse"]


@router.get("/events", operation_id="listEvents", responses=_LIST)
async def list_events(
    *,
    who: MayRead,
    room: Room,
    state: OpenOrClosed | EventState = "all",
    site: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> casebook.EventPage:
    """List events, newest first. `open`: not closed yet."""
    return await room.events(who.sight, state=state, site=site, limit=limit, cursor=cursor)


@router.get("/events/{event_id}", operation_id="getEvent", responses=_ONE)
async def get_event(event_id: str, who: MayRead, room: Room) -> casebook.Event:
    """Return one event with its alarms."""
    return await room.event(event_id, who.sight)


@router.post("/events/{event_id}/close", operation_id="closeEvent", responses=_CHANGE)
async def close_event(
    event_id: str, asked: schemas.CloseEvent, who: MayHandleCases, room: Room
) -> casebook.Event:
    """Close an event that needs no case, with a reason. One that has a case is closed by its case."""
    return await room.close_event(event_id, who, asked.reason)


@router.get("/cases", operation_id="listCases", responses=_LIST)
async def list_cases(
    *,
    who: MayRead,
    room: Room,
    state: OpenOrClosed = "all",
    site: str | None = None,
    unit: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> casebook.CasePage:
    """List cases, newest first, each with its tasks and steps."""
    return await room.cases(who.sight, state=state, site=site, unit=unit, limit=limit, cursor=cursor)


@router.post("/cases", operation_id="openCase", status_code=status.HTTP_201_CREATED, responses=_CHANGE)
async def open_case(asked: schemas.NewCaseIn, who: MayHandleCases, room: Room) -> casebook.Case:
    """Open a case (立案), for an event or by itself."""
    return await room.open_case(asked, who)


@router.get("/cases/{case_id}", operation_id="getCase", responses=_ONE)
async def get_case(case_id: str, who: MayRead, room: Room) -> casebook.Case:
    """Return one case with its tasks, its alarms, and every step with its time and person."""
    return await room.case(case_id, who.sight)


@router.post("/cases/{case_id}/assign", operation_id="assignCase", responses=_CHANGE)
async def assign_case(case_id: str, asked: schemas.Assign, who: MayHandleCases, room: Room) -> casebook.Case:
    """Give a case to a unit (派遣); its task begins."""
    return await room.assign(case_id, asked, who)


@router.post("/cases/{case_id}/close", operation_id="closeCase", responses=_CHANGE)
async def close_case(case_id: str, asked: schemas.Close, who: MayHandleCases, room: Room) -> casebook.Case:
    """Close a case (结案) after its check."""
    return await room.decide(case_id, Action.CLOSE, who, asked.resolution)


@router.post("/cases/{case_id}/void", operation_id="voidCase", responses=_CHANGE)
async def void_case(case_id: str, asked: schemas.Void, who: MayHandleCases, room: Room) -> casebook.Case:
    """Void a case (作废) that was none, before a unit has it."""
    return await room.decide(case_id, Action.VOID, who, asked.reason)


@router.get("/tasks", operation_id="listTasks", responses=_LIST)
async def list_tasks(
    *,
    who: MayRead,
    room: Room,
    unit: str | None = None,
    state: TaskState | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> casebook.TaskPage:
    """List tasks, newest first."""
    return await room.tasks(who.sight, unit=unit, state=state, limit=limit, cursor=cursor)


@router.post("/tasks/{task_id}/{move}", operation_id="moveTask", responses=_CHANGE)
async def move_task(
    task_id: str,
    move: TaskMove,
    who: MayHandleCases,
    room: Room,
    asked: schemas.TaskStep | None = None,
) -> casebook.Task:
    """Move a task: accept 签收, on-site 到场, done 处置, verify 核查, rework 返工, refuse 拒收."""
    action = Action(move.replace("-", "_"))
    return await room.act(task_id, action, who, asked.comment if asked else "")


@router.get("/units", operation_id="listUnits", responses=_LIST)
async def list_units(who: MayRead, room: Room) -> casebook.UnitPage:
    """List the units that can be sent."""
    return await room.units()


@router.post("/commands", operation_id="sendCommand", status_code=status.HTTP_202_ACCEPTED, responses=_CHANGE)
async def send_command(asked: schemas.NewCommand, who: MayCommand, room: Room) -> Command:
    """Send a value to a device. Answers at once; GET /commands/{id} and the feed tell how it ended."""
    return await room.command(asked, who)


@router.get("/commands", operation_id="listCommands", responses=_LIST)
async def list_commands(
    *,
    who: MayRead,
    room: Room,
    device: str | None = None,
    point: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> CommandPage:
    """List commands, newest first."""
    return await room.commands(who.sight, device=device, point=point, limit=limit, cursor=cursor)


@router.get("/commands/{command_id}", operation_id="getCommand", responses=_ONE)
async def get_command(command_id: str, who: MayRead, room: Room) -> Command:
    """Return one command and what became of it."""
    return await room.one_command(command_id, who.sight)
