"""The outbox: commands and other orders on their way. Rooms leave them here; gateways fetch them."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.bus import Bus
from central.link import order_rows
from central.link.command_rows import CommandPage, CommandRow, CommandView, view
from central.link.local_commands import keep_local, storable
from central.link.order_rows import OrderRow, OrderView, Standing
from central.link.orders import Orders
from central.store.base import Database
from central.store.paging import newest_first
from central.store.registry import Gateway, Point
from protocols.errors import Rejected
from protocols.model.clock import Clock, from_datetime, to_datetime
from protocols.model.command import Command, CommandOutcome, CommandState, CommandStep
from protocols.model.order import AlarmAct
from protocols.wire.channels import MAX_CONFIG_BYTES
from protocols.wire.handshake import InboxItem

__all__ = ["CommandPage", "CommandRow", "CommandView", "Outbox"]

log = structlog.get_logger(__name__)

MAX_EXPIRY_S = 3600.0
MAX_INBOX = 100
LOOK_S = 5.0
"""A long poll looks again so often: the command line leaves its orders from another process."""
OUTCOME_GRACE_S = 15.0
"""A delivered command may be answered so long after its expiry before it is shown as unknown."""

_OPEN = (CommandState.PENDING.value, CommandState.DELIVERED.value)


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

    async def forward(self, gateway: str, act: AlarmAct) -> None:
        """Send an act on an alarm. It holds here even where the gateway cannot be told: nothing is raised."""
        try:
            await self.order(gateway, act, act.actor)
        except (KeyError, Rejected) as error:
            log.warning("alarm.not_forwarded", gateway=gateway, rule=act.rule, verb=act.verb, why=str(error))

    async def send(
        self,
        point: str,
        value: float | str,
        *,
        issued_by: str,
        expires_in_s: float = 60.0,
        expected: float | None = None,
        step: CommandStep = "direct",
    ) -> CommandView:
        """Store a command and wake the gateway's long poll. A point that wants it is selected, then operated.

        Raises KeyError for an unknown point; Rejected: `not-writable`, `out-of-limits`, `wrong-type`,
        `retired`, `revoked`, `expiry`.
        """
        if not 0 < expires_in_s <= MAX_EXPIRY_S:
            raise Rejected("expiry", f"a command lives for up to {MAX_EXPIRY_S:.0f} s, not {expires_in_s:g}")
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            target = await session.scalar(select(Point).where(Point.id == point))
            if target is None:
                raise KeyError(point)
            _check(target, value)
            # The row lock makes numbers become visible in their order, so no inbox skips one.
            number = await session.scalar(
                update(Gateway)
                .where(Gateway.id == target.gateway, Gateway.state != "revoked")
                .values(last_command=Gateway.last_command + 1)
                .returning(Gateway.last_command)
            )
            if number is None:
                raise Rejected("revoked", f"gateway {target.gateway!r} is revoked; enrol it again first")
            row = CommandRow(
                id=str(uuid.uuid4()),
                gateway=target.gateway,
                number=number,
                device=target.device,
                point=point,
                value=value,
                expected=expected,
                step=step,
                unit=target.unit,
                state=CommandState.PENDING.value,
                issued_at=now,
                issued_by=issued_by,
                expires_at=now + timedelta(seconds=expires_in_s),
                delivered_at=None,
                finished_at=None,
                read_back=None,
                reason="",
                detail="",
            )
            session.add(row)
        sent = view(row)
        log.info("command.sent", command=sent.id, point=point, value=value, issued_by=issued_by)
        self._event(sent.gateway).set()
        self._bus.publish("command", sent)
        return sent

    async def get(self, command_id: str) -> CommandView | None:
        """Return one command, or None."""
        async with self._database.session() as session:
            row = await session.get(CommandRow, command_id)
            return None if row is None else view(row)

    async def list(
        self,
        *,
        device: str | None = None,
        point: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> CommandPage:
        """Return commands, the newest first. Problem 400 for a cursor that was not made here."""
        page = select(CommandRow)
        if device is not None:
            page = page.where(CommandRow.device == device)
        if point is not None:
            page = page.where(CommandRow.point == point)
        async with self._database.session() as session:
            rows, following = await newest_first(
                session, page, CommandRow.issued_at, CommandRow.id, limit, cursor
            )
        return CommandPage([view(row) for row in rows], following)

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
        now = to_datetime(self._clock())
        grace = timedelta(seconds=OUTCOME_GRACE_S)
        endings = (
            (CommandState.PENDING, now, CommandState.EXPIRED, "the gateway did not fetch it in time"),
            (CommandState.DELIVERED, now - grace, CommandState.UNKNOWN, "the gateway has not answered"),
        )
        ended: list[CommandRow] = []
        async with self._database.session() as session:
            for state, before, final, detail in endings:
                statement = (
                    update(CommandRow)
                    .where(CommandRow.state == state.value, CommandRow.expires_at <= before)
                    .values(state=final.value, finished_at=now, reason=final.value, detail=detail)
                    .returning(CommandRow)
                )
                ended.extend(await session.scalars(statement))
            orders = await self.orders.expire(session)
        for row in ended:
            self._bus.publish("command", view(row))
        for order in orders:
            self._bus.publish("order", order_rows.view(order))
        return len(ended) + len(orders)

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
            found = await session.scalar(
                update(CommandRow)
                .where(CommandRow.id == outcome.command, CommandRow.gateway == gateway)
                .values(
                    state=outcome.state.value,
                    finished_at=to_datetime(outcome.finished_us),
                    read_back=storable(outcome.read_back),
                    reason=storable(outcome.reason),
                    detail=storable(outcome.detail),
                )
                .returning(CommandRow.id)
            )
            known = (
                found is not None
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
        async with self._database.session() as session:
            rows = (await session.scalars(select(CommandRow).where(CommandRow.id.in_(command_ids)))).all()
        for row in rows:
            self._bus.publish("command", view(row))
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
            waiting = select(CommandRow).where(
                CommandRow.gateway == gateway,
                CommandRow.number > after,
                CommandRow.finished_at.is_(None),
                CommandRow.state.in_(_OPEN),
                CommandRow.expires_at > now,
            )
            commands = (await session.scalars(waiting.order_by(CommandRow.number).limit(MAX_INBOX))).all()
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


def _check(point: Point, value: float | str) -> None:
    if point.retired_at is not None:
        raise Rejected("retired", f"point {point.id!r} is no longer declared by its gateway")
    if not point.writable:
        raise Rejected("not-writable", f"point {point.id!r} can only be read")
    if point.value_type == "text":
        if not isinstance(value, str):
            raise Rejected("wrong-type", f"point {point.id!r} takes text, not {value!r}")
        return
    if isinstance(value, str) or not math.isfinite(value):
        raise Rejected("wrong-type", f"point {point.id!r} takes a number, not {value!r}")
    if point.value_type == "bool" and value not in {0, 1}:
        raise Rejected("out-of-limits", f"point {point.id!r} takes 0 or 1, not {value:g}")
    low, high = point.write_min, point.write_max
    if (low is not None and value < low) or (high is not None and value > high):
        allowed = f"{'' if low is None else low} … {'' if high is None else high} {point.unit}"
        raise Rejected("out-of-limits", f"point {point.id!r} takes {allowed}, not {value:g}")
