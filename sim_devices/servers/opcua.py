"""OPC UA server (asyncua): every point of a device is a variable, its value sampled at every tick; those that
call methods are methods (`opcua_methods`), those that show alarms are conditions (`opcua_conditions`), and
parts share the array or structure that they are parts of (`opcua_parts`).

Namespaces are registered by the URI that the profile names; a node id is the profile's, with `{device}`
filled from `params.device`. Anonymous and without message security unless told otherwise. A write is judged
by the world, item by item: BadOutOfRange where the device refuses, BadNotWritable where it only measures.
asyncua keeps no percent deadband and applies an absolute one to samples; do not test deadbands on it.
"""

from __future__ import annotations

import dataclasses
import gc
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.server.internal_server import InternalServer
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from protocols.model.address.opcua import OpcUaAddress
from protocols.model.clock import Clock, now_us, to_datetime
from protocols.model.datatypes import DataType
from protocols.model.device import PointProfile
from sim_devices.fault_board import FaultBoard
from sim_devices.servers import opcua_parts
from sim_devices.servers.base import DeviceView, SimServer, listen
from sim_devices.servers.opcua_conditions import Conditions
from sim_devices.servers.opcua_methods import add_method
from sim_devices.servers.opcua_security import OpcUaSecurity, secure
from sim_devices.servers.registers import to_raw, to_value
from sim_devices.world import Endpoint, World

