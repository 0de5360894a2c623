"""The table of orders that are not commands, and an order as screens see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

import msgspec
from sqlalchemy import BigInteger, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.link.sent import Sent
from protocols.model.order import AlarmAct, ConfigPush, Order, Rotate, TakePicture, Update

OrderKind = Literal["alarm", "config", "rotate", "update", "picture"]
ORDER_KINDS: Final[tuple[OrderKind, ...]] = ("alarm", "config", "rotate", "update", "picture")
Standing = AlarmAct | ConfigPush | Rotate | Update | TakePicture
"""The orders that this table keeps; a command has its own."""


class OrderRow(Sent):
    """One order; `number` rises by gateway, in one sequence with the commands'.

    body is the order as it travels; subject is what it is about, in short (a rule, a note, a version);
    a gateway that took the order before `expires_at` and has not answered by `answer_by` leaves its end
    unknown.
    """

    __tablename__ = "orders"

    number: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    subject: Mapped[str]
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    answer_by: Mapped[datetime]

    __table_args__ = (
        Index("uq_orders_number", "gateway", "number", unique=True),
        Index("ix_orders_waiting", "gateway", "number", postgresql_where=text("finished_at IS NULL")),
        Index("ix_orders_issued", "gateway", "issued_at", "id"),
    )


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as screens see it: without its body, which may be megabytes and hold secrets."""

    id: str
    gateway: str
    kind: OrderKind
    subject: str
    state: str
    issued_at: datetime
    issued_by: str
    expires_at: datetime
    delivered_at: datetime | None
    finished_at: datetime | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders, the newest first; next_cursor None at the end."""

    items: list[OrderView]
    next_cursor: str | None


def view(row: OrderRow) -> OrderView:
    """Return an order as screens see it."""
    return OrderView(
        id=row.id,
        gateway=row.gateway,
        kind=cast(OrderKind, row.kind),
        subject=row.subject,
        state=row.state,
        issued_at=row.issued_at,
        issued_by=row.issued_by,
        expires_at=row.expires_at,
        delivered_at=row.delivered_at,
        finished_at=row.finished_at,
        reason=row.reason,
        detail=row.detail,
    )


def body_of(order: Standing) -> dict[str, Any]:
    """Return an order as its row keeps it: as it travels."""
    body: dict[str, Any] = msgspec.to_builtins(order)
    return body


def order_of(row: OrderRow) -> Order:
    """Return the order that a row keeps."""
    order: Order = msgspec.convert(row.body, Order)
    return order


def kind_of(order: Standing) -> OrderKind:
    """Return the tag under which an order travels."""
    match order:
        case AlarmAct():
            return "alarm"
        case ConfigPush():
            return "config"
        case Rotate():
            return "rotate"
        case Update():
            return "update"
        case TakePicture():
            return "picture"


def subject_of(order: Standing) -> str:
    """Return in short what an order is about."""
    match order:
        case AlarmAct():
            return f"{order.verb} {order.rule}"
        case ConfigPush():
            return order.note
        case Rotate():
            return ""
        case Update():
            return order.version
        case TakePicture():
            return order.camera
