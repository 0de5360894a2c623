"""Fetches what the centre wants done: a long poll, because nothing comes inbound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from edge.link.client import CentreClient, CentreError
from edge.link.road import Road
from protocols.model.clock import Clock, now_us
from protocols.model.order import Order
from protocols.wire.handshake import InboxItem

WAIT_S: Final = 25
Begin = Callable[[InboxItem], Awaitable[bool]]
"""Records an item as begun; False where it has been before."""
Execute = Callable[[Order, int], Awaitable[object]]
"""Carries out an order; the second argument is the centre's clock minus ours, in microseconds."""


class Receiver:
    """Takes items in the order of their numbers; each is recorded before the next is asked for."""

    def __init__(
        self,
        centre: CentreClient,
        road: Road,
        cursor: int,
        *,
        begin: Begin,
        execute: Execute,
        clock: Clock = now_us,
    ) -> None:
        self.offset_us: int | None = None
        """Centre's clock minus ours at the last answer; None before the first."""
        self._centre = centre
        self._road = road
        self._cursor = cursor
        self._begin = begin
        self._execute = execute
        self._clock = clock

    async def run(self) -> NoReturn:
        """Fetch until cancelled. An order that takes long does not hold up those after it."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._road.clear()
                try:
                    inbox = await self._centre.inbox(self._cursor, WAIT_S)
                except CentreError as error:
                    self._road.failed(error)
                    continue
                self._road.passed()
                self.offset_us = inbox.server_us - self._clock()
                for item in sorted(inbox.items, key=lambda item: item.number):
                    if item.number <= self._cursor:
                        continue
                    first = await self._begin(item)
                    self._cursor = item.number
                    if first:
                        group.create_task(self._carry_out(item.order), name=f"order:{item.order.id}")
        raise AssertionError("the receiver never ends")

    async def _carry_out(self, order: Order) -> None:
        await self._execute(order, self.offset_us or 0)
