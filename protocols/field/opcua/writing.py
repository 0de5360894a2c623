"""A command: a value into a node or a part of one, or the call of a method; each once, and its outcome.

    a whole value    read its type ─→ write ─→ read back
    an element       does the server keep index ranges? ─→ write that range ─→ read back
    a part, rewrite  read the whole ─→ write it back with the part changed ─→ read back
    a method         methods.Methods
    a condition      acknowledged at the server

Nothing is sent twice: what was sent and not answered has an outcome that nobody knows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Final

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from protocols.errors import BadFrame, ConnectionLost, DeviceRefused, DeviceTimeout
from protocols.field.base import Answer, BoundPoint
from protocols.field.opcua.answers import patient, readable
from protocols.field.opcua.conditions import Conditions
from protocols.field.opcua.line import Line
from protocols.field.opcua.methods import Methods
from protocols.field.opcua.parts import NO_SUCH_FIELD, Steps, pick, put, steps, type_name
from protocols.field.opcua.table import Table
from protocols.field.opcua.values import sample, variant
from protocols.field.opcua.words import code_name
from protocols.model.address.opcua import OpcUaAddress
from protocols.model.clock import Clock
from protocols.model.quality import Quality

_NO_RANGES: Final = frozenset(
    {
        StatusCodes.BadIndexRangeInvalid, StatusCodes.BadIndexRangeNoData,
        StatusCodes.BadWriteNotSupported, StatusCodes.BadNotSupported,
    }
)  # fmt: skip

_NOBODY_KNOWS: Final = frozenset({StatusCodes.BadTimeout, StatusCodes.BadRequestTimeout})
"""A server says so of what lies behind it, which may have done it."""


class Writing:
    """Writes of one connection; `timeouts` are seconds by device, for each answer."""

    def __init__(self, line: Line, table: Table, timeouts: Mapping[str, float], clock: Clock) -> None:
        self._line, self._table, self._timeouts, self._clock = line, table, timeouts, clock
        self._methods = Methods(line, table)
        self._sent = False
        self.conditions: Conditions | None = None
        """Given once they are listened to."""

    async def write(self, row: int, value: float | str) -> float | str | Answer | None:
        """Write a raw value and return what is read back, or what a method answered.

        Raises DeviceRefused (nothing was written), DeviceTimeout and BadFrame (nobody knows), ConnectionLost.
        """
        point, address = self._table.points[row], self._table.addresses[row]
        name = f"{point.device}.{point.profile.key}"
        node = self._table.nodes[row]
        if node is None:
            raise DeviceRefused(
                f"{name}: the server has no namespace {address.namespace!r}; nothing was written",
                Quality.BAD_NODE_ID_UNKNOWN,
            )
        target = self._line.client.get_node(node)
        self._sent = False
        try:
            with patient(self._timeout_s(point)), readable():
                if address.method is not None:
                    return await self._methods.call(row, value, self._sending)
                if address.condition:
                    return await self._acknowledge(row, value)
                await self._put(target, point, value)
        except UaStatusCodeError as error:
            if self._sent and error.code in _NOBODY_KNOWS:
                raise DeviceTimeout(
                    f"{name}: the server answered {code_name(error.code)}", error.code
                ) from error
            raise DeviceRefused(
                f"{name}: the server answered {code_name(error.code)}; nothing was written", error.code
            ) from error
        except UaError as error:
            if not self._sent:
                raise DeviceRefused(
                    f"{name}: {error}; nothing was written", Quality.BAD_DECODING_ERROR
                ) from error
            raise BadFrame(f"{name}: {error}", Quality.BAD_DECODING_ERROR) from error
        except TimeoutError as error:
            if not self._sent:
                raise DeviceRefused(f"{name}: no answer; nothing was written", Quality.BAD_TIMEOUT) from error
            raise DeviceTimeout(f"{name}: no answer to the write", Quality.BAD_TIMEOUT) from error
        except OSError as error:
            raise ConnectionLost(
                f"OPC UA {self._line.settings.url}: {error}", Quality.BAD_NO_COMMUNICATION
            ) from error
        return await self._read_back(point, target)

    async def _acknowledge(self, row: int, value: float | str) -> Answer:
        point = self._table.points[row]
        name = f"{point.device}.{point.profile.key}"
        if value != 1:
            raise DeviceRefused(f"{name}: 1 acknowledges, not {value!r}", Quality.BAD_OUT_OF_RANGE)
        if self.conditions is None:
            raise DeviceRefused(
                f"{name}: the server's alarms are not known yet", Quality.BAD_WAITING_FOR_INITIAL_DATA
            )
        self._sent = True
        told = await self.conditions.acknowledge(self._line.client, row)
        refused = [(one, code) for one, code in told if code >= Quality.BAD]
        if refused:
            words = ", ".join(f"{one}: {code_name(code)}" for one, code in refused)
            raise DeviceRefused(f"{name}: the server refused ({words})", refused[0][1])
        return Answer(f"acknowledged: {', '.join(one for one, _ in told) or 'nothing waited for it'}")

    def _timeout_s(self, point: BoundPoint) -> float:
        return max(self._timeouts[point.device], 1.0)

    def _sending(self) -> None:
        self._sent = True

    async def _put(self, target: Any, point: BoundPoint, value: float | str) -> None:
        before = await target.read_attribute(AttributeIds.Value, raise_on_bad_status=False)
        whole = before.Value if before.Value is not None and before.Value.Value is not None else None
        wanted = _part(point)
        if not wanted:
            held = None if whole is None else whole.VariantType
            await self._send(target, variant(point, value, held))
            return
        now, missing = (
            (None, NO_SUCH_FIELD) if whole is None else pick(whole.Value, wanted, strange=self._table.strange)
        )
        if whole is None or missing is not None:
            raise DeviceRefused(
                f"{point.device}.{point.profile.key}: the value has no such part now; nothing was written",
                missing or NO_SUCH_FIELD,
            )
        rewrite = OpcUaAddress.of(point.profile).rewrite
        part = variant(point, value, _kind(whole, wanted, now))
        if all(isinstance(step, int) for step in wanted):
            where = ",".join(str(step) for step in wanted)
            if await _keeps_ranges(target, where, len(wanted), now):
                try:
                    await self._send(target, _block(part, len(wanted)), where)
                except UaStatusCodeError as error:
                    if error.code not in _NO_RANGES or not rewrite:
                        raise
                else:
                    return
            elif not rewrite:
                raise DeviceRefused(
                    f"{point.device}.{point.profile.key}: the server keeps no index ranges, so that one "
                    "element cannot be written alone; nothing was written. Write `rewrite: true` in the "
                    "profile where nobody else writes the other elements meanwhile",
                    Quality.BAD_NOT_SUPPORTED,
                )
        await self._send(target, dataclasses.replace(whole, Value=put(whole.Value, wanted, part.Value)))

    async def _send(self, target: Any, payload: ua.Variant, where: str | None = None) -> None:
        self._sent = True
        data = ua.DataValue(payload, StatusCode=None)
        await target.write_attribute(AttributeIds.Value, data, where)

    async def _read_back(self, point: BoundPoint, target: Any) -> float | str | None:
        if not point.profile.readable:
            return None
        try:
            with patient(self._timeout_s(point)), readable():
                data = await target.read_attribute(AttributeIds.Value, raise_on_bad_status=False)
        except (OSError, TimeoutError, UaError):
            # The server has acknowledged the write; that it cannot be read now does not undo it.
            return None
        one = sample(data, point.profile.type, self._clock(), _part(point), strange=self._table.strange)
        if one.text is not None:
            return one.text
        return None if math.isnan(one.value) else one.value


async def _keeps_ranges(target: Any, where: str, depth: int, now: Any) -> bool:
    """Tell whether a server gives one element where one is asked for.

    There are servers that ignore index ranges: such a one would take the element for the whole array.
    """
    data = await target.read_attribute(AttributeIds.Value, where, raise_on_bad_status=False)
    held = None if data.Value is None else data.Value.Value
    for _ in range(depth):
        if not isinstance(held, list) or len(held) != 1:
            return False
        held = held[0]
    return bool(held == now)


def _block(part: ua.Variant, depth: int) -> ua.Variant:
    """Return one element as the array that a range write takes (OPC 10000-4, 7.27)."""
    value: Any = part.Value
    for _ in range(depth):
        value = [value]
    dimensions = [ua.Int32(1)] * depth if depth > 1 else None
    return ua.Variant(value, part.VariantType, Dimensions=dimensions, is_array=True)


def _kind(whole: ua.Variant, wanted: Steps, now: Any) -> ua.VariantType | None:
    """Return the type of a part: the array's own, that its structure declares, or that it seems to have."""
    if all(isinstance(step, int) for step in wanted):
        return ua.VariantType(whole.VariantType)
    declared = type_name(whole.Value, wanted)
    if declared in ua.VariantType.__members__:
        return ua.VariantType[declared]
    seems = {bool: ua.VariantType.Boolean, int: ua.VariantType.Int64, float: ua.VariantType.Double}
    return seems.get(type(now), ua.VariantType.String if isinstance(now, str) else None)


def _part(point: BoundPoint) -> Steps:
    return steps(OpcUaAddress.of(point.profile).part)
