"""The cameras' room: the wall, one camera with its neighbours, evidence of an alarm, a picture on demand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from heapq import nsmallest
from typing import Final

from central.city.records import City, DeviceRecord
from central.city.registry import Registry
from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Name
from central.link.gateways import Gateways
from central.link.order_rows import OrderView
from central.link.outbox import Outbox
from central.link.schemas import Order
from central.link.wishes import Wishes
from central.live.alarms import AlarmBoard
from central.live.evidence_rows import AskedView
from central.live.latest import LatestBoard
from central.live.snapshots import PictureContent, Snapshots, SnapshotView
from central.security.principal import Principal
from central.security.sight import Sight
from central.systems.monitoring.alarm_around import CAMERA, Place, distance_m, place, stands
from central.systems.monitoring.condition import camera_state, judge_devices
from central.systems.monitoring.schemas_cameras import (
    Camera,
    CameraDetail,
    CameraPage,
    Evidence,
    EvidenceAsked,
    EvidenceOf,
    NearbyCamera,
    Snapshot,
)
from protocols.model.clock import Clock, to_datetime

LAST: Final = 24
NEAREST: Final = 6
ASKED: Final = timedelta(minutes=10)


class CameraDesk:
    """Reads cameras and pictures as far as the person sees; a camera is what the registry calls one."""

    def __init__(
        self,
        *,
        registry: Registry,
        latest: LatestBoard,
        alarms: AlarmBoard,
        gateways: Gateways,
        snapshots: Snapshots,
        outbox: Outbox,
        wishes: Wishes,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._latest = latest
        self._alarms = alarms
        self._gateways = gateways
        self._snapshots = snapshots
        self._outbox = outbox
        self._wishes = wishes
        self._clock = clock

    async def wall(self, sight: Sight) -> CameraPage:
        """Return every camera within sight."""
        city = await self._registry.city(sight.sites)
        found = await self._show(city, _cameras(city), sight)
        return CameraPage(items=sorted(found, key=lambda one: (one.district, one.site, one.id)))

    async def one(self, camera: str, sight: Sight) -> CameraDetail:
        """Return a camera with its last pictures and its neighbours. Problem 404 for one out of sight."""
        city = await self._registry.city(sight.sites)
        device = self._require(city, camera)
        here = place(device, city.sites)
        ways: list[tuple[float, str]] = []
        for other in _cameras(city):
            there = place(other, city.sites)
            if here is not None and there is not None and other.id != camera:
                ways.append((distance_m(here, there), other.id))
        nearest = {other: way for way, other in nsmallest(NEAREST, ways)}
        shown = await self._show(city, [device, *(city.devices[other] for other in nearest)], sight)
        now = to_datetime(self._clock())
        last = await self._snapshots.of_camera(camera, sight.sites, LAST)
        return CameraDetail(
            **dict(shown[0]),
            snapshots=[Snapshot.of(view, now) for view in last],
            near=[NearbyCamera(**dict(one), distance_m=round(nearest[one.id], 1)) for one in shown[1:]],
            asked=await self._asked(device),
        )

    async def take(self, camera: str, who: Principal) -> OrderView:
        """Ask for a picture now. Problem 404; 409 `no-pictures` where the gateway takes none."""
        city = await self._registry.city(who.sight.sites)
        device = self._require(city, camera)
        if device.gateway not in await self._taking():
            raise Problem(
                409,
                "no-pictures",
                "This camera's gateway takes no pictures",
                "Add `pictures: {}` to its file, or update its software; then ask again.",
            )
        return await self._wishes.picture(device.gateway, device.key, who.username)

    async def evidence(self, alarm_id: str, sight: Sight) -> Evidence:
        """Return what the cameras saw of an alarm. Problem 404 for one out of sight."""
        alarm = await self._alarms.get(alarm_id)
        if alarm is None or not sight.sees(alarm.site):
            raise not_found("alarm", alarm_id)
        city = await self._registry.city(sight.sites)
        here = place(city.devices.get(alarm.device), city.sites) or place(alarm.site, city.sites)
        now = to_datetime(self._clock())
        asked = await self._snapshots.asked_for(alarm_id)
        seen: dict[str, list[SnapshotView]] = {}
        for view in await self._snapshots.of_alarm(alarm_id, sight.sites):
            if view.camera not in city.devices:
                continue
            # Evidence is the gateway's word: it is believed of its own alarms, and of what it was asked for.
            ordered = asked is not None and (view.camera, view.order_id) == (asked.camera, asked.order_id)
            if ordered or city.devices[view.camera].gateway == alarm.gateway:
                seen.setdefault(view.camera, []).append(view)
        items = []
        for camera, views in seen.items():
            device = city.devices[camera]
            way = _way(here, place(device, city.sites))
            items.append(
                EvidenceOf(
                    camera=camera,
                    name=Name(zh=device.name_zh, en=device.name_en),
                    distance_m=way,
                    neighbour=device.gateway != alarm.gateway,
                    snapshots=[Snapshot.of(view, now) for view in views],
                )
            )
        return Evidence(
            items=sorted(items, key=lambda one: (one.distance_m or 0.0, one.camera)),
            asked=None if asked is None else await self._ordered(asked, city, here),
        )

    async def _ordered(self, asked: AskedView, city: City, here: Place | None) -> EvidenceAsked | None:
        """Show the order for evidence; None where the camera is out of sight, or nothing was ordered."""
        device = city.devices.get(asked.camera)
        orders = await self._outbox.orders.views([asked.order_id])
        if device is None or not orders:
            return None
        return EvidenceAsked(
            camera=asked.camera,
            name=Name(zh=device.name_zh, en=device.name_en),
            distance_m=_way(here, place(device, city.sites)),
            order=Order.of(orders[0]),
        )

    async def image(self, snapshot_id: str, sight: Sight) -> PictureContent:
        """Return a picture's bytes. Problem 404 for one out of sight, or whose time is over."""
        known = snapshot_id.isdecimal() and len(snapshot_id) < 19
        view = await self._snapshots.get(int(snapshot_id)) if known else None
        if view is None or not sight.sees(view.site):
            raise not_found("snapshot", snapshot_id)
        city = await self._registry.city(sight.sites)
        content = await self._snapshots.content(view.sha256) if view.camera in city.devices else None
        if content is None:
            raise not_found("snapshot", snapshot_id)
        return content

    def _require(self, city: City, camera: str) -> DeviceRecord:
        device = city.devices.get(camera)
        if device is None or device.kind != CAMERA:
            raise not_found("camera", camera)
        return device

    async def _taking(self) -> set[str]:
        told = await self._gateways.statuses.list()
        return {gateway for gateway, view in told.items() if view.status.pictures is not None}

    async def _asked(self, device: DeviceRecord) -> Order | None:
        since = to_datetime(self._clock()) - ASKED
        page = await self._outbox.orders.list(device.gateway, kind="picture", limit=20)
        mine = (one for one in page.items if one.subject == device.key and one.issued_at >= since)
        found = next(mine, None)
        return None if found is None else Order.of(found)

    async def _show(self, city: City, devices: Iterable[DeviceRecord], sight: Sight) -> list[Camera]:
        wanted = list(devices)
        newest = await self._snapshots.newest([device.id for device in wanted])
        taking, conditions = await self._taking(), judge_devices(city, self._latest)
        gone = {view.id for view in await self._gateways.list() if view.state in {"offline", "revoked"}}
        now = to_datetime(self._clock())
        shown = []
        for device in wanted:
            site, at = city.sites[device.site], place(device, city.sites)
            condition = conditions.get(device.id)
            view = newest.get(device.id)
            assert at is not None  # noqa: S101 - its site is known, and sites have places
            last_us = None if condition is None else condition.last_us
            shown.append(
                Camera(
                    id=device.id,
                    name=Name(zh=device.name_zh, en=device.name_en),
                    site=site.id,
                    site_name=Name(zh=site.name_zh, en=site.name_en),
                    district=site.district,
                    gateway=device.gateway,
                    lon=at[0],
                    lat=at[1],
                    state="offline"
                    if device.gateway in gone
                    else camera_state(city, self._latest, device, condition),
                    since=None if last_us is None else to_datetime(last_us),
                    takes=device.gateway in taking,
                    snapshot=None if view is None or not sight.sees(view.site) else Snapshot.of(view, now),
                )
            )
        return shown


def _cameras(city: City) -> list[DeviceRecord]:
    return [device for device in city.devices.values() if device.kind == CAMERA and stands(device)]


def _way(here: Place | None, there: Place | None) -> float | None:
    return None if here is None or there is None else round(distance_m(here, there), 1)


def image_headers(sha256: str) -> dict[str, str]:
    """Return the headers of a picture: its bytes never change, are this person's, and can do nothing."""
    return {
        "ETag": f'"{sha256}"',
        "Cache-Control": "private, max-age=3600, immutable",
        "Content-Disposition": "inline",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
