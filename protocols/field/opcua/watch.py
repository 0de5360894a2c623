"""The data watchdog: values keep coming, whatever becomes of the subscription, and a gap is never hidden.

A session may be perfectly alive while its subscription is silent. So what counts is messages: without one,
not even a keep-alive, for the revised keep-alive time and a margin, the watched values are no longer vouched
for, everything is read at once, and one rung after the other is tried until messages come again:

    republish the next message ─→ transfer the subscription to a new session ─→ create it anew ─→ poll

On every rung the points are read at their period, so a silent subscription costs freshness, never data.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import numpy as np
from asyncua import ua
from asyncua.ua.uaerrors import UaError

from protocols.errors import ConnectionLost
from protocols.field.base import Sink
from protocols.field.opcua import subscribing
from protocols.field.opcua.hearing import Hearing
from protocols.field.opcua.history import History
from protocols.field.opcua.items import Items
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.limits import Limits
from protocols.field.opcua.line import Line, farewell
from protocols.field.opcua.pauses import Pause
from protocols.field.opcua.polling import Polling
from protocols.field.opcua.publishing import Publisher
from protocols.field.opcua.remarks import Remarks
from protocols.field.opcua.subscribing import Subscription
from protocols.field.opcua.table import Table
from protocols.field.opcua.words import reason
from protocols.model.clock import Clock, to_datetime
from protocols.model.quality import Quality
from protocols.model.reading import TimesUs

FALLS: Final = 3
FALLS_S: Final = 600.0
"""A subscription that falls silent more than so often within so many seconds is not believed again soon."""
WELL, REPUBLISH, TRANSFER, RECREATE, POLL = range(5)


class Watch:
    """Watches all points of one connection until its connection is lost."""

    def __init__(self, line: Line, table: Table, board: LastValues, sink: Sink, clock: Clock) -> None:
        self.remarks = Remarks()
        self.subscription: Subscription | None = None
        self.rung = WELL
        self._line, self._table, self._board = line, table, board
        self._sink, self._clock = sink, clock
        self._limits = Limits()
        self._hearing = Hearing(table, board, self.remarks, sink, clock)
        self.conditions = self._hearing.conditions
        self._polling = Polling(line, table, board, self._limits, sink, clock)
        self._items = Items(line, table, board, self._limits, self.remarks, sink, clock)
        self._history = History(line, table, board, self._limits, sink, clock, self.remarks)
        self._known = np.zeros(len(table.points), np.int64)
        """By row, until when its values are known where there is a gap after it; 0 where there is none."""
        self._publisher: Publisher | None = None
        self._news = asyncio.Event()
        self._falls: deque[float] = deque()
        self._gone = ""
        self._lost_messages = False
        self._retry = Pause()
        self._resubscribe = Pause()
        self._rungs: dict[int, Callable[[], Awaitable[bool]]] = {
            REPUBLISH: self._republish,
            TRANSFER: self._transfer,
            RECREATE: self._recreate,
            POLL: self._give_up,
        }

    async def run(self) -> None:
        """Hand on values until cancelled. Raises ConnectionLost where the server no longer answers."""
        try:
            await self._limits.ask(self._line.client)
            await self._begin()
            while True:
                await self._wait()
                await self._look()
        except (OSError, TimeoutError, UaError) as error:
            raise ConnectionLost(
                f"OPC UA {self._line.settings.url}: {reason(error)}", Quality.BAD_NO_COMMUNICATION
            ) from error

    def missed(self, known: TimesUs) -> None:
        """Take note, before `run`, until when each row was known when the line was lost."""
        self._known = known

    async def stop(self) -> None:
        """Send no more requests."""
        await self._history.stop()
        if self._publisher is not None:
            await self._publisher.stop()

    # ---- the round ----

    async def _begin(self) -> None:
        self._items.begin()
        if self._line.settings.polling or not await self._subscribe():
            self.rung = POLL
            self._hearing.no_conditions()
        await self._polling.read(self._items.polled)
        self._fill()
        self._retry.begin(_now())

    async def _wait(self) -> None:
        """Sleep until something is due, or news came."""
        due = [self._retry.at] if self._items.missing() else []
        if self.rung == POLL:
            if not self._line.settings.polling:
                due.append(self._resubscribe.at)
        elif self.subscription is not None:
            due.append(self._hearing.heard_s + self.subscription.silence_s)
        due += self._polling.due(self._read_now())
        seconds = None if not due else max(min(due) - _now(), 0.0)
        with suppress(TimeoutError):  # then something is due
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    async def _look(self) -> None:
        if self._gone or self._silent():
            await self._fall()
        if self._lost_messages:
            await self._mend()
        if self.conditions.asks_anew:
            await self._renew()
        if self.rung == POLL and not self._line.settings.polling and self._resubscribe.due(_now()):
            await self._return()
        if self._items.missing() and self._retry.due(_now()):
            await self._ask_again()
        await self._polling.round(self._read_now())

    def _silent(self) -> bool:
        return (
            self.subscription is not None
            and self.rung != POLL
            and _now() >= self._hearing.heard_s + self.subscription.silence_s
        )

    def _read_now(self) -> set[int]:
        """Return the rows that are read now: those that are never watched, and in trouble all."""
        return self._items.polled if self.rung == WELL else self._items.polled | self._items.watched

    # ---- gaps ----

    def _gap(self) -> None:
        """Mark what was watched from the last message on."""
        self._known = self._board.begin()
        self._sink(self._board.gap(self._hearing.heard_us))

    def _fill(self) -> None:
        """Fill the gap from the server's history, beside everything else."""
        known, self._known = self._known, np.zeros_like(self._known)
        self._history.fill(known)

    async def _mend(self) -> None:
        """Read everything where messages are lost for good."""
        self._lost_messages = False
        self.remarks.say(
            "lost",
            f"messages of the server were lost at {to_datetime(self._clock()):%Y-%m-%d %H:%M:%S} UTC; "
            "all values were read again",
        )
        self._gap()
        await self._polling.read(self._items.watched)
        if self.subscription is not None:
            await self._items.spoilt(self.subscription)
        self._fill()
        await self._renew()

    # ---- the ladder ----

    async def _fall(self) -> None:
        now = _now()
        why = self._gone or f"no message and no keep-alive for {now - self._hearing.heard_s:.0f} s"
        rung = RECREATE if self._gone else self.rung + 1
        if self.rung == WELL:
            self._falls.append(now)
            while self._falls[0] < now - FALLS_S:
                self._falls.popleft()
            if len(self._falls) > FALLS:
                rung, why = POLL, f"{why}; the {len(self._falls)}th time in {FALLS_S / 60:.0f} min"
            self._gap()
        self._gone = ""
        self.remarks.say("way", f"the subscription is silent ({why}); values are polled meanwhile")
        # Before the rungs, which may take their time: how do things stand? No answer: the line is lost.
        await self._polling.read(self._items.watched | self._items.polled)
        while not await self._try(rung):
            rung += 1
        self._hearing.heard_s = _now()
        self._fill()

    async def _try(self, rung: int) -> bool:
        self.rung = rung
        try:
            return await self._rungs[rung]()
        except UaError:
            return False

    async def _republish(self) -> bool:
        """Fetch what did not come, and send new requests; messages will tell whether that helped."""
        if self._publisher is None:
            return False
        await self._publisher.fetch()
        self._publisher.more()
        return True

    async def _transfer(self) -> bool:
        """Take the subscription over into a new session, with all values said again."""
        held = self.subscription
        if held is None:
            return False
        await self.stop()
        before = await self._line.replace()
        try:
            request = ua.TransferSubscriptionsParameters()
            request.SubscriptionIds = [ua.UInt32(held.id)]
            request.SendInitialValues = True
            (result,) = await self._line.client.uaclient.session.transfer_subscriptions(request)
        finally:
            await farewell(before, dead=False)
        if not result.StatusCode.is_good():
            return False
        self._publish(held)
        await self._renew()
        return True

    async def _recreate(self) -> bool:
        await self._drop()
        return await self._subscribe()

    async def _give_up(self) -> bool:
        await self._drop()
        self._items.unwatch()
        self._board.forget()
        self._resubscribe.begin(_now())
        return True

    async def _return(self) -> None:
        """Try a subscription again after a pause."""
        self._resubscribe.next(_now())
        if await self._subscribe():
            self._falls.clear()
            self.rung = RECREATE  # until its first message comes

    async def _drop(self) -> None:
        held, self.subscription = self.subscription, None
        if held is not None:
            await subscribing.delete(self._line.client, held.id)

    # ---- subscribing ----

    async def _subscribe(self) -> bool:
        """Create the subscription with all its items; say why where the server does not want to."""
        settings = self._line.settings
        try:
            made = await subscribing.create(self._line.client, settings.publishing_ms)
        except UaError as error:
            self.remarks.say("way", f"values are polled: the server allows no subscription ({reason(error)})")
            self._resubscribe.begin(_now())
            return False
        self._hearing.now()
        self.subscription = made
        self._items.unwatch()
        # First the requests: a report of a new item must not wait for one.
        self._publish(made)
        await self._watch(made, sorted(self._items.polled))
        await self._hearing.hear_conditions(self._line.client, made.id)
        if self.rung == WELL:
            self.remarks.say("way", "")
        return True

    async def _watch(self, made: Subscription, rows: list[int]) -> None:
        gone = await self._items.watch(made, rows)
        if gone:
            self._end(gone)

    async def _ask_again(self) -> None:
        self._retry.next(_now())
        came, alarms = await self._items.ask_again()
        if self.subscription is not None and came:
            await self._watch(self.subscription, came)
        if alarms:
            await self._renew()

    async def _renew(self) -> None:
        """Ask anew how the server's alarms stand."""
        if self.subscription is not None:
            await self._hearing.renew_conditions(self._line.client, self.subscription.id)

    def _publish(self, made: Subscription) -> None:
        session = self._line.client.field_session
        if self._publisher is None or self._publisher.session is not session:
            self._publisher = Publisher(session, self._take, self._miss, self._end)
        self._publisher.follow(made.id)

    def _take(self, message: ua.NotificationMessage, late: bool) -> None:
        """Hand on one message; a new one says that all is well."""
        ended = self._hearing.take(message, late)
        if ended:
            self._end(ended)
            return
        if self.conditions.asks_anew:
            self._news.set()
        if not late and self.rung != WELL:
            self.rung = WELL
            self.remarks.say("way", "")
            self._news.set()

    def _miss(self) -> None:
        self._lost_messages = True
        self._news.set()

    def _end(self, why: str) -> None:
        if self.subscription is None:
            return  # given up already
        self._gone = self._gone or why
        self._news.set()


def _now() -> float:
    """Return the loop's clock, which nobody sets."""
    return asyncio.get_running_loop().time()
