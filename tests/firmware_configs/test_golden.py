"""Every golden vector of every profile over the wire: simulated server, the gateway's driver, its shaping.

Server and driver share no encoder: what both do wrong in the same way would still differ from the vector.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count

import pytest

from edge.shaping import Shaper
from protocols.field.base import BoundDevice, BoundPoint, Driver
from protocols.field.registry import driver_class
from protocols.model.clock import now_us
from protocols.model.device import Profile
from protocols.model.golden import Golden
from protocols.model.quality import quality_name
from protocols.model.reading import Readings
from sim_devices.profiles import shipped_profiles
from sim_devices.runner import Settings, simulating
from sim_devices.solo import SoloDevice
from sim_devices.world import Endpoint, Scene
from tests.protocols.field.devices import Listening

PROFILES = shipped_profiles()
PATIENCE_S = 60
SETTINGS: dict[str, Callable[[int, str], dict[str, object]]] = {
    "modbus": lambda port, url: {"host": "127.0.0.1", "port": port},
    "opcua": lambda port, url: {"url": url, "publishing_ms": 50},
    "mqtt": lambda port, url: {"host": "127.0.0.1", "port": port},
    "sparkplug": lambda port, url: {"host": "127.0.0.1", "port": port},
    "snmp": lambda port, url: {"host": "127.0.0.1", "port": port},
}
IDENTITIES: dict[str, Callable[[int], dict[str, object]]] = {
    "modbus": lambda n: {"unit": n},
    "opcua": lambda n: {"device": f"d{n}"},
    "mqtt": lambda n: {"device": f"d{n}"},
    "sparkplug": lambda n: {"group": "city", "node": "node", "device": f"d{n}"},
    "snmp": lambda n: {"index": str(n)},
}


@dataclass(frozen=True)
class Shown:
    """One device that shows one round of its profile's vectors."""

    device: SoloDevice
    vectors: dict[str, Golden]


class Proof:
    """A world of one server, and devices that each show one round of their profile's vectors."""

    scenarios = ("steady",)
    scenario = "steady"

    def __init__(self, shown: dict[str, Shown]) -> None:
        self.start_us = now_us()
        self.shown = shown
        for each in shown.values():
            each.device.time_us = self.start_us
        some = next(iter(shown.values())).device.profile
        self.endpoint = Endpoint(some.protocol, some.protocol, 0, tuple(shown))

    def set_scenario(self, name: str) -> None:
        raise ValueError(name)

    def step(self, now_us: int) -> None:
        pass

    def devices(self) -> dict[str, SoloDevice]:
        return {key: shown.device for key, shown in self.shown.items()}

    def listeners(self) -> tuple[Endpoint, ...]:
        return (self.endpoint,)

    def scene(self, device_key: str) -> Scene:
        raise KeyError(device_key)


def proofs(protocol: str) -> list[Proof]:
    """Every round of every profile of a protocol: on one server, or one each where devices have no names."""
    number = count(1)
    shown: list[Shown] = []
    for profile in PROFILES.values():
        for n in range(1, _rounds(profile) + 1) if profile.protocol == protocol else ():
            at = next(number)
            device = SoloDevice(profile, IDENTITIES[protocol](at), 1, f"d{at}", golden=n)
            shown.append(Shown(device, _round(profile, n)))
    groups = [[each] for each in shown] if protocol == "snmp" else [shown]
    return [Proof({each.device.key: each for each in group}) for group in groups]


def _rounds(profile: Profile) -> int:
    return max((len(_of(profile, point.key)) for point in profile.points), default=0)


def _of(profile: Profile, key: str) -> list[Golden]:
    return [vector for vector in profile.golden if vector.point == key]


def _round(profile: Profile, n: int) -> dict[str, Golden]:
    return {p.key: found[(n - 1) % len(found)] for p in profile.points if (found := _of(profile, p.key))}


