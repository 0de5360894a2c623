"""Agents are found, named and matched with profiles; objects are walked. The simulated UPS answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator

import pytest

from edge.tools.agents import scan_snmp
from edge.tools.profiles import known_profiles
from protocols.errors import ConnectionLost, Rejected
from protocols.field.scanning import Found, Progress
from protocols.model.clock import now_us
from sim_devices.profiles import find_profile
from sim_devices.runner import Simulation, simulating
from sim_devices.solo import SoloWorld
from tests.edge.cli.conftest import PROGRAMS


@pytest.fixture
async def ups() -> AsyncIterator[Simulation]:
    async with simulating(SoloWorld(find_profile("ietf.ups"), start_us=now_us())) as running:
        yield running


async def test_an_agent_is_found_with_the_profile_that_fits(ups: Simulation) -> None:
    port = ups.ports["device"]
    events = [
        one
        async for one in scan_snmp("127.0.0.1/30", port, timeout_s=0.3, profiles=known_profiles().values())
    ]
    (agent,) = [one for one in events if isinstance(one, Found)]
    assert agent.key == "127.0.0.1"
    assert "UPS-MIB" in agent.detail["description"]
    assert agent.detail["profiles"][0] == {"profile": "ietf.ups", "good": 23, "tried": 23}
    assert agent.suggestion == {
        "connections": {"protocol": "snmp", "settings": {"host": "127.0.0.1", "port": port}},
        "devices": {"profile": "ietf.ups", "params": {"index": "1"}},
    }
    assert isinstance(events[-1], Progress)


@pytest.mark.parametrize("version", ["1", "2c"])
async def test_a_walk_lists_what_is_there_once(ups: Simulation, version: str) -> None:
    port = ups.ports["device"]
    walked = scan_snmp("127.0.0.1", port, walk="1.3.6.1.2.1.33.1.2", settings={"version": version})
    found = [one async for one in walked if isinstance(one, Found)]
    assert [one.key for one in found] == [f"1.3.6.1.2.1.33.1.2.{n}.0" for n in range(1, 8)]
    assert found[0].detail["value"] == "2"
    some = scan_snmp("127.0.0.1", port, walk="1.3.6", most=3, settings={"version": version})
    assert len([one async for one in some if isinstance(one, Found)]) == 3


async def test_nobody_there_and_what_is_no_address(ups: Simulation) -> None:
    ups.world.devices()
    nobody = [one async for one in scan_snmp("127.0.0.1", 1, timeout_s=0.1)]
    assert not [one for one in nobody if isinstance(one, Found)]
    with pytest.raises(ConnectionLost, match="no answer"):
        [one async for one in scan_snmp("127.0.0.1", 1, timeout_s=0.1, walk="1.3")]
    for host, settings in (("10.0.0.0/8", {}), ("192.0.2.0/x", {}), ("127.0.0.1", {"version": "3"})):
        with pytest.raises(Rejected):
            [one async for one in scan_snmp(host, settings=settings)]


def test_the_command_needs_somebody_who_answers() -> None:
    asked = [str(PROGRAMS / "citynerve-edge"), "scan", "snmp", "127.0.0.1:1", "--timeout", "0.1", "--json"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"found": []}