_TYPES: dict[DataType, ua.VariantType] = {
    "bool": ua.VariantType.Boolean,
    "i16": ua.VariantType.Int16,
    "u16": ua.VariantType.UInt16,
    "i32": ua.VariantType.Int32,
    "u32": ua.VariantType.UInt32,
    "i64": ua.VariantType.Int64,
    "u64": ua.VariantType.UInt64,
    "f32": ua.VariantType.Float,
    "f64": ua.VariantType.Double,
    "bcd16": ua.VariantType.UInt16,
    "bcd32": ua.VariantType.UInt32,
    "ascii": ua.VariantType.String,
    "text": ua.VariantType.String,
}
_RANGES: dict[DataType, tuple[int, int]] = {
    "i16": (-(2**15), 2**15 - 1),
    "u16": (0, 2**16 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "u32": (0, 2**32 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "u64": (0, 2**64 - 1),
    "bcd16": (0, 9999),
    "bcd32": (0, 99_999_999),
}


HISTORY_VALUES = 10_000
"""Values of a point that a server with history keeps, the newest ones."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A variable and the point that it shows."""

    node_id: ua.NodeId
    view: DeviceView
    point: PointProfile


@dataclass(frozen=True, slots=True)
class _Whole:
    """An array or structure, and the points that are parts of it."""

    node_id: ua.NodeId
    parent: Node
    view: DeviceView
    shape: opcua_parts.Shape


class _SilentError(Exception):
    """A point says nothing, and its type has no value for that."""


class OpcUaServer(SimServer):
    """One OPC UA server; its devices are objects under Objects."""

    def __init__(
        self,
        endpoint: Endpoint,
        world: World,
        faults: FaultBoard,
        *,
        host: str = "127.0.0.1",
        clock: Clock = now_us,
        security: OpcUaSecurity | None = None,
        history: bool = False,
    ) -> None:
        """`security`: offer every policy and ask for a user as it says; None is anonymous, unsecured.

        `history`: keep the last values of every point, for HistoryRead.
        """
        super().__init__(endpoint, world, faults, host=host, clock=clock)
        self._security = security
        self._history = history
        self._server: Server | None = None
        self._conditions: Conditions | None = None
        self._nodes: dict[ua.NodeId, _Node] = {}
        self._wholes: dict[ua.NodeId, _Whole] = {}
        self._sampled_us: dict[str, int] = {}
        self._open_connections = 0

    @classmethod
    def settings_at(cls, url: str) -> dict[str, Any]:
        """Return the URL."""
        return {"url": url}

    @property
    def url(self) -> str:
        """Where a client connects."""
        return f"opc.tcp://{self.host}:{self.port}/citynerve/{self.endpoint.key}"

    async def start(self) -> None:
        """Build the address space and listen; raises PortBusyError."""
        self._probe()
        inner = InternalServer()
        inner.attribute_service = _ActuatorService(
            inner.aspace, self._nodes, self._wholes, self.faults, self._show
        )
        inner.allow_remote_admin = False
        inner.bind_condition_methods = True
        server = Server(iserver=inner)
        server.set_server_name(f"CityNerve simulator {self.endpoint.key}")
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        # asyncua builds some hundred thousand objects here; collecting in between doubles the time.
        collecting = gc.isenabled()
        gc.disable()
        try:
            await server.init()
        finally:
            if collecting:
                gc.enable()
        uri = f"urn:citynerve:sim:{self.endpoint.key}"
        await server.set_application_uri(uri)
        if self._security is not None:
            await secure(server, self._security, uri)
        self._conditions = Conditions(server, self.faults)
        for view in self.views:
            await self._add_device(server, view)
        await self._add_wholes(server)
        # Again: building took seconds, in which another program may have taken a port found free before.
        self._probe()
        server.set_endpoint(self.url)
        await server.start()
        self._server = server
        self._open_connections = inner.max_connections
        if self._history:
            kept = [server.get_node(node_id) for node_id in (*self._nodes, *self._wholes)]
            await server.historize_node_data_change(kept, count=HISTORY_VALUES)
        await self.tick()

    def _probe(self) -> None:
        """Find the port that asyncua will bind, which takes no socket of ours; raises PortBusyError."""
        probe = listen(self.host, self.endpoint.port, f"OPC UA server {self.endpoint.key}")
        self.port = probe.getsockname()[1]
        probe.close()

    async def tick(self) -> None:
        """Sample every point; the source time is the wall clock's."""
        if self._server is None:
            return
        time_us = self.clock()
        moment = _stamp(time_us)
        late = {view.key for view in self.views if not self._due(view.key, time_us)}
        nodes: list[_Node | _Whole] = [*self._nodes.values(), *self._wholes.values()]
        for node in nodes:
            if node.view.key not in late:
                await self._server.write_attribute_value(node.node_id, self._sample(node, moment))
        if self._conditions is not None:
            await self._conditions.tick(moment)

    def cut_connections(self) -> None:
        """Reset what is connected now."""
        if self._server is not None:
            for transport in tuple(self._server.iserver.asyncio_transports):
                transport.abort()

    def follow_faults(self) -> None:
        """Refuse connections under `drop:` without a period; the rest as every server."""
        if self._server is not None:
            self._server.iserver.max_connections = 0 if self.refuses() else self._open_connections
        super().follow_faults()

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self.stop_cutting()
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop()

    async def _add_device(self, server: Server, view: DeviceView) -> None:
        device = str(view.device.params.get("device", view.key))
        parent = None
        parts: dict[ua.NodeId, tuple[Node, dict[str, PointProfile]]] = {}
        for point in view.profile.points:
            address = OpcUaAddress.of(point)
            namespace = await server.register_namespace(address.namespace)
            if parent is None:
                parent = await server.nodes.objects.add_object(namespace, view.key)
            node_id = _node_id(namespace, address.node, device)
            if address.method is not None or address.condition:
                owner = await _object(server, parent, node_id)
                if address.method is not None:
                    called = _node_id(namespace, address.method.node, device)
                    await add_method(owner, called, view, point, self.faults)
                elif self._conditions is not None:
                    await self._conditions.add(view, point, node_id)
                continue
            if address.part:
                parts.setdefault(node_id, (parent, {}))[1][address.part] = point
                continue
            kind = _TYPES[point.type]
            variable = await parent.add_variable(
                node_id, ua.QualifiedName(point.key, namespace), ua.get_default_value(kind), kind
            )
            if point.writable:
                await variable.set_writable()
            self._nodes[node_id] = _Node(node_id, view, point)

        for node_id, (owner, points) in parts.items():
            try:
                shape = opcua_parts.grown(points, lambda point: _TYPES[point.type])
            except ValueError as error:
                raise ValueError(f"{view.profile.id}, node {node_id.to_string()}: {error}") from error
            name = f"{self.endpoint.key}.{node_id.to_string()}"
            await opcua_parts.declare(server, shape, node_id.NamespaceIndex, name)
            self._wholes[node_id] = _Whole(node_id, owner, view, shape)

    async def _add_wholes(self, server: Server) -> None:
        """Add arrays and structures, when the types of all are known."""
        if any(opcua_parts.structured(whole.shape) for whole in self._wholes.values()):
            await server.load_data_type_definitions()
        moment = _stamp(self.clock())
        for whole in self._wholes.values():
            name = ua.QualifiedName(str(whole.node_id.Identifier), whole.node_id.NamespaceIndex)
            empty = opcua_parts.built(whole.shape, lambda point: ua.get_default_value(_TYPES[point.type]))
            variable = await whole.parent.add_variable(
                whole.node_id,
                name,
                opcua_parts.variant(whole.shape, empty),
                datatype=opcua_parts.data_type(whole.shape),
            )
            if any(place.point is not None and place.point.writable for _, place in whole.shape.places()):
                await variable.set_writable()
            await server.write_attribute_value(whole.node_id, self._sample(whole, moment))

    def _due(self, device: str, time_us: int) -> bool:
        """A slow device is sampled again only after its delay; a dead one at once, to say so."""
        delay_s = self.faults.delay_s(device)
        if delay_s and time_us - self._sampled_us.get(device, 0) < delay_s * 1_000_000:
            return False
        self._sampled_us[device] = time_us
        return True

    def _sample(self, node: _Node | _Whole, moment: ua.DateTime) -> ua.DataValue:
        if self.faults.dead(node.view.key):
            return _bad(StatusCodes.BadNoCommunication, moment)
        if self.faults.broken(node.view.key):
            return _bad(StatusCodes.BadDeviceFailure, moment)
        try:
            variant = self._whole(node) if isinstance(node, _Whole) else self._single(node)
        except _SilentError:
            return _bad(StatusCodes.BadSensorFailure, moment)
        return ua.DataValue(variant, SourceTimestamp=moment, ServerTimestamp=moment)

    def _single(self, node: _Node) -> ua.Variant:
        return ua.Variant(_now(node.view, node.point), _TYPES[node.point.type])

    def _whole(self, whole: _Whole) -> ua.Variant:
        def told(point: PointProfile) -> bool | int | float | str:
            try:
                return _now(whole.view, point)
            except _SilentError:
                if point.type in ("f32", "f64"):
                    return math.nan
                raise

        return opcua_parts.variant(whole.shape, opcua_parts.built(whole.shape, told))

    async def _show(self, node: _Node | _Whole) -> None:
        if self._server is not None:
            sample = self._sample(node, _stamp(self.clock()))
            await self._server.write_attribute_value(node.node_id, sample)


class _ActuatorService(AttributeService):
    """The attribute service, with writes from outside going to the world instead of to memory."""

    def __init__(
        self,
        address_space: AddressSpace,
        nodes: Mapping[ua.NodeId, _Node],
        wholes: Mapping[ua.NodeId, _Whole],
        faults: FaultBoard,
        show: Callable[[_Node | _Whole], Awaitable[None]],
    ) -> None:
        super().__init__(address_space)
        self._points = nodes
        self._wholes = wholes
        self._faults = faults
        self._show = show

    def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """Answer index ranges of our arrays, which asyncua does not know."""
        return [
            _ranged(one, item.IndexRange) if item.IndexRange and item.NodeId in self._wholes else one
            for one, item in zip(super().read(params), params.NodesToRead, strict=True)
        ]

    async def write(self, params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
        """Answer each item by itself; the server's own writes (no visitor) pass as they are."""
        if user is None or user.role == UserRole.Admin:
            return await super().write(params)
        return [ua.StatusCode(ua.UInt32(await self._act(item))) for item in params.NodesToWrite]

    async def _act(self, item: ua.WriteValue) -> int:
        whole = self._wholes.get(item.NodeId)
        if whole is not None and item.AttributeId == AttributeIds.Value:
            return await self._act_on_parts(whole, item)
        node = self._points.get(item.NodeId)
        if node is None or item.AttributeId != AttributeIds.Value or not node.point.writable:
            return StatusCodes.BadNotWritable
        if self._faults.dead(node.view.key):
            return StatusCodes.BadNoCommunication
        if self._faults.broken(node.view.key):
            return StatusCodes.BadDeviceFailure
        variant = item.Value.Value
        if variant is None or variant.VariantType != _TYPES[node.point.type] or variant.is_array:
            return StatusCodes.BadTypeMismatch
        raw = variant.Value if isinstance(variant.Value, str) else float(variant.Value)
        try:
            node.view.write(node.point, to_value(node.point, raw))
        except ValueError:
            return StatusCodes.BadOutOfRange
        await self._show(node)
        return StatusCodes.Good

    async def _act_on_parts(self, whole: _Whole, item: ua.WriteValue) -> int:
        """Write those parts that a whole value, or a range of it, changes."""
        if self._faults.dead(whole.view.key):
            return StatusCodes.BadNoCommunication
        if self._faults.broken(whole.view.key):
            return StatusCodes.BadDeviceFailure
        held = self._aspace.read_attribute_value(whole.node_id, AttributeIds.Value).Value
        given = item.Value.Value
        if held is None or given is None or given.VariantType != held.VariantType:
            return StatusCodes.BadTypeMismatch
        value = given.Value
        if item.IndexRange:
            span = _span(item.IndexRange, held.Value)
            if span is None or not isinstance(value, list) or len(value) != len(held.Value[span]):
                return StatusCodes.BadIndexRangeNoData
            value = [*held.Value[: span.start], *value, *held.Value[span.stop :]]
        changed: list[tuple[PointProfile, float | str]] = []
        for way, place in whole.shape.places():
            try:
                new, old = opcua_parts.at(value, way), opcua_parts.at(held.Value, way)
            except (LookupError, AttributeError, TypeError):
                return StatusCodes.BadTypeMismatch
            if place.point is None or opcua_parts.same(place.kind, new, old):
                continue
            if not place.point.writable:
                # A measured part that moved between reading and writing back is none that somebody writes.
                if item.IndexRange:
                    return StatusCodes.BadNotWritable
                continue
            changed.append((place.point, new if isinstance(new, str) else float(new)))
        if not any(place.point is not None and place.point.writable for _, place in whole.shape.places()):
            return StatusCodes.BadNotWritable
        for point, raw in changed:
            try:
                whole.view.write(point, to_value(point, raw))
            except ValueError:
                return StatusCodes.BadOutOfRange
        await self._show(whole)
        return StatusCodes.Good


def _span(text: str, held: Any) -> slice | None:
    """Return an index range (OPC 10000-4, 7.27) of one dimension; None where the value has no such part."""
    first, _, last = text.partition(":")
    if not first.isdecimal() or (last and not last.isdecimal()) or not isinstance(held, list):
        return None
    span = slice(int(first), int(last or first) + 1)
    return span if span.start < span.stop <= len(held) else None


def _ranged(data: ua.DataValue, text: str) -> ua.DataValue:
    held = data.Value
    if held is None:
        return data
    span = _span(text, held.Value)
    if span is None:
        return ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadIndexRangeNoData)))
    return dataclasses.replace(data, Value=ua.Variant(held.Value[span], held.VariantType, is_array=True))


