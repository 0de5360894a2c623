"""`citynerve-sim device` on a bench: what it prints can be pasted and read, by every way to a Modbus line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from edge.config.load import load
from edge.shaping import Shaper
from edge.tools.reading import read_registers
from protocols.field.base import BoundDevice, BoundPoint
from protocols.model.clock import now_us
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from sim_devices.cli import app
from sim_devices.faults import parse_fault
from sim_devices.paste import paste, whole
from sim_devices.profiles import SHIPPED, find_profile, shipped_profiles
from sim_devices.runner import Simulation, simulating
from sim_devices.solo import SoloWorld
from tests.ports import free_port

PATIENCE_S = 60
TRANSPORTS: dict[str, dict[str, Any]] = {
    "tcp": {}, "rtu": {}, "rtu-over-tcp": {}, "udp": {}, "tls": {"tls_folder": "tls"},
    "dial-in": {"registration": "DTU-7"},
}  # fmt: skip


def typed(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "200", "TERM": "dumb"})
    return result.exit_code, result.output


async def read_by(file: Path) -> Readings:
    """Return what a gateway with this file reads of its device, in engineering units."""
    loaded = load(file)
    (connection,), (entry,) = loaded.entry.connections, loaded.entry.devices
    profile = loaded.profiles[entry.profile]
    points = tuple(BoundPoint(i, entry.key, point) for i, point in enumerate(profile.points))
    device = BoundDevice(entry.key, profile, points, loaded.params[entry.key])
    driver = loaded.drivers[connection.protocol](loaded.settings[connection.key], (device,))
    async with asyncio.timeout(PATIENCE_S):
        try:
            await driver.open()
            raw = Readings.concat([await driver.read(task) for task in driver.plan()])
        finally:
            await driver.close()
    return Shaper(points).shape(raw, now_us()).readings


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_gateway_file_it_writes_reads_known_values(transport: str, tmp_path: Path) -> None:
    line = {"transport": transport, **TRANSPORTS[transport]}
    if "tls_folder" in line:
        line["tls_folder"] = str(tmp_path / "tls")
    port = free_port() if transport == "dial-in" else 0
    profile = find_profile("xy_md02")
    world = SoloWorld(profile, port=port, settings=line, golden=3, start_us=now_us())
    async with simulating(world) as simulation:
        (server,) = simulation.servers.values()
        file = tmp_path / "bench.yaml"
        entries = paste(server, world.devices()["device"], "xy_md02", {})
        file.write_text(whole(entries, file), encoding="utf-8")
        readings = await read_by(file)
    assert dict(zip(readings.point.tolist(), readings.value.tolist(), strict=True)) == {0: -20.5, 1: 58.9}


async def values(simulation: Simulation, file: Path, fault: str) -> tuple[list[float], list[int]]:
    simulation.faults.clear_all()
    simulation.faults.set(parse_fault(fault))
    await simulation.advance(4.5)
    readings = await read_by(file)
    order = np.argsort(readings.point)
    return readings.value[order].tolist(), [int(q) for q in readings.quality[order]]


async def test_faults_of_a_sensor_reach_the_gateway(tmp_path: Path) -> None:
    world = SoloWorld(find_profile("xy_md02"), start_us=now_us())
    async with simulating(world) as simulation:
        (server,) = simulation.servers.values()
        file = tmp_path / "bench.yaml"
        entries = paste(server, world.devices()["device"], "xy_md02", {})
        file.write_text(whole(entries, file), encoding="utf-8")
        _, quality = await values(simulation, file, "sentinel:device.humidity")
        assert quality == [Quality.GOOD, Quality.BAD_SENSOR_FAILURE]
        (spike, _), quality = await values(simulation, file, "spike:device.temperature:5")
        assert (spike > 100, quality[0]) == (True, Quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED)
        _, quality = await values(simulation, file, "exception:device:2")
        assert quality == [Quality.BAD_CONFIGURATION_ERROR] * 2


def test_what_is_printed_is_a_piece_of_a_gateway_file(tmp_path: Path) -> None:
    out = tmp_path / "bench.yaml"
    code, said = typed("device", "chint.dtsu666", "--golden", "1", "--for", "0", "--out", out)
    assert code == 0, said
    assert "golden   voltage-l1 = 230.2" in said
    assert "devices:\n  - {key: device1, site: here" in said
    assert str(out) in said
    assert load(out).entry.devices[0].profile == "chint.dtsu666"


def test_a_profile_of_ones_own_is_named_by_its_folder(tmp_path: Path) -> None:
    mine = tmp_path / "my.meter.yaml"
    mine.write_text((SHIPPED / "qdy30a.yaml").read_text().replace("id: qdy30a", "id: my.meter"))
    out = tmp_path / "bench.yaml"
    code, said = typed("device", mine, "--param", "unit=7", "--for", "0", "--json", "--out", out)
    assert code == 0, said
    told = json.loads(said)["paste"]
    assert (told["profiles"], told["devices"][0]["params"]) == (str(tmp_path), {"unit": 7})
    assert load(out).entry.devices[0].profile == "my.meter"


@pytest.mark.parametrize("protocol", ["mqtt", "sparkplug", "camera", "snmp"])
def test_a_device_of_every_protocol_can_be_pasted(protocol: str, tmp_path: Path) -> None:
    name = next(p.id for p in shipped_profiles().values() if p.protocol == protocol)
    out = tmp_path / "bench.yaml"
    code, said = typed("device", name, "--for", "0", "--out", out)
    assert code == 0, said
    assert load(out).entry.connections[0].protocol == protocol


@pytest.mark.parametrize("transport", ["rtu", "rtu-over-tcp", "udp"])
async def test_registers_of_any_line_can_be_decoded(transport: str) -> None:
    world = SoloWorld(
        find_profile("eastron.sdm630"), settings={"transport": transport}, golden=1, start_us=now_us()
    )
    async with simulating(world) as simulation:
        (server,) = simulation.servers.values()
        entries = paste(server, world.devices()["device"], "eastron.sdm630", {})
        line = entries["connections"][0]["settings"]
        async with asyncio.timeout(PATIENCE_S):
            found = await read_registers(line, 1, 4, 0, 2, 1)
    assert found == ([0x4366, 0x3333, found[0][2]], 0)
