"""`citynerve-edge manual` and `citynerve-edge audit`, beside a gateway that runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from edge.audit.trail import FILE_NAME
from tests.edge.cli.conftest import asked, typed


def test_a_device_is_taken_and_given_back(station: Path) -> None:
    assert asked("manual", "show", "sim.yaml", folder=station).stdout == "no device is in local manual mode\n"
    taken = typed("manual", "on", "sim.yaml", "pump1", "--reason", "oil change", folder=station)
    try:
        assert (taken.returncode, taken.stdout) == (0, "in local manual mode: pump1\n"), taken.stderr
        assert json.loads(asked("manual", "show", "sim.yaml", "--json", folder=station).stdout) == ["pump1"]
        # Whoever took it may command it.
        wrote = asked("point", "write", "sim.yaml", "pump1.speed-setpoint", "40", folder=station)
        assert wrote.returncode == 0, wrote.stderr
    finally:
        given = asked("manual", "off", "sim.yaml", "pump1", folder=station)
    assert (given.returncode, given.stdout) == (0, "no device is in local manual mode\n"), given.stderr
    trail = asked("audit", "show", "sim.yaml", "--last", "5", folder=station).stdout
    assert "manual-on pump1: oil change" in trail
    assert "manual-off pump1" in trail


def test_an_unknown_device_is_refused_in_words(station: Path) -> None:
    answer = asked("manual", "on", "sim.yaml", "pump9", "--reason", "x", folder=station)
    assert answer.returncode == 1
    assert "no device 'pump9'" in answer.stderr


def test_the_trail_is_proved_and_its_change_is_found(station: Path, tmp_path: Path) -> None:
    asked("manual", "on", "sim.yaml", "pump1", "--reason", "oil change", folder=station)
    asked("manual", "off", "sim.yaml", "pump1", folder=station)
    proved = typed("audit", "verify", "sim.yaml", folder=station)
    assert proved.returncode == 0, proved.stderr
    assert proved.stdout.endswith("whole\n")
    head = next(line for line in proved.stdout.splitlines() if line.startswith("head ")).split()[1]
    assert asked("audit", "verify", "sim.yaml", "--head", head, folder=station).returncode == 0
    assert asked("audit", "verify", "sim.yaml", "--head", "5:x", folder=station).returncode == 2
    for name in ("sim.yaml", "gateway.yaml"):
        shutil.copy(station / name, tmp_path)
    data = next(station.glob(f"**/{FILE_NAME}"))
    copy = tmp_path / data.parent.relative_to(station)
    copy.mkdir(parents=True, exist_ok=True)
    lines = data.read_bytes().splitlines(keepends=True)
    (copy / FILE_NAME).write_bytes(b"".join(lines[:-2]) + lines[-1].replace(b"local:", b"nobody:"))
    found = asked("audit", "verify", "sim.yaml", "--head", head, folder=tmp_path)
    assert found.returncode == 1
    assert "altered" in found.stderr
    assert "removed" in found.stderr
    record = json.loads(asked("audit", "verify", "sim.yaml", "--json", folder=tmp_path).stdout)
    assert {place["kind"] for place in record["tampering"]} == {"altered", "removed"}
