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
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import numpy as np
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from protocols.errors import ConnectionLost
from protocols.field.base import Sink
from protocols.field.opcua import subscribing
from protocols.field.opcua.conditions import Conditions
from protocols.field.opcua.history import History
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.limits import Limits
from protocols.field.opcua.line import Line, farewell
from protocols.field.opcua.pauses import Pause
from protocols.field.opcua.publishing import GONE, Publisher
from protocols.field.opcua.subscribing import Subscription
from protocols.field.opcua.table import POLL_S, Table
from protocols.field.opcua.values import time_us
from protocols.field.opcua.words import code_name, reason
from protocols.model.clock import Clock, to_datetime
from protocols.model.quality import Quality
from protocols.model.reading import Readings, TimesUs

FALLS: Final = 3
FALLS_S: Final = 600.0
"""A subscription that falls silent more than so often within so many seconds is not believed again soon."""
WELL, REPUBLISH, TRANSFER, RECREATE, POLL = range(5)


class Watch:
    """Watches all points of one connection until its connection is lost.

    `remarks` says, by what it is about, what a technician should know though values come.
    """

    def __init__(self, line: Line, table: Table, board: LastValues, sink: Sink, clock: Clock) -> None:
        self.remarks: dict[str, str] = {}
        self.subscription: Subscription | None = None
        self.limits = Limits()
        self.rung = WELL
        self._line, self._table, self._board = line, table, board
        self._sink, self._clock = sink, clock
        self.conditions = Conditions(table, board)
        self._history = History(line, table, board, self.limits, sink, clock, self._say_history)
        self._known = np.zeros(len(table.points), np.int64)
        """By row, until when its values are known where there is a gap after it; 0 where there is none."""
        self._publisher: Publisher | None = None
        self._news = asyncio.Event()
        self._watched: set[int] = set()
        self._polled: set[int] = set()
        self._refused: set[int] = set()
        self._heard_s = 0.0
        self._heard_us = 0
        self._falls: deque[float] = deque()
        self._gone = ""
        self._lost_messages = False
        self._renew = False
        self._poll_at: dict[str, float] = {}
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
            await self.limits.ask(self._line.client)
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
        self._polled = set(self._table.found())
        self._hand_absent()
        if self._line.settings.polling or not await self._subscribe():
            self.rung = POLL
            self._hand(self.conditions.unheard(self._clock()))
            await self._read(self._polled)
        elif self._polled:
            await self._read(self._polled)
        self._fill()
        self._retry.begin(_now())

    async def _wait(self) -> None:
        """Sleep until something is due, or news came."""
        due = [self._retry.at] if self._refused or self._table.absent() else []
        if self.rung == POLL:
            if not self._line.settings.polling:
                due.append(self._resubscribe.at)
        elif self.subscription is not None:
            due.append(self._heard_s + self.subscription.silence_s)
        classes = {self._table.points[row].profile.period for row in self._reading()}
        due += [self._poll_at.get(name, 0.0) for name in classes]
        seconds = None if not due else max(min(due) - _now(), 0.0)
        with suppress(TimeoutError):  # then something is due
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    async def _look(self) -> None:
        if self._gone or self._silent():
            await self._fall()
        if self._lost_messages:
            self._lost_messages = False
            self._say(
                "lost",
                f"messages of the server were lost at {to_datetime(self._clock()):%Y-%m-%d %H:%M:%S} UTC; "
                "all values were read again",
            )
            self._known = self._board.begin()
            self._sink(self._board.gap(self._heard_us))
            await self._read(self._watched)
            self._fill()
            self._renew = True
        if self._renew:
            await self._refresh()
        if self.rung == POLL and not self._line.settings.polling and self._resubscribe.due(_now()):
            await self._return()
        if (self._refused or self._table.absent()) and self._retry.due(_now()):
            await self._ask_again()
        await self._poll_due()

    def _silent(self) -> bool:
        return (
            self.subscription is not None
            and self.rung != POLL
            and _now() > self._heard_s + self.subscription.silence_s
        )

    # ---- the ladder ----

    async def _fall(self) -> None:
        now = _now()
        why = self._gone or f"no message and no keep-alive for {now - self._heard_s:.0f} s"
        rung = RECREATE if self._gone else self.rung + 1
        if self.rung == WELL:
            self._falls.append(now)
            while self._falls[0] < now - FALLS_S:
                self._falls.popleft()
            if len(self._falls) > FALLS:
                rung, why = POLL, f"{why}; the {len(self._falls)}th time in {FALLS_S / 60:.0f} min"
            self._known = self._board.begin()
            self._sink(self._board.gap(self._heard_us))
        self._gone = ""
        self._say("way", f"the subscription is silent ({why}); values are polled meanwhile")
        # Before the rungs, which may take their time: how do things stand? No answer: the line is lost.
        await self._read(self._watched | self._polled)
        while not await self._try(rung):
            rung += 1
        self._heard_s = _now()
        self._fill()

    def _fill(self) -> None:
        """Fill the gap from the server's history, beside everything else."""
        known, self._known = self._known, np.zeros_like(self._known)
        self._history.fill(known)

    def _say_history(self, sentence: str) -> None:
        if sentence:
            self._say("history", sentence)
        else:
            self.remarks.pop("history", None)

    async def _try(self, rung: int) -> bool:
        self.rung = rung
        try:
            return await self._rungs[rung]()
        except UaStatusCodeError:
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
        await self._refresh()
        return True

    async def _recreate(self) -> bool:
        await self._drop()
        return await self._subscribe()

    async def _give_up(self) -> bool:
        await self._drop()
        self._polled |= self._watched
        self._watched.clear()
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
        except UaStatusCodeError as error:
            self._say(
                "way", f"values are polled: the server allows no subscription ({code_name(error.code)})"
            )
            self._resubscribe.begin(_now())
            return False
        self._heard_s, self._heard_us = _now(), self._clock()
        self.subscription = made
        self._polled |= self._watched
        self._watched.clear()
        # First the requests: a report of a new item must not wait for one.
        self._publish(made)
        await self._watch(sorted(self._polled))
        await self._hear_conditions(made)
        if self.rung == WELL:
            self.remarks.pop("way", None)
        return True

    async def _watch(self, rows: Sequence[int]) -> None:
        """Create items for rows; those without room are polled, those refused wait for the next try."""
        made = self.subscription
        if made is None:
            return
        try:
            codes = await subscribing.watch(self._line.client, made, self._table, rows, self.limits)
        except UaStatusCodeError as error:
            if error.code not in GONE:
                raise
            # It ended between its making and its last item: the rows are polled until the next one.
            self._polled.update(rows)
            self._end(f"the server has no such subscription any more ({code_name(error.code)})")
            return
        self._board.watch(list(codes), list(codes.values()))
        for row, code in codes.items():
            if code < Quality.BAD:
                self._watched.add(row)
                self._board.set_delay(row, made.delay_us(row))
            elif code in subscribing.FULL:
                self._polled.add(row)
                continue
            else:
                self._refused.add(row)
            self._polled.discard(row)
        refused = [row for row, code in codes.items() if code >= Quality.BAD and code not in subscribing.FULL]
        if refused:
            self._sink(self._board.refused(refused, None, self._clock()))
        if made.unfiltered:
            why = code_name(next(iter(made.unfiltered.values())))
            names = ", ".join(self._name(row) for row in list(made.unfiltered)[:5])
            self._say(
                "deadband",
                f"watched without the profile's deadband, which the server refuses ({why}): {names}",
            )
        if self._polled:
            self._say("room", f"{len(self._polled)} points are polled: the server watches no more items")
        else:
            self.remarks.pop("room", None)

    async def _hear_conditions(self, made: Subscription) -> None:
        """Subscribe to the server's alarms where a point shows any, and ask how they stand."""
        if self._table.conditions():
            self._stand(await self.conditions.hear(self._line.client, made.id, self._clock()))

    async def _refresh(self) -> None:
        """Ask anew how the server's alarms stand."""
        self._renew = False
        made = self.subscription
        if made is not None and self._table.conditions():
            self._stand(await self.conditions.renew(self._line.client, made.id, self._clock()))

    def _stand(self, told: tuple[str, Sequence[Readings]]) -> None:
        remark, rows = told
        if remark:
            self._say("conditions", remark)
        else:
            self.remarks.pop("conditions", None)
        self._hand(rows)

    def _hand(self, told: Sequence[Readings]) -> None:
        for one in told:
            self._sink(one)

    def _publish(self, made: Subscription) -> None:
        session = self._line.client.field_session
        if self._publisher is None or self._publisher.session is not session:
            self._publisher = Publisher(session, self._take, self._miss, self._end)
        self._publisher.follow(made.id)

    def _take(self, message: ua.NotificationMessage, late: bool) -> None:
        """Hand on one message, and what it confirms by its silence."""
        now = self._clock()
        published = time_us(message.PublishTime) if message.PublishTime else 0
        if published <= 0:  # there are servers that leave it out of some messages: 1601
            published = now
        for notice in message.NotificationData or ():
            if isinstance(notice, ua.DataChangeNotification):
                self._sink(self._board.take(notice.MonitoredItems, published, now, late=late))
            elif isinstance(notice, ua.EventNotificationList):
                self._hand(self.conditions.take(notice.Events, published, late=late))
                if self.conditions.asks_anew:
                    self._renew = True
                    self._news.set()
            elif isinstance(notice, ua.StatusChangeNotification) and notice.Status.is_bad():
                self._end(f"the server ended the subscription: {notice.Status.name}")
                return
        if late:
            return
        self._heard_s, self._heard_us = _now(), now
        if self.rung != WELL:
            self.rung = WELL
            self.remarks.pop("way", None)
            self._news.set()
        still = self._board.still_valid(published)
        if len(still):
            self._sink(still)
        self._tell_overflows()

    def _miss(self) -> None:
        self._lost_messages = True
        self._news.set()

    def _end(self, why: str) -> None:
        if self.subscription is None:
            return  # given up already
        self._gone = self._gone or why
        self._news.set()

    def _tell_overflows(self) -> None:
        lost = self._board.overflows
        if lost:
            names = ", ".join(self._name(row) for row in sorted(lost, key=lambda row: -lost[row])[:5])
            self._say(
                "overflow",
                f"samples were lost at the server {sum(lost.values())} times, as its queues are too short "
                f"({names}); give these points a longer `queue` or `sampling_ms`",
            )

    # ---- polling, and what was refused ----

    def _reading(self) -> set[int]:
        """Return the rows that are read now: those that are never watched, and in trouble all."""
        return self._polled if self.rung == WELL else self._polled | self._watched

    async def _poll_due(self) -> None:
        now = _now()
        rows = []
        for name, seconds in POLL_S.items():
            if now >= self._poll_at.get(name, 0.0):
                own = [row for row in self._reading() if self._table.points[row].profile.period == name]
                if own:
                    rows += own
                    self._poll_at[name] = now + seconds
        await self._read(rows)

    async def _read(self, rows: Sequence[int] | set[int]) -> None:
        """Read rows and hand them on. Raises UaError, OSError, TimeoutError where nothing is answered."""
        wanted = sorted(rows)
        if not wanted:
            return
        session = self._line.client.uaclient.session

        async def call(piece: Sequence[int]) -> Sequence[ua.DataValue]:
            request = ua.ReadParameters()
            request.TimestampsToReturn = ua.TimestampsToReturn.Both
            for row in piece:
                node = ua.ReadValueId()
                node.NodeId, node.AttributeId = self._table.nodes[row], AttributeIds.Value
                request.NodesToRead.append(node)
            return await session.read(request)

        answers = await self.limits.split("read", wanted, call)
        self._sink(self._board.read(wanted, answers, self._clock()))
        for name in {self._table.points[row].profile.period for row in wanted}:
            self._poll_at[name] = max(self._poll_at.get(name, 0.0), _now() + POLL_S[name])

    async def _ask_again(self) -> None:
        """Ask for what the server refused: a namespace or a node may have come meanwhile."""
        self._retry.next(_now())
        absent = set(self._table.absent())
        if absent:
            self._table.resolve(await self._line.client.get_namespace_array())
        arrived = absent - set(self._table.absent())
        self._renew = self._renew or arrived != set(self._table.valued(arrived))
        if self._renew:
            self._news.set()
        came = self._table.valued(sorted(arrived | self._refused))
        self._refused.clear()
        if self.subscription is not None and came:
            self._polled.update(came)
            await self._watch(came)
        elif came:
            self._polled.update(came)
        self._hand_absent()

    def _hand_absent(self) -> None:
        absent = self._table.absent()
        if absent:
            self._sink(self._board.refused(absent, Quality.BAD_NODE_ID_UNKNOWN, self._clock()))

    def _name(self, row: int) -> str:
        point = self._table.points[row]
        return f"{point.device}.{point.profile.key}"

    def _say(self, about: str, sentence: str) -> None:
        self.remarks[about] = sentence


def _now() -> float:
    """Return the loop's clock, which nobody sets."""
    return asyncio.get_running_loop().time()
