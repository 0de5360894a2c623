"""OPC UA values: a DataValue to value, quality, time and text; a raw value to the server's own type.

Quality is the server's status code, all 32 bits, unchanged (`../shared/domain/alarms.md` 6).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

from asyncua import ua

from protocols.errors import DeviceRefused
from protocols.field.base import BoundPoint
from protocols.field.opcua.parts import Steps, pick
from protocols.model.clock import from_datetime
from protocols.model.datatypes import DataType
from protocols.model.quality import Quality

_INTEGERS = {
    ua.VariantType.SByte: (-(2**7), 2**7 - 1), ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1), ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1), ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1), ua.VariantType.UInt64: (0, 2**64 - 1),
}  # fmt: skip
_FLOATS = {ua.VariantType.Float: 3.4028234663852886e38, ua.VariantType.Double: 1.7976931348623157e308}
_OF_PROFILE: dict[DataType, ua.VariantType] = {
    "bool": ua.VariantType.Boolean, "i16": ua.VariantType.Int16, "u16": ua.VariantType.UInt16,
    "i32": ua.VariantType.Int32, "u32": ua.VariantType.UInt32, "i64": ua.VariantType.Int64,
    "u64": ua.VariantType.UInt64, "f32": ua.VariantType.Float, "f64": ua.VariantType.Double,
    "bcd16": ua.VariantType.UInt16, "bcd32": ua.VariantType.UInt32,
    "ascii": ua.VariantType.String, "text": ua.VariantType.String,
}  # fmt: skip
_ROUNDING = 1e-6


class Sample(NamedTuple):
    """One DataValue as a row: NaN and no text where it holds neither number nor text."""

    time_us: int
    value: float
    quality: int
    text: str | None


def sample(
    data: ua.DataValue | None, kind: DataType, now_us: int, part: Steps = (), *, strange: bool = False
) -> Sample:
    """Return a DataValue, or a part of it, as a row.

    Time: source timestamp, else server timestamp, else `now_us`, and then a good value is uncertain.
    A good value that is no scalar number or text is BadTypeMismatch; a NaN is BadSensorFailure.
    """
    if data is None:
        return Sample(now_us, math.nan, Quality.BAD_DECODING_ERROR, None)
    code = Quality.GOOD if data.StatusCode is None else int(data.StatusCode.value)
    stamp = data.SourceTimestamp or data.ServerTimestamp
    if stamp is None and code == Quality.GOOD:
        code = Quality.UNCERTAIN
    held = None if data.Value is None else data.Value.Value
    missing = None
    if part and held is not None:
        held, missing = pick(held, part, strange=strange)
    value, text, fault = _scalar(held, kind)
    fault = missing or fault
    if fault is not None and code < Quality.BAD:
        code = fault
    return Sample(now_us if stamp is None else time_us(stamp), value, code, text)


def time_us(stamp: datetime) -> int:
    """Return an OPC UA DateTime, which is UTC by definition."""
    return from_datetime(stamp) if stamp.tzinfo else from_datetime(stamp.replace(tzinfo=UTC))


def variant(point: BoundPoint, value: float | str, server: ua.VariantType | None) -> ua.Variant:
    """Return a raw value in the type the server holds, or the profile's where that is unknown.

    Raises DeviceRefused for a value that the type cannot hold; nothing has been sent then.
    """
    kind = server or _OF_PROFILE[point.profile.type]
    if kind is ua.VariantType.String:
        return ua.Variant(value if isinstance(value, str) else f"{value:g}", kind)
    if isinstance(value, str):
        raise _refused(point, value, "a number", Quality.BAD_TYPE_MISMATCH)
    if kind is ua.VariantType.Boolean:
        if value not in (0, 1):
            raise _refused(point, value, "0 or 1", Quality.BAD_OUT_OF_RANGE)
        return ua.Variant(bool(value), kind)
    if kind in _FLOATS:
        if not abs(value) <= _FLOATS[kind]:
            raise _refused(point, value, f"a finite {kind.name}", Quality.BAD_OUT_OF_RANGE)
        return ua.Variant(float(value), kind)
    if kind not in _INTEGERS:
        raise _refused(point, value, f"a number, but the node holds {kind.name}", Quality.BAD_TYPE_MISMATCH)
    low, high = _INTEGERS[kind]
    whole = round(value) if math.isfinite(value) else None
    if whole is None or abs(value - whole) > _ROUNDING * max(1.0, abs(value)) or not low <= whole <= high:
        raise _refused(point, value, f"a whole number from {low} to {high}", Quality.BAD_OUT_OF_RANGE)
    return ua.Variant(whole, kind)


def _scalar(value: Any, kind: DataType) -> tuple[float, str | None, int | None]:
    """Return number, text, and the status of a value that is neither."""
    if isinstance(value, ua.LocalizedText):
        value = value.Text
    if kind in ("text", "ascii"):
        if isinstance(value, str):
            return math.nan, value, None
    elif isinstance(value, (bool, int, float)):
        number = float(value)
        return (number, None, None) if math.isfinite(number) else (math.nan, None, Quality.BAD_SENSOR_FAILURE)
    return math.nan, None, Quality.BAD_TYPE_MISMATCH


def _refused(point: BoundPoint, value: float | str, expected: str, quality: Quality) -> DeviceRefused:
    name = f"{point.device}.{point.profile.key}"
    return DeviceRefused(f"{name}: {value!r} was not sent; the node takes {expected}", quality)
