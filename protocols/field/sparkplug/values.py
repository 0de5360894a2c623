"""A metric's content, both ways: from the payload to plain data, and from a written value to a metric.

    Int8 … Int32     two's complement in int_value         Int64    two's complement in long_value
    Boolean … UUID   their own fields                      arrays   packed little-endian in bytes_value
    DataSet          a list of rows by column name         Template  its members by name

Composite metrics become what a JSON document would be, so that a point's `path` finds its part as it does
in MQTT payloads. Sparkplug B 3.0.0, clauses 6.4.16 and 6.4.6.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

from protocols.model.quality import Quality
from protocols.model.sparkplug import QUALITY, DataType
from protocols.model.sparkplug.payload_pb2 import Payload

SIGNED: Final = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
UNSIGNED: Final = {
    DataType.UINT8: 8, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64, DataType.DATETIME: 64,
}  # fmt: skip
TEXTS: Final = frozenset({DataType.STRING, DataType.TEXT, DataType.UUID})
FLOATS: Final = frozenset({DataType.FLOAT, DataType.DOUBLE})
_ARRAYS: Final = {
    DataType.INT8_ARRAY: "b", DataType.INT16_ARRAY: "h", DataType.INT32_ARRAY: "i",
    DataType.INT64_ARRAY: "q", DataType.UINT8_ARRAY: "B", DataType.UINT16_ARRAY: "H",
    DataType.UINT32_ARRAY: "I", DataType.UINT64_ARRAY: "Q", DataType.FLOAT_ARRAY: "f",
    DataType.DOUBLE_ARRAY: "d", DataType.DATETIME_ARRAY: "Q",
}  # fmt: skip
_F32_MOST: Final = 3.4028234663852886e38
_STALE: Final = 500
_LONG: Final = frozenset({DataType.INT64, DataType.UINT64, DataType.DATETIME})


def content(metric: Any, datatype: int) -> Any:
    """Return what a metric (or a DataSet's cell) holds as plain data; None where it is null.

    Raises ValueError, in words, where it does not hold what its data type says.
    """
    which = metric.WhichOneof("value")
    if which is None or getattr(metric, "is_null", False):
        return None
    raw = getattr(metric, which)
    if which == "dataset_value":
        return _rows(raw)
    if which == "template_value":
        return {member.name: content(member, member.datatype) for member in raw.metrics}
    if which == "bytes_value":
        return _array(raw, datatype)
    if which == "extension_value":
        raise ValueError("it is an extension that only its maker can read")
    return _scalar(raw, datatype)


def _scalar(raw: Any, datatype: int) -> Any:
    kind = type(raw)
    if datatype in SIGNED or datatype in UNSIGNED:
        if kind is not int:
            raise ValueError(f"data type {datatype} came as {kind.__name__}")
        bits = SIGNED.get(datatype)  # type: ignore[call-overload]
        if bits is None:
            bits = UNSIGNED[datatype]  # type: ignore[index]
            if raw >> bits:
                raise ValueError(f"{raw} does not fit data type {datatype}")
            return raw
        # Some senders fill all 32 bits of a smaller negative number, some only its own: both mean it.
        low = raw & ((1 << bits) - 1)
        value = low - (1 << bits) if low >> (bits - 1) else low
        if raw not in (low, value & 0xFFFF_FFFF, value & 0xFFFF_FFFF_FFFF_FFFF):
            raise ValueError(f"{raw} does not fit data type {datatype}")
        return value
    if datatype == DataType.BOOLEAN:
        if kind is bool or raw in (0, 1):
            return bool(raw)
        raise ValueError(f"a Boolean came as {raw!r}")
    if datatype in FLOATS and kind is not float:
        raise ValueError(f"data type {datatype} came as {kind.__name__}")
    if (datatype in TEXTS and kind is not str) or kind is bytes:
        # A text that is no UTF-8 comes as bytes, whatever data type stands beside it.
        raise ValueError(f"data type {datatype} came as {kind.__name__}")
    return raw


def _rows(data: Payload.DataSet) -> list[dict[str, Any]]:
    if len(data.types) != len(data.columns):
        raise ValueError(f"a DataSet names {len(data.columns)} columns and {len(data.types)} types")
    found = []
    for row in data.rows:
        if len(row.elements) != len(data.columns):
            raise ValueError(f"a DataSet's row has {len(row.elements)} of {len(data.columns)} cells")
        cells = zip(data.columns, data.types, row.elements, strict=True)
        found.append({name: content(cell, datatype) for name, datatype, cell in cells})
    return found


def _array(raw: bytes, datatype: int) -> Any:
    code = _ARRAYS.get(datatype)  # type: ignore[call-overload]
    if code is not None:
        size = struct.calcsize(f"<{code}")
        if len(raw) % size:
            raise ValueError(f"{len(raw)} bytes are no whole number of {size}-byte elements")
        return list(struct.unpack(f"<{len(raw) // size}{code}", raw))
    if datatype == DataType.BOOLEAN_ARRAY:
        count = int.from_bytes(raw[:4], "little")
        if len(raw) < 4 or len(raw) - 4 != -(-count // 8):
            raise ValueError(f"{len(raw)} bytes do not hold the {count} Booleans that they announce")
        return [bool(raw[4 + at // 8] >> (7 - at % 8) & 1) for at in range(count)]
    if datatype == DataType.STRING_ARRAY:
        if raw and raw[-1]:
            raise ValueError("the last string of an array is not ended by a zero")
        return raw.decode("utf-8").split("\0")[:-1]
    return bytes(raw)


def quality_of(metric: Payload.Metric) -> Quality:
    """Return what the property `Quality` says of a metric; good where there is none.

    0, 192 and 500 are the specification's; other numbers are read as OPC DA's quality bits, from which
    they come.
    """
    if not metric.HasField("properties"):
        return Quality.GOOD
    properties = metric.properties
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key == QUALITY and value.WhichOneof("value") in ("int_value", "long_value"):
            code = value.int_value or value.long_value
            if code == _STALE:
                return Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
            return {0xC0: Quality.GOOD, 0x40: Quality.UNCERTAIN}.get(code & 0xC0, Quality.BAD)
    return Quality.GOOD


def set_value(metric: Payload.Metric, datatype: int, value: float | str) -> None:
    """Put a value to be written into a metric. Raises ValueError in words where the type cannot hold it."""
    name = DataType(datatype).name if datatype in DataType._value2member_map_ else str(datatype)
    if datatype in TEXTS:
        metric.string_value = value if isinstance(value, str) else f"{value:g}"
        return
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number, which {name} needs")
    if datatype == DataType.FLOAT:
        if abs(value) > _F32_MOST:
            raise ValueError(f"{value:g} does not fit {name}")
        metric.float_value = value
    elif datatype == DataType.DOUBLE:
        metric.double_value = value
    elif datatype == DataType.BOOLEAN:
        if value not in (0, 1):
            raise ValueError(f"{value:g} is neither 0 nor 1, as {name} must be")
        metric.boolean_value = bool(value)
    elif datatype in SIGNED or datatype in UNSIGNED:
        signed = datatype in SIGNED
        bits = SIGNED[datatype] if signed else UNSIGNED[datatype]  # type: ignore[index]
        whole = int(value)
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        if whole != value or not low <= whole <= high:
            raise ValueError(f"{value:g} does not fit {name}")
        if datatype in _LONG:
            metric.long_value = whole & 0xFFFF_FFFF_FFFF_FFFF
        else:
            metric.int_value = whole & ((1 << bits) - 1)
    else:
        raise ValueError(f"{name} cannot be written")
