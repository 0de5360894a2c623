"""Methods and alarms of a simulated server, called and heard by the gateway's own driver."""

from __future__ import annotations

import pytest

from protocols.errors import DeviceRefused
from protocols.field.base import Answer
from protocols.model.clock import now_us
from protocols.model.quality import Quality
from sim_devices.faults import parse_fault
from sim_devices.servers.opcua import OpcUaServer
from sim_devices.solo import SoloDevice
from sim_devices.world import Endpoint
from tests.protocols.field.devices import bind, driver, listening
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board, profile

URI = "urn:linjiang:plc"
CONDITION = {"namespace": URI, "node": "s={device}", "condition": "LevelLimits"}
METHOD = {"node": "s={device}.Doser.Dose", "inputs": [{"max": 20}, {"value": 2}], "output": 1, "ok": [0]}
TANK = profile(
    "opcua",
    [
        {"key": "level", "type": "f64", "opcua": {"namespace": URI, "node": "s={device}.Level"}},
        {"key": "message", "type": "text", "opcua": CONDITION},
        {"key": "severity", "type": "f64", "period": "fast", "opcua": CONDITION},
        {"key": "ack", "type": "f64", "writable": True, "readable": False, "opcua": CONDITION},
        {"key": "dose", "type": "f64", "writable": True, "readable": False, "write_max": 15,
         "opcua": {"namespace": URI, "node": "s={device}.Doser", "method": METHOD}},
    ],
)  # fmt: skip
LEVEL, MESSAGE, SEVERITY, ACK, DOSE = range(5)


async def test_a_technician_tries_methods_and_alarms_on_the_bench() -> None:
    tank = FakeDevice("tank", TANK, {"device": "T1"})
    world = FakeWorld([tank], [Endpoint("plc", "opcua", 0, ("tank",))])
    faults = board(world)
    server = OpcUaServer(world.listeners()[0], world, faults)
    await server.start()
    one = driver("opcua", {"url": server.url, "publishing_ms": 50}, bind(TANK, {"device": "T1"}))
    points = one.devices[0].points
    try:
        async with listening(one) as heard:
            answer = await one.write(points[DOSE], 12.5)
            assert isinstance(answer, Answer)
            assert "Status = 0" in answer.text
            assert tank.written == [("dose", 12.5)]
            with pytest.raises(DeviceRefused, match="BadOutOfRange"):
                await one.write(points[DOSE], 16.0)

            async def stands(severity: float, quality: int = Quality.GOOD) -> None:
                await server.tick()
                await heard.until(lambda h: h.last().get(SEVERITY) == (severity, quality), 60)

            await stands(0.0)
            tank.values["severity"] = 700.0
            await stands(700.0)
            assert heard.last()[MESSAGE] == ("severity: severity 700", Quality.GOOD)
            assert await one.write(points[ACK], 1.0) == Answer("acknowledged: LevelLimits")
            # What is not known well hides no alarm.
            faults.set(parse_fault("dead:tank"))
            await stands(700.0, Quality.UNCERTAIN)
            with pytest.raises(DeviceRefused, match="BadNoCommunication"):
                await one.write(points[DOSE], 1.0)
            faults.clear_all()
            tank.values["severity"] = 0.0
            await stands(0.0)
    finally:
        await server.stop()


def test_a_lone_device_has_an_alarm_now_and_then() -> None:
    lone = SoloDevice(TANK, {}, 7)
    said = set()
    for minute in range(16):
        lone.time_us = now_us() + minute * 15_000_000
        severity, message = lone.read("severity"), lone.read("message")
        assert bool(severity) == bool(message)
        said.add(severity)
    assert said == {0.0, 500.0}
