"""The commands that speak to a running gateway, as a tired technician types them."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml

from tests.edge.cli.conftest import asked


def test_health_says_how_everything_is(station: Path) -> None:
    answer = asked("health", "sim.yaml", folder=station)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "centre   none: readings are kept here" in answer.stdout
    assert "pump1   online" in answer.stdout
    record = json.loads(asked("health", "sim.yaml", "--json", folder=station).stdout)
    assert record["ill"] == []
    assert record["devices"][0]["key"] == "pump1"


def test_watch_shows_values_with_quality_and_age(station: Path) -> None:
    answer = asked(
        "point", "watch", "sim.yaml", "pump1.current", "pump1.running", "--for", "2", folder=station
    )
    assert answer.returncode == 0, answer.stderr
    assert "gw-test runs" in answer.stderr
    lines = answer.stdout.splitlines()
    assert any(
        "pump1.current" in line and " A " in line and "Good" in line and " ago" in line for line in lines
    )
    assert any("(运行 / Running)" in line for line in lines)
    events = asked(
        "point", "watch", "sim.yaml", "pump1.current", "--for", "1", "--json", folder=station
    ).stdout
    assert {json.loads(line)["point"] for line in events.splitlines()} == {"pump1.current"}


def test_read_and_write_go_through_the_running_gateway(station: Path) -> None:
    answer = asked("point", "write", "sim.yaml", "pump1.speed-setpoint", "41.5", folder=station)
    assert (answer.returncode, answer.stdout.strip()) == (
        0,
        "pump1.speed-setpoint: wrote 41.5, reads back 41.5",
    )
    seen = json.loads(
        asked("point", "read", "sim.yaml", "pump1.speed-setpoint", "--json", folder=station).stdout
    )
    assert (seen["value"], seen["unit"], seen["quality"]) == (41.5, "Hz", "Good")
    # The gateway's audit knows who it was: it was not done behind its back.
    trail = asked("audit", "show", "sim.yaml", folder=station).stdout
    assert "pump1.speed-setpoint" in trail
    assert "local:" in trail
    refused = asked("point", "write", "sim.yaml", "pump1.speed-setpoint", "999", folder=station)
    assert refused.returncode == 1
    assert "rejected" in refused.stderr
    unexpected = asked(
        "point", "write", "sim.yaml", "pump1.speed-setpoint", "30", "--expected", "12", folder=station
    )
    assert unexpected.returncode == 1
    assert "unexpected-value" in unexpected.stderr


def test_queue_says_how_long_there_is_room(station: Path) -> None:
    answer = asked("queue", "sim.yaml", folder=station)
    assert "readings wait" in answer.stdout
    assert "free on the disk" in answer.stdout


def test_check_uses_measured_latencies(station: Path) -> None:
    assert "(measured)" in asked("check", "sim.yaml", folder=station).stdout
    estimated = asked("check", "gateway.yaml", folder=station).stdout
    assert "(estimated)" in estimated


def test_alarms(station: Path) -> None:
    assert asked("alarms", "list", "sim.yaml", folder=station).stdout.strip() == "no alarm is open"
    unknown = asked("alarms", "ack", "sim.yaml", "pump1.nothing", folder=station)
    assert unknown.returncode == 1
    assert "pump1.nothing" in unknown.stderr
    shelved = asked(
        "alarms",
        "shelve",
        "sim.yaml",
        "pump1.tripped",
        "--for",
        "2h",
        "--comment",
        "cleaning",
        folder=station,
    )
    assert shelved.returncode == 0, shelved.stderr
    assert "pump1.tripped" in asked("alarms", "list", "sim.yaml", folder=station).stdout
    back = asked("alarms", "unshelve", "sim.yaml", "pump1.tripped", folder=station)
    assert back.returncode == 0, back.stderr


def test_a_scan_beside_the_polling_gateway(station: Path) -> None:
    port = yaml.safe_load((station / "sim.yaml").read_text())["connections"][0]["settings"]["port"]
    words = ("scan", "modbus", f"127.0.0.1:{port}", "--units", "1-4", "--gateway", "sim.yaml", "--json")
    answer = asked(*words, folder=station)
    assert answer.returncode == 0, answer.stderr
    assert "polling goes on" in answer.stderr
    (found,) = json.loads(answer.stdout)["found"]
    assert found["suggestion"]["devices"] == {"profile": "city.pump", "params": {"unit": 1}}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("health", "none.yaml"), 2, "check that none.yaml exists"),
        (("health", "."), 2, "name the file, not its folder"),
        (("health", "gateway.yaml"), 1, "gw-test is not running"),
        (("alarms", "list", "gateway.yaml"), 1, "start it: citynerve-edge run gateway.yaml"),
        (("point", "watch", "sim.yaml", "pump1.curent"), 1, "did you mean 'pump1.current'?"),
        (("point", "read", "sim.yaml", "pump9.current"), 1, "no device has a point"),
        (("scan", "modbus", "127.0.0.1:1", "--units", "1"), 1, "check host, port"),
        (("scan", "modbus", "127.0.0.1:99999"), 1, "is no address"),
        (("scan", "modbus", "127.0.0.1", "--units", "9-1"), 1, "the smaller first"),
        (("scan", "modbus", "127.0.0.1", "--profiles", "nowhere"), 2, "there is no such folder"),
        (("scan", "opcua", "http://x"), 1, "write it like opc.tcp://"),
        (("scan", "opcua", "opc.tcp://[::"), 1, "write it like opc.tcp://"),
        (("scan", "opcua", "opc.tcp://me:secret@host:4840"), 1, "password_file"),
        (("scan", "cameras", "192.0.2.1"), 1, "write it like http://"),
        (("scan", "cameras", "http://[::"), 1, "write it like http://"),
        (("scan", "modbus", f"{'a' * 70}.example"), 1, "is no host"),
        (("scan", "mqtt", "a..example"), 1, "is no host"),
        (("point", "write", "sim.yaml", "pump1.speed-setpoint", "nan"), 1, "a number that is finite"),
        (("config", "apply", "sim.yaml", "--probation", "nan"), 1, "a number that is finite"),
        (("decode",), 1, "give registers such as 0x4248"),
        (("decode", "0x4248", "70000"), 1, "'70000' is not a register"),
        (("decode", "--host", "127.0.0.1:1", "--address", "0"), 1, "cannot be reached"),
        (("decode", "--host", "127.0.0.1:1"), 1, "give --address"),
        (("decode", "--host", "/dev/absent", "--address", "0"), 1, "/dev/absent"),
        (("decode", "--host", "/dev/absent", "--address", "0", "--parity", "mark"), 1, "cannot be opened"),
        (("decode", "--host", "a", "--address", "0", "--transport", "rs232"), 1, "is none of tcp"),
        (("init", "gateway.yaml", "--yes"), 1, "is there already"),
        (("init", "new.yaml"), 1, "there is nobody to ask"),
        (("init", "no/such/place.yaml", "--yes"), 1, "cannot be written"),
        (("init", "new.yaml", "--yes", "--profile", "city.pmup"), 1, "did you mean 'city.pump'?"),
        (("init", "new.yaml", "--yes", "--lon", "1000"), 1, "is no place"),
        (("bundle", "none.yaml"), 1, "is no file"),
        (("bundle", "gateway.yaml", "--out", "no/such/place.tar.gz"), 1, "cannot be written"),
        (("simulate", "none.yaml"), 2, "check that none.yaml exists"),
        (
            ("alarms", "shelve", "sim.yaml", "a.b", "--comment", "x", "--for", "soon"),
            1,
            "like 30min, 2h or 1d",
        ),
    ],
    ids=lambda part: "-".join(part) if isinstance(part, tuple) else None,
)
def test_what_goes_wrong_is_one_sentence(station: Path, words: tuple[str, ...], code: int, says: str) -> None:
    answer = asked(*words, folder=station)
    assert answer.returncode == code, answer.stderr
    assert says in answer.stderr
    assert len(answer.stderr.strip().splitlines()) <= 2


def test_a_socket_left_behind_is_no_gateway(station: Path, tmp_path: Path) -> None:
    text = (station / "gateway.yaml").read_text()
    (tmp_path / "gateway.yaml").write_text(text)
    (tmp_path / "state").mkdir()
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "state" / "control.sock"))
    answer = asked("health", "gateway.yaml", folder=tmp_path)
    assert answer.returncode == 1
    assert "is not running" in answer.stderr
