"""Methods as commands (OPC 10000-4, 5.12): the point's `node` is the object, one call is one command.

    the command's value ─→ input arguments, each within its limits ─→ Call ─→ status, then the output that
                                                                     says whether it was done ─→ Answer
What types the arguments have is asked of the server once per connection, so that a profile names values only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.ua_utils import data_type_to_variant_type
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from asyncua.ua.uaprotocol_auto import Argument as Declared

from protocols.errors import DeviceRefused
from protocols.field.base import Answer, BoundPoint
from protocols.field.opcua.line import Line
from protocols.field.opcua.table import Table
from protocols.field.opcua.values import variant
from protocols.field.opcua.words import code_name
from protocols.model.address.opcua import OpcUaInput, OpcUaMethod
from protocols.model.quality import Quality

_MOST_TEXT: Final = 200
Given = float | str


class Argument(NamedTuple):
    """An argument as the server declares it; no type where it takes any, or an array."""

    name: str
    kind: ua.VariantType | None
    array: bool = False


class Signature(NamedTuple):
    """Inputs and outputs of a method in their order; None where the server tells nothing of them."""

    inputs: tuple[Argument, ...] | None
    outputs: tuple[Argument, ...] | None


class Methods:
    """Calls the methods of one connection."""

    def __init__(self, line: Line, table: Table) -> None:
        self._line, self._table = line, table
        self._known: dict[ua.NodeId, Signature] = {}

    async def call(self, row: int, value: Given, sending: Callable[[], None]) -> Answer:
        """Call once and return the outputs in words. `sending` is called just before.

        Raises DeviceRefused with what is wrong, UaError, OSError, TimeoutError.
        """
        point, method = self._table.points[row], self._table.addresses[row].method
        node, owner = self._table.methods[row], self._table.nodes[row]
        if method is None or node is None or owner is None:
            raise _refused(point, "the server has no such namespace", Quality.BAD_NODE_ID_UNKNOWN)
        given = arguments(point, method, value)
        known = self._known.get(node) or await signature(self._line.client, node)
        if known.inputs is not None and len(known.inputs) != len(given):
            names = ", ".join(one.name or "?" for one in known.inputs) or "none"
            raise _refused(
                point,
                f"the method takes {len(known.inputs)} arguments ({names}), the profile gives {len(given)}; "
                "correct `inputs`",
                Quality.BAD_CONFIGURATION_ERROR,
            )
        kinds = [None] * len(given) if known.inputs is None else [one.kind for one in known.inputs]
        request = ua.CallMethodRequest(
            ObjectId=owner,
            MethodId=node,
            InputArguments=[
                _guessed(one) if kind is None else variant(point, one, kind)
                for one, kind in zip(given, kinds, strict=True)
            ],
        )
        self._known[node] = known
        sending()
        (result,) = await self._line.client.uaclient.session.call([request])
        return _outcome(point, method, known, result)


async def signature(client: Client, method: ua.NodeId) -> Signature:
    """Ask for the properties InputArguments and OutputArguments (OPC 10000-3, 5.7).

    Raises UaError, OSError, TimeoutError.
    """
    called = client.get_node(method)
    found: list[tuple[Argument, ...] | None] = []
    for name in ("0:InputArguments", "0:OutputArguments"):
        try:
            declared = (await (await called.get_child(name)).read_data_value(False)).Value
        except UaStatusCodeError as error:
            if error.code != StatusCodes.BadNoMatch:
                raise
            # By the standard a method without arguments has no such property.
            found.append(())
            continue
        found.append(await _declared(client, None if declared is None else declared.Value))
    inputs, outputs = found
    return Signature(inputs, outputs)


async def _declared(client: Client, told: Any) -> tuple[Argument, ...] | None:
    if not isinstance(told, list):
        return None
    made = []
    for one in told:
        if not isinstance(one, Declared):
            return None
        kind: ua.VariantType | None = None
        scalar = one.ValueRank in (-1, -2, -3)
        if scalar:
            try:
                kind = await data_type_to_variant_type(client.get_node(one.DataType))
            except (UaError, ValueError, TypeError):
                kind = None
        made.append(
            Argument(one.Name or "", None if kind is ua.VariantType.Variant else kind, array=not scalar)
        )
    return tuple(made)


def arguments(point: BoundPoint, method: OpcUaMethod, value: Given) -> list[Given]:
    """Return the values of all inputs. Raises DeviceRefused where the command does not fit; nothing is sent.

    Without a free input the command is 1; with one it is that argument; with several a JSON list of them.
    """
    free = [one for one in method.inputs if one.value is None]
    if not free:
        if value != 1:
            raise _refused(point, f"it is called by 1, not by {value!r}", Quality.BAD_OUT_OF_RANGE)
        given: Sequence[Given] = []
    elif len(free) == 1:
        given = [value]
    else:
        given = _listed(point, len(free), value)
    for number, (one, wanted) in enumerate(zip(given, free, strict=True), 1):
        _within(point, number, one, wanted)
    rest = iter(given)
    return [next(rest) if one.value is None else one.value for one in method.inputs]


def _listed(point: BoundPoint, n: int, value: Given) -> list[Given]:
    try:
        made = msgspec.json.decode(str(value), type=list[float | str])
    except msgspec.DecodeError:
        made = []
    if len(made) != n:
        raise _refused(
            point,
            f"{value!r} is no list of {n} arguments; write them like [12.5, 3]",
            Quality.BAD_TYPE_MISMATCH,
        )
    return made


def _within(point: BoundPoint, number: int, value: Given, wanted: OpcUaInput) -> None:
    if wanted.min is None and wanted.max is None:
        return
    low = -math.inf if wanted.min is None else wanted.min
    high = math.inf if wanted.max is None else wanted.max
    if isinstance(value, str) or not low <= value <= high:
        raise _refused(
            point,
            f"argument {number} is {value!r}, outside its limits {low:g} to {high:g}",
            Quality.BAD_OUT_OF_RANGE,
        )


def _guessed(value: Given) -> ua.Variant:
    """Return an argument of which the server does not say its type."""
    return ua.Variant(value, ua.VariantType.String if isinstance(value, str) else ua.VariantType.Double)


def _outcome(point: BoundPoint, method: OpcUaMethod, known: Signature, result: ua.CallMethodResult) -> Answer:
    code = int(result.StatusCode.value)
    if code >= Quality.BAD:
        blamed = [
            f"argument {number} {code_name(int(one.value))}"
            for number, one in enumerate(result.InputArgumentResults or (), 1)
            if int(one.value) >= Quality.BAD
        ]
        raise DeviceRefused(
            f"{point.device}.{point.profile.key}: the method answered "
            f"{', '.join([code_name(code), *blamed])}; it was not carried out",
            code,
        )
    outputs = [one.Value for one in result.OutputArguments or ()]
    names = [one.name for one in known.outputs or ()]
    told = ", ".join(
        f"{names[at] if at < len(names) else f'output {at}'} = {_shown(one)}"
        for at, one in enumerate(outputs)
    )[:_MOST_TEXT]
    if method.ok and (method.output >= len(outputs) or not _is_ok(outputs[method.output], method.ok)):
        wanted = " or ".join(_shown(one) for one in method.ok)
        raise DeviceRefused(
            f"{point.device}.{point.profile.key}: the method answered {told or 'without outputs'}; "
            f"done would be {wanted} as output {method.output}",
            Quality.BAD_DEVICE_FAILURE,
        )
    return Answer(told or "the method was carried out")


def _is_ok(output: Any, wanted: Sequence[Given]) -> bool:
    text = output.Text if isinstance(output, ua.LocalizedText) else output
    return any(text == one for one in wanted)


def _shown(value: Any) -> str:
    if isinstance(value, ua.LocalizedText):
        value = value.Text
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refused(point: BoundPoint, why: str, quality: Quality) -> DeviceRefused:
    return DeviceRefused(f"{point.device}.{point.profile.key}: {why}; nothing was sent", quality)
