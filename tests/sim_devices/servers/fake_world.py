"""A world of a few devices with settable values: what the servers need, and no physics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocols.model.device import Profile
from sim_devices.fault_board import FaultBoard
from sim_devices.world import Endpoint, Scene, SimDevice


@dataclass
class FakeDevice:
    """Values as set; every write is kept. `limit` refuses larger numbers, as an interlock would."""

    key: str
    profile: Profile
    params: dict[str, Any] = field(default_factory=dict)
    values: dict[str, float | str | None] = field(default_factory=dict)
    written: list[tuple[str, float | str]] = field(default_factory=list)
    limit: float = 1e12

    def read(self, point_key: str) -> float | str | None:
        return self.values.get(point_key, 0.0)

    def write(self, point_key: str, value: float | str) -> None:
        if isinstance(value, float | int) and value > self.limit:
            raise ValueError(f"{self.key} is interlocked above {self.limit}")
        self.written.append((point_key, value))
        self.values[point_key] = value


class FakeWorld:
    """Implements `sim_devices.world.World`."""

    start_us = 1_700_000_000_000_000
    scenarios = ("calm", "rainstorm")

    def __init__(self, devices: Sequence[FakeDevice], endpoints: Sequence[Endpoint]) -> None:
        self.scenario = "calm"
        self.fakes = {device.key: device for device in devices}
        self._endpoints = tuple(endpoints)
        self.steps: list[int] = []
        self.rain = 0.0

    def set_scenario(self, name: str) -> None:
        if name not in self.scenarios:
            raise ValueError(f"there is no scenario {name!r}; known are {', '.join(self.scenarios)}")
        self.scenario = name

    def step(self, now_us: int) -> None:
        self.steps.append(now_us)

    def devices(self) -> Mapping[str, SimDevice]:
        return dict(self.fakes)

    def listeners(self) -> Sequence[Endpoint]:
        return self._endpoints

    def scene(self, device_key: str) -> Scene:
        if self.fakes[device_key].profile.protocol != "camera":
            raise KeyError(device_key)
        time_us = self.steps[-1] if self.steps else self.start_us
        return Scene(kind="street", title=device_key, time_us=time_us, rain=self.rain)


def profile(protocol: str, points: Sequence[dict[str, Any]], **more: Any) -> Profile:
    """Return a profile from points that say only what matters to the test."""
    full = [{"name": {"zh": p["key"], "en": p["key"]}, **p} for p in points]
    record = {
        "id": f"test.{protocol}",
        "vendor": "Linjiang Works",
        "model": "T-1",
        "name": {"zh": "测试", "en": "Test"},
        "version": 3,
        "kind": "test",
        "protocol": protocol,
        "points": full,
        **more,
    }
    return Profile.model_validate(record)


def board(world: FakeWorld) -> FaultBoard:
    """Return a board that knows the world's devices and servers."""
    points = {key: [p.key for p in device.profile.points] for key, device in world.fakes.items()}
    return FaultBoard(points, [endpoint.key for endpoint in world.listeners()])
