"""The city as its YAML says it: sites, their bodies of water, devices, and what happens to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from protocols.model.device import Key, Profile, Text
from protocols.model.strict import Strict

CITY_FILE = Path(__file__).with_name("linjiang.yaml")
MAP_FOLDER = Path(__file__).with_name("map")
FIRMWARE = Path(__file__).resolve().parents[2] / "firmware_configs"

District = Literal["gulou", "xishan", "chengbei", "binjiang", "jinghu", "donggang"]


class CityIdentity(Strict):
    """Name and clock of the city. `default_speed` is world seconds per wall second."""

    key: Key
    name: Text
    time_zone: str
    utc_offset_h: float
    default_speed: float = Field(gt=0)


class GatewaySpec(Strict):
    """A gateway that reads part of the city."""

    key: Key
    name: Text


class EndpointSpec(Strict):
    """A server on the wire."""

    key: Key
    protocol: str = Field(description="what the server speaks")


class RiverSpec(Strict):
    """The river through the city: metres above datum, and how it answers rain and inflow."""

    low_m: float
    crest_m: float
    rain_gain_m_per_mm_h: float = Field(ge=0)
    inflow_gain_m_per_m3s: float = Field(ge=0)
    lag_min: float = Field(gt=0)


class BasinSpec(Strict):
    """A wet well, an underpass or a tank: a catchment drains into it, pumps and a culvert empty it."""

    kind: Literal["basin"]
    catchment_ha: float = Field(ge=0)
    runoff: float = Field(ge=0, le=1)
    response_min: float = Field(gt=0)
    area_m2: float = Field(gt=0)
    base_m3s: float = Field(ge=0)
    bottom_m: float
    start_m: float
    top_m: float
    drain_above_m: float
    drain_m3s_per_m: float = Field(ge=0)
    pump_starts_m: tuple[float, ...]
    pump_stop_m: float


class ReachSpec(Strict):
    """The water above a sluice: a stream and its catchment fill it, gates and a weir let it out."""

    kind: Literal["reach"]
    catchment_ha: float = Field(ge=0)
    runoff: float = Field(ge=0, le=1)
    response_min: float = Field(gt=0)
    area_m2: float = Field(gt=0)
    base_m3s: float = Field(ge=0)
    crest_m: float
    crest_width_m: float = Field(gt=0)


WaterSpec = Annotated[BasinSpec | ReachSpec, Field(discriminator="kind")]


class DeviceSpec(Strict):
    """A device of a site. `set` is read by the model of its profile, `alarms` by the gateway."""

    key: Key
    profile: str
    endpoint: str
    name: Text
    set: dict[str, Any] = Field(default_factory=dict)
    alarms: tuple[dict[str, Any], ...] = ()


class SiteSpec(Strict):
    """A place: `at` is (longitude, latitude), WGS 84."""

    key: Key
    name: Text
    kind: str
    district: District
    gateway: str
    at: tuple[float, float]
    water: WaterSpec | None = None
    devices: tuple[DeviceSpec, ...] = Field(min_length=1)


class Repeat(Strict):
    """The span of minutes that comes again and again; `vary` scales each wave's rain by up to ±vary."""

    from_min: float = Field(alias="from")
    to_min: float = Field(alias="to")
    vary: float = Field(default=0.0, ge=0, lt=1)


class EventSpec(Strict):
    """Something that goes wrong for some minutes of each wave."""

    at: float
    minutes: float = Field(gt=0)
    kind: Literal["mains_lost", "pump_fault", "sensor_failed"]
    target: str
    code: int = 0


class ScenarioSpec(Strict):
    """What the sky does. `start` is local time; `rain` is (minute, mm/h), straight lines between."""

    name: Text
    start: datetime
    rain: tuple[tuple[float, float], ...] = Field(min_length=1)
    repeat: Repeat | None = None
    events: tuple[EventSpec, ...] = ()


class CitySpec(Strict):
    """The whole file, with every name that it mentions checked."""

    city: CityIdentity
    gateways: tuple[GatewaySpec, ...]
    endpoints: tuple[EndpointSpec, ...]
    river: RiverSpec
    sites: tuple[SiteSpec, ...]
    scenarios: dict[str, ScenarioSpec]

    def devices(self) -> Iterator[tuple[str, SiteSpec, DeviceSpec]]:
        """Yield every device with its city-wide key and its site, in the file's order."""
        for site in self.sites:
            for device in site.devices:
                yield f"{site.key}-{device.key}", site, device

    @model_validator(mode="after")
    def _whole(self) -> CitySpec:
        gateways = {gateway.key for gateway in self.gateways}
        endpoints = {endpoint.key for endpoint in self.endpoints}
        keys: set[str] = set(gateways | endpoints)
        owner: dict[str, str] = {}
        for full, site, device in self.devices():
            if site.gateway not in gateways:
                raise ValueError(f"site {site.key}: gateway {site.gateway!r} is not listed under gateways")
            if full in keys:
                raise ValueError(f"device {full!r} is there twice; give each device its own key")
            keys.add(full)
            if device.endpoint not in endpoints:
                raise ValueError(f"device {full}: endpoint {device.endpoint!r} is not listed under endpoints")
            if owner.setdefault(device.endpoint, site.gateway) != site.gateway:
                raise ValueError(f"endpoint {device.endpoint!r} would serve two gateways; give each its own")
        return self


@cache
def load_city(path: Path = CITY_FILE) -> CitySpec:
    """Read and check the city file. Raises pydantic.ValidationError, which lists every mistake."""
    return CitySpec.model_validate(_read(path))


@cache
def load_profiles(folder: Path = FIRMWARE / "profiles") -> Mapping[str, Profile]:
    """Read every device profile by its id. Raises pydantic.ValidationError for a wrong one."""
    profiles = [Profile.model_validate(_read(path)) for path in sorted(folder.glob("*.yaml"))]
    return MappingProxyType({profile.id: profile for profile in profiles})


def _read(path: Path) -> Any:
    # libyaml where PyYAML was built with it: the city's files take a tenth of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - a safe loader either way
