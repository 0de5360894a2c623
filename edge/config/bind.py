"""From settings to the running plan: every point gets its number, every driver its devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from msgspec.structs import replace
from pydantic import BaseModel

from edge.config.conditions import condition_rules, group_of
from edge.config.load import Loaded
from edge.config.models import DeviceEntry
from edge.config.rules import default_rules, device_rules
from protocols.field.base import BoundDevice, BoundPoint, Driver, Watch
from protocols.model.alarm import Rule
from protocols.model.device import PeriodClass, PointProfile, Profile
from protocols.model.manifest import DeviceDecl, Manifest, PointDecl, SiteDecl, declaration_hash

SOFTWARE: Final = f"citynerve {version('citynerve')}"
"""What the gateway calls itself to the centre and to people."""
OWN: Final = "_gateway"
"""Key of the gateway as a device of its own; a technician's keys cannot begin with '_'."""
HEARTBEAT_S: Final = 60.0
"""A reading that does not change is forwarded at least this often."""
OWN_PERIOD_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class BoundConnection:
    """One line with all that its driver needs. watches: where devices speak that may join by themselves."""

    key: str
    driver: type[Driver]
    settings: BaseModel
    devices: tuple[BoundDevice, ...]
    watches: tuple[Watch, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a gateway runs. `points[i]` is the point that readings call i; the manifest says the same.

    `indexes` maps `device.point` to i. `periods` holds the seconds of each period class.
    """

    loaded: Loaded
    connections: tuple[BoundConnection, ...]
    points: tuple[BoundPoint, ...]
    indexes: Mapping[str, int]
    rules: tuple[Rule, ...]
    periods: Mapping[PeriodClass, float]
    declared: bytes
    declaration: str

    @property
    def gateway(self) -> str:
        """The gateway's id."""
        return self.loaded.entry.gateway.id


def bind(loaded: Loaded, device_points: Sequence[PointProfile], own_points: Sequence[PointProfile]) -> Plan:
    """Number the points: those of each device, its health (`device_points`), last the gateway's own."""
    entry = loaded.entry
    bound: dict[str, list[BoundDevice]] = {connection.key: [] for connection in entry.connections}
    points: list[BoundPoint] = []
    rules: list[Rule] = []
    for device in entry.devices:
        profile = loaded.profiles[device.profile]
        first = len(points)
        for point in profile.points:
            points.append(BoundPoint(len(points), device.key, _with_period(loaded, device, point)))
        field = tuple(points[first:])
        bound[device.connection].append(BoundDevice(device.key, profile, field, loaded.params[device.key]))
        for point in device_points:
            points.append(BoundPoint(len(points), device.key, point))
        rules += device_rules(device, profile, device_points)
    for point in own_points:
        points.append(BoundPoint(len(points), OWN, point))
    rules += condition_rules(entry.conditions)
    groups = group_of(entry.groups)
    rules = [replace(rule, group=groups[rule.id]) if rule.id in groups else rule for rule in rules]
    rules += default_rules(OWN, own_points)
    declared = _manifest(loaded, points, tuple(rules), {id(point) for point in (*device_points, *own_points)})
    return Plan(
        loaded=loaded,
        connections=tuple(
            BoundConnection(
                connection.key,
                loaded.drivers[connection.protocol],
                loaded.settings[connection.key],
                tuple(bound[connection.key]),
                tuple(
                    rule.watch(loaded.profiles[rule.profile])
                    for rule in entry.adoptions
                    if rule.enabled and rule.connection == connection.key
                ),
            )
            for connection in entry.connections
        ),
        points=tuple(points),
        indexes={f"{point.device}.{point.profile.key}": point.index for point in points},
        rules=tuple(rules),
        periods={"fast": entry.periods.fast, "normal": entry.periods.normal, "slow": entry.periods.slow},
        declared=declared,
        declaration=declaration_hash(declared),
    )


def _with_period(loaded: Loaded, device: DeviceEntry, point: PointProfile) -> PointProfile:
    wanted = device.periods.get(point.key)
    if wanted is None or wanted == point.period:
        return point
    if not isinstance(wanted, str):
        classes: tuple[PeriodClass, ...] = ("fast", "normal", "slow")
        wanted = next(name for name in classes if loaded.entry.periods.seconds(name) == wanted)
    return point.model_copy(update={"period": wanted})


def _manifest(loaded: Loaded, points: Sequence[BoundPoint], rules: tuple[Rule, ...], own: set[int]) -> bytes:
    entry = loaded.entry
    return Manifest(
        gateway=entry.gateway.id,
        name_zh=entry.gateway.name.zh,
        name_en=entry.gateway.name.en,
        software=SOFTWARE,
        sites=tuple(
            SiteDecl(
                key=site.key,
                name_zh=site.name.zh,
                name_en=site.name.en,
                kind=site.kind,
                lon=site.lon,
                lat=site.lat,
                district=site.district,
            )
            for site in entry.sites
        ),
        devices=tuple(_devices(loaded)),
        points=tuple(_point(loaded, point, id(point.profile) in own) for point in points),
        rules=rules,
    ).encode()


def _devices(loaded: Loaded) -> Iterator[DeviceDecl]:
    entry = loaded.entry
    for device in entry.devices:
        profile: Profile = loaded.profiles[device.profile]
        yield DeviceDecl(
            key=device.key,
            site=device.site,
            name_zh=device.name.zh,
            name_en=device.name.en,
            kind=profile.kind,
            profile=profile.id,
            profile_version=profile.version,
            protocol=profile.protocol,
            vendor=profile.vendor,
            model=profile.model,
        )
    yield DeviceDecl(
        key=OWN,
        site=entry.gateway.site or entry.sites[0].key,
        name_zh=entry.gateway.name.zh,
        name_en=entry.gateway.name.en,
        kind="gateway",
        profile="citynerve.gateway",
        profile_version=1,
        protocol="own",
        vendor="CityNerve",
        model="citynerve-edge",
    )


def _point(loaded: Loaded, bound: BoundPoint, own: bool) -> PointDecl:
    point = bound.profile
    period_s = OWN_PERIOD_S if own else loaded.entry.periods.seconds(point.period)
    return PointDecl(
        device=bound.device,
        key=point.key,
        name_zh=point.name.zh,
        name_en=point.name.en,
        unit=point.unit,
        value_type="bool"
        if point.type == "bool"
        else "text"
        if point.type in {"ascii", "text"}
        else "number",
        # What the deadband holds back comes with the heartbeat at the latest.
        period_s=max(period_s, HEARTBEAT_S) if point.deadband else period_s,
        decimals=point.decimals,
        min=point.min,
        max=point.max,
        writable=point.writable,
        write_min=point.min if point.write_min is None else point.write_min,
        write_max=point.max if point.write_max is None else point.write_max,
        labels={str(value): (text.zh, text.en) for value, text in point.labels.items()},
    )
