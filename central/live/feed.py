"""The live feed: what one browser wants to hear, conflated so that a slow one is never flooded.

Readings are not queued: each client has one flag per series, so a point that changed ten times between
two looks is sent once, with its newest value, and a client's memory does not grow however slow it is.
Alarms are conflated by occurrence: of one that changed three times between two flushes the latest state goes.
Bus messages are queued, bounded; when the queue overflows the client is told to reload (`Lagged`).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from central.kernel.bus import Bus, Kind, Message, Subscription
from central.live.alarm_views import AlarmView
from central.live.latest import LatestBoard, LatestValue, SeriesColumn
from protocols.errors import Rejected

FLUSH_S = 0.25
MOST_FLUSHES = 500
"""Of all streams together, a second: more would be taken from what the gateways send."""
PING_S = 15.0
MAX_CLIENTS = 500
MAX_OF_ONE = 250
"""Of one account, over all of its sessions and tokens: one that opens what it can shuts nobody else out."""
QUEUE = 500
LONGEST_PLACE = 18
"""Digits of a moment, µs: more are not ours."""


@dataclass(frozen=True, slots=True)
class ReadingsChanged:
    """Points that changed since the client's last flush; `board` has their newest values."""

    series: SeriesColumn
    board: LatestBoard

    @property
    def items(self) -> list[LatestValue]:
        """Their newest values as they are now."""
        return list(self.board.get_many(self.series.tolist()).values())


@dataclass(frozen=True, slots=True)
class AlarmsChanged:
    """The latest state of occurrences that changed since the client's last flush, in the order of changes."""

    items: list[AlarmView]


