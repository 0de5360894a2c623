"""Alarms of the server itself as points (OPC 10000-9): a point shows the severity of a condition, 0 without.

    event of a condition ─→ its active state, severity, message ─→ the points that show it ─→ our own rules
    ConditionRefresh ─→ RefreshStart · every condition that stands · RefreshEnd ─→ the others do not stand

What becomes an alarm, with which priority, is said by rules on the point, and the gateway's own state machine
(ISA-18.2) runs on them: one machine, one acknowledgement, one place to shelve. The server's own machine goes
on beside it; a command acknowledges there, where a point asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.table import Table
from protocols.field.opcua.values import time_us
from protocols.field.opcua.words import code_name
from protocols.model.quality import Quality
from protocols.model.reading import Readings

ANY: Final = "*"
MOST: Final = 10_000
"""Conditions of one server that are remembered; what stands beyond them is forgotten, the oldest first."""
_QUEUE: Final = 1000
_BASE, _CONDITION = ObjectIds.BaseEventType, ObjectIds.ConditionType
_ACKED, _ALARM = ObjectIds.AcknowledgeableConditionType, ObjectIds.AlarmConditionType
_FIELDS: Final[tuple[tuple[int, tuple[str, ...]], ...]] = (
    (_BASE, ("EventType",)),
    (_BASE, ("EventId",)),
    (_BASE, ("SourceNode",)),
    (_BASE, ("Time",)),
    (_BASE, ("Severity",)),
    (_BASE, ("Message",)),
    (_CONDITION, ()),
    (_CONDITION, ("ConditionName",)),
    (_CONDITION, ("BranchId",)),
    (_CONDITION, ("Retain",)),
    (_CONDITION, ("Quality",)),
    (_CONDITION, ("EnabledState", "Id")),
    (_ACKED, ("AckedState", "Id")),
    (_ALARM, ("ActiveState", "Id")),
    (_ALARM, ("SuppressedOrShelved",)),
)
"""Select clauses in order; without a path it is the ConditionId (5.5.2.2)."""
_ASKS_ANEW: Final = frozenset({ObjectIds.RefreshRequiredEventType, ObjectIds.EventQueueOverflowEventType})


@dataclass(slots=True)
class Condition:
    """How a condition stands, by its last event."""

    node: ua.NodeId
    source: ua.NodeId
    name: str
    active: bool
    enabled: bool
    acked: bool
    severity: int
    message: str
    event: bytes
    time_us: int
    quality: int


class Conditions:
    """The conditions of one server, and the rows that show them. `asks_anew`: a refresh is due."""

    def __init__(self, table: Table, board: LastValues) -> None:
        self.asks_anew = False
        self._table, self._board = table, board
        self._known: dict[ua.NodeId, Condition] = {}
        self._seen: set[ua.NodeId] | None = None
        """While a refresh is under way: what it has told of."""

    async def subscribe(self, client: Client, subscription: int) -> int:
        """Watch the events of the whole server; return the status code. Raises OSError, TimeoutError."""
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = ua.NodeId(ua.Int32(ObjectIds.Server))
        item.ItemToMonitor.AttributeId = AttributeIds.EventNotifier
        item.MonitoringMode = ua.MonitoringMode.Reporting
        wanted = item.RequestedParameters
        wanted.ClientHandle = ua.UInt32(len(self._table.points))
        wanted.QueueSize = ua.UInt32(_QUEUE)
        wanted.DiscardOldest = True
        wanted.Filter = _filter()
        request = ua.CreateMonitoredItemsParameters()
        request.SubscriptionId = ua.UInt32(subscription)
        request.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.ItemsToCreate = [item]
        self._seen = None
        try:
            (result,) = await client.uaclient.session.create_monitored_items(request)
        except UaError as error:
            return int(getattr(error, "code", Quality.BAD_DECODING_ERROR))
        return int(result.StatusCode.value)

    async def refresh(self, client: Client, subscription: int) -> int:
        """Ask for all that stands (5.5.7); return the status code. Raises UaError, OSError, TimeoutError."""
        self.asks_anew = False
        number = ua.Variant(subscription, ua.VariantType.UInt32)
        code = await _call(client, _node(_CONDITION), ObjectIds.ConditionType_ConditionRefresh, [number])
        return 0 if code == StatusCodes.BadRefreshInProgress else code

    async def hear(self, client: Client, subscription: int, now_us: int) -> tuple[str, list[Readings]]:
        """Watch the events and ask how all stands; return a remark, and rows of which nothing is known."""
        code = await self.subscribe(client, subscription)
        if code >= Quality.BAD:
            return f"the server tells none of its alarms ({code_name(code)})", self.unheard(now_us)
        return await self.renew(client, subscription, now_us)

    async def renew(self, client: Client, subscription: int, now_us: int) -> tuple[str, list[Readings]]:
        """Ask how all stands; without an answer only what happens from now on is known."""
        code = await self.refresh(client, subscription)
        if code < Quality.BAD:
            return "", []
        return (
            f"the server does not tell how its alarms stand (ConditionRefresh: {code_name(code)}); "
            "each is known from its next event on"
        ), self.waiting(now_us)

    async def acknowledge(self, client: Client, row: int) -> list[tuple[str, int]]:
        """Acknowledge what a row means and nobody has; return names and status codes.

        Raises UaError, OSError, TimeoutError.
        """
        told = []
        for one in [one for one in self._of(row) if not one.acked]:
            event = ua.Variant(one.event, ua.VariantType.ByteString)
            comment = ua.Variant(ua.LocalizedText("CityNerve"), ua.VariantType.LocalizedText)
            method = ObjectIds.AcknowledgeableConditionType_Acknowledge
            code = await _call(client, one.node, method, [event, comment])
            if code == StatusCodes.BadConditionBranchAlreadyAcked:
                code = 0
            told.append((one.name, code))
        return told

    def take(self, events: Sequence[Any], published_us: int, *, late: bool = False) -> list[Readings]:
        """Take the events of one message, in their order; return the rows that change by them."""
        found: list[Readings] = []
        for event in events:
            fields = [one.Value for one in event.EventFields or ()]
            if len(fields) != len(_FIELDS):
                continue
            kind = fields[0]
            number = kind.Identifier if isinstance(kind, ua.NodeId) and kind.NamespaceIndex == 0 else None
            if number == ObjectIds.RefreshStartEventType:
                self._seen = set()
            elif number == ObjectIds.RefreshEndEventType:
                found += self._refresh_ended(published_us)
            elif number in _ASKS_ANEW:
                self.asks_anew = True
            else:
                found += self._told(fields, published_us, late)
        return found

    def unheard(self, now_us: int) -> list[Readings]:
        """Return all rows of conditions, where the server tells of none."""
        self._known.clear()
        return [
            self._board.say(row, math.nan, None, Quality.BAD_NOT_SUPPORTED, now_us, vouched=False)
            for row in self._table.conditions()
        ]

    def waiting(self, now_us: int) -> list[Readings]:
        """Return the rows of which nothing is known, where the server does not tell how they stand."""
        self._known.clear()
        return [
            self._board.say(row, math.nan, None, Quality.BAD_WAITING_FOR_INITIAL_DATA, now_us, vouched=False)
            for row in self._table.conditions()
        ]

    def _told(self, fields: Sequence[Any], published_us: int, late: bool) -> list[Readings]:
        one = _condition(fields, published_us)
        if one is None:
            return []
        before = self._known.get(one.node)
        if late and before is not None and one.time_us < before.time_us:
            return []
        self._known.pop(one.node, None)
        self._known[one.node] = one
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        if self._seen is not None:
            self._seen.add(one.node)
            return []
        return [self._row(row, one.time_us) for row in self._table.conditions() if self._shows(row, one)]

    def _refresh_ended(self, published_us: int) -> list[Readings]:
        """Forget what the refresh did not tell of; hand on how every row stands at this moment."""
        seen, self._seen = self._seen, None
        if seen is None:
            return []
        self._known = {node: one for node, one in self._known.items() if node in seen}
        return [
            self._row(row, published_us)
            for row in self._table.conditions()
            if self._table.nodes[row] is not None
        ]

    def _row(self, row: int, at_us: int) -> Readings:
        """Return a row as its conditions stand: the worst active one counts."""
        all_of_it = self._of(row)
        active = [one for one in all_of_it if one.active and one.enabled]
        worst = max(active, key=lambda one: one.severity, default=None)
        text = self._table.points[row].profile.type in ("text", "ascii")
        if worst is not None:
            # A server's bad quality says that the cause is not known well, not that there is no alarm.
            quality = worst.quality if worst.quality < Quality.BAD else int(Quality.UNCERTAIN)
            value = math.nan if text else float(worst.severity)
            return self._board.say(row, value, worst.message if text else None, quality, at_us)
        if all_of_it and not any(one.enabled for one in all_of_it):
            return self._board.say(row, math.nan, None, Quality.BAD_CONDITION_DISABLED, at_us)
        return self._board.say(row, math.nan if text else 0.0, "" if text else None, Quality.GOOD, at_us)

    def _of(self, row: int) -> list[Condition]:
        return [one for one in self._known.values() if self._shows(row, one)]

    def _shows(self, row: int, one: Condition) -> bool:
        node, name = self._table.nodes[row], self._table.addresses[row].condition
        return node is not None and node in (one.source, one.node) and name in (ANY, one.name)


def _condition(fields: Sequence[Any], published_us: int) -> Condition | None:
    """Return the condition that an event tells of; None for other events, and for branches of the past."""
    (
        _, event, source, time, severity, message, node, name, branch, retain, quality, enabled, acked,
        active, hidden,
    ) = fields  # fmt: skip
    if not isinstance(node, ua.NodeId) or node.is_null():
        return None
    if isinstance(branch, ua.NodeId) and not branch.is_null():
        return None
    return Condition(
        node=node,
        source=source if isinstance(source, ua.NodeId) else node,
        name=name if isinstance(name, str) else "",
        # A condition that is no alarm has no active state: that it is kept says that it matters.
        active=bool(retain if active is None else active) and not hidden,
        enabled=enabled is not False,
        acked=acked is not False,
        severity=severity if isinstance(severity, int) and 0 < severity <= 1000 else 1,
        message=str(message.Text or "") if isinstance(message, ua.LocalizedText) else "",
        event=event if isinstance(event, bytes) else b"",
        time_us=time_us(time) if isinstance(time, datetime) else published_us,
        quality=int(quality.value) if isinstance(quality, ua.StatusCode) else 0,
    )


def _filter() -> ua.EventFilter:
    """Return the fields to tell. Every event of the server comes: few servers understand more of a filter."""
    wanted = ua.EventFilter()
    for of_type, path in _FIELDS:
        field = ua.SimpleAttributeOperand()
        field.TypeDefinitionId = _node(of_type)
        field.BrowsePath = [ua.QualifiedName(name, 0) for name in path]
        field.AttributeId = AttributeIds.Value if path else AttributeIds.NodeId
        wanted.SelectClauses.append(field)
    return wanted


def _node(number: int) -> ua.NodeId:
    return ua.NodeId(ua.Int32(number))


async def _call(client: Client, owner: ua.NodeId, method: int, inputs: list[ua.Variant]) -> int:
    request = ua.CallMethodRequest(ObjectId=owner, MethodId=_node(method), InputArguments=inputs)
    try:
        (result,) = await client.uaclient.session.call([request])
    except UaStatusCodeError as error:
        return int(error.code)
    return int(result.StatusCode.value)
