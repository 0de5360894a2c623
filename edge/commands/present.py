"""What a point shows now, as far as it can be trusted: the last reading, or what a write read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from edge.config.bind import Plan
from edge.session import Session
from edge.shaping import Shaper, engineering
from protocols.field.base import BoundPoint, Driver
from protocols.model.clock import SECOND_US, Clock
from protocols.model.quality import Quality

_FRESH_PERIODS: Final = 3
_FRESH_S: Final = 60.0
"""A value is too old after three of its periods, and not before one minute (alarms.md section 5.4)."""
_STALE: Final = frozenset(
    {
        int(Quality.UNCERTAIN_LAST_USABLE_VALUE),
        int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE),
    }
)


class Present:
    """Present values of one plan. `clock` is UTC, as source times are; `told` outlives a change of plan."""

    def __init__(
        self,
        plan: Plan,
        shaper: Shaper,
        sessions: Mapping[str, Session],
        clock: Clock,
        told: dict[str, tuple[float | None, int]],
    ) -> None:
        self._plan = plan
        self._shaper = shaper
        self._sessions = sessions
        self._clock = clock
        self._told = told

    def told(self, name: str, value: float | None) -> None:
        """Note what a write has left behind, until a later reading says more; None: nobody knows."""
        self._told[name] = value, self._clock()

    def forget(self, name: str) -> None:
        """Take back what was told: the last reading holds."""
        self._told.pop(name, None)

    def number(self, name: str) -> float | None:
        """Return the value of `device.point`; None where it is bad, too old, text, or unknown."""
        i = self._plan.indexes.get(name)
        if i is None:
            return None
        now, shaper = self._clock(), self._shaper
        told = self._told.get(name)
        if told is not None:
            if int(shaper.latest_us[i]) <= told[1] and abs(now - told[1]) < self._fresh_us(i):
                return told[0]
            del self._told[name]
        quality = int(shaper.latest_quality[i])
        if quality >= Quality.BAD or quality & 0xFFFF_0000 in _STALE:
            return None
        if abs(now - int(shaper.latest_us[i])) > self._fresh_us(i):
            return None
        value = float(shaper.latest_value[i])
        return None if math.isnan(value) else value

    async def read(self, driver: Driver, point: BoundPoint) -> tuple[float | str, int]:
        """Return value and quality now: asked of the device where it is polled, else the last if fresh."""
        number = self._sessions[point.device].own(point).index
        for task in driver.plan():
            rows = np.flatnonzero(task.points == number)
            if task.device == point.device and len(rows):
                readings = (await driver.read(task)).take(rows)
                if 0 in readings.text:
                    return readings.text[0], int(readings.quality[0])
                return engineering(point.profile, float(readings.value[0])), int(readings.quality[0])
        shaper, i = self._shaper, point.index
        if self._clock() - int(shaper.latest_us[i]) > self._fresh_us(i):
            return math.nan, Quality.BAD_NO_COMMUNICATION
        return shaper.latest_text.get(i, float(shaper.latest_value[i])), int(shaper.latest_quality[i])

    def _fresh_us(self, i: int) -> float:
        period_s = self._plan.periods[self._plan.points[i].profile.period]
        return max(_FRESH_PERIODS * period_s, _FRESH_S) * SECOND_US
