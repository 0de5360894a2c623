"""What the messages of a subscription say: changes, events, and by silence that the rest is unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from asyncua import ua
from asyncua.client.client import Client

from protocols.field.base import Sink
from protocols.field.opcua.conditions import Conditions
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.remarks import Remarks
from protocols.field.opcua.table import Table
from protocols.field.opcua.values import time_us
from protocols.model.clock import Clock
from protocols.model.reading import Readings


class Hearing:
    """Hands on what messages say. `heard_s` and `heard_us` say when the last one came."""

    def __init__(self, table: Table, board: LastValues, remarks: Remarks, sink: Sink, clock: Clock) -> None:
        self.conditions = Conditions(table, board)
        self.heard_s = 0.0
        self.heard_us = 0
        self._table, self._board, self._remarks = table, board, remarks
        self._sink, self._clock = sink, clock

    def now(self) -> None:
        """Count silence from now on."""
        self.heard_s, self.heard_us = asyncio.get_running_loop().time(), self._clock()

    def take(self, message: ua.NotificationMessage, late: bool) -> str:
        """Hand on one message, and what it confirms by its silence; return why the server ended it, or ""."""
        now = self._clock()
        published = time_us(message.PublishTime) if message.PublishTime else 0
        if published <= 0:  # there are servers that leave it out of some messages: 1601
            published = now
        for notice in message.NotificationData or ():
            if isinstance(notice, ua.DataChangeNotification):
                self._sink(self._board.take(notice.MonitoredItems, published, now, late=late))
            elif isinstance(notice, ua.EventNotificationList):
                self._hand(self.conditions.take(notice.Events, published, late=late))
            elif isinstance(notice, ua.StatusChangeNotification) and notice.Status.is_bad():
                return f"the server ended the subscription: {notice.Status.name}"
        if not late:
            self.now()
            still = self._board.still_valid(published)
            if len(still):
                self._sink(still)
            self._tell_overflows()
        return ""

    async def hear_conditions(self, client: Client, subscription: int) -> None:
        """Subscribe to the server's alarms where a point shows any, and ask how they stand."""
        if self._table.conditions():
            self._stand(await self.conditions.hear(client, subscription, self._clock()))

    async def renew_conditions(self, client: Client, subscription: int) -> None:
        """Ask anew how the server's alarms stand."""
        if self._table.conditions():
            self._stand(await self.conditions.renew(client, subscription, self._clock()))

    def no_conditions(self) -> None:
        """Say that the server's alarms cannot be heard without a subscription."""
        self._hand(self.conditions.unheard(self._clock()))

    def _stand(self, told: tuple[str, Sequence[Readings]]) -> None:
        remark, rows = told
        self._remarks.say("conditions", remark)
        self._hand(rows)

    def _hand(self, told: Sequence[Readings]) -> None:
        for one in told:
            self._sink(one)

    def _tell_overflows(self) -> None:
        lost = self._board.overflows
        if lost:
            names = ", ".join(self._table.name(row) for row in sorted(lost, key=lambda row: -lost[row])[:5])
            self._remarks.say(
                "overflow",
                f"samples were lost at the server {sum(lost.values())} times, as its queues are too short "
                f"({names}); give these points a longer `queue` or `sampling_ms`",
            )
