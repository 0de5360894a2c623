"""Octets of an agent → values, and the UPS profile's golden vectors; what is written; settings."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocols.field.snmp.settings import SnmpParams, SnmpSettings
from protocols.field.snmp.values import Held, sample, to_write
from protocols.model.address.snmp import SnmpAddress
from protocols.model.device import PointProfile, point_model
from protocols.model.quality import Quality
from sim_devices.profiles import find_profile
from sim_devices.servers import snmp_ber as ber

PAGE = (Path(__file__).parents[4] / "docs" / "snmp.md").read_text(encoding="utf-8")


def point(kind: str, **address: Any) -> PointProfile:
    return point_model("snmp").model_validate(
        {"key": "x", "name": {"zh": "点", "en": "X"}, "type": kind, "snmp": {"oid": "1.3.6.1.1.0", **address}}
    )


@pytest.mark.parametrize(
    ("kind", "held", "value"),
    [
        ("i16", Held("integer", -205), -205.0),
        ("u64", Held("integer", 2**64 - 1), float(2**64 - 1)),
        ("f64", Held("octets", b"23.5"), 23.5),
        ("f64", Held("octets", b" -1.5e3\0"), -1500.0),
        ("f32", Held("opaque", b"\x9f\x78\x04" + struct.pack(">f", 2.5)), 2.5),
        ("f64", Held("opaque", b"\x9f\x79\x08" + struct.pack(">d", 1e-9)), 1e-9),
        ("bool", Held("integer", 1), 1.0),
        ("bool", Held("integer", 2), 0.0),
    ],
)
def test_numbers(kind: str, held: Held, value: float) -> None:
    found = sample(held, point(kind))
    assert (found.value, found.quality) == (value, Quality.GOOD)


@pytest.mark.parametrize(
    ("kind", "held", "quality"),
    [
        ("i32", Held("missing", "NoSuchObject"), Quality.BAD_CONFIGURATION_ERROR),
        ("i32", Held("null"), Quality.BAD_SENSOR_FAILURE),
        ("u16", Held("integer", 65_536), Quality.BAD_OUT_OF_RANGE),
        ("u32", Held("integer", -1), Quality.BAD_OUT_OF_RANGE),
        ("i32", Held("octets", b"23.5"), Quality.BAD_TYPE_MISMATCH),
        ("f64", Held("octets", b"0x10"), Quality.BAD_DECODING_ERROR),
        ("f64", Held("octets", b"1_000"), Quality.BAD_DECODING_ERROR),
        ("f64", Held("octets", "１２".encode()), Quality.BAD_DECODING_ERROR),
        ("f64", Held("octets", b"1e999"), Quality.BAD_SENSOR_FAILURE),
        ("f64", Held("opaque", b"\x9f\x78\x04" + struct.pack(">f", math.nan)), Quality.BAD_SENSOR_FAILURE),
        ("f64", Held("opaque", b"\x9f\x78\x04\0"), Quality.BAD_TYPE_MISMATCH),
        ("f64", Held("ip", "192.0.2.1"), Quality.BAD_TYPE_MISMATCH),
        ("bool", Held("integer", 3), Quality.BAD_OUT_OF_RANGE),
        ("text", Held("integer", 3), Quality.BAD_TYPE_MISMATCH),
        ("text", Held("octets", b"\xff\xfe"), Quality.BAD_DECODING_ERROR),
    ],
)
def test_what_is_no_value_is_bad(kind: str, held: Held, quality: Quality) -> None:
    found = sample(held, point(kind))
    assert math.isnan(found.value)
    assert found.text is None
    assert found.quality == quality


def test_texts_and_bits() -> None:
    assert sample(Held("octets", "泵站\0".encode()), point("text")).text == "泵站"
    assert sample(Held("ip", "192.0.2.1"), point("text")).text == "192.0.2.1"
    bits = Held("octets", b"\x80\x01")
    assert [sample(bits, point("bool", bit=bit)).value for bit in (0, 1, 15, 16)] == [1.0, 0.0, 1.0, 0.0]
    assert sample(Held("integer", 0b100), point("bool", bit=2)).value == 1.0


def test_written_values_have_their_syntax() -> None:
    truth = point("bool")
    assert [to_write(truth, SnmpAddress.of(truth), one) for one in (1.0, 0.0)] == [1, 2]
    text = point("f64", write_as="octets")
    assert to_write(text, SnmpAddress.of(text), 23.5) == b"23.5"
    count = point("u32", write_as="unsigned")
    for wrong in (-1.0, 1.5, 2.0**32, math.inf, "many"):
        with pytest.raises(ValueError, match="number"):
            to_write(count, SnmpAddress.of(count), wrong)
    place = point("text", write_as="ip")
    assert to_write(place, SnmpAddress.of(place), "192.0.2.1") == "192.0.2.1"
    with pytest.raises(ValueError, match="IPv4"):
        to_write(place, SnmpAddress.of(place), "192.0.2.256")


GOLDEN = {
    "battery-status": (3, 3.0), "seconds-on-battery": (125, 125.0), "charge": (87, 87.0),
    "battery-voltage": (546, 54.6), "battery-current": (-31, -3.1), "battery-temperature": (24, 24.0),
    "input-frequency": (499, 49.9), "input-voltage": (231, 231.0), "output-source": (5, 5.0),
    "output-current": (67, 6.7), "load": (42, 42.0), "alarms-present": (2, 2.0), "auto-restart": (2, 0.0),
    "buzzer": (3, 3.0),
}  # fmt: skip
"""What RFC 1628 says an agent sends → the value in the point's unit."""


