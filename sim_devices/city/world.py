"""The city as the servers see it: devices, endpoints, scenes, and the step that moves it all.

Physics advances in ticks of two world seconds on a fixed grid, so that the same seed, scenario and
commands give the same city whatever the size of the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protocols.model.clock import SECOND_US
from protocols.model.device import Profile
from sim_devices.city.device import Device, Parts, Surroundings
from sim_devices.city.gateways import STATE_ROOT, write_gateway_files
from sim_devices.city.models import MODELS
from sim_devices.city.noise import Noise
from sim_devices.city.spec import (
    BasinSpec,
    CitySpec,
    EventSpec,
    ScenarioSpec,
    SiteSpec,
    load_city,
    load_profiles,
)
from sim_devices.city.supply import Supply
from sim_devices.city.water import Basin, Pump, Reach, River
from sim_devices.city.weather import Weather, local_start_us
from sim_devices.world import Endpoint, Scene

TICK_S = 2
SLOW_TICKS = 15
"""Counters and batteries advance once in so many ticks."""
SETTLE_S, SETTLE_DT_S = 4 * 3600, 20.0
STORM_CROSSING_MIN = 4.0
"""Minutes that a storm front takes from the western edge of the city to the eastern."""
FLOOD_DEEP_M = 0.5


class LinjiangCity:
    """Implements `sim_devices.world.City`."""

    def __init__(
        self,
        spec: CitySpec,
        profiles: Mapping[str, Profile],
        *,
        seed: int = 1,
        scenario: str = "calm",
        port_base: int = 0,
    ) -> None:
        self.spec = spec
        self.weather = Weather(Noise(seed), spec.city.utc_offset_h)
        self.river = River(spec.river)
        self.supplies: dict[str, Supply] = {}
        self.waters: dict[str, Basin | Reach] = {}
        self.pumps: dict[str, Pump] = {}
        self._devices: dict[str, Device] = {}
        self._sites: dict[str, SiteSpec] = {}
        self._build(profiles, Noise(seed))
        self._totals = tuple(total for device in self._devices.values() for total in device.totals)
        self._delays = {site.key: _delay(site, spec) for site in spec.sites}
        self._wrong: tuple[EventSpec, ...] = ()
        self._endpoints = tuple(
            Endpoint(
                endpoint.key,
                endpoint.protocol,
                port_base + place if port_base else 0,
                tuple(key for key, site, device in spec.devices() if device.endpoint == endpoint.key),
            )
            for place, endpoint in enumerate(spec.endpoints)
        )
        self._scenario = scenario
        first = self._named(scenario)
        self._start_us = local_start_us(first, spec.city.utc_offset_h)
        self._start_s = self._start_us // SECOND_US
        self._ticks = 0
        self._settle()
        self.weather.begin(first, float(self._start_s))
        self.weather.step(float(self._start_s), 0.0)

    def _build(self, profiles: Mapping[str, Profile], noise: Noise) -> None:
        units: dict[str, int] = {}
        for site in self.spec.sites:
            self.supplies[site.key] = Supply()
            if site.water is not None:
                self.waters[site.key] = (
                    Basin(site.water) if isinstance(site.water, BasinSpec) else Reach(site.water)
                )
        for key, site, device in self.spec.devices():
            profile = profiles.get(device.profile)
            if profile is None or device.profile not in MODELS:
                raise ValueError(f"device {key}: no profile or no model for {device.profile!r}")
            around = Surroundings(
                key,
                site,
                device,
                profile,
                self.weather,
                self.river,
                self.supplies[site.key],
                noise,
                self.waters.get(site.key),
            )
            parts: Parts = MODELS[device.profile](around)
            if parts.pump is not None:
                self.pumps[key] = parts.pump
            unit = units[device.endpoint] = units.get(device.endpoint, 0) + 1
            self._devices[key] = Device(around, device_params(profile, key, unit), parts)
            self._sites[key] = site

    @property
    def start_us(self) -> int:
        """World time at which the simulation begins, microseconds."""
        return self._start_us

    @property
    def now_us(self) -> int:
        """World time that physics has reached."""
        return (self._start_s + self._ticks * TICK_S) * SECOND_US

    @property
    def scenario(self) -> str:
        """Name of the scenario that runs."""
        return self._scenario

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names that `set_scenario` takes."""
        return tuple(self.spec.scenarios)

    def set_scenario(self, name: str) -> None:
        """Start another scenario at the present world time; ValueError names the known ones."""
        self.weather.begin(self._named(name), float(self._start_s + self._ticks * TICK_S))
        self._scenario = name

    def step(self, now_us: int) -> None:
        """Advance physics to this world time; an earlier one changes nothing."""
        due = (now_us - self._start_us) // (TICK_S * SECOND_US)
        while self._ticks < due:
            self._ticks += 1
            self._tick()

    def devices(self) -> Mapping[str, Device]:
        """All devices by city-wide key."""
        return self._devices

    def listeners(self) -> Sequence[Endpoint]:
        """All servers to be started."""
        return self._endpoints

    def scene(self, device_key: str) -> Scene:
        """What this camera sees now; KeyError for a device that is no camera."""
        device, site = self._devices[device_key], self._sites[device_key]
        if device.profile.protocol != "camera":
            raise KeyError(device_key)
        sky = self.weather
        spec = next(spec for key, _, spec in self.spec.devices() if key == device_key)
        title = f"{site.name.zh} {spec.name.zh}"
        common: dict[str, Any] = {
            "title": title,
            "time_us": self.now_us,
            "rain": min(1.0, sky.rain / 90.0),
            "darkness": sky.darkness,
        }
        if spec.set["view"] == "river":
            low, crest = self.spec.river.low_m, self.spec.river.crest_m
            ratio = (self.river.level - low) / (crest - low)
            return Scene("river", water_level_ratio=_share(ratio), water_level_m=self.river.level, **common)
        water = self.waters.get(site.key)
        depth = water.level if isinstance(water, Basin) else 0.0
        near = {device.profile: key for key, at, device in self.spec.devices() if at is site}
        sign = self._devices[near["city.message_sign"]].read("text") if "city.message_sign" in near else ""
        flood = self._devices[near["city.underpass"]] if "city.underpass" in near else None
        return Scene(
            "street",
            water_level_ratio=_share(depth / FLOOD_DEEP_M),
            water_level_m=depth if flood else None,
            traffic=_share(sky.rush() * (1.0 - depth / 0.3)),
            sign=str(sign or ""),
            barrier_closed=bool(flood and flood.read("barrier-closed")),
            **common,
        )

    def write_gateways(
        self,
        folder: Path,
        ports: Mapping[str, int],
        centre_url: str | None = None,
        *,
        host: str = "127.0.0.1",
        state_root: Path = STATE_ROOT,
    ) -> Sequence[Path]:
        """Write one gateway file per gateway, with the real port of each endpoint key."""
        params = {key: device.params for key, device in self._devices.items()}
        return write_gateway_files(
            self.spec, params, folder, ports, centre_url=centre_url, host=host, state_root=state_root
        )

    def _named(self, name: str) -> ScenarioSpec:
        try:
            return self.spec.scenarios[name]
        except KeyError:
            known = ", ".join(self.spec.scenarios)
            raise ValueError(f"there is no scenario {name!r}; the city knows {known}") from None

    def _settle(self) -> None:
        """Let dry-weather levels find their balance before the clock starts."""
        for _ in range(int(SETTLE_S / SETTLE_DT_S)):
            self._flow(SETTLE_DT_S, raining=False)

    def _tick(self) -> None:
        self.weather.step(float(self._start_s + self._ticks * TICK_S), float(TICK_S))
        wrong = self.weather.events()
        if wrong != self._wrong:
            self._wrong = wrong
            self._apply(wrong)
        self._flow(float(TICK_S), raining=True)
        if self._ticks % SLOW_TICKS == 0:
            span = float(TICK_S * SLOW_TICKS)
            for supply in self.supplies.values():
                supply.step(span)
            for total in self._totals:
                total.step(span)

    def _flow(self, dt: float, *, raining: bool) -> None:
        river_m = self.river.level
        into_river = 0.0
        for key, water in self.waters.items():
            rain = self.weather.rain_at(self._delays[key]) if raining else 0.0
            water.step(rain, river_m, dt)
            into_river += water.outflow
        self.river.step(self.weather.rain if raining else 0.0, into_river, dt)

    def _apply(self, wrong: tuple[EventSpec, ...]) -> None:
        dark = {event.target for event in wrong if event.kind == "mains_lost"}
        for key, supply in self.supplies.items():
            supply.present = key not in dark
            if (water := self.waters.get(key)) is not None:
                water.powered = supply.present
        tripped = {event.target: event.code for event in wrong if event.kind == "pump_fault"}
        for key, pump in self.pumps.items():
            pump.fault_code = tripped.get(key, 0)
        failed = {event.target for event in wrong if event.kind == "sensor_failed"}
        for key, device in self._devices.items():
            device.failed = frozenset(
                target.partition(".")[2] for target in failed if target.partition(".")[0] == key
            )


def device_params(profile: Profile, key: str, unit: int) -> dict[str, Any]:
    """Return what the gateway file says under `params:`; `unit` counts devices on the endpoint from 1."""
    if profile.protocol == "modbus":
        return {"unit": unit}
    if profile.protocol == "camera":
        return {"path": f"/cam/{key}/snapshot.jpg"}
    return {"device": key}


def open_city(*, seed: int = 1, scenario: str = "calm", port_base: int = 0) -> LinjiangCity:
    """Build Linjiang from its files. ValueError for an unknown scenario, naming the known ones."""
    return LinjiangCity(load_city(), load_profiles(), seed=seed, scenario=scenario, port_base=port_base)


def _delay(site: SiteSpec, spec: CitySpec) -> float:
    longitudes = [other.at[0] for other in spec.sites]
    west, east = min(longitudes), max(longitudes)
    return STORM_CROSSING_MIN * (site.at[0] - west) / (east - west)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
