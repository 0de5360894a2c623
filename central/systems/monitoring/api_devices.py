"""Routes of one device: what happened to it, and who shares its bus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from central.kernel.problem import not_found
from central.kernel.shapes import Cursor, Limit, problems
from central.security.permissions import MayRead
from central.systems.monitoring.device_story import story
from central.systems.monitoring.neighbours import bus_of
from central.systems.monitoring.parts import Room
from central.systems.monitoring.schemas_devices import DeviceMoment, Neighbours, Story

router = APIRouter(tags=["monitoring"])


@router.get(
    "/devices/{device_id}/story",
    operation_id="getDeviceStory",
    responses=problems(400, 401, 403, 404, 422, 503),
)
async def get_story(
    device_id: str, who: MayRead, room: Room, limit: Limit = 100, cursor: Cursor = None
) -> Story:
    """Return what happened to a device: alarms, commands, registry, silence; newest first."""
    city = await room.registry.city(who.sight.sites)
    if device_id not in city.devices:
        raise not_found("device", device_id)
    series = {
        point.series: point.period_s for point in city.points_of.get(device_id, []) if not point.retired
    }
    found, following = await story(
        room.database, room.clock, device_id, series, sight=who.sight, limit=limit, cursor=cursor
    )
    return Story(items=[DeviceMoment.of(one) for one in found], next_cursor=following)


@router.get(
    "/devices/{device_id}/neighbours", operation_id="listNeighbours", responses=problems(401, 403, 404, 503)
)
async def list_neighbours(device_id: str, who: MayRead, room: Room) -> Neighbours:
    """List the devices that the gateway reads over the same connection, as far as one may see them."""
    city = await room.registry.city(who.sight.sites)
    record = city.devices.get(device_id)
    if record is None:
        raise not_found("device", device_id)
    told = await room.gateways.statuses.get(record.gateway)
    known = None
    if told is not None:
        known = await room.gateways.statuses.config(record.gateway, told.status.config.digest)
    bus = None if known is None else await asyncio.to_thread(bus_of, known.text, record.key)
    if bus is None:
        return Neighbours(connection=None, protocol=record.protocol, items=[])
    ids = {f"{record.gateway}.{key}" for key in bus.devices} - {device_id}
    others = await room.monitoring.named_devices(who.sight, ids)
    return Neighbours(connection=bus.connection, protocol=bus.protocol or record.protocol, items=others)
