"""All devices of a gateway file, on every protocol; the file it writes leads to them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
import yaml

from edge.cli.direct import current, find, live
from edge.opening import open_plan
from protocols.errors import Rejected
from protocols.model.clock import SECOND_US, now_us
from sim_devices.fleet import FleetWorld
from sim_devices.runner import simulating

FILE = """\
gateway: {id: gw-all, name: &n {zh: 全, en: All}}
centre: {url: "https://centre.example.city"}
state_dir: /var/lib/real
sites: [{key: a, name: {zh: 甲, en: A}, kind: station, lon: 1, lat: 2}]
connections:
  - {key: line, protocol: modbus, settings: {host: 192.0.2.1, port: 502}}
  - {key: ua, protocol: opcua, settings: {url: "opc.tcp://192.0.2.2:4840", username: u, password_file: p}}
  - {key: broker, protocol: mqtt, settings: {host: 192.0.2.3}}
  - {key: cams, protocol: camera, settings: {base_url: "http://192.0.2.4"}}
  - {key: spare, protocol: modbus, settings: {host: 192.0.2.5}}
devices:
  - {key: m1, site: a, name: *n, connection: line, profile: eastron.sdm120, params: {unit: 1}}
  - {key: m2, site: a, name: *n, connection: line, profile: eastron.sdm120, params: {unit: 2}}
  - {key: g1, site: a, name: *n, connection: ua, profile: city.sluice_gate, params: {device: g1}}
  - {key: q1, site: a, name: *n, connection: broker, profile: city.air_station, params: {device: q1}}
  - {key: c1, site: a, name: *n, connection: cams, profile: city.camera, params: {path: /c1.jpg}}
"""
START_US = 1_780_000_000 * SECOND_US
POINTS = ("m1.voltage", "m2.voltage", "g1.position", "q1.pm25", "c1.online")


def test_two_devices_of_one_profile_do_not_move_in_step(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    world = FleetWorld(path, start_us=START_US)
    moved: dict[str, list[float | str | None]] = {"m1": [], "m2": []}
    for minute in range(60):
        world.step(START_US + minute * 60 * SECOND_US)
        for key, values in moved.items():
            values.append(world.devices()[key].read("voltage"))
    assert len(set(moved["m1"])) > 1
    assert moved["m1"] != moved["m2"]


async def test_every_device_answers_where_the_written_file_says(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    world = FleetWorld(path, start_us=now_us())
    async with simulating(world) as simulation:
        running = asyncio.create_task(simulation.run())
        urls = {key: server.url for key, server in simulation.servers.items()}
        out = tmp_path / "sim.yaml"
        out.write_text(world.rewritten(out, urls))
        plan = open_plan(out)
        seen = {name: await current(plan, find(plan, name)) for name in POINTS}
        watched: dict[str, list[str]] = {}
        async with (
            asyncio.timeout(30),
            aclosing(live(plan, [find(plan, name) for name in POINTS], 0.2)) as values,
        ):
            async for value in values:
                watched.setdefault(value["point"], []).append(value["quality"]["name"])
                if len(watched) == len(POINTS) and len(watched["m1.voltage"]) > 2:
                    break
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {name: value["quality"]["name"] for name, value in seen.items()} == dict.fromkeys(POINTS, "Good")
    assert all("Good" in qualities for qualities in watched.values())
    data = yaml.safe_load(out.read_text())
    assert "centre" not in data
    assert data["state_dir"] == "sim-state"
    assert data["connections"][4]["settings"] == {"host": "192.0.2.5"}


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "is not YAML"), ("- 1", "is no gateway file"), ("devices: 5", "citynerve-edge check"),
     ("sites: []", "has no devices"),
     ("devices: [{key: a, profile: x, connection: c}]", "did you mean|no profile")],
)  # fmt: skip
def test_what_cannot_be_simulated_is_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(text)
    with pytest.raises(Rejected, match=says):
        FleetWorld(path, start_us=now_us())
    with pytest.raises(Rejected, match="cannot be read"):
        FleetWorld(tmp_path / "none.yaml", start_us=now_us())
