"""One subscription and its items, with what the server made of our wishes (OPC 10000-4, 5.13 and 5.14).

A server may revise every number; what it answered is what counts afterwards. An item that is refused costs
its own point only; one whose deadband is refused is asked for without it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from protocols.field.opcua.limits import TOO_MUCH, Limits
from protocols.field.opcua.publishing import GONE
from protocols.field.opcua.reading import answering
from protocols.field.opcua.table import Table
from protocols.model.quality import Quality

PUBLISHING_MS: Final = 250.0
KEEP_ALIVE_COUNT: Final = 8
LIFETIME_COUNT: Final = 240
SILENCE_MOST_S: Final = 600.0
"""So long a subscription is believed without a word, whatever keep-alive time its server wishes."""
MARGIN_S: Final = 2.0
"""A server may be busy, a line slow: a keep-alive is missed only so much after it was due."""
SPARE: Final = 2
_MOST_QUEUE: Final = 100
_LONGEST_MS: Final = 86_400_000.0
_NO_FILTER: Final = frozenset(
    {
        StatusCodes.BadDeadbandFilterInvalid, StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadMonitoredItemFilterInvalid, StatusCodes.BadFilterNotAllowed,
    }
)  # fmt: skip
FULL: Final = frozenset({StatusCodes.BadTooManyMonitoredItems, StatusCodes.BadOutOfMemory})
"""A server that answers so has the node, but no room to watch it: it is read instead."""


@dataclass(slots=True)
class Subscription:
    """A subscription as the server revised it; intervals in milliseconds, by row where a row has its own."""

    id: int
    publishing_ms: float
    keep_alive: int
    lifetime: int
    sampling_ms: dict[int, float] = field(default_factory=dict)
    queue: dict[int, int] = field(default_factory=dict)
    unfiltered: dict[int, int] = field(default_factory=dict)
    """Rows whose deadband the server refused, with its status code."""
    failed: dict[int, int] = field(default_factory=dict)
    """Rows for whose sake the server refused a whole call, with its status code."""
    items: dict[int, int] = field(default_factory=dict)
    """By row, the server's number of its item."""

    @property
    def silence_s(self) -> float:
        """Seconds without any message after which the subscription is no longer believed."""
        return min(self.keep_alive * self.publishing_ms / 1000, SILENCE_MOST_S) + MARGIN_S

    def delay_us(self, row: int) -> int:
        """Return how long a change may take from the variable to the report."""
        return round((max(self.sampling_ms.get(row, 0.0), 0.0) + self.publishing_ms) * 1000)


async def create(client: Client, publishing_ms: float) -> Subscription:
    """Create an empty subscription. Raises UaError, OSError, TimeoutError."""
    wanted = ua.CreateSubscriptionParameters()
    wanted.RequestedPublishingInterval = publishing_ms
    wanted.RequestedLifetimeCount = LIFETIME_COUNT
    wanted.RequestedMaxKeepAliveCount = max(2, round(KEEP_ALIVE_COUNT * PUBLISHING_MS / publishing_ms))
    wanted.MaxNotificationsPerPublish = 10_000
    wanted.PublishingEnabled = True
    revised = await client.uaclient.session.create_subscription(wanted, callback=_unheard)
    return Subscription(
        id=int(revised.SubscriptionId),
        publishing_ms=_interval(revised.RevisedPublishingInterval, publishing_ms, least=1.0),
        keep_alive=max(int(revised.RevisedMaxKeepAliveCount), 1),
        lifetime=int(revised.RevisedLifetimeCount),
    )


async def watch(
    client: Client, subscription: Subscription, table: Table, rows: Sequence[int], limits: Limits
) -> dict[int, int]:
    """Create the items of some rows; return the status code of each. Raises UaError, OSError, TimeoutError.

    Reports may overtake the answer: rows are the handles, so they are understood all the same.
    """
    codes = await _items(client, subscription, table, rows, limits, filtered=True)
    again = [row for row, code in codes.items() if code in _NO_FILTER and _filter(table, row) is not None]
    if again:
        subscription.unfiltered |= {row: codes[row] for row in again}
        codes |= await _items(client, subscription, table, again, limits, filtered=False)
    return codes


