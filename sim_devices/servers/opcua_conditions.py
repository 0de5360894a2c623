"""Alarms of a profile on the simulated server (OPC 10000-9): the severity that a device says becomes events.

    severity of the point ─→ changed? ─→ AlarmConditionType event, retained while active or unacknowledged
    Acknowledge ─→ acknowledged, and told; ConditionRefresh ─→ asyncua tells all that is retained

Points of one source and one condition name show one condition. A device that is dead or broken, and a sensor
that failed, are the condition's quality.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua
from asyncua.common.events import Event
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from protocols.model.address.opcua import OpcUaAddress
from protocols.model.device import PointProfile
from sim_devices.fault_board import FaultBoard
from sim_devices.servers.base import DeviceView

ANY = "Alarm"
"""Name of the condition that a point with `*` shows."""
_BAD = 0x8000_0000


@dataclass(slots=True)
class _Condition:
    node: ua.NodeId
    source: ua.NodeId
    name: str
    view: DeviceView
    point: PointProfile
    severity: int = 0
    quality: int = 0
    acked: bool = True
    event: bytes = field(default_factory=lambda: secrets.token_bytes(16))


class Conditions:
    """The conditions of one server."""

    def __init__(self, server: Server, faults: FaultBoard) -> None:
        self._server, self._faults = server, faults
        self._all: dict[ua.NodeId, _Condition] = {}
        self._moment: ua.DateTime
        server.iserver.isession.add_method_callback(
            ua.NodeId(ua.Int32(ObjectIds.AcknowledgeableConditionType_Acknowledge)), self._acknowledge
        )

    async def add(self, view: DeviceView, point: PointProfile, source: ua.NodeId) -> None:
        """Make the condition that a point shows, where it is not there yet."""
        wanted = OpcUaAddress.of(point).condition
        name = ANY if wanted == "*" else wanted
        owner = source.to_string().partition("=")[2].partition("=")[2]
        node = ua.NodeId.from_string(f"ns={source.NamespaceIndex};s={owner}.{name}")
        held = self._all.get(node)
        if held is None:
            browse_name = ua.QualifiedName(name, source.NamespaceIndex)
            await self._server.get_node(source).add_object(node, browse_name)
            self._all[node] = _Condition(node, source, name, view, point)
        elif point.readable and point.type not in ("text", "ascii"):
            held.point = point  # of several points the one that is a severity says how it stands

    async def tick(self, moment: ua.DateTime) -> None:
        """Look at every condition; tell of those that changed."""
        self._moment = moment
        for one in self._all.values():
            severity, quality = self._stands(one)
            if (severity, quality) == (one.severity, one.quality):
                continue
            if severity and not one.severity:
                one.acked = False
            one.severity, one.quality = severity, quality
            await self._tell(one, moment)

    def _stands(self, one: _Condition) -> tuple[int, int]:
        """Return severity and quality as they are now; the last severity where the device says nothing."""
        if self._faults.dead(one.view.key):
            return one.severity, StatusCodes.BadNoCommunication
        if self._faults.broken(one.view.key):
            return one.severity, StatusCodes.BadDeviceFailure
        value = one.view.read(one.point)
        if value is None:
            return one.severity, StatusCodes.BadSensorFailure
        if isinstance(value, str):
            return (500 if value else 0), 0
        return max(0, min(1000, round(value))), 0

    async def _tell(self, one: _Condition, moment: ua.DateTime) -> None:
        one.event = secrets.token_bytes(16)
        kinds = ua.VariantType
        active = one.severity > 0
        event = Event()
        said: tuple[tuple[str, Any, ua.VariantType], ...] = (
            ("EventType", ua.NodeId(ua.Int32(ObjectIds.AlarmConditionType)), kinds.NodeId),
            ("EventId", one.event, kinds.ByteString),
            ("SourceNode", one.source, kinds.NodeId),
            ("SourceName", one.view.key, kinds.String),
            ("Time", moment, kinds.DateTime),
            ("ReceiveTime", moment, kinds.DateTime),
            ("Severity", max(one.severity, 1), kinds.UInt16),
            ("Message", ua.LocalizedText(self._message(one)), kinds.LocalizedText),
            ("NodeId", one.node, kinds.NodeId),
            ("ConditionName", one.name, kinds.String),
            ("BranchId", ua.NodeId(), kinds.NodeId),
            ("Retain", active or not one.acked, kinds.Boolean),
            ("Quality", ua.StatusCode(ua.UInt32(one.quality)), kinds.StatusCode),
            ("EnabledState/Id", True, kinds.Boolean),
            ("AckedState/Id", one.acked, kinds.Boolean),
            ("ActiveState/Id", active, kinds.Boolean),
            ("SuppressedOrShelved", False, kinds.Boolean),
        )
        for name, value, kind in said:
            event.add_property(name, value, kind)
        await self._server.iserver.subscription_service.trigger_event(event)

    def _message(self, one: _Condition) -> str:
        if one.quality >= _BAD:
            return f"{one.point.name.en}: not known"
        return f"{one.point.name.en}: {'severity ' + str(one.severity) if one.severity else 'over'}"

    async def _acknowledge(self, node: ua.NodeId, event: ua.Variant, *_: ua.Variant) -> ua.StatusCode:
        one = self._all.get(node)
        if one is None:
            return ua.StatusCode(ua.UInt32(StatusCodes.BadNodeIdInvalid))
        if event.Value != one.event:
            return ua.StatusCode(ua.UInt32(StatusCodes.BadEventIdUnknown))
        if one.acked:
            return ua.StatusCode(ua.UInt32(StatusCodes.BadConditionBranchAlreadyAcked))
        one.acked = True
        await self._tell(one, self._moment)
        return ua.StatusCode()
