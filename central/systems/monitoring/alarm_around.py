"""What stands around an alarm: earlier occurrences at its point, and the cameras that may see it."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nsmallest
from math import asin, cos, radians, sin, sqrt
from typing import Final

from sqlalchemy import func, select, tuple_

from central.city.lifecycle import Lifecycle
from central.city.records import DeviceRecord, SiteRecord
from central.city.registry import Registry
from central.kernel.problem import not_found
from central.kernel.shapes import Name
from central.live.alarm_rows import AlarmRow
from central.live.alarms import AlarmBoard, AlarmView
from central.security.sight import Sight
from central.store.base import Database
from central.store.reach import at_sites
from central.systems.monitoring.schemas_alarms import (
    EarlierAlarm,
    EarlierAlarms,
    NearCamera,
    NearCameras,
)

LAST: Final = 10
NEAREST: Final = 5
CAMERA: Final = "camera"
EARTH_M: Final = 6_371_008.8
"""Mean radius of the earth (IUGG): distances within a city are right to half a percent."""

Place = tuple[float, float]
"""Longitude and latitude, degrees, WGS 84."""


class AlarmAround:
    """Reads the board's past and the registry, as far as the person sees."""

    def __init__(self, board: AlarmBoard, registry: Registry, database: Database) -> None:
        self._board = board
        self._registry = registry
        self._database = database

    async def earlier(self, alarm_id: str, sight: Sight) -> EarlierAlarms:
        """Return what was raised at the point before the alarm. Problem 404 for one out of sight."""
        alarm = await self._alarm(alarm_id, sight)
        where = [
            AlarmRow.point == alarm.point,
            tuple_(AlarmRow.raised_at, AlarmRow.id) < tuple_(alarm.raised_at, alarm.id),
            *at_sites(AlarmRow.site, sight.sites),  # its device may have stood at another site then
        ]
        lasted = func.extract("epoch", AlarmRow.cleared_at - AlarmRow.raised_at)
        figures = select(func.count(), func.percentile_cont(0.5).within_group(lasted)).where(*where)
        last = select(AlarmRow).where(*where).order_by(AlarmRow.raised_at.desc(), AlarmRow.id.desc())
        async with self._database.session() as session:
            count, median = (await session.execute(figures)).one()
            rows = (await session.scalars(last.limit(LAST))).all()
        return EarlierAlarms(
            point=alarm.point,
            count=count,
            median_s=None if median is None else float(median),
            items=[_earlier(row) for row in rows],
        )

    async def cameras(self, alarm_id: str, sight: Sight) -> NearCameras:
        """Return the nearest cameras within sight; none where nobody knows where the alarm is."""
        alarm = await self._alarm(alarm_id, sight)
        city = await self._registry.city(sight.sites)
        here = place(city.devices.get(alarm.device), city.sites) or place(alarm.site, city.sites)
        if here is None:
            return NearCameras(items=[])
        found = []
        for device in city.devices.values():
            if device.kind != CAMERA or not stands(device) or device.id == alarm.device:
                continue
            there = place(device, city.sites)
            if there is not None:
                found.append((distance_m(here, there), device.id, there))
        items = []
        for metres, camera, (lon, lat) in nsmallest(NEAREST, found):
            device = city.devices[camera]
            name = Name(zh=device.name_zh, en=device.name_en)
            shown = NearCamera(
                id=camera, name=name, site=device.site, lon=lon, lat=lat, distance_m=round(metres, 1)
            )
            items.append(shown)
        return NearCameras(items=items)

    async def _alarm(self, alarm_id: str, sight: Sight) -> AlarmView:
        found = await self._board.get(alarm_id)
        if found is None or not sight.sees(found.site):
            raise not_found("alarm", alarm_id)
        return found


def stands(device: DeviceRecord) -> bool:
    """Say whether it is there: what people keep by hand has no gateway that declares it, and yet it is."""
    if device.lifecycle not in (Lifecycle.ACTIVE, Lifecycle.MAINTENANCE):
        return False
    return not (device.retired and device.declared)


def place(of: DeviceRecord | str | None, sites: Mapping[str, SiteRecord]) -> Place | None:
    """Return where a device stands: its own place, else its site's; or where a site of that id is."""
    if isinstance(of, DeviceRecord):
        if of.lon is not None and of.lat is not None:
            return of.lon, of.lat
        of = of.site
    site = sites.get(of) if of is not None else None
    return None if site is None else (site.lon, site.lat)


def distance_m(one: Place, other: Place) -> float:
    """Return the great-circle distance in metres, by the haversine formula."""
    lon1, lat1, lon2, lat2 = map(radians, (*one, *other))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_M * asin(min(1.0, sqrt(half)))


def _earlier(row: AlarmRow) -> EarlierAlarm:
    ended = row.cleared_at
    return EarlierAlarm.model_validate(
        {
            "id": row.id,
            "rule_id": row.rule_id,
            "name": Name(zh=row.name_zh, en=row.name_en),
            "priority": row.priority,
            "state": row.state,
            "raised_at": row.raised_at,
            "cleared_at": ended,
            "lasted_s": None if ended is None else (ended - row.raised_at).total_seconds(),
        }
    )