def test_the_ups_has_the_values_of_its_standard() -> None:
    profile = find_profile("ietf.ups")
    for key, (sent, value) in GOLDEN.items():
        one = profile.point(key)
        found = sample(Held("integer", sent), one)
        assert found.quality == Quality.GOOD, key
        assert found.value * one.scale + one.offset == pytest.approx(value), key
    assert {one.key for one in profile.points if one.writable} == {
        "auto-restart",
        "low-battery-time",
        "buzzer",
    }


@given(st.integers(-(2**63), 2**64 - 1), st.lists(st.integers(0, 2**32 - 1), max_size=12))
def test_the_simulators_own_codec_returns_what_it_was_given(number: int, more: list[int]) -> None:
    oid = (1, 3, *more)
    assert ber.decode_oid(ber.encode_oid(oid)) == oid
    tag = ber.COUNTER64 if number >= 0 else ber.INTEGER
    said = ber.Message(1, b"public", ber.RESPONSE, 7, 0, 0, ((oid, ber.Value.number(number, tag)),))
    assert ber.decode(said.encode()) == said
    assert said.binds[0][1].as_number() == number


@given(st.binary(max_size=80))
def test_the_simulators_codec_refuses_in_words(data: bytes) -> None:
    try:
        ber.decode(data)
    except ValueError:
        return


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "3"},
        {"username": "x"},
        {"version": "3", "username": "x", "priv_file": "p"},
        {"version": "3", "username": "x", "community_file": "c"},
        {"host": ""},
    ],
)
def test_settings_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SnmpSettings.model_validate({"host": "192.0.2.1", **wrong})
    assert SnmpParams.model_validate({"index": 3}).index == "3"


def test_every_setting_is_told_and_every_example_is_taken() -> None:
    for name in SnmpSettings.model_fields:
        assert f"`{name}`" in PAGE, name
    blocks = [yaml.safe_load(part.split("```")[0]) for part in PAGE.split("```yaml\n")[1:]]
    for line in blocks[0]["connections"]:
        SnmpSettings.model_validate(line["settings"])
    points = [point_model("snmp").model_validate(one) for one in blocks[1]["points"]]
    assert [one.key for one in points] == [
        "charge",
        "input-voltage",
        "lamp-fault",
        "relay",
    ]
