"""The bus inside one centre: what has just been committed, told to whoever listens.

Payloads by kind (all immutable, so that listeners may share them):
    alarm    live.alarms.AlarmView       command  link.command_rows.CommandView
    gateway  link.gateways.GatewayView   order    link.order_rows.OrderView
    event, case, overview, desk: as casebook and monitoring publish them
Readings do not travel here: they are columns, and the live board conflates them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from types import TracebackType
from typing import Final, Literal, Self

from prometheus_client import Counter

Kind = Literal["alarm", "gateway", "event", "case", "command", "order", "overview", "desk"]
KINDS: Final[tuple[Kind, ...]] = ("alarm", "gateway", "event", "case", "command", "order", "overview", "desk")


DROPPED = Counter("citynerve_live_dropped", "Messages that a slow listener lost, by kind", ["kind"])


KEPT: Final = 10_000
KEPT_S: Final = 300.0
"""So many messages, and for so long, are kept for listeners that come back."""


@dataclass(frozen=True, slots=True)
class Message:
    """One committed change."""

    kind: Kind
    payload: object


class Subscription:
    """One listener's queue: bounded; when full the oldest is dropped and `lagged` counts it."""

    def __init__(
        self,
        kinds: frozenset[Kind],
        limit: int,
        leave: Callable[[Subscription], None],
        only: Callable[[Message], bool] | None = None,
    ) -> None:
        self.kinds = kinds
        self._only = only
        self.lagged = 0
        self._queue: deque[Message] = deque(maxlen=limit)
        self._ready = asyncio.Event()
        self._leave = leave

    def notify(self, ready: asyncio.Event) -> None:
        """Set this event, too, whenever there is something: for a listener with other things to wait for."""
        self._ready = ready

    def close(self) -> None:
        """Stop listening."""
        self._leave(self)

    def put(self, message: Message) -> None:
        """Add a message, unless it is not for this listener; never waits."""
        if self._only is not None and not self._only(message):
            return
        if len(self._queue) == self._queue.maxlen:
            self.lagged += 1
            DROPPED.labels(message.kind).inc()
        self._queue.append(message)
        self._ready.set()

    def take(self) -> list[Message]:
        """Return and remove everything that waits; empty when nothing does."""
        taken = list(self._queue)
        self._queue.clear()
        return taken

    async def next(self) -> list[Message]:
        """Wait until there is something, then take all of it."""
        await self._ready.wait()
        self._ready.clear()
        return self.take()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Bus:
    """Publish and subscribe within the process. Publishing never waits and never fails."""

    def __init__(self) -> None:
        self._listeners: set[Subscription] = set()
        self._kept: deque[tuple[float, Message]] = deque()
        self._forgotten = -inf
        self._told = dict.fromkeys(KINDS, 0)

    def told(self, kind: Kind) -> int:
        """Return how many messages of a kind were published: at the same number nothing has changed."""
        return self._told[kind]

    def publish(self, kind: Kind, payload: object) -> None:
        """Tell every listener of `kind`. Call it after the commit, never before."""
        message = Message(kind, payload)
        self._told[kind] += 1
        now = time.monotonic()
        self._kept.append((now, message))
        while len(self._kept) > KEPT or self._kept[0][0] < now - KEPT_S:
            self._forgotten = self._kept.popleft()[0]
        for listener in self._listeners:
            if kind in listener.kinds:
                listener.put(message)

    def subscribe(
        self,
        *kinds: Kind,
        limit: int = 1000,
        only: Callable[[Message], bool] | None = None,
        after: float | None = None,
    ) -> Subscription:
        """Listen to these kinds (none given: to all) until the subscription's `with` block ends.

        only, where given, says which messages are for this listener; the others never wait in its queue.
        after: what was published after that moment of `time.monotonic` waits in it from the beginning.
        Where some of that is not kept any more, the subscription begins `lagged`.
        """
        subscription = Subscription(frozenset(kinds or KINDS), limit, self._listeners.discard, only)
        if after is not None:
            subscription.lagged = int(after < self._forgotten)
            for at, message in self._kept:
                if at > after and message.kind in subscription.kinds:
                    subscription.put(message)
        self._listeners.add(subscription)
        return subscription
