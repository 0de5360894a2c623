"""Numbers that people say on the telephone: the day, and a running number without gaps."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from central.casebook.models import DayNumber

Kind = Literal["case", "event"]
_PREFIX: dict[Kind, str] = {"case": "", "event": "E"}


async def next_number(session: AsyncSession, kind: Kind, now: datetime) -> str:
    """Take the next number of the day (UTC), such as `20261122-0001`.

    The day's row stays locked until the transaction ends: two openings at once get neighbouring numbers,
    and one that is rolled back leaves no hole.
    """
    day = f"{now:%Y%m%d}"
    statement = (
        insert(DayNumber)
        .values(kind=kind, day=day, last=1)
        .on_conflict_do_update(index_elements=["kind", "day"], set_={"last": DayNumber.last + 1})
        .returning(DayNumber.last)
    )
    last = (await session.execute(statement)).scalar_one()
    return f"{_PREFIX[kind]}{day}-{last:04d}"
