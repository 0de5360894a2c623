"""Sites, devices, points and their newest values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import func, select

from central.city.registry import City, DeviceRecord, PointRecord, Registry, SiteRecord
from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Name, cut_page
from central.link.gateways import Gateways
from central.live.alarm_query import BARE
from central.live.alarms import AlarmBoard, AlarmRow
from central.live.latest import LatestBoard
from central.security.sight import Sight
from central.store.base import Database
from central.store.reach import among
from central.systems.monitoring import schemas, views
from central.systems.monitoring.condition import RETIRED, DeviceCondition, judge_devices
from protocols.model.alarm import ACTIVE_STATES
from protocols.model.clock import Clock, to_datetime

UNREACHED = frozenset({"pending", "offline", "revoked"})
MOST = 0.5
"""A site is stale when more than this part of its points is."""


class Monitoring:
    """Answers what is where, and what it shows now, as far as the asker's sight reaches."""

    def __init__(
        self,
        *,
        registry: Registry,
        latest: LatestBoard,
        alarms: AlarmBoard,
        gateways: Gateways,
        database: Database,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._latest = latest
        self._alarms = alarms
        self._gateways = gateways
        self._database = database
        self._clock = clock

    async def sites(self, sight: Sight) -> list[schemas.Site]:
        """Return every site in use, by id; those that are only planned are in the registry."""
        city = await self._registry.city(sight.sites)
        conditions = judge_devices(city, self._latest)
        worst = await self._alarms.worst_by_site(sight.sites)
        unreached = {item.id for item in await self._gateways.list() if item.state in UNREACHED}
        return [
            schemas.Site.model_validate(self._site(city, site, conditions, worst, unreached))
            for site in city.sites_in_use
        ]

    async def site(self, site_id: str, sight: Sight) -> schemas.SiteDetail:
        """Return a site in use with its devices; Problem 404 where there is none."""
        site = next((item for item in await self.sites(sight) if item.id == site_id), None)
        if site is None:
            raise not_found("site", site_id)
        city = await self._registry.city(sight.sites)
        owned = await self._devices(city, chosen_devices(city, site=site_id))
        return schemas.SiteDetail.model_validate({**dict(site), "device_list": owned})

    async def devices(
        self,
        sight: Sight,
        limit: int,
        cursor: str | None,
        *,
        ids: Collection[str] = (),
        site: str | None = None,
        gateway: str | None = None,
        kind: str | None = None,
        q: str | None = None,
    ) -> schemas.DevicePage:
        """Return a page of the devices that fit, by id; ids: only these; `q` looks in ids and names.

        Cut before anything is judged: of 50,000 devices only those of the page cost something.
        """
        city = await self._registry.city(sight.sites)
        chosen = chosen_devices(city, ids=ids, site=site, gateway=gateway, kind=kind, q=q)
        shown, following = cut_page(chosen, limit, cursor)
        return schemas.DevicePage(
            items=await self._devices(city, shown), next_cursor=following, total=len(chosen)
        )

    async def named_devices(self, sight: Sight, ids: Collection[str]) -> list[schemas.Device]:
        """Return those devices in use that are among `ids` and in sight, by id."""
        city = await self._registry.city(sight.sites)
        return await self._devices(city, chosen_devices(city, ids=ids) if ids else [])

    async def _devices(self, city: City, chosen: Sequence[DeviceRecord]) -> list[schemas.Device]:
        conditions = judge_devices(city, self._latest)
        worst = await self._worst(device.id for device in chosen)
        return [
            schemas.Device.model_validate(self._device(device, conditions, worst.get(device.id)))
            for device in chosen
        ]

    async def device(self, device_id: str, sight: Sight) -> schemas.DeviceDetail:
        """Return a device with its points, their newest values and rules; Problem 404 where there is none."""
        city = await self._registry.city(sight.sites)
        record = city.devices.get(device_id)
        if record is None:
            raise not_found("device", device_id)
        points = [point for point in city.points_of.get(device_id, []) if point.retired == record.retired]
        worst = await self._worst([device_id])
        fields = self._device(record, judge_devices(city, self._latest), worst.get(device_id))
        return schemas.DeviceDetail.model_validate(
            {
                **fields,
                "points": await self.with_rules(points),
                "open_alarms": await self._open_alarms(device_id),
            }
        )

    async def points(
        self, sight: Sight, *, device: str | None = None, q: str | None = None
    ) -> list[schemas.PointBrief]:
        """Return the points that fit, by id, with their newest values."""
        city = await self._registry.city(sight.sites)
        chosen = sorted(
            (
                point
                for point in (city.live if device is None else city.points_of.get(device, []))
                if q is None or mentions(point, q)
            ),
            key=lambda point: point.id,
        )
        values = self._latest.get_many([point.series for point in chosen])
        now = self._clock()
        return [views.point(point, values.get(point.series), now) for point in chosen]

    async def point(self, point_id: str, sight: Sight) -> schemas.Point:
        """Return a point with its newest value and its rules; Problem 404 where there is none."""
        return (await self.with_rules([await self.find_point(point_id, sight)]))[0]

    async def find_point(self, point_id: str, sight: Sight) -> PointRecord:
        """Return the registry's record of a point; Problem 404 where there is none."""
        record = (await self._registry.city(sight.sites)).points.get(point_id)
        if record is None:
            raise not_found("point", point_id)
        return record

    async def asked(
        self,
        sight: Sight,
        *,
        points: Collection[str] = (),
        devices: Collection[str] = (),
        sites: Collection[str] = (),
    ) -> list[PointRecord]:
        """Return the points in use that are named; Problem 422 `nothing-asked` where nothing is."""
        if not points and not devices and not sites:
            detail = "Name at least one `point`, `device` or `site`."
            raise Problem(422, "nothing-asked", "Nothing is asked for", detail)
        return await self.choose(sight, points=points, devices=devices, sites=sites)

    async def narrowed(self, sight: Sight, sites: Collection[str], areas: Collection[str]) -> Sight:
        """Return the part of a sight that is at these sites and in these districts; all of it for neither."""
        if not sites and not areas:
            return sight
        city = await self._registry.city(sight.sites)
        return Sight(
            frozenset(site.id for site in city.sites.values() if site.id in sites or site.district in areas)
        )

    async def choose(
        self,
        sight: Sight,
        *,
        points: Collection[str] = (),
        devices: Collection[str] = (),
        sites: Collection[str] = (),
    ) -> list[PointRecord]:
        """Return the points in use that are named themselves, by their device or by its site."""
        city = await self._registry.city(sight.sites)
        owned = (item.id for site in sites for item in city.devices_of.get(site, []))
        # Looked up and not searched for: a screen's five hundred among a hundred thousand.
        found = {id_: point for id_ in points if (point := city.points.get(id_)) is not None}
        found |= {
            point.id: point for device in (*devices, *owned) for point in city.points_of.get(device, [])
        }
        return sorted((item for item in found.values() if not item.retired), key=lambda item: item.series)

    async def with_rules(self, points: Sequence[PointRecord]) -> list[schemas.Point]:
        """Show points with their newest values and the rules in force."""
        rules = await self._registry.rules(points)
        values = self._latest.get_many([point.series for point in points])
        now = self._clock()
        return [
            views.point_with_rules(
                point,
                values.get(point.series),
                now,
                [views.rule(row.body, row.declaration, row.point) for row in rules.get(point.id, [])],
            )
            for point in points
        ]

    def _site(
        self,
        city: City,
        site: SiteRecord,
        conditions: dict[str, DeviceCondition],
        worst: dict[str, tuple[str | None, int, int]],
        unreached: set[str],
    ) -> dict[str, object]:
        owned = [device for device in city.devices_of.get(site.id, []) if not device.retired]
        priority, active, unacked = worst.get(site.id, (None, 0, 0))
        points = sum(conditions[device.id].points for device in owned)
        fresh = sum(conditions[device.id].fresh for device in owned)
        state: schemas.SiteState = "normal"
        if active:
            state = "alarm"
        elif owned and all(device.gateway in unreached for device in owned):
            state = "offline"
        elif points and fresh < points * MOST:
            state = "stale"
        return {
            "id": site.id,
            "name": Name(zh=site.name_zh, en=site.name_en),
            "kind": site.kind,
            "district": site.district,
            "lon": site.lon,
            "lat": site.lat,
            "devices": len(owned),
            "worst_priority": priority,
            "active_alarms": active,
            "unacked_alarms": unacked,
            "state": state,
        }

    @staticmethod
    def _device(
        device: DeviceRecord, conditions: dict[str, DeviceCondition], worst: str | None
    ) -> dict[str, object]:
        condition = conditions.get(device.id, RETIRED)
        return {
            "id": device.id,
            "key": device.key,
            "name": Name(zh=device.name_zh, en=device.name_en),
            "site": device.site,
            "gateway": device.gateway,
            "kind": device.kind,
            "profile": device.profile,
            "protocol": device.protocol,
            "vendor": device.vendor,
            "model": device.model,
            "state": condition.state,
            "worst_priority": worst,
            "last_time": None if condition.last_us is None else to_datetime(condition.last_us),
        }

    async def _worst(self, devices: Iterable[str]) -> dict[str, str]:
        """Return the worst priority among the active, not shelved alarms of each device."""
        statement = (
            select(AlarmRow.device, func.min(AlarmRow.priority))
            .where(
                AlarmRow.closed_at.is_(None),
                BARE,
                AlarmRow.state.in_(ACTIVE_STATES),
                among(AlarmRow.device, list(devices)),
            )
            .group_by(AlarmRow.device)
        )
        async with self._database.session() as session:
            return dict((await session.execute(statement)).all())

    async def _open_alarms(self, device: str) -> int:
        statement = select(func.count()).where(AlarmRow.closed_at.is_(None), AlarmRow.device == device)
        async with self._database.session() as session:
            return await session.scalar(statement) or 0


def chosen_devices(
    city: City,
    *,
    ids: Collection[str] = (),
    site: str | None = None,
    gateway: str | None = None,
    kind: str | None = None,
    q: str | None = None,
) -> list[DeviceRecord]:
    """Return the declared devices that fit, by id; ids: only these, where there are any."""
    named = (city.devices[key] for key in sorted(set(ids)) if key in city.devices)
    return [
        device
        for device in (named if ids else city.devices.values())
        if device.declared
        and (site is None or device.site == site)
        and (gateway is None or device.gateway == gateway)
        and (kind is None or device.kind == kind)
        and (q is None or mentions(device, q))
    ]


def mentions(record: DeviceRecord | PointRecord, words: str) -> bool:
    """Say whether every word occurs in the id or a name, without regard to case."""
    text = f"{record.id} {record.name_zh} {record.name_en}".casefold()
    return all(word in text for word in words.casefold().split())
