"""Register encoding against the vectors of field_protocols.md, and against itself both ways."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.model.datatypes import WordOrder
from protocols.model.device import PointProfile
from sim_devices.servers.registers import decode, encode, sentinel, to_raw

ORDERS: tuple[WordOrder, ...] = get_args(WordOrder)


@pytest.mark.parametrize(
    ("order", "wire"),
    [("ABCD", "42f6e979"), ("CDAB", "e97942f6"), ("BADC", "f64279e9"), ("DCBA", "79e9f642")],
)
def test_float_123_456_in_every_order(order: WordOrder, wire: str) -> None:
    assert encode("f32", 123.456, order).hex() == wire


def test_public_vectors() -> None:
    assert math.isclose(float(decode("f32", bytes.fromhex("806b4212"), "CDAB")), 36.6254, rel_tol=1e-6)
    assert encode("f32", 230.2).hex() == "43663333"
    assert encode("i16", -205).hex() == "ff33"
    assert encode("bcd32", 12345678).hex() == "12345678"
    assert encode("ascii", "AB1", length=2) == b"AB1\0"
    assert encode("ascii", "AB1", "BADC", 2) == b"BA\x001"


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(ORDERS))
def test_i64_returns_whole(number: int, order: WordOrder) -> None:
    assert decode("i64", encode("i64", number, order), order) == number


@given(st.floats(width=32, allow_nan=False), st.sampled_from(ORDERS))
def test_f32_returns(number: float, order: WordOrder) -> None:
    wanted = (
        max(-3.4028234663852886e38, min(3.4028234663852886e38, number)) if math.isfinite(number) else number
    )
    assert decode("f32", encode("f32", number, order), order) == wanted


@given(st.floats(-1e6, 1e6), st.sampled_from(["i16", "u16", "i32", "u32", "bcd16", "bool"]))
def test_numbers_outside_the_type_stop_at_its_ends(number: float, type_: str) -> None:
    raw = decode(type_, encode(type_, number))  # type: ignore[arg-type]
    assert isinstance(raw, int | float)
    assert abs(raw) <= abs(number) + 1


def test_a_failed_sensor_shows_its_sentinel() -> None:
    name = {"zh": "水位", "en": "Level"}
    named = PointProfile.model_validate({"key": "a", "name": name, "type": "i16", "sentinels": [32767]})
    plain = PointProfile.model_validate({"key": "a", "name": name, "type": "i16", "scale": 0.1})
    assert to_raw(named, None) == 32767
    assert sentinel(plain) == -32768
    assert to_raw(plain, 12.5) == pytest.approx(125)


def test_bcd_refuses_letters() -> None:
    with pytest.raises(ValueError, match="not BCD"):
        decode("bcd16", b"\x1a\x00")
