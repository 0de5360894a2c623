"""The city's registry in memory: sites, devices and points, read again only when a declaration changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

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


MOST_PARTS = 100
"""Parts of the city that are kept at once: as many as there are different reaches of rights, and few."""

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
    split: frozenset[str] = frozenset()
    """Gateways that have, or had, devices outside this part of the city as well."""
    _parts: dict[frozenset[str], City] = field(default_factory=dict, repr=False, compare=False)

    def within(self, sites: Set[str] | None) -> City:
        """Return the part at these sites, with everything on them; None: all of it.

        Parts are kept, so that who asks again pays nothing; they end with the version.
        """
        if sites is None:
            return self
        seen = frozenset(sites)
        part = self._parts.pop(seen, None) or self._part(seen)
        self._parts[seen] = part  # at the end again: the one that was not asked for longest goes first
        if len(self._parts) > MOST_PARTS:
            self._parts.pop(next(iter(self._parts)))
        return part

    def _part(self, seen: frozenset[str]) -> City:
        devices = {name: device for name, device in self.devices.items() if device.site in seen}
        return replace(
            self,
            sites={name: site for name, site in self.sites.items() if name in seen},
            devices=devices,
            points={name: point for name, point in self.points.items() if point.device in devices},
            points_of={name: points for name, points in self.points_of.items() if name in devices},
            devices_of={site: listed for site, listed in self.devices_of.items() if site in seen},
            split=frozenset(device.gateway for device in self.devices.values() if device.site not in seen),
            _parts={},
        )

    @cached_property
    def gateways(self) -> dict[str, tuple[int, int]]:
        """Gateway -> (points, devices with points) in use here, its own health left out; none: not listed.

        A gateway is in a part of the city as long as one of its devices in use is.
        """
        points = dict.fromkeys((device.gateway for device in self.live_devices), 0)
        measuring = dict.fromkeys(points, 0)
        for device in self.live_devices:
            # A key that begins with _ is the gateway's own: no technician can write it.
            if device.key.startswith("_"):
                continue
            count = sum(not point.retired for point in self.points_of.get(device.id, []))
            points[device.gateway] += count
            measuring[device.gateway] += count > 0
        return {gateway: (count, measuring[gateway]) for gateway, count in points.items()}

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


NO_CITY: Final = City((), {}, {}, {}, {}, {})
"""Before anybody asked."""


class Registry:
    """Hands out the present City. The gateways' declarations are its version: a check is one query."""

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
            rows = await session.execute(select(Gateway.id, Gateway.declaration).order_by(Gateway.id))
            version = tuple((gateway, declaration) for gateway, declaration in rows)
            if self._city is None or self._city.version != version:
                self._city = await _load(session, version)
            return self._city.within(sites)

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
