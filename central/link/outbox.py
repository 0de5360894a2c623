"""The outbox: commands and other orders on their way. Rooms leave them here; gateways fetch them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from typing import cast

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.bus import Bus
from central.link import order_rows
from central.link.command_rows import CommandRow, CommandView, view
from central.link.commands import Commands
from central.link.local_commands import keep_local
from central.link.order_rows import OrderRow, OrderView, Standing
from central.link.orders import Orders
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.clock import Clock, from_datetime, to_datetime
from protocols.model.command import Command, CommandOutcome, CommandState, CommandStep
from protocols.model.order import AlarmAct
from protocols.wire.channels import MAX_CONFIG_BYTES
from protocols.wire.handshake import InboxItem

log = structlog.get_logger(__name__)

MAX_INBOX = 100
LOOK_S = 5.0
"""A long poll looks again so often: the command line leaves its orders from another process."""


class Outbox:
    """Sends commands and orders and keeps what became of them.

    Every change is told on the bus as `command` or `order`. A gateway's inbox is one sequence of both.
    """

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._arrived: dict[str, asyncio.Event] = {}
        self._closing = False
        self.commands = Commands(database, clock)
        self.orders = Orders(database, clock)

    async def order(self, gateway: str, order: Standing, issued_by: str) -> OrderView:
        """Store an order that is no command and wake the gateway's long poll.

        Raises KeyError for an unknown gateway; Rejected: `revoked`, `expiry`, `not-storable`.
        """
        sent = await self.orders.add(gateway, order, issued_by)
        log.info("order.sent", order=sent.id, gateway=gateway, kind=sent.kind, issued_by=issued_by)
        self._event(gateway).set()
        self._bus.publish("order", sent)
        return sent

    async def forward(self, gateway: str, acts: Sequence[AlarmAct]) -> None:
        """Send acts on alarms. They hold here even where the gateway cannot be told: nothing is raised."""
        try:
            told = await self.orders.add_many(gateway, acts, [act.actor for act in acts])
        except (KeyError, Rejected) as error:
            log.warning("alarm.not_forwarded", gateway=gateway, acts=len(acts), why=str(error))
            return
        log.info("alarm.forwarded", gateway=gateway, acts=len(told))
        self._event(gateway).set()
        for order in told:
            self._bus.publish("order", order)

    async def send(
        self,
        point: str,
        value: float | str,
        *,
        issued_by: str,
        expires_in_s: float = 60.0,
        expected: float | None = None,
        step: CommandStep = "direct",
        sites: Set[str] | None = None,
    ) -> CommandView:
        """Store a command and wake the gateway's long poll. A point that wants it is selected, then operated.

        Raises KeyError for a point that is unknown, or not at these sites; Rejected: `not-writable`,
        `out-of-limits`, `wrong-type`, `retired`, `revoked`, `expiry`.
        """
        sent = await self.commands.add(
            point,
            value,
            issued_by=issued_by,
            expires_in_s=expires_in_s,
            expected=expected,
            step=step,
            sites=sites,
        )
        log.info("command.sent", command=sent.id, point=point, value=value, issued_by=issued_by)
        self._event(sent.gateway).set()
        self._bus.publish("command", sent)
        return sent

    async def fetch(self, gateway: str, after: int, wait_s: float) -> Sequence[InboxItem]:
        """Return what waits for a gateway beyond `after`, at once or as soon as there is something.

        Marks what it returns as delivered. Empty when `wait_s` is over, or the centre stops.
        """
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            arrived = self._event(gateway)
            arrived.clear()
            items = await self._deliver(gateway, after)
            left = deadline - asyncio.get_running_loop().time()
            if items or left <= 0 or self._closing:
                return items
            try:
                await asyncio.wait_for(arrived.wait(), min(left, LOOK_S))
            except TimeoutError:
                continue

    async def expire(self) -> int:
        """End the commands and orders whose time is over; return how many. Called by a timer.

        One that was never delivered has expired; one that was delivered and never answered is unknown.
        """
        async with self._database.session() as session:
            commands = await self.commands.expire(session)
            orders = await self.orders.expire(session)
        for row in commands:
            self._bus.publish("command", view(row))
        for order in orders:
            self._bus.publish("order", order_rows.view(order))
        return len(commands) + len(orders)

    async def apply(
        self, session: AsyncSession, gateway: str, outcomes: Sequence[CommandOutcome]
    ) -> Sequence[str]:
        """Keep a gateway's outcomes inside the caller's transaction; return the ids that changed.

        What the gateway says it did is the truth, so it also replaces `expired` and `unknown`. One of a
        command that was not sent from here is kept as the gateway's own; if it does not say what was
        commanded, it is ignored and logged.
        """
        changed: list[str] = []
        for outcome in outcomes:
            known = (
                await self.commands.finish(session, gateway, outcome)
                or await self.orders.finish(session, gateway, outcome)
                or await keep_local(session, gateway, outcome)
            )
            if not known:
                log.warning("command.unknown_outcome", gateway=gateway, command=outcome.command)
            else:
                changed.append(outcome.command)
        return changed

    async def publish(self, command_ids: Sequence[str]) -> None:
        """Tell the bus the present state of these commands and orders; called after the commit."""
        if not command_ids:
            return
        for command in await self.commands.views(command_ids):
            self._bus.publish("command", command)
        for order in await self.orders.views(command_ids):
            self._bus.publish("order", order)

    def close(self) -> None:
        """Answer every long poll now, so that the server can stop."""
        self._closing = True
        for event in self._arrived.values():
            event.set()

    def _event(self, gateway: str) -> asyncio.Event:
        return self._arrived.setdefault(gateway, asyncio.Event())

    async def _deliver(self, gateway: str, after: int) -> Sequence[InboxItem]:
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            commands = await self.commands.waiting(session, gateway, after, MAX_INBOX)
            orders = await self.orders.waiting(session, gateway, after, MAX_INBOX)
            rows = _fitting(sorted([*commands, *orders], key=_number))
            fresh = [row for row in rows if row.state == CommandState.PENDING.value]
            for row in fresh:
                row.state, row.delivered_at = CommandState.DELIVERED.value, now
        for row in fresh:
            if isinstance(row, CommandRow):
                self._bus.publish("command", view(row))
            else:
                self._bus.publish("order", order_rows.view(row))
        return [
            InboxItem(
                number=_number(row),
                order=_command(row) if isinstance(row, CommandRow) else order_rows.order_of(row),
            )
            for row in rows
        ]


def _number(row: CommandRow | OrderRow) -> int:
    return row.number or 0  # the gateway's own commands have none, and are in no inbox


def _fitting(rows: Sequence[CommandRow | OrderRow]) -> list[CommandRow | OrderRow]:
    """Return the first rows that one answer may hold; the gateway asks for the others next."""
    taken: list[CommandRow | OrderRow] = []
    size = 0
    for row in rows[:MAX_INBOX]:
        size += len(row.body.get("text", "")) if isinstance(row, OrderRow) else 0
        if taken and size > MAX_CONFIG_BYTES:
            break
        taken.append(row)
    return taken


def _command(row: CommandRow) -> Command:
    return Command(
        id=row.id,
        point=row.point.removeprefix(f"{row.gateway}."),
        value=row.value,
        issued_us=from_datetime(row.issued_at),
        expires_us=from_datetime(row.expires_at),
        issued_by=row.issued_by,
        expected=row.expected,
        step=cast(CommandStep, row.step),
    )
