"""How the gateway itself is: its own points, measured every few seconds, and which devices are well."""

from __future__ import annotations

import asyncio
from typing import Final

import numpy as np

from edge.buffer.base import Condition
from edge.config.bind import OWN, OWN_PERIOD_S, Plan
from edge.health import Process, Pulse
from edge.house import House
from protocols.field.base import BoundDevice
from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings

_CONDITIONS: Final[tuple[Condition, ...]] = ("good", "short", "damaged")


class Vitals:
    """Measures the house that it is given; a configuration that changes is noticed by itself."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._process = Process()
        self._asides = len(house.buffer.asides())
        self._received = 0
        self._plan: Plan | None = None
        self._look()

    def well(self) -> frozenset[str]:
        """Return the devices that were read since they were configured as they are, with a usable value."""
        self._look()
        shaper = self._house.pipeline.shaper
        heard, _ = self._pulse.look(shaper.seen_us, shaper.latest_quality)
        return frozenset(self._devices[i].key for i in np.flatnonzero(heard).tolist())

    def _look(self) -> None:
        if self._plan is not self._house.plan:
            self._plan = self._house.plan
            self._devices, self._pulse = _pulse(self._plan)

    async def measure(self) -> Readings:
        """Measure the gateway and each device; columns like any driver's."""
        now, pipeline = self._house.clock(), self._house.pipeline
        depth = await asyncio.to_thread(self._house.buffer.depth)
        size = await asyncio.to_thread(self._house.buffer.size_bytes)
        storage = await asyncio.to_thread(self._house.buffer.forecast)
        self._look()
        heard, tried = self._pulse.look(pipeline.shaper.latest_us, pipeline.shaper.latest_quality)
        cpu, rss, uptime = self._process.look()
        oldest = min((d.oldest_us for d in depth.values() if d.oldest_us is not None), default=now)
        received, self._received = pipeline.received - self._received, pipeline.received
        figures = {
            "cpu": cpu,
            "rss": rss,
            "uptime": uptime,
            "readings-rate": received / OWN_PERIOD_S,
            "buffer-batches": sum(d.batches for d in depth.values()),
            "buffer-readings": depth["readings"].rows,
            "buffer-size": size / 1e6,
            "lag": max(now - oldest, 0) / SECOND_US,
            "dropped": pipeline.dropped + storage.dropped,
            "thinned": storage.thinned,
            "storage": _CONDITIONS.index(self._house.buffer.condition()),
            "clock-synced": self._house.timekeeper.synced,
            "set-aside": self._asides + (self._house.sender.set_aside if self._house.sender else 0),
            "overruns": sum(poller.overruns for poller in self._house.pollers.values()),
            "alarms-open": pipeline.alarms_open,
            "alarms-chattering": pipeline.alarm_rates.chatterers(now),
            "alarm-flood": pipeline.alarm_rates.flood_since_us is not None,
            "devices-offline": int((tried & ~heard).sum()),
            "uplink": self._house.road.state == "up",
        }
        if self._house.timekeeper.offset_us is not None:
            figures["clock-offset"] = self._house.timekeeper.offset_us / 1000
        for key, session in self._house.sessions.items():
            figures[f"line-{key}"] = session.state == "online"
            session.remarks()  # which logs what is new in them
        values = {f"{OWN}.{key}": float(value) for key, value in figures.items()}
        values |= self._house.commands.figures()
        for i in np.flatnonzero(tried).tolist():
            values[f"{self._devices[i].key}._online"] = float(heard[i])
        for session in self._house.sessions.values():
            for device, milliseconds in session.latency_ms.items():
                values[f"{device}._latency"] = milliseconds
        point = np.array([self._house.plan.indexes[name] for name in values], np.int32)
        return Readings.at(point, now, np.array(list(values.values())))


def _pulse(plan: Plan) -> tuple[list[BoundDevice], Pulse]:
    """Return the devices that are read, and what tells which of them are heard."""
    member = np.full(len(plan.points), -1, np.int32)
    devices = [device for connection in plan.connections for device in connection.devices]
    for i, device in enumerate(devices):
        member[[point.index for point in device.points]] = i
    return devices, Pulse(member, len(devices))
