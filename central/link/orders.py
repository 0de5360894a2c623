"""The part of the outbox that is no command: alarm acts, configurations, rotations, updates.

Methods that take a session work inside the caller's transaction; the outbox tells the bus after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.link import sent
from central.link.order_rows import (
    OrderKind,
    OrderPage,
    OrderRow,
    OrderView,
    Standing,
    body_of,
    kind_of,
    subject_of,
    view,
)
from central.store.base import Database
from central.store.paging import newest_first
from protocols.errors import Rejected
from protocols.model.clock import Clock, to_datetime
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.order import ConfigPush, Update

ALARM_EXPIRY_S: Final = 86_400.0
"""An acknowledgement that a gateway did not fetch for a day is no news to it any more."""
MAX_EXPIRY_S: Final = 30 * 86_400.0
ANSWER_S: Final = 60.0
"""After the expiry, and after what the order itself takes, an answer may travel so long."""
UPDATE_ANSWER_S: Final = 1800.0
"""Download, installation, restart and health check of an update, or the way back."""


class Orders:
    """Rows of `orders`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, gateway: str, order: Standing, issued_by: str) -> OrderView:
        """Store an order under the gateway's next number.

        Raises KeyError for an unknown gateway; Rejected: `revoked`, `expiry`, `not-storable`.
        """
        return (await self.add_many(gateway, [order], [issued_by]))[0]

    async def add_many(
        self, gateway: str, orders: Sequence[Standing], issued_by: Sequence[str]
    ) -> list[OrderView]:
        """Store orders under the gateway's next numbers, all or none. Raises as `add` does."""
        now_us = self._clock()
        for order in orders:
            if not 0 < (_expires_us(order, now_us) - now_us) / 1e6 <= MAX_EXPIRY_S:
                days = f"{MAX_EXPIRY_S / 86_400:.0f}"
                raise Rejected("expiry", f"an order lives for up to {days} days from now")
            _require_storable(order)
        rows = []
        async with self._database.session() as session:
            last = await sent.next_number(session, gateway, len(orders))
            for place, (order, actor) in enumerate(zip(orders, issued_by, strict=True)):
                expires_at = to_datetime(_expires_us(order, now_us))
                row = OrderRow(
                    id=order.id,
                    gateway=gateway,
                    number=last - len(orders) + 1 + place,
                    kind=kind_of(order),
                    subject=subject_of(order)[:500],
                    body=body_of(order),
                    state=CommandState.PENDING.value,
                    issued_at=to_datetime(now_us),
                    issued_by=actor,
                    expires_at=expires_at,
                    answer_by=expires_at + timedelta(seconds=_answer_s(order)),
                    delivered_at=None,
                    finished_at=None,
                    reason="",
                    detail="",
                )
                rows.append(row)
            session.add_all(rows)
        return [view(row) for row in rows]

    async def get(self, order_id: str) -> OrderRow | None:
        """Return one order with its body, or None."""
        async with self._database.session() as session:
            return await session.get(OrderRow, order_id)

    async def list(
        self, gateway: str, *, kind: OrderKind | None = None, limit: int = 100, cursor: str | None = None
    ) -> OrderPage:
        """Return a gateway's orders, the newest first. Problem 400 for a cursor that was not made here."""
        page = select(OrderRow).where(OrderRow.gateway == gateway)
        if kind is not None:
            page = page.where(OrderRow.kind == kind)
        async with self._database.session() as session:
            rows, following = await newest_first(
                session, page, OrderRow.issued_at, OrderRow.id, limit, cursor
            )
        return OrderPage([view(row) for row in rows], following)

    async def waiting(
        self, session: AsyncSession, gateway: str, after: int, limit: int
    ) -> Sequence[OrderRow]:
        """Return what a gateway may still take beyond number `after`, by number."""
        return await sent.waiting(session, OrderRow, gateway, after, limit, to_datetime(self._clock()))

    async def expire(self, session: AsyncSession) -> Sequence[OrderRow]:
        """End the orders that nobody fetched, or answered, in time; return them."""
        now = to_datetime(self._clock())
        return await sent.expire(session, OrderRow, now, OrderRow.answer_by <= now)

    async def finish(self, session: AsyncSession, gateway: str, outcome: CommandOutcome) -> bool:
        """Keep what became of an order; False where this gateway was never sent one of that id."""
        return await sent.finish(session, OrderRow, gateway, outcome)

    async def views(self, ids: Sequence[str]) -> Sequence[OrderView]:
        """Return these orders as they are now; ids that are none are left out."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(OrderRow).where(OrderRow.id.in_(ids)))).all()
        return [view(row) for row in rows]


def _answer_s(order: Standing) -> float:
    match order:
        case ConfigPush():
            return order.probation_s + ANSWER_S
        case Update():
            return UPDATE_ANSWER_S
        case _:
            return ANSWER_S


def _expires_us(order: Standing, now_us: int) -> int:
    expires_us: int = getattr(order, "expires_us", now_us + round(ALARM_EXPIRY_S * 1e6))
    return expires_us


def _require_storable(order: Standing) -> None:
    """Refuse text that no column can hold: with a zero character, or half of a surrogate pair."""

    def words(value: object) -> bool:
        if isinstance(value, dict):
            return all(words(item) for pair in value.items() for item in pair)
        if isinstance(value, str):
            return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
        return True

    if not words(body_of(order)):
        raise Rejected(
            "not-storable", "the order holds a character that cannot be stored (U+0000, lone surrogate)"
        )
