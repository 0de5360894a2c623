"""OPC UA server (asyncua): every point of a device is a variable, its value sampled at every tick; those that
call methods are methods (`opcua_methods`), those that show alarms are conditions (`opcua_conditions`).

Namespaces are registered by the URI that the profile names; a node id is the profile's, with `{device}`
filled from `params.device`. Anonymous and without message security unless told otherwise. A write is judged
by the world, item by item: BadOutOfRange where the device refuses, BadNotWritable where it only measures.
asyncua keeps no percent deadband and applies an absolute one to samples; do not test deadbands on it.
"""

from __future__ import annotations

import gc
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
        inner.attribute_service = _ActuatorService(inner.aspace, self._nodes, self.faults, self._show)
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
        # Again: building took seconds, in which another program may have taken a port found free before.
        self._probe()
        server.set_endpoint(self.url)
        await server.start()
        self._server = server
        self._open_connections = inner.max_connections
        if self._history:
            kept = [server.get_node(node_id) for node_id in self._nodes]
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
        for node in self._nodes.values():
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
            kind = _TYPES[point.type]
            variable = await parent.add_variable(
                node_id, ua.QualifiedName(point.key, namespace), ua.get_default_value(kind), kind
            )
            if point.writable:
                await variable.set_writable()
            self._nodes[node_id] = _Node(node_id, view, point)

    def _due(self, device: str, time_us: int) -> bool:
        """A slow device is sampled again only after its delay; a dead one at once, to say so."""
        delay_s = self.faults.delay_s(device)
        if delay_s and time_us - self._sampled_us.get(device, 0) < delay_s * 1_000_000:
            return False
        self._sampled_us[device] = time_us
        return True

    def _sample(self, node: _Node, moment: ua.DateTime) -> ua.DataValue:
        if self.faults.dead(node.view.key):
            return _bad(StatusCodes.BadNoCommunication, moment)
        if self.faults.broken(node.view.key):
            return _bad(StatusCodes.BadDeviceFailure, moment)
        golden = node.view.golden(node.point)
        if golden is not None and golden.raw is not None:
            told = ua.Variant(_told(node.point, golden.raw), _TYPES[node.point.type])
            return ua.DataValue(told, SourceTimestamp=moment, ServerTimestamp=moment)
        value = None if golden is not None else node.view.read(node.point)
        if value is None:
            return _bad(StatusCodes.BadSensorFailure, moment)
        variant = ua.Variant(native(node.point, value), _TYPES[node.point.type])
        return ua.DataValue(variant, SourceTimestamp=moment, ServerTimestamp=moment)

    async def _show(self, node: _Node) -> None:
        if self._server is not None:
            sample = self._sample(node, _stamp(self.clock()))
            await self._server.write_attribute_value(node.node_id, sample)


class _ActuatorService(AttributeService):
    """The attribute service, with writes from outside going to the world instead of to memory."""

    def __init__(
        self,
        address_space: AddressSpace,
        nodes: Mapping[ua.NodeId, _Node],
        faults: FaultBoard,
        show: Callable[[_Node], Awaitable[None]],
    ) -> None:
        super().__init__(address_space)
        self._points = nodes
        self._faults = faults
        self._show = show

    async def write(self, params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
        """Answer each item by itself; the server's own writes (no visitor) pass as they are."""
        if user is None or user.role == UserRole.Admin:
            return await super().write(params)
        return [ua.StatusCode(ua.UInt32(await self._act(item))) for item in params.NodesToWrite]

    async def _act(self, item: ua.WriteValue) -> int:
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
