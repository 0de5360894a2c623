"""One OPC UA session with one subscription for all devices behind it, on asyncua.

    publish response ─→ rows by client handle ─→ columns ─→ sink          (one call per response)
                     └→ points that had no change for a while: still valid, handed on again

Everything is made anew at each connect, namespace indexes included: they may change with a restart.
asyncua weighs 90 MB, so only this package imports it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from pathlib import Path
from typing import Any, ClassVar, Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from pydantic import Field

from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout
from protocols.field.base import BoundDevice, BoundPoint, Driver, Sink
from protocols.field.filling import fill_device, read_password
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.values import sample, time_us, variant
from protocols.model.clock import Clock, now_us
from protocols.model.device import PeriodClass, Strict
from protocols.model.quality import Quality, quality_name

# asyncua logs what it also raises or answers; the session logs it once, from what is raised here.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)

CONNECT_TIMEOUT_S: Final = 10.0
WATCHDOG_S: Final = 5.0
"""asyncua reads the server's state this often, and waits as long for it: a dead peer is seen in 10 s."""
PUBLISHING_MS: Final = 250.0
KEEP_ALIVE_COUNT: Final = 8
LIFETIME_COUNT: Final = 240
SAMPLING_MS: Final[dict[PeriodClass, float]] = {"fast": 250.0, "normal": 1000.0, "slow": 5000.0}
QUEUE_SIZE: Final = 2
_ITEMS_PER_CALL: Final = 500


class OpcUaSettings(Strict):
    """Where the server is; without a user the session is anonymous. Security policy None only."""

    url: str = Field(pattern=r"^opc\.tcp://.+")
    username: str | None = None
    password_file: Path | None = None


class OpcUaParams(Strict):
    """What stands for `{device}` in the node ids of the profile."""

    device: str = ""