@dataclass(frozen=True, slots=True)
class Lagged:
    """The client was too slow: `dropped` messages were lost, and it should reload its page's data."""

    dropped: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Nothing happened for a while; keeps proxies from closing the stream."""


@dataclass(frozen=True, slots=True)
class Told:
    """Everything up to here was handed over; a client that comes back with it misses nothing after it."""

    place: str


FeedItem = Told | ReadingsChanged | AlarmsChanged | Message | Lagged | Ping
FeedKind = Literal["readings"] | Kind


class FeedClient:
    """One open stream. Iterate it within its `with` block; the iteration ends when the feed closes."""

    def __init__(
        self, feed: Feed, series: SeriesColumn, messages: Subscription | None, *, again: bool = False
    ) -> None:
        """again: it was here before, so every series may have changed."""
        self.who = ""
        self._feed = feed
        self._messages = messages
        self._wanted = np.zeros(int(series.max()) + 1 if len(series) else 0, bool)
        self._wanted[series] = True
        self._changed: NDArray[np.bool_] = np.zeros(len(self._wanted), bool)
        self._alarms: dict[str, AlarmView] = {}
        self._ready = asyncio.Event()
        if messages is not None:
            messages.notify(self._ready)
        if again:
            self._changed[series] = True
            self._ready.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feed.leave(self)
        if self._messages is not None:
            self._messages.close()

    def mark(self, changed: SeriesColumn) -> None:
        """Note which of the wanted series changed."""
        within = changed[changed < len(self._wanted)]
        within = within[self._wanted[within]]
        if len(within):
            self._changed[within] = True
            self._ready.set()

    def wake(self) -> None:
        """Let the stream look whether the feed is closing."""
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[FeedItem]:
        """Yield items until the feed closes; a ReadingsChanged and an AlarmsChanged each `Feed.pause_s`."""
        loop = asyncio.get_running_loop()
        flushed = 0.0
        while not self._feed.closing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), PING_S)
            if not self._ready.is_set():
                yield Ping()
                yield Told(self._feed.place)
                continue
            self._ready.clear()
            place = self._feed.place
            others: list[Message] = []
            if self._messages is not None and (dropped := self._take_messages(self._messages, others)):
                # It loads its page again, and with it whatever waits here.
                self._alarms.clear()
                yield Lagged(dropped)
            if not others and not self._alarms and not self._changed.any():
                continue
            wait = flushed + self._feed.pause_s - loop.time()
            if wait > 0:
                # What comes meanwhile goes out with the next flush: soon, if not many watch.
                await asyncio.sleep(wait)
                self._ready.set()
            flushed = loop.time()
            # Alarms first: what follows from them, an event for one, comes after them.
            if self._alarms:
                alarms, self._alarms = list(self._alarms.values()), {}
                yield AlarmsChanged(alarms)
            for message in others:
                yield message
            if self._changed.any():
                series = np.flatnonzero(self._changed).astype(np.int32)
                self._changed[series] = False
                yield ReadingsChanged(series, self._feed.latest)
            yield Told(place)

    def _take_messages(self, messages: Subscription, others: list[Message]) -> int:
        """Take what waits: alarms by occurrence, the rest in its order; return how much was lost."""
        for message in messages.take():
            if isinstance(message.payload, AlarmView):
                self._alarms.pop(message.payload.id, None)
                self._alarms[message.payload.id] = message.payload
            else:
                others.append(message)
        dropped, messages.lagged = messages.lagged, 0
        return dropped


class Feed:
    """Hands committed readings and bus messages to every open stream."""

    def __init__(self, latest: LatestBoard, bus: Bus) -> None:
        self.latest = latest
        self.closing = False
        self._bus = bus
        self._run = uuid.uuid4().hex[:8]
        self._clients: set[FeedClient] = set()

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    def open(
        self,
        series: Iterable[int],
        kinds: Iterable[Kind],
        only: Callable[[Message], bool] | None = None,
        after: str | None = None,
        who: str = "",
    ) -> FeedClient:
        """Open a stream of the newest values of these series (none: no readings) and these bus kinds.

        only, where given, says which messages are for this client. after: the `place` that a client of
        before was told last; what came since is told first, with the newest value of every series, or
        `Lagged` where that is too long ago or was before the centre started. who: the account, to be counted.
        Raises Rejected(`too-many-clients`) beyond MAX_CLIENTS.
        """
        if len(self._clients) >= MAX_CLIENTS:
            raise Rejected("too-many-clients", f"{MAX_CLIENTS} live streams are open; close one first")
        chosen = tuple(kinds)
        moment, known = self._moment(after)
        messages = self._bus.subscribe(*chosen, limit=QUEUE, only=only, after=moment) if chosen else None
        if messages is not None and not known:
            messages.lagged += 1
        client = FeedClient(self, np.fromiter(series, np.int32), messages, again=after is not None)
        client.who = who
        self._clients.add(client)
        return client

    @property
    def pause_s(self) -> float:
        """How long a stream waits between two flushes, s: the longer, the more streams there are."""
        return max(FLUSH_S, len(self._clients) / MOST_FLUSHES)

    def of(self, who: str) -> int:
        """Return how many streams of an account are open."""
        return sum(client.who == who for client in self._clients)

    @property
    def place(self) -> str:
        """This moment, in words that only this run of the centre understands.

        Not a number of messages: it would tell a listener how much goes on outside of his sight.
        """
        return f"{self._run}-{time.monotonic_ns() // 1000}"

    def _moment(self, place: str | None) -> tuple[float | None, bool]:
        """Return the `time.monotonic` of a place, and whether it is one that this run told."""
        if place is None:
            return None, True
        run, _, moment = place.rpartition("-")
        if run != self._run or not moment.isdecimal() or len(moment) > LONGEST_PLACE:
            return None, False
        return int(moment) / 1e6, True

    def leave(self, client: FeedClient) -> None:
        """Forget a stream; done by the end of its `with` block."""
        self._clients.discard(client)

    def publish(self, changed: SeriesColumn) -> None:
        """Mark series as changed for whoever watches them. Called by the pipeline after a commit."""
        for client in self._clients:
            client.mark(changed)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self.closing = True
        for client in self._clients:
            client.wake()
