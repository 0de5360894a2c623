"""The part of the outbox that is commands: one write each, to one point of one device.

Methods that take a session work inside the caller's transaction; the outbox tells the bus after it.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence, Set
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.link import sent
from central.link.command_rows import CommandPage, CommandRow, CommandView, view
from central.store.base import Database
from central.store.paging import newest_first
from central.store.reach import of_devices_at
from central.store.registry import Point
from protocols.errors import Rejected
from protocols.model.clock import Clock, to_datetime
from protocols.model.command import CommandOutcome, CommandState, CommandStep

MAX_EXPIRY_S: Final = 3600.0
OUTCOME_GRACE_S: Final = 15.0
"""A delivered command may be answered so long after its expiry before it is shown as unknown."""


class Commands:
    """Rows of `commands`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self,
        point: str,
        value: float | str,
        *,
        issued_by: str,
        expires_in_s: float,
        expected: float | None,
        step: CommandStep,
        sites: Set[str] | None = None,
    ) -> CommandView:
        """Store a command under its gateway's next number.

        Raises KeyError for a point that is unknown, or not at these sites; Rejected: `not-writable`,
        `out-of-limits`, `wrong-type`, `retired`, `revoked`, `expiry`.
        """
        if not 0 < expires_in_s <= MAX_EXPIRY_S:
            raise Rejected("expiry", f"a command lives for up to {MAX_EXPIRY_S:.0f} s, not {expires_in_s:g}")
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            target = await session.scalar(
                select(Point).where(Point.id == point, *of_devices_at(Point.device, sites))
            )
            if target is None:
                raise KeyError(point)
            _check(target, value)
            row = CommandRow(
                id=str(uuid.uuid4()),
                gateway=target.gateway,
                number=await sent.next_number(session, target.gateway),
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
        return view(row)

    async def get(self, command_id: str, sites: Set[str] | None = None) -> CommandView | None:
        """Return one command to a device at these sites, or None."""
        found = select(CommandRow).where(
            CommandRow.id == command_id, *of_devices_at(CommandRow.device, sites)
        )
        async with self._database.session() as session:
            row = await session.scalar(found)
            return None if row is None else view(row)

    async def list(
        self,
        *,
        device: str | None = None,
        point: str | None = None,
        sites: Set[str] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> CommandPage:
        """Return commands to devices at these sites, the newest first.

        Problem 400 for a cursor that was not made here.
        """
        page = select(CommandRow).where(*of_devices_at(CommandRow.device, sites))
        if device is not None:
            page = page.where(CommandRow.device == device)
        if point is not None:
            page = page.where(CommandRow.point == point)
        async with self._database.session() as session:
            rows, following = await newest_first(
                session, page, CommandRow.issued_at, CommandRow.id, limit, cursor
            )
        return CommandPage([view(row) for row in rows], following)

    async def waiting(
        self, session: AsyncSession, gateway: str, after: int, limit: int
    ) -> Sequence[CommandRow]:
        """Return what a gateway may still take beyond number `after`, by number."""
        return await sent.waiting(session, CommandRow, gateway, after, limit, to_datetime(self._clock()))

    async def expire(self, session: AsyncSession) -> Sequence[CommandRow]:
        """End the commands that nobody fetched, or answered, in time; return them."""
        now = to_datetime(self._clock())
        unanswered = CommandRow.expires_at <= now - timedelta(seconds=OUTCOME_GRACE_S)
        return await sent.expire(session, CommandRow, now, unanswered)

    async def finish(self, session: AsyncSession, gateway: str, outcome: CommandOutcome) -> bool:
        """Keep what became of a command; False where this gateway was never sent one of that id."""
        return await sent.finish(
            session, CommandRow, gateway, outcome, read_back=sent.storable(outcome.read_back)
        )

    async def views(self, ids: Sequence[str]) -> Sequence[CommandView]:
        """Return these commands as they are now; ids that are none are left out."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(CommandRow).where(CommandRow.id.in_(ids)))).all()
        return [view(row) for row in rows]


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
