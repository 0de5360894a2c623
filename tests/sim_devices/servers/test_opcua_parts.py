"""Parts of arrays and structures on the simulator, driven by the gateway's own driver."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncua import ua

from protocols.errors import DeviceRefused
from protocols.field.base import BoundPoint, Driver
from protocols.model.device import Profile
from protocols.model.quality import Quality
from sim_devices.faults import parse_fault
from sim_devices.servers.opcua import OpcUaServer
from sim_devices.servers.opcua_parts import built, grown
from sim_devices.world import Endpoint
from tests.protocols.field.devices import Listening, bind, driver, listening
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board, profile

PATIENCE_S = 60.0


def at(node: str, part: str, **more: Any) -> dict[str, Any]:
    return {"namespace": "urn:parts", "node": f"s={{device}}.{node}", "part": part, **more}


DRIVE = profile(
    "opcua",
    [
        {"key": "l1", "type": "f64", "writable": True, "opcua": at("Levels", "[0]")},
        {"key": "l3", "type": "f64", "opcua": at("Levels", "[2]")},
        {"key": "speed", "type": "f32", "scale": 0.5, "writable": True,
         "opcua": at("Motor", "Speed", rewrite=True)},
        {"key": "amps", "type": "f64", "opcua": at("Motor", "Phases[1].Amps")},
        {"key": "phase", "type": "text", "opcua": at("Motor", "Phases[1].Name")},
        {"key": "hours", "type": "u32", "opcua": at("Motor", "Hours")},
        {"key": "alone", "type": "i16", "opcua": {"namespace": "urn:parts", "node": "s={device}.Alone"}},
    ],
)  # fmt: skip


@asynccontextmanager
async def tried(
    made: Profile = DRIVE, **settings: Any
) -> AsyncIterator[tuple[OpcUaServer, FakeDevice, Driver, Listening]]:
    """Serve a profile and listen to it with the driver that a gateway has for it."""
    device = FakeDevice("d", made, {"device": "D1"}, {"phase": "L2"})
    endpoint = Endpoint("plc-parts", "opcua", 0, ("d",))
    world = FakeWorld([device], [endpoint])
    faults = board(world)
    server = OpcUaServer(endpoint, world, faults)
    faults.on_change(server.follow_faults)
    await server.start()
    try:
        one = driver("opcua", {"url": server.url, "publishing_ms": 50, **settings}, bind(made, device.params))
        async with listening(one) as heard:
            yield server, device, one, heard
    finally:
        await server.stop()


def point(made: Driver, key: str) -> BoundPoint:
    return next(one for one in made.devices[0].points if one.profile.key == key)


async def shows(heard: Listening, made: Driver, key: str, value: float | str, quality: int = 0) -> None:
    index = point(made, key).index

    def so(heard: Listening) -> bool:
        told, code = heard.last().get(index, (math.inf, -1))
        return code == quality and (told == value or (told != told and value != value))  # noqa: PLR0124

    await heard.until(so, PATIENCE_S)


async def test_every_part_has_the_value_of_its_point() -> None:
    async with tried() as (server, device, made, heard):
        device.values |= {"l1": 1.5, "l3": 3.5, "speed": 48.5, "amps": 7.25, "hours": 12.0, "alone": -4.0}
        await server.tick()
        told: dict[str, float | str] = {
            "l1": 1.5,
            "l3": 3.5,
            "speed": 97.0,
            "amps": 7.25,
            "phase": "L2",
            "hours": 12.0,
        }
        for key, value in (told | {"alone": -4.0}).items():
            await shows(heard, made, key, value)


async def test_parts_are_written_as_their_profile_says() -> None:
    async with tried() as (server, device, made, heard):
        device.values |= {"l1": 1.5, "speed": 0.15, "hours": 12.0}
        await server.tick()
        await shows(heard, made, "hours", 12.0)
        assert await made.write(point(made, "l1"), 2.5) == 2.5
        assert await made.write(point(made, "speed"), 60.0) == 60.0
        assert device.written == [("l1", 2.5), ("speed", 30.0)], "and nothing beside them"
        device.limit = 50.0
        with pytest.raises(DeviceRefused, match="BadOutOfRange"):
            await made.write(point(made, "speed"), 400.0)
        await shows(heard, made, "l1", 2.5)
        await shows(heard, made, "speed", 60.0)


async def test_faults_reach_parts() -> None:
    async with tried() as (server, device, made, heard):
        device.values |= {"amps": 7.25, "l3": 3.5}
        await server.tick()
        await shows(heard, made, "amps", 7.25)
        device.values |= {"amps": None}
        await server.tick()
        await shows(heard, made, "amps", math.nan, Quality.BAD_SENSOR_FAILURE)
        assert heard.last()[point(made, "phase").index] == ("L2", Quality.GOOD)
        device.values |= {"hours": None}
        await server.tick()
        await shows(heard, made, "phase", math.nan, Quality.BAD_SENSOR_FAILURE)
        await shows(heard, made, "l3", 3.5)
        device.values |= {"amps": 7.5, "hours": 13.0}
        server.faults.set(parse_fault("dead:d"))
        await server.tick()
        await shows(heard, made, "hours", math.nan, Quality.BAD_NO_COMMUNICATION)
        with pytest.raises(DeviceRefused):
            await made.write(point(made, "l1"), 9.0)


def test_parts_that_no_value_can_have_are_a_mistake_in_the_profile() -> None:
    one, *_ = DRIVE.points

    def kind(of: Any) -> ua.VariantType:
        return ua.VariantType.Double if of is one else ua.VariantType.String

    other = DRIVE.points[1]
    with pytest.raises(ValueError, match="one `type`"):
        grown({"[0]": one, "[1]": other}, kind)
    with pytest.raises(ValueError, match="at once"):
        grown({"A": one, "A.B": other}, kind)
    with pytest.raises(ValueError, match="arrays of arrays"):
        grown({"[0][1]": one}, kind)
    assert built(grown({"[2]": one}, kind), lambda _: 7.0) == [0.0, 0.0, 7.0]
