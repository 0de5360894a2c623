"""A world of one device: any profile, with signals that look like what its units say.

A measured value sways slowly around a usual level for its unit, a counter only rises, a state keeps
its usual label, a writable point keeps what was written. Everything depends on seed, point and time
only; nothing depends on how often it is asked.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from protocols.model.address.opcua import OpcUaAddress
from protocols.model.address.registry import ADDRESSES
from protocols.model.clock import SECOND_US
from protocols.model.device import PointProfile, Profile
from protocols.model.golden import Golden
from sim_devices.world import Endpoint, Scene, SimDevice

_USUAL: dict[str, tuple[float, float]] = {
    "V": (228.0, 4.0), "A": (6.5, 2.0), "kW": (4.2, 1.4), "W": (1450.0, 420.0), "Hz": (50.0, 0.03),
    "Cel": (21.0, 4.0), "%": (58.0, 12.0), "Pa": (101_325.0, 600.0), "hPa": (1013.0, 6.0),
    "lx": (9000.0, 4000.0), "[ppm]": (620.0, 140.0), "ug/m3": (38.0, 16.0), "m/s": (2.8, 1.4),
    "m": (2.4, 0.4), "cm": (240.0, 40.0), "m3/h": (320.0, 60.0), "mm/h": (1.2, 1.2), "deg": (180.0, 90.0),
    "kV.A": (4.6, 1.4), "V.A": (1600.0, 420.0), "V.A{reactive}": (300.0, 90.0), "bar": (4.0, 0.3),
    "dB": (58.0, 7.0), "mm/s": (2.1, 0.5), "mg/m3": (0.8, 0.2), "mA": (12.0, 3.0), "m3/s": (14.0, 3.0),
    "ms": (24.0, 8.0), "/h": (420.0, 160.0),
}  # fmt: skip
"""Usual level and sway of a quantity, by UCUM unit."""

_COUNTERS: dict[str, float] = {
    "kW.h": 4.0, "kWh": 4.0, "W.h": 4000.0, "kV.A.h{reactive}": 1.0, "m3": 300.0, "h": 1.0, "mm": 0.4,
    "L": 900.0,
}  # fmt: skip
"""What a counter adds in an hour, by UCUM unit."""

_CLOCKS = ("date3", "date6", "unix32", "unix64")
_PERIODS_S = (37.0, 211.0, 1733.0)
_ALARM_EVERY_S, _ALARM_SHARE, _ALARM_SEVERITY = 240.0, 0.25, 500.0
_TROUBLE = ("fault", "alarm", "error", "trip", "leak", "flood", "tilt", "door", "fail")


class SoloDevice:
    """Implements `sim_devices.world.SimDevice` for any profile."""

    def __init__(
        self, profile: Profile, params: Mapping[str, Any], seed: int, key: str = "device", *, golden: int = 0
    ) -> None:
        """`golden`: 0 for signals; n shows the n-th golden vector of each point, and again from the first."""
        self.key = key
        self.profile = profile
        self.params = {**ADDRESSES.find(profile.protocol).params, **params}
        self.time_us = 0
        self._seed = seed
        # Two devices of one model do not move in step; the lone one moves as it always has.
        self._name = "" if key == "device" else f"{key}:"
        self._points = {point.key: point for point in profile.points}
        self._written: dict[str, float | str] = {}
        self._golden: dict[str, Golden] = {}
        if golden:
            for point in profile.points:
                vectors = [vector for vector in profile.golden if vector.point == point.key]
                if vectors:
                    self._golden[point.key] = vectors[(golden - 1) % len(vectors)]

    def golden(self, point_key: str) -> Golden | None:
        """Return the vector that the point shows, until somebody writes it."""
        return None if point_key in self._written else self._golden.get(point_key)

    def read(self, point_key: str) -> float | str | None:
        """Return the value of this moment; a camera's figures are the gateway's to measure, here 0."""
        point = self._points[point_key]
        if point_key in self._written:
            return self._written[point_key]
        address = point.address
        if isinstance(address, OpcUaAddress) and address.condition:
            return self._alarm(point, address.node + address.condition)
        if point.type in ("ascii", "text"):
            return "CityNerve" if point.type == "ascii" else "临江 Linjiang"
        if point.type in _CLOCKS:
            return float(self.time_us // SECOND_US)
        if point.type == "bool" or point.labels:
            return float(self._state(point))
        if point.writable:
            return _within(point, _middle(point.write_min, point.write_max))
        hours = self.time_us / SECOND_US / 3600
        if point.unit in _COUNTERS:
            since = 1000.0 + self._phase(point, 0) * 4000.0
            return _within(point, since + _COUNTERS[point.unit] * (hours % 8760.0))
        level, sway = self._usual(point)
        seconds = self.time_us / SECOND_US
        wave = sum(
            weight * math.sin(math.tau * (seconds / period + self._phase(point, index)))
            for index, (period, weight) in enumerate(zip(_PERIODS_S, (0.12, 0.28, 0.6), strict=True))
        )
        value = level + sway * wave
        return _within(point, round(value, point.decimals) if point.decimals is not None else value)

    def write(self, point_key: str, value: float | str) -> None:
        """Keep what was written."""
        self._written[point_key] = value

    def _alarm(self, point: PointProfile, condition: str) -> float | str:
        """Return severity, or message, of an alarm that comes for a minute in four; all its points agree."""
        at = (
            self.time_us / SECOND_US / _ALARM_EVERY_S
            + zlib.crc32(f"{self._seed}:{self._name}{condition}".encode()) / 2**32
        )
        severity = _ALARM_SEVERITY if at % 1.0 < _ALARM_SHARE else 0.0
        if point.type in ("ascii", "text"):
            return point.name.en if severity else ""
        return severity

    def _phase(self, point: PointProfile, index: int) -> float:
        return zlib.crc32(f"{self._seed}:{self._name}{point.key}:{index}".encode()) / 2**32

    def _usual(self, point: PointProfile) -> tuple[float, float]:
        if point.unit in _USUAL:
            level, sway = _USUAL[point.unit]
            # A lamp's battery is no mains: what the model says it bears is nearer than what its unit does.
            if (point.min is None or level - sway > point.min) and (
                point.max is None or level + sway < point.max
            ):
                return level, sway
        if point.min is not None and point.max is not None:
            span = min(point.max - point.min, 1e6)
            return point.min + span * 0.45, span * 0.08
        return (0.92, 0.04) if "pf" in point.key else (50.0, 8.0)

    def _state(self, point: PointProfile) -> int:
        if any(word in point.key for word in _TROUBLE):
            return 0
        if point.labels:
            states = sorted(point.labels)
            return states[min(1, len(states) - 1)]
        turn = int(self.time_us / SECOND_US / 300 + self._phase(point, 0) * 7)
        return 1 if turn % 7 else 0


class SoloWorld:
    """Implements `sim_devices.world.World` with one endpoint and one device, both called `device`."""

    scenarios = ("steady",)
    scenario = "steady"

    def __init__(
        self,
        profile: Profile,
        *,
        port: int = 0,
        params: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        seed: int = 1,
        golden: int = 0,
        start_us: int,
    ) -> None:
        """`params` and `settings` as in a gateway file; what they leave out gets the usual value."""
        self.start_us = start_us
        self._device = SoloDevice(profile, params or {}, seed, golden=golden)
        self._device.time_us = start_us
        self._endpoint = Endpoint("device", profile.protocol, port, ("device",), settings or {})

    def set_scenario(self, name: str) -> None:
        """There is only one; ValueError for another."""
        if name != self.scenario:
            raise ValueError(f"a single device knows the scenario 'steady' only, not {name!r}")

    def step(self, now_us: int) -> None:
        """Move the signals' clock."""
        self._device.time_us = max(self._device.time_us, now_us)

    def devices(self) -> Mapping[str, SimDevice]:
        """The one device."""
        return {"device": self._device}

    def listeners(self) -> Sequence[Endpoint]:
        """The one server."""
        return (self._endpoint,)

    def scene(self, device_key: str) -> Scene:
        """A river by day; KeyError for a device that is no camera."""
        if device_key != "device" or self._device.profile.protocol != "camera":
            raise KeyError(device_key)
        return river_scene(self._device.time_us / SECOND_US, self._device.time_us)


def river_scene(seconds: float, time_us: int) -> Scene:
    """Return what a camera sees at a moment: a river whose level sways."""
    level = 0.35 + 0.1 * math.sin(seconds / 600)
    return Scene("river", "River camera", time_us, water_level_ratio=level)


def _middle(low: float | None, high: float | None) -> float:
    if low is None or high is None:
        return low if low is not None else (high or 0.0)
    return low + (high - low) * 0.5


def _within(point: PointProfile, value: float) -> float:
    if point.min is not None:
        value = max(point.min, value)
    return min(point.max, value) if point.max is not None else value
