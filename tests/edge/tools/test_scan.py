"""Scans of simulated devices, which share no code with the scanner: what is there is found, and only that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml

from edge.tools.drafting import draft
from edge.tools.profiles import known_profiles
from edge.tools.scan import Events, scan_cameras, scan_modbus, scan_mqtt, scan_opcua, through
from protocols.errors import ConnectionLost
from protocols.field.base import BoundDevice
from protocols.field.modbus import ModbusDriver, ModbusSettings
from protocols.field.opcua.table import Table
from protocols.field.scanning import Found, Progress
from protocols.model.clock import now_us
from protocols.model.device import Profile
from sim_devices.city import open_city
from sim_devices.profiles import find_profile
from sim_devices.runner import Settings, Simulation, simulating
from sim_devices.servers.opcua import OpcUaServer
from sim_devices.solo import SoloWorld
from sim_devices.world import Endpoint
from tests.ports import free_port
from tests.protocols.field.devices import bind
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board
from tests.sim_devices.servers.fake_world import profile as fake_profile

PROFILES = known_profiles().values()


@asynccontextmanager
async def one(profile: str, **settings: Any) -> AsyncIterator[Simulation]:
    """One simulated device, running."""
    world = SoloWorld(find_profile(profile), params=settings.pop("params", {}), start_us=now_us())
    async with simulating(world, Settings(**settings)) as simulation:
        running = asyncio.create_task(simulation.run())
        try:
            yield simulation
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def told(events: Events) -> tuple[list[Found], list[Progress]]:
    found: list[Found] = []
    progress: list[Progress] = []
    async for event in events:
        if isinstance(event, Found):
            found.append(event)
        else:
            progress.append(event)
    return found, progress


@pytest.mark.parametrize(
    "profile", ["eastron.sdm120", "senseair.s8", "waveshare.relay8", "tuf2000m", "city.pump"]
)
async def test_a_modbus_unit_is_found_with_its_profile(profile: str) -> None:
    async with one(profile, params={"unit": 3}) as simulation:
        events = scan_modbus(
            "127.0.0.1", simulation.ports["device"], units=range(1, 6), profiles=PROFILES, pause_s=0
        )
        found, progress = await told(events)
    (unit,) = found
    assert unit.detail["unit"] == 3
    assert unit.suggestion["devices"] == {"profile": profile, "params": {"unit": 3}}
    assert unit.detail["identity"]["vendor"] == find_profile(profile).vendor
    assert (progress[0].done, progress[-1].done, progress[-1].total) == (0, 5, 5)


async def test_without_an_identity_the_registers_tell_the_meter() -> None:
    """The values alone, as with the many devices that do not know function 43."""
    async with one("eastron.sdm630") as simulation:
        driver = ModbusDriver(ModbusSettings(host="127.0.0.1", port=simulation.ports["device"]), ())
        await driver.open()

        async def take(act: Any) -> Any:
            return await act(driver)

        honest = through(take)

        async def ask(request: Any) -> Any:
            return None if request.fc == 43 else await honest(request)

        found, _ = await told(scan_modbus("", units=[1], profiles=PROFILES, ask=ask))
        await driver.close()
    assert found[0].detail["identity"] == {}
    assert found[0].detail["profiles"][0]["profile"] == "eastron.sdm630"


async def test_silence_on_a_shared_line_does_not_end_it() -> None:
    """Scanning 40 absent units must not make the gateway's own line look dead."""
    async with one("eastron.sdm120") as simulation:
        simulation.servers["device"].unknown_unit = "silent"  # type: ignore[attr-defined]
        profile = find_profile("eastron.sdm120")
        device = BoundDevice("d", profile, (), {"unit": 1})
        driver = ModbusDriver(ModbusSettings(host="127.0.0.1", port=simulation.ports["device"]), (device,))
        await driver.open()

        async def take(act: Any) -> Any:
            return await act(driver)

        ask = through(take, timeout_s=0.02)
        found, _ = await told(scan_modbus("", units=[*range(2, 42), 1], ask=ask))
        await driver.close()
    assert [unit.detail["unit"] for unit in found] == [1]


async def test_opcua_servers_endpoints_and_nodes() -> None:
    async with one("city.sluice_gate", params={"device": "gate7"}) as simulation:
        url = simulation.servers["device"].url
        found, _ = await told(scan_opcua(url, profiles=PROFILES))
        few, _ = await told(scan_opcua(url, most=3))
    kinds = [item.kind for item in found]
    assert kinds[0] == "server"
    endpoint = next(item for item in found if item.kind == "endpoint")
    assert (endpoint.detail["mode"], endpoint.suggestion["connections"]["settings"]) == ("None", {"url": url})
    nodes = [item for item in found if item.kind == "node"]
    assert {node.suggestion["devices"]["params"]["device"] for node in nodes} == {"gate7"}
    assert all(node.detail["quality"] == "Good" for node in nodes)
    assert len(nodes) == len(find_profile("city.sluice_gate").points)
    assert sum(item.kind == "node" for item in few) == 3


async def test_mqtt_topics_with_their_device_or_their_mapping() -> None:
    async with one("city.air_station", params={"device": "aq7"}) as simulation:
        port = simulation.ports["device"]
        found, progress = await told(scan_mqtt("127.0.0.1", port, seconds=2.5, profiles=PROFILES))
        plain, _ = await told(scan_mqtt("127.0.0.1", port, seconds=2.5))
    state = next(item for item in found if item.key == "linjiang/air/aq7/state")
    assert state.suggestion["devices"] == {"profile": "city.air_station", "params": {"device": "aq7"}}
    mapped = next(item for item in plain if item.key == "linjiang/air/aq7/state").suggestion["points"]
    pm25 = next(point for point in mapped if point["key"] == "pm25")
    assert pm25["mqtt"] == {"topic": "linjiang/air/aq7/state", "json_path": "pm25", "time_path": "ts"}
    assert pm25["type"] == "f64"
    assert "ts" not in {point["key"] for point in mapped}
    assert progress[-1].done == progress[-1].total