class OpcUaDriver(Driver):
    """OPC UA client; devices speak by subscription, so there is nothing to poll."""

    protocol = "opcua"
    Settings: ClassVar = OpcUaSettings
    Params: ClassVar = OpcUaParams

    def __init__(
        self, settings: OpcUaSettings, devices: tuple[BoundDevice, ...], clock: Clock = now_us
    ) -> None:
        super().__init__(settings, devices, clock)
        self._opcua = settings
        self._points: list[BoundPoint] = []
        self._rows: dict[int, int] = {}
        self._places: list[tuple[str, str]] = []
        """Per row: namespace URI and identifier, the device's name filled in."""
        for device in devices:
            name = OpcUaParams.model_validate(dict(device.params)).device
            for point in device.points:
                address = point.profile.opcua
                if address is not None:
                    self._rows[point.index] = len(self._points)
                    self._points.append(point)
                    self._places.append((address.namespace, fill_device(point, address.node, name)))
        self._timeouts = {device.key: device.profile.limits.timeout_ms / 1000 for device in devices}
        self._board = LastValues(
            self._points, {name: SAMPLING_MS[name] + PUBLISHING_MS for name in SAMPLING_MS}
        )
        self._nodes: list[ua.NodeId | None] = []
        self._client: Client | None = None
        self._lost: asyncio.Future[str] | None = None
        self._heard = 0.0
        self._sink: Sink | None = None

    async def open(self) -> None:
        """Connect, sign in and resolve the namespaces."""
        client = Client(self._opcua.url, timeout=4, watchdog_intervall=WATCHDOG_S)
        client.name = client.description = "CityNerve gateway"
        # Credentials in the url would be shown with it; the file is the one place for them.
        if self._opcua.username is not None:
            client.set_user(self._opcua.username)
            client.set_password(read_password(self._opcua.password_file) or "")
        self._lost = asyncio.get_running_loop().create_future()
        client.connection_lost_callback = self._on_lost
        self._client = client
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await client.connect()
                namespaces = await client.get_namespace_array()
        except (OSError, TimeoutError, UaError) as error:
            code = getattr(error, "code", None)
            reason = quality_name(code) if isinstance(code, int) else str(error) or "no answer"
            raise ConnectionLost(
                f"OPC UA {self._opcua.url} cannot be used: {reason}; check url, that the server offers "
                "security policy None, and username and password_file",
                code if isinstance(code, int) else Quality.BAD_NO_COMMUNICATION,
            ) from error
        self._nodes = [
            ua.NodeId.from_string(f"ns={namespaces.index(uri)};{node}") if uri in namespaces else None
            for uri, node in self._places
        ]

    async def listen(self, sink: Sink) -> None:
        """Subscribe and hand on what the server reports, until cancelled or the connection ends."""
        client, lost = self._client, self._lost
        if client is None or lost is None:
            raise ConnectionLost(f"OPC UA {self._opcua.url} is not open", Quality.BAD_NO_COMMUNICATION)
        self._sink = sink
        try:
            silence_s = await self._subscribe(client)
            loop = asyncio.get_running_loop()
            self._heard = loop.time()
            while not lost.done():
                await asyncio.wait([lost], timeout=silence_s)
                if not lost.done() and loop.time() - self._heard > silence_s:
                    lost.set_result(f"no keep-alive of the subscription within {silence_s:g} s")
            reason = lost.result()
        except (OSError, TimeoutError, UaError) as error:
            reason = str(error) or "no answer"
        finally:
            self._sink = None
        sink(self._board.unvouched(self.clock()))
        raise ConnectionLost(f"OPC UA {self._opcua.url}: {reason}", Quality.BAD_NO_COMMUNICATION)

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Write in the type that the node holds, and read back."""
        client, node = self._client, self._nodes[self._rows[point.index]] if self._nodes else None
        name = f"{point.device}.{point.profile.key}"
        if client is None:
            raise ConnectionLost(f"OPC UA {self._opcua.url} is not open", Quality.BAD_NO_COMMUNICATION)
        if node is None:
            namespace = self._places[self._rows[point.index]][0]
            raise DeviceRefused(
                f"{name}: the server has no namespace {namespace!r}; nothing was written",
                Quality.BAD_NODE_ID_UNKNOWN,
            )
        target = client.get_node(node)
        sent = False
        try:
            async with asyncio.timeout(max(self._timeouts[point.device], 1.0)):
                before = await target.read_attribute(AttributeIds.Value, raise_on_bad_status=False)
                held = (
                    None if before.Value is None or before.Value.Value is None else before.Value.VariantType
                )
                payload = ua.DataValue(variant(point, value, held), StatusCode=None)
                sent = True
                await target.write_attribute(AttributeIds.Value, payload)
        except UaStatusCodeError as error:
            raise DeviceRefused(
                f"{name}: the server answered {quality_name(error.code)}; nothing was written", error.code
            ) from error
        except TimeoutError as error:
            if not sent:
                raise DeviceRefused(f"{name}: no answer; nothing was written", Quality.BAD_TIMEOUT) from error
            raise DeviceTimeout(f"{name}: no answer to the write", Quality.BAD_TIMEOUT) from error
        except OSError as error:
            raise ConnectionLost(
                f"OPC UA {self._opcua.url}: {error}", Quality.BAD_NO_COMMUNICATION
            ) from error
        return await self._read_back(point, target)

    async def close(self) -> None:
        """End session and connection; a dead connection is dropped without a goodbye."""
        client, self._client = self._client, None
        if client is None:
            return
        protocol = client.uaclient.protocol
        transport = protocol.transport if protocol is not None else None
        dead = self._lost is not None and self._lost.done()
        if transport is not None and dead:
            transport.abort()
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(3):
                await client.disconnect()
        except (OSError, TimeoutError, UaError):
            # What cannot be said goodbye to is cut off below.
            dead = True
        if transport is not None and not transport.is_closing():
            transport.abort()
        await asyncio.sleep(0)

    async def _on_lost(self, error: Exception) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(str(error) or type(error).__name__)

    # ---- subscription ----

    async def _subscribe(self, client: Client) -> float:
        """Create the subscription and its items; return the seconds of silence that mean it is gone.

        A node that the server does not have costs its own point only: it is handed on as bad.
        """
        session = client.uaclient.session
        wanted = ua.CreateSubscriptionParameters()
        wanted.RequestedPublishingInterval = PUBLISHING_MS
        wanted.RequestedLifetimeCount = LIFETIME_COUNT
        wanted.RequestedMaxKeepAliveCount = KEEP_ALIVE_COUNT
        wanted.MaxNotificationsPerPublish = 10_000
        wanted.PublishingEnabled = True
        revised = await session.create_subscription(wanted, callback=self._on_publish)
        rows = [row for row, node in enumerate(self._nodes) if node is not None]
        most = await self._items_per_call(client)
        for first in range(0, len(rows), most):
            chunk = rows[first : first + most]
            request = ua.CreateMonitoredItemsParameters()
            request.SubscriptionId = revised.SubscriptionId
            request.TimestampsToReturn = ua.TimestampsToReturn.Both
            request.ItemsToCreate = [self._item(row) for row in chunk]
            # Notifications may overtake this answer; rows are the handles, so they are understood.
            results = await session.create_monitored_items(request)
            self._board.watch(chunk, [result.StatusCode.value for result in results])
        refused = self._board.refused(self.clock())
        if len(refused) and self._sink is not None:
            self._sink(refused)
        silence = 3 * revised.RevisedMaxKeepAliveCount * revised.RevisedPublishingInterval / 1000
        return float(silence) + 2.0

    async def _items_per_call(self, client: Client) -> int:
        limit = ua.NodeId(
            ua.Int32(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall)
        )
        try:
            most = await client.get_node(limit).read_value()
        except UaStatusCodeError:
            return _ITEMS_PER_CALL
        return min(int(most), _ITEMS_PER_CALL) if most else _ITEMS_PER_CALL

    def _item(self, row: int) -> ua.MonitoredItemCreateRequest:
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = self._nodes[row]
        item.ItemToMonitor.AttributeId = AttributeIds.Value
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters.ClientHandle = row
        item.RequestedParameters.SamplingInterval = SAMPLING_MS[self._points[row].profile.period]
        item.RequestedParameters.QueueSize = QUEUE_SIZE
        item.RequestedParameters.DiscardOldest = True
        return item

    def _on_publish(self, result: ua.PublishResult) -> None:
        """Hand on one publish response, and what it confirms by its silence."""
        sink = self._sink
        if sink is None:
            return
        self._heard = asyncio.get_running_loop().time()
        message = result.NotificationMessage
        published_us = time_us(message.PublishTime) if message.PublishTime else self.clock()
        for notice in message.NotificationData or ():
            if isinstance(notice, ua.DataChangeNotification):
                sink(self._board.take(notice.MonitoredItems, published_us, self.clock()))
            elif isinstance(notice, ua.StatusChangeNotification) and self._lost and not self._lost.done():
                self._lost.set_result(f"the server ended the subscription: {notice.Status.name}")
        still = self._board.still_valid(published_us)
        if len(still):
            sink(still)

    async def _read_back(self, point: BoundPoint, target: Any) -> float | str | None:
        if not point.profile.readable:
            return None
        try:
            async with asyncio.timeout(max(self._timeouts[point.device], 1.0)):
                data = await target.read_attribute(AttributeIds.Value, raise_on_bad_status=False)
        except (OSError, TimeoutError, UaError):
            # The server has acknowledged the write; that it cannot be read now does not undo it.
            return None
        one = sample(data, point.profile.type, self.clock())
        if one.text is not None:
            return one.text
        return None if math.isnan(one.value) else one.value
