"""The city's things as everybody reads them: what people wrote, else what the gateways declare."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MOST_PARTS = 100
"""Parts of the city that are kept at once: as many as there are different reaches of rights, and few."""


@dataclass(frozen=True, slots=True)
class Department:
    """A department of the city (主管部门) that owns sites."""

    id: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """A site; lon and lat in degrees, WGS 84."""

    id: str
    name_zh: str
    name_en: str
    kind: str
    district: str
    lon: float
    lat: float
    department: str = ""
    address: str = ""
    grid_cell: str = ""
    lifecycle: str = "active"
    tags: tuple[str, ...] = ()
    declared: bool = True


@dataclass(frozen=True, slots=True)
class GatewayRecord:
    """A gateway, and where it stands if people said so."""

    id: str
    name_zh: str
    name_en: str
    site: str | None
    lon: float | None
    lat: float | None
    grid_cell: str
    lifecycle: str
    tags: tuple[str, ...]
    declared: bool

    def nowhere(self) -> GatewayRecord:
        """Return it without its place, for who does not see the site that it stands at."""
        if self.site is None:
            return self
        return replace(self, site=None, lon=None, lat=None, grid_cell="")


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device; retired: no gateway declares it now, so it has no values. Its history stays readable.

    lon and lat are its own; None: it stands where its site does.
    """

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
    lon: float | None = None
    lat: float | None = None
    grid_cell: str = ""
    serial: str = ""
    lifecycle: str = "active"
    tags: tuple[str, ...] = ()
    declared: bool = True


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
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """What a City was read at: each gateway with its declaration, and the number of the last change."""

    declarations: tuple[tuple[str, str | None], ...]
    change: int = 0
    departments: tuple[tuple[str, str, str], ...] = ()


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
    registered_gateways: dict[str, GatewayRecord] = field(default_factory=dict)
    departments: dict[str, Department] = field(default_factory=dict)
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
            registered_gateways={
                name: gateway if gateway.site in seen else gateway.nowhere()
                for name, gateway in self.registered_gateways.items()
                if not self.sites_of_gateway[name].isdisjoint(seen)
            },
            split=frozenset(name for name, sites in self.sites_of_gateway.items() if not sites <= seen),
            _parts={},
        )

    @cached_property
    def gateways(self) -> dict[str, tuple[int, int]]:
        """Gateway -> (points, devices with points) in use here, its own health left out.

        A gateway is in a part of the city where its own site is, or that of one of its devices.
        """
        points = dict.fromkeys(self.sites_of_gateway, 0)
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
    def sites_in_use(self) -> list[SiteRecord]:
        """Sites that are more than a plan; a retired one as long as a device on it is in use."""
        return [
            site
            for site in self.sites.values()
            if site.lifecycle in {"active", "maintenance"}
            or (
                site.lifecycle == "retired"
                and any(not device.retired for device in self.devices_of.get(site.id, []))
            )
        ]

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

    @cached_property
    def sites_of_gateway(self) -> dict[str, frozenset[str]]:
        """Gateway -> the sites of its devices, and its own."""
        found: dict[str, set[str]] = {gateway.id: set() for gateway in self.registered_gateways.values()}
        for device in self.devices.values():
            found.setdefault(device.gateway, set()).add(device.site)
        for gateway in self.registered_gateways.values():
            if gateway.site is not None:
                found[gateway.id].add(gateway.site)
        return {gateway: frozenset(sites) for gateway, sites in found.items()}

    def place_of(self, device: DeviceRecord) -> tuple[float, float]:
        """Return where a device stands, (lon, lat) in degrees: its own place, else its site's."""
        if device.lon is not None and device.lat is not None:
            return device.lon, device.lat
        site = self.sites[device.site]
        return site.lon, site.lat