def bound(proof: Proof) -> tuple[BoundDevice, ...]:
    index = count()
    return tuple(
        BoundDevice(
            key,
            shown.device.profile,
            tuple(BoundPoint(next(index), key, point) for point in shown.device.profile.points),
            driver_class(proof.endpoint.protocol).Params.model_validate(shown.device.params).model_dump(),
        )
        for key, shown in proof.shown.items()
    )


@contextlib.asynccontextmanager
async def opened(proof: Proof, devices: tuple[BoundDevice, ...]) -> AsyncIterator[tuple[Driver, object]]:
    async with simulating(proof, Settings()) as simulation:
        protocol = proof.endpoint.protocol
        server = simulation.servers[protocol]
        chosen = driver_class(protocol)
        settings = chosen.Settings.model_validate(SETTINGS[protocol](server.port, server.url))
        driver = chosen(settings, devices)
        async with asyncio.timeout(PATIENCE_S):
            await driver.open()
        try:
            yield driver, simulation
        finally:
            async with asyncio.timeout(PATIENCE_S):
                await driver.close()


async def heard(proof: Proof, devices: tuple[BoundDevice, ...]) -> Readings:
    """Return a reading of every point that has vectors."""
    wanted = {p.index for d in devices for p in d.points if p.profile.key in proof.shown[d.key].vectors}
    async with opened(proof, devices) as (driver, simulation):
        tasks = driver.plan()
        if tasks:
            return Readings.concat([await driver.read(task) for task in tasks])
        listening = Listening(driver)
        ticking = asyncio.create_task(simulation.run())  # type: ignore[attr-defined]
        try:
            await listening.until(lambda seen: wanted <= set(seen.last()), PATIENCE_S)
            return listening.all()
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await listening.stop()


async def differences(proof: Proof) -> list[str]:
    """Return, in words, each vector that came as something else."""
    devices = bound(proof)
    points = [point for device in devices for point in device.points]
    readings = Shaper(points).shape(await heard(proof, devices), now_us()).readings
    last = {index: row for row, index in enumerate(readings.point.tolist())}
    wrong: list[str] = []
    for device in devices:
        for point in device.points:
            vector = proof.shown[device.key].vectors.get(point.profile.key)
            if vector is None:
                continue
            row = last[point.index]
            value: float | str = readings.text.get(row, float(readings.value[row]))
            quality = quality_name(int(readings.quality[row]))
            if quality != vector.quality or not same(value, vector.value):
                wrong.append(f"{device.profile.id} {vector}: came {value!r} {quality}")
    return wrong


def test_every_protocol_with_vectors_is_proved() -> None:
    assert {profile.protocol for profile in PROFILES.values() if profile.golden} == SETTINGS.keys()


@pytest.mark.parametrize("protocol", sorted(SETTINGS))
async def test_values_equal_their_golden_vectors_over_the_wire(protocol: str) -> None:
    wrong = [line for proof in proofs(protocol) for line in await differences(proof)]
    assert not wrong, "\n".join(wrong[:20])


def same(value: float | str, wanted: float | str | None) -> bool:
    if wanted is None or isinstance(wanted, str) or isinstance(value, str):
        return value == wanted or (wanted is None and isinstance(value, float) and math.isnan(value))
    # A float32 of the wire has seven digits where the profile rounds to none.
    return math.isclose(value, wanted, rel_tol=1e-6, abs_tol=1e-9)


@pytest.mark.parametrize("name", [n for n, p in PROFILES.items() if p.protocol != "camera"])
def test_every_point_that_can_be_read_has_a_vector(name: str) -> None:
    profile = PROFILES[name]
    proved = {vector.point for vector in profile.golden}
    assert [p.key for p in profile.points if p.readable and p.key not in proved] == []
    for point in profile.points:
        qualities = {vector.quality for vector in _of(profile, point.key)}
        assert not point.sentinels or "BadSensorFailure" in qualities, f"{point.key}: prove its sentinel"
        signed = point.type in ("i16", "i32", "i64") and (point.min is None or point.min < 0)
        below = [v for v in _of(profile, point.key) if isinstance(v.value, float) and v.value < 0]
        assert not signed or below, f"{point.key}: prove its sign"
