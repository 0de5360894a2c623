"""What a server answers, before anybody believes it: one guard for every service of a session.

    request ─→ asyncua ─→ bytes ─→ asyncua's decoder ─→ as many results as were asked for? ─→ our code
                                   └ whatever it raises ─→ Unreadable ←─ no ┘

The bytes are the server's: damaged, or chosen by somebody. asyncua does not count results, takes a null array
for None, and raises what its parts raise. Our own code knows UaError, OSError and TimeoutError only.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.ua_binary import Primitives1
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from protocols.errors import CityNerveError

_NOTICES: Final = (ua.DataChangeNotification, ua.EventNotificationList, ua.StatusChangeNotification)


class Unreadable(UaError):
    """An answer that cannot be read, or does not answer what was asked."""


class _NoNulls:
    """Arrays of Nulls: an element takes no byte, so a damaged length would be counted to for hours."""

    @staticmethod
    def unpack_array(data: Any, length: int) -> list[None]:
        """Return an empty array; raises UaError for one that claims elements."""
        del data
        if length > 0:
            raise UaError(f"an array of {length} Nulls")
        return []


# asyncua looks here for a reader of whole arrays before it reads element by element.
Primitives1.Null = _NoNulls  # type: ignore[attr-defined]


@contextmanager
def readable() -> Iterator[None]:
    """Make Unreadable of whatever asyncua raises inside, beside a status of the server and a lost line."""
    try:
        yield
    except (Unreadable, UaStatusCodeError, OSError, CityNerveError):
        raise
    except Exception as error:
        raise Unreadable(f"an answer that cannot be read ({type(error).__name__}: {error})") from error


_patience: ContextVar[float | None] = ContextVar("patience", default=None)


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """Wait so long for each answer inside, and tell the server so, instead of the connection's own time."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


Service = Callable[..., Awaitable[Any]]


def one_each(service: Service, asked: Callable[[Any], Sequence[Any]] = lambda given: given) -> Any:
    """Return a service that answers with one result for each thing asked for; `asked` finds those."""

    @functools.wraps(service)
    async def guarded(self: UaSession, given: Any, *rest: Any, **more: Any) -> Any:
        with readable():
            results = await service(self, given, *rest, **more)
            wanted, came = len(asked(given)), len(results or ())
        if came != wanted:
            raise Unreadable(f"{service.__name__}: {came} results for {wanted} questions")
        return results or []

    return guarded


def sound(message: ua.NotificationMessage) -> ua.NotificationMessage:
    """Return a message with lists where it may have nulls. Raises Unreadable for what is no notification."""
    message.NotificationData = message.NotificationData or []
    for notice in message.NotificationData:
        if not isinstance(notice, _NOTICES):
            raise Unreadable(f"a {type(notice).__name__} as notification")
        if isinstance(notice, ua.DataChangeNotification):
            notice.MonitoredItems = notice.MonitoredItems or []
        elif isinstance(notice, ua.EventNotificationList):
            notice.Events = notice.Events or []
    return message


class FieldSession(UaSession):
    """A session whose answers are sound, and whose publish requests are sent by `publishing.Publisher`.

    Every service raises Unreadable beside what it raises by itself.
    """

    browse = one_each(UaSession.browse, lambda given: given.NodesToBrowse)
    browse_next = one_each(UaSession.browse_next, lambda given: given.ContinuationPoints)
    translate_browsepaths_to_nodeids = one_each(UaSession.translate_browsepaths_to_nodeids)
    read = one_each(UaSession.read, lambda given: given.NodesToRead)
    read_attributes = one_each(UaSession.read_attributes)
    write = one_each(UaSession.write, lambda given: given.NodesToWrite)
    write_attributes = one_each(UaSession.write_attributes)
    history_read = one_each(UaSession.history_read, lambda given: given.NodesToRead)
    call = one_each(UaSession.call)
    create_monitored_items = one_each(UaSession.create_monitored_items, lambda given: given.ItemsToCreate)
    delete_monitored_items = one_each(UaSession.delete_monitored_items, lambda given: given.MonitoredItemIds)
    delete_subscriptions = one_each(UaSession.delete_subscriptions)
    transfer_subscriptions = one_each(UaSession.transfer_subscriptions, lambda given: given.SubscriptionIds)

    async def _send_request(self, request: Any, *rest: Any, **more: Any) -> Any:
        patience = _patience.get()
        if patience is None or rest or more:
            return await super()._send_request(request, *rest, **more)
        return await super()._send_request(request, patience)

    def ensure_publish_loop(self) -> None:
        """Start nothing: asyncua keeps one request only at the server, and sees no missing numbers."""

    async def create_subscription(self, *given: Any, **more: Any) -> ua.CreateSubscriptionResult:
        """Create a subscription."""
        with readable():
            return await super().create_subscription(*given, **more)

    async def publish(self, acks: list[ua.SubscriptionAcknowledgement]) -> ua.PublishResponse:
        """Ask for the next notification."""
        with readable():
            response = await super().publish(acks)
            response.ResponseHeader.ServiceResult.check()
            sound(response.Parameters.NotificationMessage)
        return response

    async def republish(
        self, subscription_id: int, retransmit_sequence_number: int
    ) -> ua.NotificationMessage:
        """Ask for a notification again."""
        with readable():
            return sound(await super().republish(subscription_id, retransmit_sequence_number))
