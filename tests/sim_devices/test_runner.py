"""World, servers and faults together, and the control endpoint beside them."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from pymodbus.client import AsyncModbusTcpClient

from protocols.errors import Rejected
from sim_devices.faults import Dead, parse_fault
from sim_devices.runner import Settings, simulating
from sim_devices.schedule import Entry
from sim_devices.servers.base import PortBusyError
from sim_devices.world import Endpoint
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, profile

METER = profile("modbus", [{"key": "power", "type": "u16", "modbus": {"fc": 3, "address": 0}}])
CAMERA = profile("camera", [{"key": "online", "type": "bool", "camera": {"measure": "online"}}])


def world(port: int = 0) -> FakeWorld:
    meter, camera = FakeDevice("meter-1", METER), FakeDevice("cam-1", CAMERA)
    return FakeWorld(
        [meter, camera],
        [Endpoint("line", "modbus", port, ("meter-1",)), Endpoint("cams", "camera", 0, ("cam-1",))],
    )


async def test_a_tick_steps_the_world_at_its_speed_and_shows_it() -> None:
    city = world()
    async with simulating(city, Settings(speed=60)) as simulation:
        client = AsyncModbusTcpClient("127.0.0.1", port=simulation.ports["line"], retries=0)
        await client.connect()
        city.fakes["meter-1"].values["power"] = 77
        await simulation.advance(2.0)
        assert city.steps[-1] == city.start_us + 120_000_000
        assert (await client.read_holding_registers(0, count=1)).registers == [77]
        client.close()


async def test_run_ticks_until_its_end() -> None:
    city = world()
    schedule = (Entry(0.05, Dead("meter-1"), 0.1), Entry(0.1, Dead("cam-1")))
    async with simulating(city, Settings(speed=10, tick_s=0.02, schedule=schedule)) as simulation:
        await simulation.run(for_s=0.4)
        assert len(city.steps) > 5
        assert city.steps == sorted(city.steps)
        assert simulation.faults.active() == (Dead("cam-1"),)
        world_s = (city.steps[-1] - city.start_us) / 1e6
        assert 2 < world_s < 6


async def test_a_failing_world_ends_the_run() -> None:
    class Wrong(FakeWorld):
        def step(self, now_us: int) -> None:
            if self.steps:
                raise RuntimeError("physics fell apart")
            super().step(now_us)

    city = Wrong([FakeDevice("meter-1", METER)], [Endpoint("line", "modbus", 0, ("meter-1",))])
    async with simulating(city, Settings(tick_s=0.01)) as simulation:
        with pytest.raises(ExceptionGroup) as failed:
            await simulation.run(for_s=5)
        assert failed.group_contains(RuntimeError, match="fell apart")


async def test_control() -> None:
    city = world()
    city.fakes["meter-1"].values["power"] = 12.5
    async with (
        simulating(city, Settings(control_port=0)) as simulation,
        httpx2.AsyncClient(base_url=simulation.state()["control"]) as client,
    ):
        state = (await client.get("/state")).json()
        assert [e["port"] for e in state["endpoints"]] == list(simulation.ports.values())
        assert (state["scenario"], state["faults"]) == ("calm", [])
        assert (await client.get("/devices/meter-1")).json()["values"] == {"power": 12.5}
        assert (await client.get("/devices/meter-9")).status_code == 404

        made = await client.post("/faults", json={"fault": "slow:meter-1:0.5"})
        assert (made.status_code, simulation.faults.delay_s("meter-1")) == (201, 0.5)
        assert (await client.get("/faults")).json() == {"items": ["slow:meter-1:0.5"]}
        assert (await client.delete("/faults", params={"fault": "slow:meter-1"})).status_code == 204
        gone = await client.delete("/faults", params={"fault": "slow:meter-1"})
        assert (gone.status_code, gone.headers["content-type"]) == (404, "application/problem+json")
        await client.post("/faults", json={"fault": "dead:meter-1"})
        assert (await client.delete("/faults")).status_code == 204
        assert simulation.faults.active() == ()

        assert (await client.post("/scenario", json={"name": "rainstorm"})).json() == {
            "scenario": "rainstorm"
        }
        unknown = await client.post("/scenario", json={"name": "snow"})
        assert unknown.status_code == 400
        assert "calm, rainstorm" in unknown.json()["detail"]
        assert (await client.post("/faults", content=b'{"fault": "dead:meter-1"}')).status_code == 400
        assert (await client.post("/faults", json=["dead"])).status_code == 400
        assert (await client.get("/state", headers={"Host": "evil.example"})).status_code == 400


async def test_mistakes_before_anything_listens() -> None:
    with pytest.raises(Rejected, match="did you mean meter-1"):
        async with simulating(world(), Settings(faults=(parse_fault("dead:meter-2"),))):
            pass
    with pytest.raises(Rejected, match="no server 'lane'"):
        async with simulating(world(), Settings(schedule=(Entry(1, parse_fault("drop:lane")),))):
            pass


async def test_a_busy_port_leaves_nothing_behind() -> None:
    async with simulating(world()) as simulation:
        taken = simulation.ports["line"]
        busy = world(taken)
        with pytest.raises(PortBusyError, match=f"port {taken}"):
            async with simulating(busy):
                pass
    # The same port can be taken at once after the first simulation has ended.
    async with simulating(world(taken)) as again:
        assert again.ports["line"] == taken
    reader_task = asyncio.all_tasks() - {asyncio.current_task()}
    assert not reader_task
