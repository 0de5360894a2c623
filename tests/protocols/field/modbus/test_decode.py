"""Every type in every word order, against a reference written with struct, value by value."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import DeviceRefused
from protocols.field.modbus.decode import BlockDecoder
from protocols.field.modbus.encode import encode
from protocols.field.modbus.planner import merge, span_of
from protocols.model.datatypes import REGISTERS
from protocols.model.device import Limits
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from tests.protocols.field.devices import bind, profile

ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
LAYOUTS = {
    "i16": ">h", "u16": ">H", "i32": ">i", "u32": ">I", "i64": ">q", "u64": ">Q", "f32": ">f", "f64": ">d",
}  # fmt: skip


def big_endian(raw: bytes, order: str) -> bytes:
    """Undo a word order, as section 1.3 of field_protocols.md writes it."""
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def reference(raw: bytes, kind: str, order: str, bit: int | None) -> tuple[float | str, int]:
    """Return value (or text) and quality of one value."""
    big = big_endian(raw, order)
    if kind == "ascii":
        return big.decode("ascii", "replace").split("\0", 1)[0].rstrip(), Quality.GOOD
    if bit is not None:
        return float(int.from_bytes(big, "big") >> bit & 1), Quality.GOOD
    if kind == "bool":
        return float(any(big)), Quality.GOOD
    if kind in ("bcd16", "bcd32"):
        digits = big.hex()
        return (float(digits), Quality.GOOD) if digits.isdigit() else (math.nan, Quality.BAD_DECODING_ERROR)
    if kind in ("date6", "date3"):
        if kind == "date6":
            fields = list(struct.unpack(">6H", big))
        else:
            minute, second, day, hour, year, month = big
            fields = [year, month, day, hour, minute, second]
        year, month, day, hour, minute, second = fields
        try:
            at = datetime(year + (2000 if year < 100 else 0), month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            return math.nan, Quality.BAD_DECODING_ERROR
        return at.timestamp(), Quality.GOOD
    if kind in ("sm16", "sm32"):
        number = int.from_bytes(big, "big")
        sign = 1 << (8 * len(big) - 1)
        return float(number & sign - 1) * (-1 if number & sign else 1), Quality.GOOD
    if kind == "unix64":
        return float(int.from_bytes(big, "big")) / 1000, Quality.GOOD
    value = float(struct.unpack(LAYOUTS.get(kind, ">I"), big)[0])
    return (value, Quality.GOOD) if math.isfinite(value) else (math.nan, Quality.BAD_SENSOR_FAILURE)


def decode(points: list[dict[str, Any]], memory: bytes, base: int = 0) -> Readings:
    """Decode points of function code 3 from registers that begin at address `base`."""
    device = bind(profile("modbus", points), {"unit": 1})
    [block] = merge(3, [span_of(point) for point in device.points], Limits(max_gap=125))
    at = 2 * (block.start - base)
    payload = np.frombuffer(memory[at : at + 2 * block.count], np.uint8)
    return BlockDecoder(block).decode(payload, 17)


@st.composite
def maps(draw: st.DrawFn) -> list[dict[str, Any]]:
    points = []
    for number in range(draw(st.integers(1, 25))):
        kind = draw(st.sampled_from([*REGISTERS, "ascii"]))
        modbus: dict[str, Any] = {
            "fc": 3,
            "address": 1000 + draw(st.integers(0, 100)),
            "order": draw(st.sampled_from(ORDERS)),
        }
        if kind == "ascii":
            modbus["length"] = draw(st.integers(1, 8))
        if kind == "bool":
            modbus["bit"] = draw(st.none() | st.integers(0, 15))
        points.append({"key": f"p{number}", "type": kind, "modbus": modbus})
    return points


@given(maps(), st.binary(min_size=220, max_size=220))
def test_columns_agree_with_struct(points: list[dict[str, Any]], memory: bytes) -> None:
    got = decode(points, memory, base=1000)
    assert sorted(got.point.tolist()) == list(range(len(points)))
    assert (got.time_us == 17).all()
    for row, index in enumerate(got.point.tolist()):
        point = points[index]
        modbus = point["modbus"]
        at = 2 * (modbus["address"] - 1000)
        size = 2 * (modbus.get("length") or REGISTERS[point["type"]])
        wanted, quality = reference(memory[at : at + size], point["type"], modbus["order"], modbus.get("bit"))
        assert got.quality[row] == quality
        if isinstance(wanted, str):
            assert got.text[row] == wanted
            assert math.isnan(got.value[row])
        else:
            assert row not in got.text
            assert got.value[row] == wanted or (math.isnan(got.value[row]) and math.isnan(wanted))


@given(
    st.sampled_from(
        [
            "i16",
            "u16",
            "i32",
            "u32",
            "i64",
            "u64",
            "f32",
            "f64",
            "sm16",
            "sm32",
            "bcd16",
            "bcd32",
            "bool",
            "unix32",
        ]
    ),
    st.sampled_from(ORDERS),
    st.floats(allow_nan=True) | st.integers(-(2**40), 2**40).map(float),
)
def test_what_is_written_reads_back_or_is_refused(kind: str, order: str, value: float) -> None:
    modbus = {"fc": 3, "address": 0, "order": order}
    device = bind(profile("modbus", [{"key": "p", "type": kind, "modbus": modbus}]), {"unit": 1})
    try:
        registers = encode(device.points[0], value)
    except DeviceRefused:
        return
    assert all(0 <= register <= 0xFFFF for register in registers)
    memory = struct.pack(f">{len(registers)}H", *registers)
    got = decode([{"key": "p", "type": kind, "modbus": modbus}], memory)
    assert got.value[0] == pytest.approx(value, rel=2e-6, abs=1e-37 if kind in ("f32", "f64") else 1e-6)


@given(st.sampled_from(ORDERS), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8))
def test_text_reads_back(order: str, value: str) -> None:
    modbus = {"fc": 3, "address": 0, "order": order, "length": 4}
    device = bind(profile("modbus", [{"key": "p", "type": "ascii", "modbus": modbus}]), {"unit": 1})
    memory = struct.pack(">4H", *encode(device.points[0], value))
    assert decode([{"key": "p", "type": "ascii", "modbus": modbus}], memory).text[0] == value


@given(st.binary(min_size=4, max_size=4), st.sets(st.integers(0, 31), min_size=1))
def test_coils_are_packed_lowest_first(payload: bytes, addresses: set[int]) -> None:
    chosen = sorted(addresses)
    points = [{"key": f"p{at}", "type": "bool", "modbus": {"fc": 1, "address": at}} for at in chosen]
    device = bind(profile("modbus", points), {"unit": 1})
    [block] = merge(1, [span_of(point) for point in device.points], Limits(max_gap=125))
    shifted = int.from_bytes(payload, "little") >> block.start
    wire = shifted.to_bytes(4, "little")[: (block.count + 7) // 8]
    got = BlockDecoder(block).decode(np.frombuffer(wire, np.uint8), 0)
    for row, index in enumerate(got.point.tolist()):
        assert got.value[row] == int.from_bytes(payload, "little") >> chosen[index] & 1


@pytest.mark.parametrize(
    ("kind", "order", "wire", "value"),
    [
        ("f32", "ABCD", "42F6E979", 123.456), ("f32", "CDAB", "E97942F6", 123.456),
        ("f32", "BADC", "F64279E9", 123.456), ("f32", "DCBA", "79E9F642", 123.456),
        ("f32", "CDAB", "806B4212", 36.6254), ("f32", "ABCD", "43663333", 230.2),
        ("i16", "ABCD", "FF33", -205.0),
        ("u64", "CDAB", "0708050603040102", float(0x0102030405060708)),
        ("u64", "BADC", "0201040306050807", float(0x0102030405060708)),
        ("u64", "DCBA", "0807060504030201", float(0x0102030405060708)),
        ("sm16", "ABCD", "80CD", -205.0), ("sm16", "ABCD", "00CD", 205.0),
        ("sm32", "CDAB", "86A08001", -100000.0),
        ("date6", "ABCD", "07EA000B001600150020001E", 1795383150.0),
        ("date3", "ABCD", "201E16151A0B", 1795383150.0),
        ("unix32", "CDAB", "4F5E6B03", 1795378014.0), ("unix64", "ABCD", "00000000000003E9", 1.001),
        ("bcd16", "ABCD", "1234", 1234.0), ("bcd32", "CDAB", "56781234", 12345678.0),
    ],
)  # fmt: skip
def test_vectors_of_the_reference(kind: str, order: str, wire: str, value: float) -> None:
    points = [{"key": "p", "type": kind, "modbus": {"fc": 3, "address": 0, "order": order}}]
    assert decode(points, bytes.fromhex(wire)).value[0] == pytest.approx(value, rel=1e-6)


def test_the_other_order_of_the_cdab_vector_is_far_off() -> None:
    points = [{"key": "p", "type": "f32", "modbus": {"fc": 3, "address": 0, "order": "BADC"}}]
    assert decode(points, bytes.fromhex("806B4212")).value[0] == pytest.approx(3.1e26, rel=0.02)


@pytest.mark.parametrize(
    ("kind", "wire"),
    [("f32", "7FA00000"), ("f32", "7FC00000"), ("f32", "FF800000"), ("f64", "7FF4000000000000")],
)
def test_what_is_no_finite_number_is_a_sensor_failure(kind: str, wire: str) -> None:
    points = [
        {"key": "p", "type": kind, "modbus": {"fc": 3, "address": 0}},
        {"key": "q", "type": "u16", "modbus": {"fc": 3, "address": 4}},
    ]
    got = decode(points, bytes.fromhex(wire).ljust(8, b"\0") + b"\0\7")
    assert math.isnan(got.value[0])
    assert got.quality.tolist() == [Quality.BAD_SENSOR_FAILURE, Quality.GOOD]
    assert got.value[1] == 7


@given(st.sampled_from(["date6", "date3"]), st.integers(946_684_800, 4_102_444_799))
def test_date_times_read_back(kind: str, seconds: int) -> None:
    modbus = {"fc": 3, "address": 0}
    device = bind(profile("modbus", [{"key": "p", "type": kind, "modbus": modbus}]), {"unit": 1})
    registers = encode(device.points[0], float(seconds))
    memory = struct.pack(f">{len(registers)}H", *registers)
    assert decode([{"key": "p", "type": kind, "modbus": modbus}], memory).value[0] == seconds


@pytest.mark.parametrize(
    ("kind", "value"),
    [("date6", math.nan), ("date3", 9e9), ("sm16", 32768.0), ("unix32", -1.0), ("unix64", 1e15)],
)
def test_what_has_no_registers_is_refused(kind: str, value: float) -> None:
    point = {"key": "p", "type": kind, "modbus": {"fc": 3, "address": 0}}
    device = bind(profile("modbus", [point]), {"unit": 1})
    with pytest.raises(DeviceRefused):
        encode(device.points[0], value)
