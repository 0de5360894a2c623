"""Lists by page, the newest first: one order, one cursor, whatever the table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from central.kernel.shapes import decode_cursor, encode_cursor
from central.store.base import Base
from protocols.model.clock import from_datetime, to_datetime

Row = TypeVar("Row", bound=Base)


async def newest_first(
    session: AsyncSession,
    statement: Select[Row],
    at: InstrumentedAttribute[datetime],
    key: InstrumentedAttribute[str],
    limit: int,
    cursor: str | None,
) -> tuple[Sequence[Row], str | None]:
    """Return a page ordered by (at, key) downwards, and the cursor of the next; None at the end.

    Problem 400 for a cursor that was not made here.
    """
    statement = statement.order_by(at.desc(), key.desc()).limit(limit + 1)
    if cursor is not None:
        time_us, last = decode_cursor(cursor, int, str)
        statement = statement.where(tuple_(at, key) < tuple_(to_datetime(time_us), last))
    rows = (await session.scalars(statement)).all()
    if len(rows) <= limit:
        return rows, None
    end = rows[limit - 1]
    return rows[:limit], encode_cursor(from_datetime(getattr(end, at.key)), getattr(end, key.key))
