"""What commands and orders have in common: sent under one sequence of numbers, fetched once, ended once.

    pending ──fetched──► delivered ──outcome──► as the gateway says
       └─ not in time ─► expired      └─ none ─► unknown

Each function takes the table it is about, and works inside the caller's transaction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base
from central.store.registry import Gateway
from protocols.errors import Rejected
from protocols.model.clock import to_datetime
from protocols.model.command import CommandOutcome, CommandState

_OPEN: Final = (CommandState.PENDING.value, CommandState.DELIVERED.value)


class Sent(Base):
    """What every row has; state is `protocols.model.command.CommandState`."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"))
    number: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str]
    issued_at: Mapped[datetime]
    issued_by: Mapped[str]
    expires_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    reason: Mapped[str]
    detail: Mapped[str]


Kind = TypeVar("Kind", bound=Sent)
Told = TypeVar("Told", str, float | str | None)


async def next_number(session: AsyncSession, gateway: str, many: int = 1) -> int:
    """Take the gateway's next numbers; return the last. KeyError: unknown gateway; Rejected `revoked`."""
    # The row lock makes numbers become visible in their order, so no inbox skips one.
    number: int | None = await session.scalar(
        update(Gateway)
        .where(Gateway.id == gateway, Gateway.state != "revoked")
        .values(last_command=Gateway.last_command + many)
        .returning(Gateway.last_command)
    )
    if number is None:
        if await session.get(Gateway, gateway) is None:
            raise KeyError(gateway)
        raise Rejected("revoked", f"gateway {gateway!r} is revoked; enrol it again first")
    return number


async def waiting(
    session: AsyncSession, table: type[Kind], gateway: str, after: int, limit: int, now: datetime
) -> Sequence[Kind]:
    """Return what a gateway may still take beyond number `after`, by number."""
    found = await session.scalars(
        select(table)
        .where(
            table.gateway == gateway,
            table.number > after,
            table.finished_at.is_(None),
            table.state.in_(_OPEN),
            table.expires_at > now,
        )
        .order_by(table.number)
        .limit(limit)
    )
    return found.all()


async def expire(
    session: AsyncSession, table: type[Kind], now: datetime, unanswered: ColumnElement[bool]
) -> Sequence[Kind]:
    """End what nobody fetched in time, and of what was fetched the `unanswered`; return both."""
    unfetched = table.expires_at <= now
    ended: list[Kind] = []
    for state, over, final, detail in (
        (CommandState.PENDING, unfetched, CommandState.EXPIRED, "the gateway did not fetch it in time"),
        (CommandState.DELIVERED, unanswered, CommandState.UNKNOWN, "the gateway has not answered"),
    ):
        statement = (
            update(table)
            .where(table.state == state.value, over)
            .values(state=final.value, finished_at=now, reason=final.value, detail=detail)
            .returning(table)
        )
        ended.extend(await session.scalars(statement))
    return ended


async def finish(
    session: AsyncSession, table: type[Kind], gateway: str, outcome: CommandOutcome, **more: object
) -> bool:
    """Keep what became of a row, and `more` columns; False where this gateway was sent none of that id."""
    found = await session.scalar(
        update(table)
        .where(table.id == outcome.command, table.gateway == gateway)
        .values(
            state=outcome.state.value,
            finished_at=to_datetime(outcome.finished_us),
            reason=storable(outcome.reason),
            detail=storable(outcome.detail),
            **more,
        )
        .returning(table.id)
    )
    return found is not None


def storable(told: Told) -> Told | None:
    """Return what a device told as PostgreSQL can hold it: what became of a command is never refused."""
    if isinstance(told, str):
        return told.replace("\0", "\ufffd")
    return told if told is None or math.isfinite(told) else None
