"""Whether golden vectors come true, without a device: the driver's decoder, the gateway's shaping."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from edge.shaping import Shaper
from protocols.field.base import BoundDevice, BoundPoint
from protocols.model.address.modbus import ModbusAddress
from protocols.model.address.mqtt import MqttAddress
from protocols.model.clock import SECOND_US
from protocols.model.device import PointProfile, Profile
from protocols.model.golden import Golden
from protocols.model.quality import Quality, quality_name
from protocols.model.reading import Readings

_NOW_US = 1_800_000_000 * SECOND_US
_NEAR = 1e-6
"""A float32 has seven digits; where the profile rounds, the value is exact."""


class Proof(NamedTuple):
    """A vector and what came of it: value (None for none), quality."""

    vector: Golden
    value: float | str | None
    quality: str

    @property
    def true(self) -> bool:
        """Whether it is what the profile says."""
        if self.quality != self.vector.quality:
            return False
        wanted = self.vector.value
        if isinstance(wanted, str) or isinstance(self.value, str) or wanted is None or self.value is None:
            return self.value == wanted
        return math.isclose(self.value, wanted, rel_tol=_NEAR, abs_tol=_NEAR**2)


def prove(profile: Profile) -> list[Proof]:
    """Return every vector of a profile with what it becomes."""
    return [_prove(profile, vector) for vector in profile.golden]


def unproved(profile: Profile) -> list[str]:
    """Return the points that can be read and have no vector."""
    proved = {vector.point for vector in profile.golden}
    return [point.key for point in profile.points if point.readable and point.key not in proved]


def _prove(profile: Profile, vector: Golden) -> Proof:
    bound = BoundPoint(0, profile.id, profile.point(vector.point))
    readings = Shaper([bound]).shape(_raw(profile, bound, vector), _NOW_US).readings
    quality = quality_name(int(readings.quality[0]))
    if readings.text:
        return Proof(vector, readings.text[0], quality)
    value = float(readings.value[0])
    return Proof(vector, None if math.isnan(value) else value, quality)


def _raw(profile: Profile, bound: BoundPoint, vector: Golden) -> Readings:
    point = bound.profile
    if isinstance(point.address, ModbusAddress):
        # The decoder stands beside pymodbus, which is loaded where a registered device is proved.
        from protocols.field.modbus.decode import BlockDecoder  # noqa: PLC0415
        from protocols.field.modbus.planner import is_bits, plan_device  # noqa: PLC0415

        ((_, block),) = plan_device(BoundDevice(profile.id, profile, (bound,)))
        data = bytes((bool(vector.raw),)) if is_bits(block.fc) else vector.data(point.wire_bytes())
        return BlockDecoder(block).decode(np.frombuffer(data, np.uint8), _NOW_US)
    if isinstance(point.address, MqttAddress):
        return _of_payload(point, vector)
    if vector.raw is None:
        return _one(math.nan, vector.code)
    return _one(math.nan, 0, vector.raw) if isinstance(vector.raw, str) else _one(float(vector.raw), 0)


def _of_payload(point: PointProfile, vector: Golden) -> Readings:
    from protocols.field.mqtt.formats import unpack  # noqa: PLC0415 - aiomqtt is loaded where it is needed
    from protocols.field.mqtt.payload import interpret  # noqa: PLC0415

    place = MqttAddress.of(point).bytes
    if place is not None:
        data = bytes(place.offset) + vector.data(point.wire_bytes())
        value, quality, text = unpack(data, point.type, place)
    else:
        value, quality, text = interpret(vector.raw, point.type)
    return _one(value, quality, text)


def _one(value: float, quality: int, text: str | None = None) -> Readings:
    return Readings(
        np.zeros(1, np.int32), np.full(1, _NOW_US, np.int64), np.array([value]),
        np.array([quality or Quality.GOOD], np.uint32), {} if text is None else {0: text},
    )  # fmt: skip
