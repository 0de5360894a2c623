"""The city's registry in memory, read again when a gateway declares something else or people change it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence, Set
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from central.city.records import (
    City,
    Department,
    DeviceRecord,
    GatewayRecord,
    PointRecord,
    SiteRecord,
    Version,
)
from central.store import registry as tables
from central.store.base import Database
from central.store.reach import among
from central.store.registry import Device, Gateway, Point, RegistryChange, RuleRow, Site

__all__ = [
    "City",
    "Department",
    "DeviceRecord",
    "GatewayRecord",
    "PointRecord",
    "Registry",
    "SiteRecord",
    "Version",
]

NO_CITY: Final = City(Version(()), {}, {}, {}, {}, {})
"""Before anybody asked."""
MANY: Final = 2000
"""More changed things than that are read by reading everything."""


class Registry:
    """Hands out the present City. A check whether it still is takes one query."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._city: City | None = None

    @property
    def known(self) -> City:
        """The city as it was when somebody last asked; while a live stream is open that is each second."""
        return self._city or NO_CITY

    async def city(self, sites: Set[str] | None = None) -> City:
        """Return the registry as it is now, or its part at these sites."""
        async with self._turn, self._database.session() as session:
            version = await _version(session)
            known = self._city
            if known is None or known.version.declarations != version.declarations:
                self._city = await _load(session, version)
            elif known.version != version:
                self._city = await _amend(session, known, version)
            assert self._city is not None  # noqa: S101 - loaded above
            return self._city.within(sites)

    async def rules(self, points: Sequence[PointRecord]) -> dict[str, list[RuleRow]]:
        """Return the rules that are in force now, by point id."""
        statement = (
            select(RuleRow)
            .join(Gateway, (Gateway.id == RuleRow.gateway) & (Gateway.declaration == RuleRow.declaration))
            .where(among(RuleRow.point, [point.id for point in points]))
            .order_by(RuleRow.id)
        )
        found: dict[str, list[RuleRow]] = {}
        async with self._database.session() as session:
            for row in await session.scalars(statement):
                found.setdefault(row.point, []).append(row)
        return found


async def _version(session: AsyncSession) -> Version:
    change = select(func.coalesce(func.max(RegistryChange.number), 0)).scalar_subquery()
    rows = (await session.execute(select(Gateway.id, Gateway.declaration, change).order_by(Gateway.id))).all()
    owners = select(tables.Department.id, tables.Department.name_zh, tables.Department.name_en)
    departments = tuple(
        (row[0], row[1], row[2]) for row in await session.execute(owners.order_by(tables.Department.id))
    )
    last = rows[0][2] if rows else await session.scalar(select(change))
    return Version(tuple((row[0], row[1]) for row in rows), last or 0, departments)


async def _load(session: AsyncSession, version: Version) -> City:
    """Read everything. Rows, not objects: a hundred thousand points are read in a second, not in five."""
    sites = await _sites(session)
    devices = await _devices(session)
    points = {point.id: point for point in await _points(session)}
    points_of: dict[str, list[PointRecord]] = {}
    for point in points.values():
        points_of.setdefault(point.device, []).append(point)
    return _city(version, sites, await _gateways(session), devices, points, points_of)


async def _amend(session: AsyncSession, city: City, version: Version) -> City:
    """Read what was changed since the City was read."""
    rows = await session.execute(
        select(RegistryChange.kind, RegistryChange.thing)
        .where(RegistryChange.number > city.version.change)
        .distinct()
        .limit(MANY + 1)
    )
    changed: dict[str, list[str]] = {"site": [], "gateway": [], "device": [], "point": []}
    for kind, thing in rows:
        changed[kind].append(thing)
    if sum(map(len, changed.values())) > MANY:
        return await _load(session, version)
    points, points_of = city.points, city.points_of
    if changed["point"]:
        points, points_of = dict(points), dict(points_of)
        for point in await _points(session, changed["point"]):
            points[point.id] = point
            points_of[point.device] = [
                point if other.id == point.id else other for other in points_of[point.device]
            ]
    return _city(
        version,
        [*city.sites.values(), *await _sites(session, changed["site"])],
        [*city.registered_gateways.values(), *await _gateways(session, changed["gateway"])],
        [*city.devices.values(), *await _devices(session, changed["device"])],
        points,
        points_of,
    )


