"""The sky over the city: rain by scenario, light by the hour, temperature, wind and pressure.

Everything here is a function of world time and seed, except the rain of the last hour.
"""

from __future__ import annotations

import math
from collections import deque
from datetime import timedelta, timezone

from protocols.model.clock import SECOND_US, from_datetime
from sim_devices.city.noise import Noise, channel_of
from sim_devices.city.spec import EventSpec, ScenarioSpec

DAY_S = 86_400.0
MINUTE_S = 60.0
_MM_PER_HOUR = 1.0 / 3600.0


def local_start_us(scenario: ScenarioSpec, utc_offset_h: float) -> int:
    """Return the scenario's local start as world time in microseconds."""
    return from_datetime(scenario.start.replace(tzinfo=timezone(timedelta(hours=utc_offset_h))))


def smoothstep(low: float, high: float, x: float) -> float:
    """Return 0 below `low`, 1 above `high`, and a smooth course between."""
    t = min(1.0, max(0.0, (x - low) / (high - low)))
    return t * t * (3.0 - 2.0 * t)


class Weather:
    """One sky. Call `step` with the world's time in seconds; then read the figures."""

    def __init__(self, noise: Noise, utc_offset_h: float) -> None:
        self._noise = noise
        self._offset_s = utc_offset_h * 3600.0
        self._scenario: ScenarioSpec | None = None
        self._begun_s = 0.0
        self._minutes: deque[float] = deque(maxlen=60)
        self._minute_mm = 0.0
        self._minute_s = 0.0
        self.time_s = 0.0
        self.minute = 0.0
        """Minutes since the scenario began."""
        self.hour = 0.0
        """Local hour of the day, 0 to 24."""
        self.rain = 0.0
        """Rain over the middle of the city, mm/h."""
        self.rain_hour_mm = 0.0
        self.cloud = 0.2
        self.darkness = 0.0
        """0 is noon under a clear sky, 1 the middle of the night."""

    def begin(self, scenario: ScenarioSpec, time_s: float) -> None:
        """Let a scenario start at this world time."""
        self._scenario = scenario
        self._begun_s = time_s

    def step(self, time_s: float, dt_s: float) -> None:
        """Advance to `time_s`, `dt_s` after the last call."""
        self.time_s = time_s
        self.minute = (time_s - self._begun_s) / MINUTE_S
        self.hour = (time_s + self._offset_s) % DAY_S / 3600.0
        self.rain = self.rain_at(0.0)
        self.cloud += (min(1.0, 0.2 + self.rain / 40.0) - self.cloud) * min(1.0, dt_s / 300.0)
        night = 1.0 - smoothstep(4.8, 6.3, self.hour) * (1.0 - smoothstep(18.3, 19.9, self.hour))
        self.darkness = max(night, 0.62 * max(0.0, self.cloud - 0.2))
        self._minute_mm += self.rain * dt_s * _MM_PER_HOUR
        self._minute_s += dt_s
        if self._minute_s >= MINUTE_S:
            self._minutes.append(self._minute_mm)
            self._minute_mm = self._minute_s = 0.0
            self.rain_hour_mm = sum(self._minutes)

    def rain_at(self, delay_min: float) -> float:
        """Return the rain in mm/h where the storm arrives `delay_min` minutes late."""
        scenario = self._scenario
        minute = self.minute - delay_min
        if scenario is None or minute < 0.0:
            return 0.0
        wave, factor = 0.0, 1.0
        if (repeat := scenario.repeat) and minute >= repeat.to_min:
            wave, rest = divmod(minute - repeat.from_min, repeat.to_min - repeat.from_min)
            minute = repeat.from_min + rest
            factor += repeat.vary * math.tanh(self._noise.white(channel_of("wave"), int(wave)))
        before = scenario.rain[0]
        if minute <= before[0]:
            return before[1] * factor
        for knot in scenario.rain:
            if minute < knot[0]:
                part = (minute - before[0]) / (knot[0] - before[0])
                return (before[1] + (knot[1] - before[1]) * part) * factor
            before = knot
        return before[1] * factor

    def events(self) -> tuple[EventSpec, ...]:
        """Return what is wrong at this minute."""
        scenario = self._scenario
        if scenario is None or not scenario.events:
            return ()
        minute = self.minute
        if (repeat := scenario.repeat) and minute >= repeat.to_min:
            minute = repeat.from_min + (minute - repeat.from_min) % (repeat.to_min - repeat.from_min)
        return tuple(event for event in scenario.events if event.at <= minute < event.at + event.minutes)

    @property
    def time_us(self) -> int:
        """World time in microseconds."""
        return round(self.time_s * SECOND_US)

    def temperature(self) -> float:
        """Air temperature in °C: warmest at three in the afternoon, cooled by rain."""
        daily = 27.5 + 4.5 * math.cos((self.hour - 15.0) / 24.0 * math.tau)
        return daily - 5.0 * smoothstep(0.0, 60.0, self.rain) - 2.0 * (self.cloud - 0.2)

    def humidity(self) -> float:
        """Relative humidity in %."""
        daily = 66.0 - 14.0 * math.cos((self.hour - 15.0) / 24.0 * math.tau)
        return min(99.0, daily + 26.0 * smoothstep(0.0, 30.0, self.rain))

    def wind(self) -> float:
        """Mean wind in m/s: gusty under the storm."""
        return max(0.3, 2.4 + 7.0 * smoothstep(0.0, 90.0, self.rain) + 0.8 * self._wander("wind", 600.0))

    def wind_direction(self) -> float:
        """Where the wind comes from, in degrees; it turns with the storm."""
        return (135.0 + 120.0 * smoothstep(0.0, 50.0, self.rain) + 14.0 * self._wander("vane", 900.0)) % 360.0

    def pressure(self) -> float:
        """Air pressure in Pa."""
        return 100_650.0 - 900.0 * (self.cloud - 0.2) + 60.0 * self._wander("pressure", 7200.0)

    def illuminance(self) -> float:
        """Light on the ground in lx."""
        sun = max(0.0, math.sin((self.hour - 5.2) / 13.9 * math.pi)) if 5.2 < self.hour < 19.1 else 0.0
        return 92_000.0 * math.pow(sun, 1.3) * (1.0 - 0.93 * smoothstep(0.2, 1.0, self.cloud)) + 2.0

    def rush(self) -> float:
        """Traffic and demand of the hour, 0 to 1: two rush hours, quiet nights."""
        morning = math.exp(-(((self.hour - 8.2) / 1.3) ** 2))
        evening = math.exp(-(((self.hour - 18.0) / 1.6) ** 2))
        day = smoothstep(5.5, 8.0, self.hour) * (1.0 - smoothstep(20.0, 23.8, self.hour))
        return min(1.0, 0.06 + 0.42 * day + 0.5 * max(morning, evening))

    def _wander(self, name: str, period_s: float) -> float:
        return self._noise.wander(channel_of(name), self.time_s, period_s)
