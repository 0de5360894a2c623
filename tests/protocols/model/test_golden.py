"""Golden vectors and probes: what they take, and where they say that something is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.config.load import read_profile
from protocols.errors import Rejected
from protocols.model.golden import Golden, Probe
from sim_devices.profiles import find_profile

HEAD = """\
id: my.meter
vendor: My
model: Meter
name: {zh: 表, en: Meter}
version: 1
kind: meter
protocol: modbus
points:
  - {key: volts, name: {zh: 电压, en: Voltage}, type: f32, modbus: {fc: 4, address: 0}}
  - {key: on, name: {zh: 开, en: On}, type: bool, modbus: {fc: 3, address: 4, bit: 3}}
golden:
"""


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"raw": "4366 3333", "value": 230.2, "quality": "BadSensor"}, "use one of Good"),
        ({"raw": "4366 3333"}, "has no value; give `value`"),
        ({"raw": "FFFF", "value": 1.0, "quality": "BadSensorFailure"}, "remove `value`"),
    ],
)
def test_a_vector_that_contradicts_itself(record: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Golden.model_validate({"point": "volts", **record})


def test_raw_keeps_its_type() -> None:
    raws: list[Any] = [True, 1, 1.5, "on", None]
    kept = [Golden(point="p", raw=raw, value=1.0).raw for raw in raws]
    assert [(type(raw), raw) for raw in kept] == [(type(raw), raw) for raw in raws]


def test_a_probe_says_its_range_in_order() -> None:
    with pytest.raises(ValidationError, match="swap them"):
        Probe(point="volts", low=300, high=80)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('  - {point: volts, raw: "4366", value: 230.2}', "raw of 'volts' has 2 bytes, its place has 4"),
        ("  - {point: volts, raw: 4366, value: 230.2}", "raw 4366 of 'volts' is not hex"),
        ('  - {point: volts, raw: "4366 3333", value: high}', "point 'volts' is f32"),
        ('  - {point: on, raw: "000800", value: 1}', "has 3 bytes, its place has 2"),
        ('  - {point: watts, raw: "4366", value: 1}', "there is no point 'watts'"),
    ],
)
def test_a_vector_that_nothing_could_serve_is_named_with_its_line(
    line: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "my.meter.yaml"
    path.write_text(HEAD + '  - {point: volts, raw: "4366 3333", value: 230.2}\n' + line + "\n")
    _, document = read_profile(path)
    assert [(mistake.line, says in mistake.problem) for mistake in document.mistakes] == [(13, True)]
    with pytest.raises(Rejected, match="golden"):
        find_profile(str(path))
