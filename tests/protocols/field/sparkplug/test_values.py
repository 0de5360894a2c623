"""Metrics against the specification's own examples, another library's bytes, and random values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.field.sparkplug.values import SIGNED, UNSIGNED, content, quality_of, set_value
from protocols.model.quality import Quality
from protocols.model.sparkplug import DataType
from protocols.model.sparkplug.payload_pb2 import Payload
from tests.protocols.field.sparkplug.payloads import metric

# An NBIRTH as pysparkplug 0.6.1 encodes it, with the bytes of Eclipse Tahu's schema.
PYSPARKPLUG = (
    "08a2828395862b12120a05626453657118a2828395862b2004580712210a144e6f646520436f6e74726f6c2f526562697274"
    "6818a2828395862b200b700012120a026938100118a2828395862b200150ff0112140a03693136100218a2828395862b2002"
    "50b3fe0312160a03693332100318a2828395862b200350ebe590c50f121b0a03693634100418a2828395862b200458818080"
    "80808080f0ff0112120a027538100518a2828395862b200550ff0112140a03753136100618a2828395862b200650ffff0312"
    "160a03753332100718a2828395862b200750ffffffff0f12190a03753634100818a2828395862b200858ffffffffffffff0f"
    "12150a03663332100918a2828395862b2009650000c03f12190a03663634100a18a2828395862b200a69d7a205685bb52840"
    "12110a026f6e100b18a2828395862b200b7001121a0a0474657874100c18a2828395862b200c7a07e6b3b520502d3112160a"
    "026174100d18a2828395862b200d58c7a1c3acc72412130a046e6f6e65100e18a2828395862b200a38011800"
)
EXPECTED = {
    "bdSeq": 7, "Node Control/Rebirth": False, "i8": -1, "i16": -205, "i32": -123456789,
    "i64": -9007199254740991, "u8": 255, "u16": 65535, "u32": 4294967295, "u64": 9007199254740991,
    "f32": 1.5, "f64": 12.354213, "on": True, "text": "泵 P-1", "at": 1256102875335, "none": None,
}  # fmt: skip


def test_another_librarys_birth_reads_as_it_was_meant() -> None:
    payload = Payload.FromString(bytes.fromhex(PYSPARKPLUG))
    assert payload.timestamp == 1479123452194
    assert payload.HasField("seq")
    assert {one.name: content(one, one.datatype) for one in payload.metrics} == EXPECTED
    aliases = {one.name: one.alias for one in payload.metrics if one.HasField("alias")}
    assert aliases["i8"] == 1
    assert "bdSeq" not in aliases
    assert payload.SerializeToString() == bytes.fromhex(PYSPARKPLUG)


@pytest.mark.parametrize(
    ("datatype", "raw", "expected"),
    [
        (DataType.INT32_ARRAY, "15CD5B07", [123456789]),
        (DataType.STRING_ARRAY, "41424300 68656c6c6f00", ["ABC", "hello"]),
        (DataType.DATETIME_ARRAY, "C7D0907524010000 B8BAB89781010000", [1256102875335, 1656107875000]),
        (DataType.BOOLEAN_ARRAY, "0C000000 34D0", [c == "1" for c in "001101001101"]),
        (DataType.INT8_ARRAY, "EF7B", [-17, 123]),
        (DataType.INT16_ARRAY, "D08A 3075", [-30000, 30000]),
        (DataType.UINT64_ARRAY, "3400000000000000 D99E02D1B27637E4", [52, 16444743074749521625]),
        (DataType.DOUBLE_ARRAY, "0000000000000440", [2.5]),
        (DataType.STRING_ARRAY, "", []),
        (DataType.BYTES, "01FF", b"\x01\xff"),
    ],
)  # fmt: skip
def test_arrays_as_the_specification_packs_them(datatype: DataType, raw: str, expected: Any) -> None:
    assert content(metric("a", bytes.fromhex(raw), datatype=datatype), datatype) == expected


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        (DataType.INT32_ARRAY, b"\1\2\3"), (DataType.BOOLEAN_ARRAY, b"\xff\xff\xff\xff\0"),
        (DataType.BOOLEAN_ARRAY, b"\1"), (DataType.STRING_ARRAY, b"open"), (DataType.STRING_ARRAY, b"\xff\0"),
        (DataType.UINT8, 256), (DataType.INT16, 70_000), (DataType.INT32, 1.5), (DataType.BOOLEAN, 7),
        (DataType.DOUBLE, "1"), (DataType.STRING, 1), (DataType.UINT32, "1"),
    ],
)  # fmt: skip
def test_what_does_not_hold_its_type_is_no_value(datatype: DataType, value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        content(metric("a", value, datatype=datatype), datatype)


@given(st.data())
def test_what_is_written_reads_back(data: st.DataObject) -> None:
    datatype = data.draw(st.sampled_from([*SIGNED, *UNSIGNED]))
    bits = SIGNED[datatype] if datatype in SIGNED else UNSIGNED[datatype]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if datatype in SIGNED else (0, (1 << bits) - 1)
    value = data.draw(st.integers(max(low, -(2**53)), min(high, 2**53)))
    made = Payload.Metric()
    set_value(made, datatype, float(value))
    assert content(Payload.Metric.FromString(made.SerializeToString()), datatype) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_read_back_exactly(value: float) -> None:
    made = Payload.Metric()
    set_value(made, DataType.DOUBLE, value)
    assert content(made, DataType.DOUBLE) == value


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        (DataType.INT8, 128.0), (DataType.INT8, -129.0), (DataType.UINT8, -1.0), (DataType.INT16, 1.5),
        (DataType.BOOLEAN, 2.0), (DataType.FLOAT, 1e39), (DataType.DOUBLE, math.nan), (DataType.INT32, "7"),
        (DataType.DATASET, 1.0), (DataType.TEMPLATE, 1.0), (99, 1.0), (DataType.BYTES, "x"),
    ],
)  # fmt: skip
def test_what_a_type_cannot_hold_is_not_written(datatype: int, value: float | str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        set_value(Payload.Metric(), datatype, value)


def test_small_negative_numbers_are_read_however_many_bits_the_sender_filled() -> None:
    for raw in (0xFF, 0xFFFF_FFFF):
        assert content(metric("a", raw, datatype=DataType.INT8), DataType.INT8) == -1
    assert content(Payload.Metric(long_value=2**64 - 5), DataType.INT32) == -5


def test_tables_and_templates_are_documents() -> None:
    table = Payload.DataSet(columns=["at", "flow"], types=[DataType.STRING, DataType.INT16])
    row = table.rows.add()
    row.elements.add(string_value="inlet")
    row.elements.add(int_value=0xFF33)
    assert content(Payload.Metric(dataset_value=table), DataType.DATASET) == [{"at": "inlet", "flow": -205}]
    table.rows.add().elements.add(string_value="short")
    with pytest.raises(ValueError, match="1 of 2 cells"):
        content(Payload.Metric(dataset_value=table), DataType.DATASET)
    inner = metric("speed", 7, datatype=DataType.INT32)
    template = Payload.Template(metrics=[inner, metric("on", True, datatype=DataType.BOOLEAN)])
    outer = Payload.Template(metrics=[Payload.Metric(name="pump", template_value=template)])
    found = content(Payload.Metric(template_value=outer), DataType.TEMPLATE)
    assert found == {"pump": {"speed": 7, "on": True}}


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (192, Quality.GOOD), (0, Quality.BAD), (500, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE),
        (216, Quality.GOOD), (68, Quality.UNCERTAIN), (24, Quality.BAD),
    ],
)  # fmt: skip
def test_the_quality_property(code: int, quality: Quality) -> None:
    properties = Payload.PropertySet(
        keys=["unit", "Quality"],
        values=[Payload.PropertyValue(string_value="m"), Payload.PropertyValue(type=3, int_value=code)],
    )
    assert quality_of(Payload.Metric(properties=properties)) == quality
    assert quality_of(Payload.Metric()) == Quality.GOOD
