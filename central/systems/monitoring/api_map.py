"""Routes of the map: where devices stand, what is not calm there, where alarms came from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from central.kernel.shapes import problems
from central.security.permissions import MayRead
from central.systems.monitoring import schemas_map
from central.systems.monitoring.parts import Room

router = APIRouter(tags=["monitoring"])


@router.get("/map/devices", operation_id="listMapDevices", responses=problems(401, 403, 503))
async def list_map_devices(who: MayRead, room: Room) -> schemas_map.MapDevices:
    """Return where every device in use stands, as columns; it changes only with the registry."""
    return await room.map_desk.devices(who.sight)


@router.get("/map/marks", operation_id="listMapMarks", responses=problems(401, 403, 503))
async def list_map_marks(who: MayRead, room: Room) -> schemas_map.MapMarks:
    """Return the devices that are not calm now, as columns, and the sites that nothing is heard of."""
    return await room.map_desk.marks(who.sight)


@router.get("/map/heat", operation_id="getMapHeat", responses=problems(401, 403, 422, 503))
async def get_map_heat(
    who: MayRead, room: Room, hours: Annotated[int, Query(ge=1, le=168, description="until now")] = 24
) -> schemas_map.MapHeat:
    """Return how many alarms were raised at each device lately, as columns."""
    return await room.map_desk.heat(who.sight, hours)