async def unwatch(client: Client, subscription: Subscription, rows: Sequence[int]) -> None:
    """Delete the items of some rows, as far as the server has them. Raises OSError, TimeoutError."""
    request = ua.DeleteMonitoredItemsParameters()
    request.SubscriptionId = ua.UInt32(subscription.id)
    request.MonitoredItemIds = [ua.UInt32(subscription.items.pop(row)) for row in rows]
    with suppress(UaError):  # then there is none to delete
        await client.uaclient.session.delete_monitored_items(request)


async def delete(client: Client, subscription: int) -> None:
    """Delete a subscription that the server may or may not have. Raises OSError, TimeoutError."""
    try:
        await client.uaclient.session.delete_subscriptions([subscription])
    except UaError:
        return  # then there is none to delete


async def _items(
    client: Client,
    subscription: Subscription,
    table: Table,
    rows: Sequence[int],
    limits: Limits,
    *,
    filtered: bool,
) -> dict[int, int]:
    async def call(piece: Sequence[int]) -> Sequence[ua.MonitoredItemCreateResult]:
        request = ua.CreateMonitoredItemsParameters()
        request.SubscriptionId = ua.UInt32(subscription.id)
        request.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.ItemsToCreate = [_item(table, row, subscription.publishing_ms, filtered) for row in piece]
        try:
            return await client.uaclient.session.create_monitored_items(request)
        except UaStatusCodeError as error:
            if error.code in GONE or (error.code in TOO_MUCH and len(piece) > 1):
                raise
            # By the standard a bad node has a result of its own; there are servers that refuse all for it.
            await answering(client)
            if len(piece) == 1:
                subscription.failed[piece[0]] = error.code
                return [ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.UInt32(error.code)))]
        half = len(piece) // 2
        return [*await call(piece[:half]), *await call(piece[half:])]

    codes: dict[int, int] = {}
    for row, result in zip(rows, await limits.split("items", rows, call), strict=True):
        codes[row] = int(result.StatusCode.value)
        if codes[row] < Quality.BAD:
            subscription.sampling_ms[row] = _interval(
                result.RevisedSamplingInterval, table.sampling_ms(row), least=0.0
            )
            subscription.queue[row] = int(result.RevisedQueueSize)
            subscription.items[row] = int(result.MonitoredItemId)
    return codes


def _interval(revised: float, wanted: float, least: float) -> float:
    """Return what a server made of a wished interval, in ms; the wish where that is none (NaN, a year)."""
    return revised if least <= revised <= _LONGEST_MS else wanted


def _item(table: Table, row: int, publishing_ms: float, filtered: bool) -> ua.MonitoredItemCreateRequest:
    item = ua.MonitoredItemCreateRequest()
    item.ItemToMonitor.NodeId = table.nodes[row]
    item.ItemToMonitor.AttributeId = AttributeIds.Value
    item.MonitoringMode = ua.MonitoringMode.Reporting
    wanted = item.RequestedParameters
    wanted.ClientHandle = ua.UInt32(row)
    wanted.SamplingInterval = table.sampling_ms(row)
    wanted.QueueSize = ua.UInt32(table.addresses[row].queue or _queue(table.sampling_ms(row), publishing_ms))
    wanted.DiscardOldest = True
    wanted.Filter = _filter(table, row) if filtered else None
    return item


def _queue(sampling_ms: float, publishing_ms: float) -> int:
    """Return a queue that holds what is sampled between two reports; shorter ones lose values unseen."""
    if sampling_ms <= 0:
        return SPARE
    return min(math.ceil(publishing_ms / sampling_ms) + SPARE - 1, _MOST_QUEUE)


def _filter(table: Table, row: int) -> ua.DataChangeFilter | None:
    """Return the deadband that the profile asks the server for; a change of status passes it always."""
    address = table.addresses[row]
    if address.deadband is None and address.deadband_percent is None:
        return None
    wanted = ua.DataChangeFilter()
    wanted.Trigger = ua.DataChangeTrigger.StatusValue
    percent = address.deadband_percent is not None
    wanted.DeadbandType = ua.UInt32(ua.DeadbandType.Percent if percent else ua.DeadbandType.Absolute)
    wanted.DeadbandValue = float((address.deadband_percent if percent else address.deadband) or 0.0)
    return wanted


def _unheard(_: ua.PublishResult) -> None:
    """Take nothing: messages come through the Publisher; asyncua calls this as a connection ends."""
