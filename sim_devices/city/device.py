"""A simulated device: for each point a source, its noise, and for some a hand that acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from protocols.model.device import Profile
from sim_devices.city.noise import Noise, channel_of
from sim_devices.city.spec import DeviceSpec, SiteSpec
from sim_devices.city.supply import Supply, Total
from sim_devices.city.water import Basin, Pump, Reach, River
from sim_devices.city.weather import Weather

Source = Callable[[], float | str]
Writer = Callable[[float | str], None]
NOISE_BEAT_S = 20.0
"""World seconds for which one draw of noise stands."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a model builds: `noise` is the standard deviation in the point's unit."""

    sources: Mapping[str, Source]
    noise: Mapping[str, float] = field(default_factory=dict)
    writers: Mapping[str, Writer] = field(default_factory=dict)
    totals: tuple[Total, ...] = ()
    pump: Pump | None = None
    """The pump behind the device, where scenarios may trip it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a model may look at when it is built: its site, the sky, the river, its own settings."""

    key: str
    site: SiteSpec
    spec: DeviceSpec
    profile: Profile
    weather: Weather
    river: River
    supply: Supply
    noise: Noise
    water: Basin | Reach | None = None

    @property
    def set(self) -> Mapping[str, Any]:
        """The device's own settings in the city file."""
        return self.spec.set

    def basin(self) -> Basin:
        """Return the site's basin. ValueError where the city file gives it none."""
        if not isinstance(self.water, Basin):
            raise ValueError(f"{self.key}: its site needs `water: {{kind: basin}}`")  # noqa: TRY004 - the file is wrong
        return self.water

    def reach(self) -> Reach:
        """Return the site's reach. ValueError where the city file gives it none."""
        if not isinstance(self.water, Reach):
            raise ValueError(f"{self.key}: its site needs `water: {{kind: reach}}`")  # noqa: TRY004 - the file is wrong
        return self.water

    def wander(self, name: str, period_s: float) -> float:
        """Return this device's own slow course of that name, about ±1."""
        return self.noise.wander(channel_of(f"{self.key}/{name}"), self.weather.time_s, period_s)

    def constant(self, name: str) -> float:
        """Return this device's own fixed number of that name, within [0, 1): builds differ a little."""
        return channel_of(f"{self.key}/{name}") % 997 / 997.0


class Device:
    """Implements `sim_devices.world.SimDevice`."""

    def __init__(self, around: Surroundings, params: Mapping[str, Any], parts: Parts) -> None:
        missing = [point.key for point in around.profile.points if point.key not in parts.sources]
        if missing:
            raise ValueError(f"{around.key}: the model of {around.profile.id} has no source for {missing}")
        self.key = around.key
        self.profile = around.profile
        self.params = params
        self.failed: frozenset[str] = frozenset()
        """Points whose sensor has failed."""
        self._weather = around.weather
        self._noise = around.noise
        self._parts = parts
        self._limits = {point.key: (point.min, point.max) for point in around.profile.points}
        self._channels = {key: channel_of(f"{around.key}.{key}") for key in parts.noise}

    @property
    def totals(self) -> tuple[Total, ...]:
        """The counters that the world must advance."""
        return self._parts.totals

    def read(self, point_key: str) -> float | str | None:
        """Return what the sensor shows now; None where it failed. KeyError for a point it has not."""
        value = self._parts.sources[point_key]()
        if self.failed and point_key in self.failed:
            return None
        sigma = self._parts.noise.get(point_key)
        if sigma is None or isinstance(value, str):
            return value
        beat = int(self._weather.time_s / NOISE_BEAT_S)
        value += sigma * self._noise.white(self._channels[point_key], beat)
        low, high = self._limits[point_key]
        if low is not None and value < low:
            return low
        return high if high is not None and value > high else value

    def write(self, point_key: str, value: float | str) -> None:
        """Let the device act. ValueError says in words why it does not."""
        writer = self._parts.writers.get(point_key)
        if writer is None:
            raise ValueError(f"{self.key}.{point_key} only reports; it takes no commands")
        writer(value)


def number(value: float | str) -> float:
    """Return a written value as a number. ValueError for text."""
    if isinstance(value, str):
        raise ValueError(f"a number is expected, not the text {value!r}")  # noqa: TRY004 - the seam's promise
    return float(value)