def _city(
    version: Version,
    sites: Iterable[SiteRecord],
    gateways: Iterable[GatewayRecord],
    devices: Iterable[DeviceRecord],
    points: dict[str, PointRecord],
    points_of: dict[str, list[PointRecord]],
) -> City:
    """Put a City together; of two records with one id the later counts."""
    # Sorted here and not by the database, whose collation orders `-` and `.` in its own way.
    by_id = dict(sorted({device.id: device for device in devices}.items()))
    devices_of: dict[str, list[DeviceRecord]] = {}
    for device in by_id.values():
        devices_of.setdefault(device.site, []).append(device)
    return City(
        version,
        dict(sorted({site.id: site for site in sites}.items())),
        by_id,
        points,
        points_of,
        devices_of,
        registered_gateways=dict(sorted({gateway.id: gateway for gateway in gateways}.items())),
        departments={key: Department(key, zh, en) for key, zh, en in version.departments},
    )


async def _rows(
    session: AsyncSession, statement: Any, key: InstrumentedAttribute[str], ids: list[str] | None
) -> Sequence[Any]:
    if ids is not None and not ids:
        return []
    return (await session.execute(statement if ids is None else statement.where(among(key, ids)))).all()


def _fields(row: Sequence[Any]) -> list[Any]:
    """Return a row as a record takes it: a record never changes, so its tags are a tuple."""
    return [tuple(value) if isinstance(value, list) else value for value in row]


async def _sites(session: AsyncSession, ids: list[str] | None = None) -> list[SiteRecord]:
    columns = (
        Site.id, Site.name_zh, Site.name_en, Site.kind, Site.district, Site.lon, Site.lat, Site.department,
        Site.address, Site.grid_cell, Site.lifecycle, Site.tags, Site.declared.is_not(None),
    )  # fmt: skip
    return [SiteRecord(*_fields(row)) for row in await _rows(session, select(*columns), Site.id, ids)]


async def _gateways(session: AsyncSession, ids: list[str] | None = None) -> list[GatewayRecord]:
    columns = (
        Gateway.id, Gateway.name_zh, Gateway.name_en, Gateway.site, Gateway.lon, Gateway.lat,
        Gateway.grid_cell, Gateway.lifecycle, Gateway.tags, Gateway.declared.is_not(None),
    )  # fmt: skip
    return [GatewayRecord(*_fields(row)) for row in await _rows(session, select(*columns), Gateway.id, ids)]


async def _devices(session: AsyncSession, ids: list[str] | None = None) -> list[DeviceRecord]:
    columns = (
        Device.id, Device.gateway, Device.key, Device.site, Device.name_zh, Device.name_en, Device.kind,
        Device.profile, Device.protocol, Device.vendor, Device.model, Device.retired_at.is_not(None),
        Device.lon, Device.lat, Device.grid_cell, Device.serial, Device.lifecycle, Device.tags,
        Device.declared.is_not(None),
    )  # fmt: skip
    return [DeviceRecord(*_fields(row)) for row in await _rows(session, select(*columns), Device.id, ids)]


async def _points(session: AsyncSession, ids: list[str] | None = None) -> list[PointRecord]:
    columns = (
        Point.series, Point.id, Point.gateway, Point.device, Point.key, Point.name_zh, Point.name_en,
        Point.unit, Point.value_type, Point.period_s, Point.decimals, Point.min, Point.max, Point.writable,
        Point.write_min, Point.write_max, Point.labels, Point.retired_at.is_not(None), Point.tags,
    )  # fmt: skip
    return [
        PointRecord(*_fields(row))
        for row in await _rows(session, select(*columns).order_by(Point.series), Point.id, ids)
    ]
