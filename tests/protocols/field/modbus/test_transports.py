"""What is special about each wire: who is trusted, who dials in, what a technician wrote wrongly."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pyModbusTCP.server import ModbusServer

from edge.opening import open_plan
from edge.tools.scan import scan_modbus
from protocols.errors import ConfigError, ConnectionLost
from protocols.field.base import Driver
from protocols.field.modbus import ModbusDriver, ModbusSettings
from protocols.field.modbus.role import certificate_role, remark
from protocols.field.scanning import Found
from protocols.model.clock import now_us
from protocols.model.quality import Quality
from sim_devices.profiles import find_profile
from sim_devices.runner import Simulation, simulating
from sim_devices.servers.modbus_tls import ROLE, make
from sim_devices.solo import SoloWorld
from tests.ports import free_port
from tests.protocols.field.devices import bind, driver, profile, rows
from tests.protocols.field.modbus.transports import Dtu, Rfc2217, RtuOverTcp, Tls, certificates

WORD = profile("modbus", [{"key": "p", "type": "i16", "modbus": {"fc": 3, "address": 2}}])


@asynccontextmanager
async def opened(settings: dict[str, Any]) -> AsyncIterator[Driver]:
    made = driver("modbus", settings, bind(WORD, {"unit": 1}))
    try:
        await made.open()
        yield made
    finally:
        await made.close()


async def value(made: Driver) -> tuple[float | str, int]:
    (task,) = made.plan()
    return rows(await made.read(task))[0]


# ---- TLS ----


async def test_a_device_of_another_authority_or_another_name_is_not_spoken_to(tmp_path: Path) -> None:
    make(tmp_path, "127.0.0.1")
    async with Tls().running() as harness:
        good = harness.settings(harness.proxy.port)
        async with opened(good) as made:
            assert await value(made) == (-205.0, Quality.GOOD)
        async with opened({**good, "host": "localhost", "server_name": "127.0.0.1"}) as made:
            assert await value(made) == (-205.0, Quality.GOOD)
        async with opened({**good, "host": "localhost", "check_host": False}) as made:
            assert await value(made) == (-205.0, Quality.GOOD)
        for wrong in ({"ca_file": tmp_path / "ca.pem"}, {"host": "localhost"}):
            with pytest.raises(ConnectionLost, match=r"not trusted.*ca_file"):
                async with opened({**good, **wrong}):
                    pass


async def test_a_device_of_a_new_authority_is_spoken_to_once_the_files_are_exchanged(tmp_path: Path) -> None:
    class Renewed(Tls):
        def files(self) -> Path:
            return tmp_path / "renewed"

    make(tmp_path / "renewed", "127.0.0.1")
    own = tmp_path / "own"
    shutil.copytree(certificates(), own)
    names = {"ca_file": own / "ca.pem", "certificate": own / "gateway.pem", "key": own / "gateway.key"}
    async with Tls().running() as harness, opened({**harness.settings(harness.proxy.port), **names}) as made:
        assert await value(made) == (-205.0, Quality.GOOD)
    async with Renewed().running() as harness:
        settings = {**harness.settings(harness.proxy.port), **names}
        with pytest.raises(ConnectionLost, match=r"not trusted.*ca_file"):
            async with opened(settings):
                pass
        shutil.copytree(tmp_path / "renewed", own, dirs_exist_ok=True)
        async with opened(settings) as made:
            assert await value(made) == (-205.0, Quality.GOOD)


async def test_a_gateway_without_its_certificate_is_sent_away() -> None:
    async with Tls().running() as harness:
        good = harness.settings(harness.proxy.port)
        bare = {key: good[key] for key in ("transport", "host", "port", "ca_file")}
        # With TLS 1.3 the device says no after the handshake: the first question finds the line closed.
        with pytest.raises(ConnectionLost):
            async with opened(bare) as made:
                await value(made)


async def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    with pytest.raises(ConnectionLost, match="check `ca_file`"):
        async with opened({"transport": "tls", "host": "127.0.0.1", "port": 1, "ca_file": broken}):
            pass


# ---- serial servers ----


async def test_the_port_of_a_serial_server_gets_the_speed_and_form_of_the_line() -> None:
    async with Rfc2217().running() as harness, opened(harness.settings(harness.proxy.port)) as made:
        assert await value(made) == (-205.0, Quality.GOOD)
        speed, even = (19_200).to_bytes(4, "big"), b"\x03"
        told = harness.proxy.told
        assert (told[1], told[2], told[3], told[4]) == (speed, b"\x08", even, b"\x01")


# ---- DTUs ----


async def test_where_nothing_can_listen_every_dtu_of_the_port_is_told_so_at_once() -> None:
    settings = {"transport": "dial-in", "host": "192.0.2.1", "port": free_port(), "wait_s": 20}
    names = [{**settings, "registration": name} for name in ("DTU-1", "DTU-2", "DTU-3")]
    made = [driver("modbus", each, bind(WORD, {"unit": 1})) for each in names]
    async with asyncio.timeout(5):
        why = await asyncio.gather(*(each.open() for each in made), return_exceptions=True)
    for error in why:
        assert isinstance(error, ConnectionLost)
        assert "cannot listen: " in str(error)
        assert "give an address of this machine" in str(error)


async def test_a_door_that_was_left_while_it_opened_is_opened_by_the_next() -> None:
    port = free_port()
    settings = {"transport": "dial-in", "host": "127.0.0.1", "port": port, "wait_s": 5}
    server = RtuOverTcp()
    dtu = Dtu(await server.start(), b"DTU-7", port)
    gone = driver("modbus", settings, bind(WORD, {"unit": 1}))
    leaving = asyncio.create_task(gone.open())
    try:
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await gone.close()
        await dtu.start()
        async with opened({**settings, "registration": "DTU-7"}) as made:
            assert await value(made) == (-205.0, Quality.GOOD)
    finally:
        await dtu.cut()
        await server.stop()


async def test_two_dtus_are_told_apart_by_their_registration_and_may_call_again() -> None:
    port = free_port()
    settings = {"transport": "dial-in", "host": "127.0.0.1", "port": port, "wait_s": 20}
    server = RtuOverTcp()
    upstream = await server.start()
    # The first one's registration begins like the second one's, and it sends heartbeats.
    calls = [Dtu(upstream, b"DTU-7", port, b"\xfe\xfe"), Dtu(upstream, b"\x07\x08", port)]
    try:
        for dtu in calls:
            await dtu.start()
        text = {**settings, "registration": "DTU-7", "heartbeat": "hex:FE FE"}
        async with opened(text) as first, opened({**settings, "registration": "hex:07 08"}) as second:
            assert await value(first) == (-205.0, Quality.GOOD)
            assert await value(second) == (-205.0, Quality.GOOD)
            await calls[0].cut()
            with pytest.raises(ConnectionLost):
                await value(first)
            assert await value(second) == (-205.0, Quality.GOOD)
            await first.close()
            await calls[0].start()
            await first.open()
            assert await value(first) == (-205.0, Quality.GOOD)
    finally:
        for dtu in calls:
            await dtu.cut()
        await server.stop()


async def test_a_caller_from_elsewhere_is_not_let_in() -> None:
    port = free_port()
    dtu = Dtu(free_port(), b"DTU-7", port)
    await dtu.start()
    try:
        wanted = {"transport": "dial-in", "host": "127.0.0.1", "port": port, "wait_s": 0.3}
        with pytest.raises(ConnectionLost, match=r"no DTU has dialled in within 0\.3 s"):
            async with opened({**wanted, "remote": "192.0.2.0/24"}):
                pass
    finally:
        await dtu.cut()


async def test_a_port_that_is_taken_is_named() -> None:
    taken = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    try:
        with pytest.raises(ConnectionLost, match="cannot listen"):
            async with opened({"transport": "dial-in", "host": "127.0.0.1", "port": port, "wait_s": 1}):
                pass
    finally:
        taken.close()
        await taken.wait_closed()


# ---- other people's server ----


async def test_a_server_of_another_project_is_read_and_written() -> None:
    """pyModbusTCP: threads, its own frames, no exception for what was never written."""
    port = free_port()
    server = ModbusServer("127.0.0.1", port, no_block=True)
    server.start()
    try:
        server.data_bank.set_holding_registers(0, [0x4248, 0, 0xFF33])
        points: list[dict[str, Any]] = [
            {"key": "f", "type": "f32", "writable": True, "modbus": {"fc": 3, "address": 0}},
            {"key": "i", "type": "i16", "modbus": {"fc": 3, "address": 2}},
            {"key": "c", "type": "bool", "writable": True, "modbus": {"fc": 1, "address": 9}},
        ]
        device = bind(profile("modbus", points), {"unit": 1})
        made = driver("modbus", {"host": "127.0.0.1", "port": port}, device)
        await made.open()
        try:
            for task in made.plan():
                assert set((await made.read(task)).quality.tolist()) == {0}
            assert await made.write(device.points[0], 1.5) == 1.5
            assert await made.write(device.points[2], 1) == 1
            assert server.data_bank.get_coils(9, 1) == [True]
            first = rows(await made.read(made.plan()[0])) | rows(await made.read(made.plan()[1]))
            assert {index: number for index, (number, _) in first.items()} == {0: 1.5, 1: -205.0, 2: 1.0}
        finally:
            await made.close()
    finally:
        server.stop()


def test_the_role_of_the_own_certificate_is_told(tmp_path: Path) -> None:
    files = certificates()
    assert certificate_role(files / "gateway.pem") == ROLE
    assert certificate_role(files / "device.pem") == ""
    assert "no Modbus role" in remark(files / "device.pem")
    (tmp_path / "broken.pem").write_text("no certificate")
    assert "renew" in remark(tmp_path / "broken.pem")
    settings = ModbusSettings.model_validate(Tls().settings(802))
    assert "'Operator'" in ModbusDriver(settings, ()).remarks()[0]
    assert ModbusDriver(ModbusSettings(host="h"), ()).remarks() == ()


# ---- simulators and scans on each of them ----


@asynccontextmanager
async def simulated(**line: Any) -> AsyncIterator[Simulation]:
    port = line.pop("port", 0)
    world = SoloWorld(
        find_profile("xy_md02"), port=port, params={"unit": 3}, settings=line, start_us=now_us()
    )
    async with simulating(world) as simulation:
        yield simulation


async def units(**asked: Any) -> list[Found]:
    return [event async for event in scan_modbus(**asked) if isinstance(event, Found)]


@pytest.mark.parametrize("transport", ["tcp", "rtu", "ascii", "rtu-over-tcp", "tls", "udp", "dial-in"])
async def test_the_simulator_serves_what_the_gateway_reads(transport: str, tmp_path: Path) -> None:
    port = free_port() if transport == "dial-in" else 0
    line = {"device": str(tmp_path / "tty"), "registration": "hex:AA", "tls_folder": str(certificates())}
    async with simulated(transport=transport, port=port, **line) as simulation:
        place: dict[str, Any] = {
            "transport": transport,
            "host": "127.0.0.1",
            "port": simulation.ports["device"],
        }
        if transport in ("rtu", "ascii"):
            place = {"transport": transport, "device": line["device"]}
        elif transport == "dial-in":
            place |= {"registration": "hex:AA", "wait_s": 20}
        elif transport == "tls":
            files = certificates()
            place |= {
                "ca_file": files / "ca.pem",
                "certificate": files / "gateway.pem",
                "key": files / "gateway.key",
            }
        (found,) = await units(line=place, units=[2, 3], profiles=[find_profile("xy_md02")], timeout_s=0.2)
    assert found.detail["unit"] == 3
    assert found.suggestion["devices"] == {"profile": "xy_md02", "params": {"unit": 3}}
    assert found.suggestion["connections"]["settings"]["transport"] == transport


async def test_a_serial_line_is_scanned_at_every_speed_while_its_gateway_lends_it(tmp_path: Path) -> None:
    async with simulated(transport="rtu", device=str(tmp_path / "tty")) as simulation:
        del simulation
        settings = ModbusSettings(transport="rtu", device=str(tmp_path / "tty"), baud=19_200)
        made = ModbusDriver(settings, (bind(WORD, {"unit": 3}),))
        await made.open()
        taken: list[int] = []

        async def take(act: Any) -> Any:
            taken.append(1)
            return await act(made)

        found = await units(
            line=settings.place,
            forms=[(9600, "none"), (19_200, "even")],
            units=range(1, 11),
            take=take,
            timeout_s=0.05,
        )
        forms = [found.suggestion["connections"]["settings"] for found in found]
        assert [(form["baud"], form["parity"]) for form in forms] == [(9600, "none"), (19_200, "even")]
        assert len(taken) == 4, "eight units at a time, so that polling may go on between"
        (task,) = made.plan()
        assert (await made.read(task)).quality[0] == Quality.BAD_CONFIGURATION_ERROR, (
            "its own line is open again"
        )
        await made.close()


# ---- what a technician writes ----


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "host\n  Field required"),
        ({"host": "h", "baud": 1200}, "not belong to transport 'tcp'; remove it, or write `transport: rtu`"),
        ({"transport": "rtu"}, "device\n  Field required"),
        ({"transport": "rtu", "device": "/dev/x", "data_bits": 7}, "needs 8 data bits"),
        ({"transport": "rtu", "device": "/dev/x", "host": "h"}, "'host' does not belong to transport 'rtu'"),
        ({"transport": "tls", "host": "h", "certificate": "c.pem"}, "add `key: FILE.pem`"),
        ({"transport": "dial-in", "host": "h"}, "port\n  Field required"),
        ({"transport": "dial-in", "host": "h", "port": 1, "registration": "hex:X"}, "like `hex:FE 01`"),
        ({"transport": "dial-in", "host": "h", "port": 1, "remote": "here"}, "write it like 192.0.2.7"),
        ({"transport": "udp", "host": "h", "one_request_per_connection": True}, "remove `one_request"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_say_how_to_repair_them(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModbusSettings.model_validate(settings)
    assert words in str(caught.value)


FILE = """\
gateway: {id: gw, name: &n {zh: 关, en: G}}
state_dir: state
sites: [{key: a, name: *n, kind: station, lon: 1, lat: 2}]
connections:
  - {key: bus, protocol: modbus, settings: {transport: rtu, device: /dev/ttyUSB0}}
  - {key: twin, protocol: modbus, settings: {transport: rtu, device: /dev/ttyUSB0, baud: 2400}}
  - {key: safe, protocol: modbus, settings: {transport: tls, host: h, ca_file: nowhere.pem}}
  - {key: odd, protocol: modbus, settings: {host: h, parity: even}}
  - {key: fast, protocol: modbus, settings: {transport: rtu, device: /dev/x, baud: quick}}
  - {key: none, protocol: modbus, settings: {transport: rtu}}
devices: []
"""


def test_check_names_line_and_repair(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    with pytest.raises(ConfigError) as caught:
        open_plan(path)
    told = {mistake.line: mistake for mistake in caught.value.mistakes}
    assert sorted(told) == [6, 7, 8, 9, 10]
    assert "has serial port /dev/ttyUSB0 already" in told[6].problem
    assert "they share the line" in told[6].repair
    assert "nowhere.pem" in told[7].problem
    assert told[8].repair.startswith("remove it, or write `transport: rtu`")
    assert "a whole number" in told[9].expected
    assert told[10].problem == "'device' is missing"
    assert "/dev/serial/by-id" in told[10].expected
