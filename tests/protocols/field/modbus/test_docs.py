"""docs/modbus.md: every option is there, and every example is one that a gateway takes."""

from __future__ import annotations

import re
from itertools import starmap
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from edge.cli.scan import modbus_line
from edge.opening import open_plan
from protocols.field.base import BoundDevice, BoundPoint
from protocols.field.modbus import ModbusSettings
from protocols.field.modbus.planner import plan_device
from protocols.model.address.modbus import ModbusAddress
from protocols.model.datatypes import DataType
from protocols.model.device import Limits, PointProfile, Profile

PAGE = Path(__file__).parents[4] / "docs" / "modbus.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
LINES = [yaml.safe_load(example)["connections"] for example in EXAMPLES if "connections:" in example]
HEAD: dict[str, Any] = {
    "gateway": {"id": "gw", "name": {"zh": "关", "en": "G"}},
    "state_dir": "state",
    "sites": [{"key": "a", "name": {"zh": "甲", "en": "A"}, "kind": "station", "lon": 1, "lat": 2}],
}


@pytest.mark.parametrize("name", sorted({*ModbusSettings.model_fields, *Limits.model_fields}))
def test_every_option_is_told(name: str) -> None:
    assert f"`{name}" in TEXT, f"docs/modbus.md says nothing of `{name}`"


def test_every_option_of_a_line_has_an_example() -> None:
    shown = {name for lines in LINES for line in lines for name in line["settings"]}
    assert shown == set(ModbusSettings.model_fields)


@pytest.mark.parametrize("lines", LINES)
def test_examples_are_what_a_gateway_takes(lines: list[dict[str, Any]], tmp_path: Path) -> None:
    for name in ("ca.pem", "gateway.pem", "gateway.key"):
        (tmp_path / name).touch()
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump({**HEAD, "connections": lines}, allow_unicode=True))
    assert len(open_plan(file).connections) == len(lines)


def test_points_are_shown_as_a_profile_takes_them() -> None:
    (points,) = [yaml.safe_load(example)["points"] for example in EXAMPLES if "points:" in example]
    head = {"id": "a", "vendor": "v", "model": "m", "name": points[0]["name"], "version": 1, "kind": "meter"}
    made = Profile.model_validate({**head, "protocol": "modbus", "points": points})
    shown = [(address.fc, address.address) for address in map(ModbusAddress.of, made.points)]
    assert shown == [(3, 0), (3, 10), (4, 3059), (3, 20), (3, 30), (3, 40), (3, 50), (3, 60)]
    assert len(plan_device(BoundDevice("d", made, tuple(starmap(bound, enumerate(made.points)))))) > 0
    told = set(re.findall(r"`([a-z0-9]+)`", TEXT))
    assert set(get_args(DataType)) - {"text"} <= told, "every type is told"


def bound(index: int, point: PointProfile) -> BoundPoint:
    return BoundPoint(index, "d", point)


def test_scans_are_shown_as_they_are_typed() -> None:
    serial = modbus_line("/dev/serial/by-id/usb-FTDI-if00", None, None, None, serial=True)
    assert serial == {"transport": "rtu", "device": "/dev/serial/by-id/usb-FTDI-if00"}
    over = modbus_line("192.0.2.13:4001", "rtu-over-tcp", None, None, serial=False)
    assert ModbusSettings.model_validate(over).transport == "rtu-over-tcp"
