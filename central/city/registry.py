"""The city's registry in memory: sites, devices and points, read again only when a declaration changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.store.base import Database
from central.store.registry import Device, Gateway, Point, RuleRow, Site


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """A site."""

    id: str
    name_zh: str
    name_en: str
    kind: str
    district: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device; retired ones are kept, their history stays readable."""

    id: str
    gateway: str
    key: str
    site: str
    name_zh: str
    name_en: str
    kind: str
    profile: str
    protocol: str
    vendor: str
    model: str
    retired: bool


@dataclass(frozen=True, slots=True)
class PointRecord:
    """A point; `series` is its number in every table of readings."""

    series: int
    id: str
    gateway: str
    device: str
    key: str
    name_zh: str
    name_en: str
    unit: str
    value_type: str
    period_s: float
    decimals: int | None
    min: float | None
    max: float | None
    writable: bool
    write_min: float | None
    write_max: float | None
    labels: dict[str, list[str]]
    retired: bool


Version = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class City:
    """The registry at one version: sites and devices in the order of ids, points as they were declared."""

    version: Version
    sites: dict[str, SiteRecord]
    devices: dict[str, DeviceRecord]
    points: dict[str, PointRecord]
    points_of: dict[str, list[PointRecord]]
    devices_of: dict[str, list[DeviceRecord]]

    @cached_property
    def by_series(self) -> dict[int, PointRecord]:
        """Series -> point."""
        return {point.series: point for point in self.points.values()}

    @cached_property
    def live(self) -> list[PointRecord]:
        """The points that are in use."""
        return [point for point in self.points.values() if not point.retired]

    @cached_property
    def live_series(self) -> NDArray[np.int32]:
        """Series of `live`, row by row."""
        return np.fromiter((point.series for point in self.live), np.int32, len(self.live))

    @cached_property
    def live_devices(self) -> list[DeviceRecord]:
        """The devices that are in use."""
        return [device for device in self.devices.values() if not device.retired]

    @cached_property
    def live_device_rows(self) -> NDArray[np.int64]:
        """For each point of `live`, the place of its device in `live_devices`; -1 where that is retired."""
        place = {device.id: row for row, device in enumerate(self.live_devices)}
        return np.fromiter((place.get(point.device, -1) for point in self.live), np.int64, len(self.live))


class Registry:
    """Hands out the present City. The gateways' declarations are its version: a check is one query."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._city: City | None = None

    async def city(self) -> City:
        """Return the registry as it is now."""
        async with self._turn, self._database.session() as session:
            rows = await session.execute(select(Gateway.id, Gateway.declaration).order_by(Gateway.id))
            version = tuple((gateway, declaration) for gateway, declaration in rows)
            if self._city is None or self._city.version != version:
                self._city = await _load(session, version)
            return self._city

    async def rules(self, points: Sequence[PointRecord]) -> dict[str, list[RuleRow]]:
        """Return the rules that are in force now, by point id."""
        statement = (
            select(RuleRow)
            .join(Gateway, (Gateway.id == RuleRow.gateway) & (Gateway.declaration == RuleRow.declaration))
            .where(RuleRow.point.in_([point.id for point in points]))
            .order_by(RuleRow.id)
        )
        found: dict[str, list[RuleRow]] = {}
        async with self._database.session() as session:
            for row in await session.scalars(statement):
                found.setdefault(row.point, []).append(row)
        return found


async def _load(session: AsyncSession, version: Version) -> City:
    sites = {
        row.id: SiteRecord(row.id, row.name_zh, row.name_en, row.kind, row.district, row.lon, row.lat)
        for row in await session.scalars(select(Site))
    }
    devices = {
        row.id: DeviceRecord(
            id=row.id,
            gateway=row.gateway,
            key=row.key,
            site=row.site,
            name_zh=row.name_zh,
            name_en=row.name_en,
            kind=row.kind,
            profile=row.profile,
            protocol=row.protocol,
            vendor=row.vendor,
            model=row.model,
            retired=row.retired_at is not None,
        )
        for row in await session.scalars(select(Device))
    }
    points = {
        row.id: PointRecord(
            series=row.series,
            id=row.id,
            gateway=row.gateway,
            device=row.device,
            key=row.key,
            name_zh=row.name_zh,
            name_en=row.name_en,
            unit=row.unit,
            value_type=row.value_type,
            period_s=row.period_s,
            decimals=row.decimals,
            min=row.min,
            max=row.max,
            writable=row.writable,
            write_min=row.write_min,
            write_max=row.write_max,
            labels=row.labels,
            retired=row.retired_at is not None,
        )
        for row in await session.scalars(select(Point).order_by(Point.series))
    }
    points_of: dict[str, list[PointRecord]] = {}
    for point in points.values():
        points_of.setdefault(point.device, []).append(point)
    devices_of: dict[str, list[DeviceRecord]] = {}
    for device in devices.values():
        devices_of.setdefault(device.site, []).append(device)
    session.expunge_all()
    # Sorted here and not by the database, whose collation orders `-` and `.` in its own way.
    sites, devices = dict(sorted(sites.items())), dict(sorted(devices.items()))
    for listed in devices_of.values():
        listed.sort(key=lambda device: device.id)
    return City(version, sites, devices, points, points_of, devices_of)
