"""OPC UA: answers of a server to every service that a session asks for, through the guard and into our rows.

Oracle: a service gives as many results as were asked for, or raises what our code expects of a server; a
message that passes is taken by the board without an error, and says nothing of a point that nobody watches.
The first byte of a frame is the service that was asked: an answer to another question comes of itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaError

from protocols.field.opcua.answers import FieldSession
from protocols.field.opcua.hearing import Hearing
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.remarks import Remarks
from protocols.field.opcua.table import Table
from protocols.model.clock import now_us
from protocols.model.reading import Readings
from tests.fuzz.door import Door, expect
from tests.fuzz.opcua import STAMP
from tests.protocols.field.devices import bind, profile

N: Final = 3
NODE: Final = ua.NodeId(ua.Int32(84))


def _message(rng: random.Random) -> ua.NotificationMessage:
    changes = ua.DataChangeNotification()
    for _ in range(N):
        item = ua.MonitoredItemNotification(ClientHandle=ua.UInt32(rng.randrange(N)))
        item.Value = ua.DataValue(ua.Variant(rng.random(), ua.VariantType.Double), SourceTimestamp=STAMP)  # type: ignore[arg-type]
        changes.MonitoredItems.append(item)
    events = ua.EventNotificationList()
    events.Events = [
        ua.EventFieldList(EventFields=[ua.Variant(at, ua.VariantType.Int32) for at in range(15)])
    ]
    made = ua.NotificationMessage(SequenceNumber=ua.UInt32(rng.randrange(1, 9)), PublishTime=STAMP)
    made.NotificationData = [changes, events]
    return made


def _published(rng: random.Random) -> ua.PublishResponse:
    made = ua.PublishResponse()
    made.Parameters.NotificationMessage = _message(rng)
    return made


def _outputs(rng: random.Random) -> ua.CallMethodResult:
    held = [ua.Variant(rng.random(), ua.VariantType.Double)]
    return ua.CallMethodResult(InputArgumentResults=[ua.StatusCode()], OutputArguments=held)


def _results(response: Any, make: Callable[[random.Random], Any]) -> Callable[[random.Random], Any]:
    def made(rng: random.Random) -> Any:
        one = response()
        holder = one.Parameters if hasattr(one, "Parameters") else one
        holder.Results = [make(rng) for _ in range(N)]
        return one

    return made


def _asked(parameters: Any, name: str, one: Any) -> Any:
    setattr(parameters, name, [one] * N)
    return parameters


QUESTIONS: Final[tuple[tuple[str, tuple[Any, ...], Callable[[random.Random], Any]], ...]] = (
    ("browse", (_asked(ua.BrowseParameters(), "NodesToBrowse", ua.BrowseDescription()),),
     _results(ua.BrowseResponse, lambda _: ua.BrowseResult(References=[ua.ReferenceDescription()]))),
    ("write", (_asked(ua.WriteParameters(), "NodesToWrite", ua.WriteValue()),),
     _results(ua.WriteResponse, lambda _: ua.StatusCode())),
    ("call", ([ua.CallMethodRequest()] * N,), _results(ua.CallResponse, _outputs)),
    ("translate_browsepaths_to_nodeids", ([ua.BrowsePath()] * N,),
     _results(ua.TranslateBrowsePathsToNodeIdsResponse, lambda _: ua.BrowsePathResult())),
    ("history_read", (_asked(ua.HistoryReadParameters(), "NodesToRead", ua.HistoryReadValueId()),),
     _results(ua.HistoryReadResponse, lambda _: ua.HistoryReadResult(HistoryData=ua.HistoryData()))),
    ("create_monitored_items",
     (_asked(ua.CreateMonitoredItemsParameters(), "ItemsToCreate", ua.MonitoredItemCreateRequest()),),
     _results(ua.CreateMonitoredItemsResponse, lambda _: ua.MonitoredItemCreateResult())),
    ("transfer_subscriptions",
     (_asked(ua.TransferSubscriptionsParameters(), "SubscriptionIds", ua.UInt32(7)),),
     _results(ua.TransferSubscriptionsResponse, lambda _: ua.TransferResult())),
    ("delete_subscriptions", ([ua.UInt32(7)] * N,),
     _results(ua.DeleteSubscriptionsResponse, lambda _: ua.StatusCode())),
    ("create_subscription", (ua.CreateSubscriptionParameters(), lambda _: None),
     lambda _: ua.CreateSubscriptionResponse()),
    ("republish", (7, 1), lambda rng: ua.RepublishResponse(NotificationMessage=_message(rng))),
    ("publish", ([],), _published),
)  # fmt: skip
_SINGLE: Final = ("create_subscription", "republish", "publish")


class OpcUaAnswersDoor(Door):
    """Bodies of responses, as the channel hands them out."""

    name, share = "opcua-answers", 50_000

    def __init__(self) -> None:
        self._body = b""
        client: Any = SimpleNamespace(_send_request=self._send)
        self._session = FieldSession(client)
        address = {"namespace": "urn:x", "node": "s=A"}
        table = Table([bind(profile("opcua", [{"key": f"p{at}", "opcua": address} for at in range(N)]), {})])
        table.resolve(["http://opcfoundation.org/UA/", "urn:x"])
        board = LastValues(table.points, {"fast": 1.0, "normal": 1.0, "slow": 1.0})
        self._hearing = Hearing(table, board, Remarks(), self._sink, now_us)
        self._loop = asyncio.new_event_loop()

    async def _send(self, *_question: Any, **_more: Any) -> Buffer:
        return Buffer(self._body)

    def _sink(self, readings: Readings) -> None:
        expect(all(0 <= point < N for point in readings.point.tolist()), "a row of no point")

    def frame(self, rng: random.Random) -> bytes:
        """Return a service's number and the body of its answer."""
        at = rng.randrange(len(QUESTIONS))
        return bytes((at,)) + struct_to_binary(QUESTIONS[at][2](rng))

    def take(self, data: bytes, rng: random.Random) -> bool:
        """Ask, and let this be the answer."""
        del rng
        service, given, _ = QUESTIONS[(data or b"\0")[0] % len(QUESTIONS)]
        self._body = data[1:]
        return self._loop.run_until_complete(self._ask(service, given))

    async def _ask(self, service: str, given: tuple[Any, ...]) -> bool:
        try:
            answer = await getattr(self._session, service)(*given)
        except UaError:
            return False
        if service in ("publish", "republish"):
            message = answer.Parameters.NotificationMessage if service == "publish" else answer
            self._hearing.take(message, late=False)
        elif service not in _SINGLE:
            expect(len(answer) == N, f"{len(answer)} results for {N} questions")
        return True

    def close(self) -> None:
        """Close the loop."""
        self._loop.close()