async def test_camera_paths() -> None:
    async with one("city.camera") as simulation:
        base = f"http://127.0.0.1:{simulation.ports['device']}"
        found, _ = await told(scan_cameras(base))
    camera, told_by_onvif = found
    assert told_by_onvif.suggestion["devices"]["profile"] == "onvif.camera"
    assert [each["token"] for each in told_by_onvif.detail["profiles"]] == ["device-main", "device-sub"]
    assert "CityNerve SIM-1" in told_by_onvif.title
    assert camera.suggestion["devices"]["params"] == {"path": "/cam/01/snapshot.jpg"}
    async with one("city.camera", camera_credentials=("duty", "right")) as simulation:
        base = f"http://127.0.0.1:{simulation.ports['device']}"
        (asks, refused), _ = await told(scan_cameras(base))
        assert "user name" in refused.detail["refused"]
    assert asks.detail["answer"] == "password"


async def test_many_units_of_a_city_line() -> None:
    async with simulating(open_city(seed=1, scenario="calm", port_base=0), Settings()) as simulation:
        port = simulation.ports["modbus-light"]
        expected = {
            view.device.params["unit"]: view.profile.id for view in simulation.servers["modbus-light"].views
        }
        found, _ = await told(
            scan_modbus("127.0.0.1", port, units=range(1, 20), profiles=PROFILES, pause_s=0)
        )
    assert {unit.detail["unit"]: unit.suggestion["devices"]["profile"] for unit in found} == expected


async def test_nobody_there_is_one_sentence() -> None:
    port = free_port()
    scans = {
        "Modbus": scan_modbus("127.0.0.1", port),
        "OPC UA": scan_opcua(f"opc.tcp://127.0.0.1:{port}"),
        "MQTT": scan_mqtt("127.0.0.1", port),
        "http": scan_cameras(f"http://127.0.0.1:{port}"),
    }
    for word, events in scans.items():
        with pytest.raises(ConnectionLost, match=f"{word}.*cannot be"):
            await told(events)


async def test_opcua_methods_are_shown_ready_to_be_commands() -> None:
    """Their arguments are no variables; what is drafted is a command once its # is taken away."""

    def where(node: str, method: str, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        return {"namespace": "urn:m", "node": node, "method": {"node": method, "inputs": inputs, "ok": [0]}}

    def command(key: str, kind: str, address: dict[str, Any]) -> dict[str, Any]:
        return {"key": key, "type": kind, "writable": True, "readable": False, "opcua": address}

    doser = fake_profile(
        "opcua",
        [
            {"key": "level", "type": "f64", "opcua": {"namespace": "urn:m", "node": "s={device}.Level"}},
            command("reset", "bool", where("s={device}.O", "s={device}.Reset", [])),
            command("dose", "f64", where("s={device}.O", "s={device}.Dose", [{}])),
            command("recipe", "text", where("s={device}.O", "s={device}.Recipe", [{}, {}])),
        ],
    )
    device = FakeDevice("d", doser, {"device": "D1"})
    endpoint = Endpoint("plc", "opcua", 0, ("d",))
    world = FakeWorld([device], [endpoint])
    server = OpcUaServer(endpoint, world, board(world))
    await server.start()
    try:
        found, _ = await told(scan_opcua(server.url))
        known, _ = await told(scan_opcua(server.url, profiles=[doser]))
        few, _ = await told(scan_opcua(server.url, most=2))
        one, _ = await told(scan_opcua(server.url, find="recipe"))
    finally:
        await server.stop()
    assert [item.key.rpartition(".")[2] for item in found if item.kind == "node"] == ["Level"]
    methods = {item.detail["method"]: item for item in found if item.kind == "method"}
    assert set(methods) == {"s=D1.Reset", "s=D1.Dose", "s=D1.Recipe"}
    dose = methods["s=D1.Dose"]
    assert dose.title.endswith("(given0: Double) = Status: Double")
    assert dose.detail["executable"]
    assert dose.suggestion["points"]["opcua"] == {
        "namespace": "urn:m", "node": "s=D1.O", "method": {"node": "s=D1.Dose", "inputs": [{}]},
    }  # fmt: skip
    fits = {item.detail["method"]: item.suggestion["devices"] for item in known if item.kind == "method"}
    assert fits["s=D1.Recipe"] == {"profile": "test.opcua", "params": {"device": "D1"}}
    assert sum(item.kind in ("node", "method") for item in few) == 2
    assert [item.detail["method"] for item in one if item.kind == "method"] == ["s=D1.Recipe"]

    text, left = draft("acme.doser", [item for item in found if item.kind in ("node", "method")])
    assert left == []
    assert len(yaml.safe_load(text)["points"]) == 1, "nothing is a command until a person says so"
    head, _, commented = text.partition("\n# Methods")
    chosen = "".join(line.removeprefix("# ") + "\n" for line in commented.splitlines()[1:])
    drafted = Profile.model_validate(yaml.safe_load(head + "\n" + chosen))
    assert [(point.key, point.type, point.writable) for point in drafted.points[1:]] == [
        ("reset", "bool", True), ("dose", "f64", True), ("recipe", "text", True),
    ]  # fmt: skip
    Table((bind(drafted, {}),))  # every command is one that the driver takes
