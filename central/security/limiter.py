"""Sign-in attempts, counted in the database: too many failures and the door stays shut for a while.

There, and not in memory, so that neither a restart nor another replica gives a guesser new tries.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.problem import Problem
from central.security.models import SignInFailure
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

FAILURES_PER_ACCOUNT: Final = 5
"""For one user name from one address."""
FAILURES_PER_ADDRESS: Final = 50
"""For one address over all names; a control room may share one."""
FAILURES_PER_NAME: Final = 100
"""For one user name over all addresses (NIST SP 800-63B-4, 3.2.2): a guesser with many addresses."""
FAILURES_OF_CODE: Final = 5
"""For the second factor of one account, from wherever: six figures are few."""
WINDOW: Final = timedelta(minutes=5)
CODE: Final = "#code:"
"""Before the name under which failures of the second factor are kept; no user name begins so."""


class SignInLimiter:
    """Counts failures in a sliding window."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def attempt(self, username: str, address: str) -> None:
        """Count a failure before the password is judged, so that attempts side by side count as well.

        Problem 429 `too-many-attempts`, with `Retry-After`, where there were too many already.
        """
        now = to_datetime(self._clock())
        code = username.startswith(CODE)
        limits: list[tuple[int, ColumnElement[bool]]] = [
            (FAILURES_OF_CODE if code else FAILURES_PER_NAME, SignInFailure.username == username)
        ]
        if not code:
            mine = SignInFailure.address == address
            limits += [
                (FAILURES_PER_ACCOUNT, mine & (SignInFailure.username == username)),
                (FAILURES_PER_ADDRESS, mine),
            ]
        async with self._database.session() as session:
            await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(address, 6))))
            await session.execute(delete(SignInFailure).where(SignInFailure.at <= now - WINDOW))
            waits = [await self._wait_s(session, now, allowed, which) for allowed, which in limits]
            if not any(waits):
                session.add(SignInFailure(username=username, address=address, at=now))
        if any(waits):
            wait_s = max(waits)
            raise Problem(
                429,
                "too-many-attempts",
                "Too many attempts",
                f"Signing in failed too often. Try again in {wait_s} s.",
                headers={"Retry-After": str(wait_s)},
            )

    async def succeeded(self, username: str, address: str) -> None:
        """Forget the failures of this account from this address, this attempt among them."""
        mine = SignInFailure.username == username
        if not username.startswith(CODE):
            mine &= SignInFailure.address == address
        async with self._database.session() as session:
            await session.execute(delete(SignInFailure).where(mine))

    async def _wait_s(
        self, session: AsyncSession, now: datetime, allowed: int, which: ColumnElement[bool]
    ) -> int:
        """Return the seconds until fewer than `allowed` are left in the window; 0 when that is so now."""
        newest = select(SignInFailure.at).where(which).order_by(SignInFailure.at.desc())
        oldest_that_counts = await session.scalar(newest.offset(allowed - 1).limit(1))
        if oldest_that_counts is None:
            return 0
        return max(1, -int((now - oldest_that_counts - WINDOW).total_seconds() // 1))
