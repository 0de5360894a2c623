"""The live feed as Server-Sent Events: what the feed hands over, in the shapes of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Final

from pydantic import BaseModel

from central.casebook.schemas import Case, Event
from central.city.registry import PointRecord
from central.kernel.bus import KINDS, Kind, Message
from central.kernel.problem import Problem
from central.kernel.shapes import Shape
from central.link.schemas import Command, Gateway, Order
from central.live.alarm_views import AlarmView
from central.live.feed import (
    MAX_CLIENTS,
    MAX_OF_ONE,
    AlarmsChanged,
    Feed,
    FeedItem,
    Lagged,
    Ping,
    ReadingsChanged,
    Told,
)
from central.systems.monitoring import schemas, schemas_alarms
from central.systems.monitoring.audience import Audience
from central.systems.monitoring.latest_lines import LatestLines
from central.systems.monitoring.schemas_desk import DeskNews
from protocols.model.clock import SECOND_US, Clock, to_datetime

FEED_KINDS: Final = frozenset({"readings", *KINDS})
PING: Final = b": ping\n\n"
RETRY_MS: Final = 2000
CHECK_US: Final = 60 * SECOND_US


class LiveMessages(Shape):
    """What the live feed says: the kinds of its events, and what each carries."""

    hello: schemas.Hello
    readings: schemas.LatestBatch
    alarm: schemas_alarms.Alarm
    gateway: Gateway
    event: Event
    case: Case
    command: Command
    order: Order
    overview: schemas.Overview
    desk: DeskNews
    lagged: schemas.LaggedOut


class LiveStream:
    """One browser's stream."""

    def __init__(
        self,
        feed: Feed,
        audience: Audience,
        clock: Clock,
        *,
        points: Sequence[PointRecord],
        lines: LatestLines,
        kinds: Sequence[Kind],
        allowed: Callable[[], Awaitable[bool]],
        priorities: Collection[str] = (),
        after: str | None = None,
        who: str = "",
    ) -> None:
        """priorities: of alarms, those to be told; none: all. after: the id that the client saw last.

        Problem 503 `too-many-clients`; 409 `too-many-streams` where the account `who` has its share open.
        """
        self._audience = audience
        self._clock = clock
        self._points = {point.series: point for point in points}
        self._lines = lines
        self._feed = feed
        self._kinds = tuple(kinds)
        self._allowed = allowed
        self._priorities = frozenset(priorities)
        self._after = after
        self._who = who
        if feed.of(who) >= MAX_OF_ONE:
            detail = f"{MAX_OF_ONE} live streams of this account are open. Close one, then ask again."
            raise Problem(409, "too-many-streams", "Too many live streams of this account", detail)
        if feed.clients >= MAX_CLIENTS:
            detail = f"{feed.clients} live streams are open. Close a tab, or ask again later."
            raise Problem(
                503, "too-many-clients", "Too many live streams", detail, headers={"Retry-After": "10"}
            )

    async def events(self) -> AsyncIterator[bytes]:
        """Yield events in the wire format of HTML's `text/event-stream` until either side ends it.

        A stream outlives the request's permission check by hours, so it asks again once a minute: who
        was signed out, switched off, sees more or less than before, or whose session ended hears no more.
        """
        with self._feed.open(list(self._points), self._kinds, self._hears, self._after, self._who) as client:
            hello = schemas.Hello(server_time=to_datetime(self._clock()))
            yield f"retry: {RETRY_MS}\n".encode() + encode("hello", hello)
            checked = self._clock()
            waiting: list[bytes] = []
            async for item in client:
                if self._clock() - checked >= CHECK_US:
                    if not await self._allowed():
                        return
                    checked = self._clock()
                said = await self._encode(item)
                if said is None:
                    continue
                waiting.append(said)
                # What one flush says goes out as one piece; its end tells the place.
                if isinstance(item, (Told, Lagged, Ping)):
                    yield b"".join(waiting)
                    waiting.clear()

    def _hears(self, message: Message) -> bool:
        payload = message.payload
        if self._priorities and isinstance(payload, AlarmView) and payload.priority not in self._priorities:
            return False
        return self._audience.hears(message)

    async def _encode(self, item: FeedItem) -> bytes | None:
        match item:
            case ReadingsChanged(series):
                items = self._lines.batch(series, self._points)
                return b'event: readings\ndata: {"items":' + items + b"}\n\n"
            case AlarmsChanged(items):
                lines = await self._audience.alarms(items)
                return b"".join(b"event: alarm\ndata: " + line + b"\n\n" for line in lines)
            case Lagged(dropped):
                return encode("lagged", schemas.LaggedOut(dropped=dropped))
            case Told(place):
                # No data, so nothing is dispatched; a reader of the stream notes the id all the same.
                return f"id: {place}\n\n".encode()
            case Ping():
                return PING
            case Message(kind, payload):
                said = await self._audience.shape(payload)
                return None if said is None else encode(kind, said)


def parse_kinds(asked: str | None) -> frozenset[str]:
    """Return the kinds in a comma separated list; all where nothing is asked. Problem 422 `bad-kind`."""
    if not asked:
        return FEED_KINDS
    kinds = frozenset(part.strip() for part in asked.split(","))
    unknown = kinds - FEED_KINDS
    if unknown:
        detail = f"{', '.join(sorted(unknown))}: not a kind. There are {', '.join(sorted(FEED_KINDS))}."
        raise Problem(422, "bad-kind", "Unknown kind", detail)
    return kinds


def encode(event: str, data: BaseModel) -> bytes:
    """Return one event; JSON never holds a line break, so one `data:` line is enough."""
    return f"event: {event}\ndata: {data.model_dump_json(by_alias=True)}\n\n".encode()
