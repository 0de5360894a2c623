"""Methods of a profile on the simulated server: a call is a write to the device, judged as it judges writes.

Arguments are Doubles and Strings, as the profile gives them; one that is fixed there must come as it stands.
The outputs before the one that says whether it was done are Doubles, and zero.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from asyncua import ua
from asyncua.common.node import Node
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from protocols.model.address.opcua import OpcUaAddress, OpcUaMethod
from protocols.model.device import PointProfile
from sim_devices.fault_board import FaultBoard
from sim_devices.servers.base import DeviceView
from sim_devices.servers.registers import to_value

Called = Callable[..., Awaitable[ua.StatusCode | list[ua.Variant]]]


async def add_method(
    owner: Node, method_id: ua.NodeId, view: DeviceView, point: PointProfile, faults: FaultBoard
) -> None:
    """Give an object the method that a point calls."""
    method = OpcUaAddress.of(point).method
    if method is None:
        raise ValueError(f"{view.key}: point {point.key} calls no method")
    inputs = [
        _argument(
            f"{'fixed' if one.value is not None else 'given'}{at}",
            isinstance(one.value, str) or (one.value is None and point.type == "text" and _free(method) == 1),
        )
        for at, one in enumerate(method.inputs)
    ]
    done: float | str = method.ok[0] if method.ok else 0.0
    outputs = [_argument(f"detail{at}", False) for at in range(method.output)]
    outputs.append(_argument("Status", isinstance(done, str)))

    async def called(_: ua.NodeId, *given: ua.Variant) -> ua.StatusCode | list[ua.Variant]:
        code = _carry_out(view, point, method, given, faults)
        if code != StatusCodes.Good:
            return ua.StatusCode(ua.UInt32(code))
        return [ua.Variant(0.0, ua.VariantType.Double)] * method.output + [_variant(done)]

    name = ua.QualifiedName(point.key, method_id.NamespaceIndex)
    await owner.add_method(method_id, name, called, inputs, outputs)


def _carry_out(
    view: DeviceView,
    point: PointProfile,
    method: OpcUaMethod,
    given: tuple[ua.Variant, ...],
    faults: FaultBoard,
) -> int:
    """Write what a call means; return the status code of the call."""
    if faults.dead(view.key):
        return StatusCodes.BadNoCommunication
    if faults.broken(view.key):
        return StatusCodes.BadDeviceFailure
    if len(given) != len(method.inputs):
        return (
            StatusCodes.BadArgumentsMissing
            if len(given) < len(method.inputs)
            else StatusCodes.BadTooManyArguments
        )
    free: list[Any] = []
    for one, wanted in zip(given, method.inputs, strict=True):
        if one.is_array or not isinstance(one.Value, int | float | str):
            return StatusCodes.BadTypeMismatch
        if wanted.value is None:
            free.append(one.Value)
        elif one.Value != wanted.value:
            return StatusCodes.BadInvalidArgument
    raw: float | str = 1.0 if not free else free[0] if len(free) == 1 else json.dumps(free)
    try:
        view.write(point, to_value(point, raw))
    except ValueError:
        return StatusCodes.BadOutOfRange
    return StatusCodes.Good


def _free(method: OpcUaMethod) -> int:
    return sum(one.value is None for one in method.inputs)


def _argument(name: str, text: bool) -> ua.Argument:
    kind = ua.NodeId(ua.Int32(ObjectIds.String if text else ObjectIds.Double))
    return ua.Argument(Name=name, DataType=kind, ValueRank=ua.Int32(-1))


def _variant(value: float | str) -> ua.Variant:
    return ua.Variant(value, ua.VariantType.String if isinstance(value, str) else ua.VariantType.Double)
