"""A simulated edge node, read and commanded by the gateway's own host application over a real broker."""

from __future__ import annotations

import asyncio

from protocols.model.clock import now_us
from protocols.model.quality import Quality
from sim_devices.faults import parse_fault
from sim_devices.profiles import find_profile
from sim_devices.runner import Settings, simulating
from sim_devices.solo import SoloWorld
from tests.protocols.field.devices import Listening, bind, driver

PATIENCE_S = 60.0
PARAMS = {"group": "city", "node": "riverside", "device": "booster1"}


async def test_births_reports_commands_and_deaths() -> None:
    profile = find_profile("city.booster_station")
    world = SoloWorld(profile, params=PARAMS, start_us=now_us())
    async with simulating(world, Settings()) as simulation:
        device = bind(profile, PARAMS)
        rows = {point.profile.key: point for point in device.points}
        settings = {"host": "127.0.0.1", "port": simulation.ports["device"], "host_id": "h", "reorder_s": 0}
        made = driver("sparkplug", settings, device)
        await made.open()
        heard = Listening(made)
        ticking = asyncio.create_task(simulation.run())
        try:
            everything = {point.index for point in device.points}
            await heard.until(
                lambda h: (
                    everything <= h.last().keys() and all(q == Quality.GOOD for _, q in h.last().values())
                ),
                PATIENCE_S,
            )
            assert heard.last()[rows["controller"].index][0] == "临江 Linjiang"
            assert await made.write(rows["setpoint"], 4.5) == 4.5
            simulation.faults.set(parse_fault("dead:device"))
            lost = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
            setpoint = rows["setpoint"].index
            await heard.until(lambda h: h.last()[setpoint] == (4.5, lost), PATIENCE_S)
            simulation.faults.clear(parse_fault("dead:device"))
            await heard.until(lambda h: h.last()[setpoint] == (4.5, Quality.GOOD), PATIENCE_S)
            simulation.faults.set(parse_fault("broken:device"))
            await heard.until(lambda h: h.last()[setpoint][1] == Quality.BAD, PATIENCE_S)
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await heard.stop()
            await made.close()