def _now(view: DeviceView, point: PointProfile) -> bool | int | float | str:
    """Return what a point's register holds. Raises _SilentError where it says nothing."""
    golden = view.golden(point)
    if golden is not None and golden.raw is not None:
        return _told(point, golden.raw)
    value = None if golden is not None else view.read(point)
    if value is None:
        raise _SilentError
    return native(point, value)


def _node_id(namespace: int, node: str, device: str) -> ua.NodeId:
    return ua.NodeId.from_string(f"ns={namespace};{node.replace('{device}', device)}")


async def _object(server: Server, parent: Node, node_id: ua.NodeId) -> Node:
    """Return an object of a device, made where it is not there yet."""
    if node_id in server.iserver.aspace:
        return server.get_node(node_id)
    return await parent.add_object(node_id, ua.QualifiedName(str(node_id.Identifier), node_id.NamespaceIndex))


def native(point: PointProfile, value: float | str) -> bool | int | float | str:
    """Return the raw value in the node's own type; integers stop at the ends of their range."""
    return _told(point, to_raw(point, value))


def _told(point: PointProfile, raw: float | str) -> bool | int | float | str:
    if point.type in ("ascii", "text"):
        return str(raw)
    if isinstance(raw, str):
        raise TypeError(f"point {point.key} is {point.type}, the device says {raw!r}; expected a number")
    if point.type == "bool":
        return bool(raw)
    if point.type in ("f32", "f64"):
        return float(raw)
    low, high = _RANGES[point.type]
    return max(low, min(high, round(raw)))


def _bad(code: int, moment: ua.DateTime) -> ua.DataValue:
    return ua.DataValue(
        StatusCode=ua.StatusCode(ua.UInt32(code)), SourceTimestamp=moment, ServerTimestamp=moment
    )


def _stamp(time_us: int) -> ua.DateTime:
    return ua.DateTime.fromisoformat(to_datetime(time_us).isoformat())
