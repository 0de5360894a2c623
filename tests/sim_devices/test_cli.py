"""`citynerve-sim`, as typed."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient
from typer.testing import CliRunner

from sim_devices.cli import app
from sim_devices.servers.base import PortBusyError

PROGRAM = [sys.executable, "-m", "sim_devices"]


def typed(*words: str) -> tuple[int, str]:
    """Return exit code and output of a command that ends by itself."""
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "TERM": "dumb"})
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["city", "device", "list"])
def test_help_has_examples(command: str) -> None:
    code, output = typed(command, "--help")
    assert code == 0
    assert f"Example: citynerve-sim {command}" in output


def test_list() -> None:
    code, output = typed("list", "--json")
    listed = json.loads(output)
    assert code == 0
    assert "eastron.sdm630" in [profile["id"] for profile in listed["profiles"]]
    assert {"calm", "rainstorm"} <= set(listed["scenarios"])
    assert "dead:DEVICE" in typed("list")[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["city", "--scenario", "snow"], "no scenario 'snow'"),
        (["city", "--fault", "ded:x"], "did you mean dead"),
        (["city", "--fault-schedule", "/absent.yaml"], "check the path"),
        (["device", "eastron.sdm63"], "did you mean eastron.sdm630"),
        (["device", "eastron.sdm630", "--param", "unit"], "KEY=VALUE"),
        (["device", "eastron.sdm630", "--param", "unit=x"], "params.unit is 'x'"),
        (["device", "city.camera", "--camera-auth", "nobody"], "NAME:PASSWORD"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], says: str) -> None:
    code, output = typed(*words)
    assert code == 2
    assert says in " ".join(output.split())
    assert "Traceback" not in output


def test_a_busy_port_is_named_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output = typed("device", "eastron.sdm630", "--port", str(port))
    assert code == 2
    assert f"port {port} on 127.0.0.1 is in use" in output


def test_a_port_that_cannot_be_had_is_told_by_its_reason() -> None:
    code, output = typed("device", "xy_md02", "--host", "203.0.113.9", "--for", "0.1")
    assert (code, "at no address of this machine" in output) == (2, True), output
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for words in (("xy_md02", "--transport", "udp"), ("ietf.ups",)):
            code, output = typed("device", *words, "--port", str(port), "--for", "0.1")
            assert (code, f"port {port} on 127.0.0.1 is in use" in output) == (2, True), output
            assert "ss -lunp" in output
    reserved = str(PortBusyError("127.0.0.1", 80, "Modbus server device", errno.EACCES))
    assert "takes an administrator's rights; choose one from 1024 on" in reserved


def test_a_terminal_or_a_registration_that_cannot_be_is_told_with_the_repair(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.touch()
    code, output = typed("device", "xy_md02", "--transport", "rtu", "--tty", str(taken), "--for", "0.1")
    assert (code, "give --tty a path that is free" in output) == (2, True), output
    assert taken.is_file(), "nobody's file is taken away"
    code, output = typed(
        "device", "xy_md02", "--transport", "dial-in", "--port", "8502", "--registration", "hex:zz"
    )
    assert (code, "write it as hex:01 02 FE" in output) == (2, True), output


def test_for_ends_by_itself() -> None:
    code, output = typed(
        "device", "city.camera", "--for", "0.05", "--control-port", "0", "--fault", "black:device"
    )
    assert code == 0
    assert "http://127.0.0.1:" in output
    assert "fault    black:device" in output
    assert output.rstrip().endswith("stopped")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_device_serves_until_it_is_stopped(number: signal.Signals) -> None:
    words = [*PROGRAM, "device", "eastron.sdm630", "--json", "--param", "unit=7", "--seed", "5"]
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    state = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    port = state["endpoints"][0]["port"]
    client = AsyncModbusTcpClient("127.0.0.1", port=port, retries=0)
    await client.connect()
    words_read = (await client.read_input_registers(0, count=2, device_id=7)).registers
    volts = client.convert_from_registers(words_read, client.DATATYPE.FLOAT32)
    assert isinstance(volts, float)
    assert 220 < volts < 236
    client.close()
    process.send_signal(number)
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, errors) == (0, b"")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_the_city_runs_and_writes_its_gateways(tmp_path: Path) -> None:
    words = ["city", "--port-base", "0", "--for", "0.2", "--json", "--seed", "2", "--scenario", "rainstorm"]
    done = subprocess.run(
        [*PROGRAM, *words, "--gateways-out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    state = json.loads(done.stdout)
    assert {endpoint["protocol"] for endpoint in state["endpoints"]} == {"modbus", "opcua", "mqtt", "camera"}
    assert sum(len(endpoint["devices"]) for endpoint in state["endpoints"]) >= 80
    assert len(state["gateways"]) >= 3
    text = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.yaml"))
    assert all(str(endpoint["port"]) in text for endpoint in state["endpoints"])
