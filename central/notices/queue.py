"""A queue of jobs in PostgreSQL, for all centres on one database. Every job is done at least once.

A job that is taken is not marked as running: it is merely due again when its lease ends. A centre that is
killed leaves nothing behind that anybody would have to find and mend, and a job that two centres did
is the same for who gets it, by the key that it is sent with.

Why not procrastinate 3.10 (maintained, typed, psycopg 3): it brings a connection pool and a schema of its
own, with migrations beside ours, and a job whose worker was killed stays in `doing` until something else
looks for it (its issues 1446 and 1518).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

Connection = AsyncConnection[Any]

LEASE: Final = timedelta(seconds=120)
"""Longer than a job may take; a killed centre's jobs wait this long."""

PUT = """
INSERT INTO jobs (kind, key, lane, next_at, made_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (kind, key) DO NOTHING
"""
TAKE = """
UPDATE jobs SET attempts = attempts + 1, holder = %(holder)s, next_at = %(until)s
WHERE id = (
    SELECT id FROM jobs
    WHERE state = 'waiting' AND kind = %(kind)s AND next_at <= %(now)s AND lane <> ALL(%(busy)s)
    ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, key, lane, attempts, made_at
"""
DONE = "DELETE FROM jobs WHERE id = %s AND holder = %s"
LATER = "UPDATE jobs SET next_at = %s, error = %s, holder = '' WHERE id = %s AND holder = %s"
BURY = "UPDATE jobs SET state = 'dead', error = %s, holder = '' WHERE id = %s AND holder = %s"
REVIVE = """
UPDATE jobs SET state = 'waiting', attempts = 0, next_at = %s, holder = '' WHERE kind = %s AND key = %s
"""
COUNT = "SELECT kind, state, count(*), min(next_at) FROM jobs GROUP BY kind, state ORDER BY kind, state"


@dataclass(frozen=True, slots=True)
class Job:
    """One that this centre holds until its lease ends. attempts counts this one."""

    id: int
    kind: str
    key: str
    lane: str
    attempts: int
    made_at: datetime
    holder: str


@dataclass(frozen=True, slots=True)
class Backoff:
    """When to try again: `first` doubled each time up to `most`, each between half and the whole of it.

    tries: after so many it is over.
    """

    first: timedelta
    most: timedelta
    tries: int

    def after(self, attempts: int) -> timedelta | None:
        """Return how long to wait after so many attempts; None: not again."""
        if attempts >= self.tries:
            return None
        whole = min(self.first * (1 << min(attempts - 1, 30)), self.most)
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


class Queue:
    """Puts, takes and ends jobs. lane: what a slow receiver may fill alone, so that others go past it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def now(self) -> datetime:
        """Return the time."""
        return to_datetime(self._clock())

    async def put(
        self, connection: Connection, kind: str, jobs: Iterable[tuple[str, str]], at: datetime | None = None
    ) -> None:
        """Add jobs (key, lane) in the caller's transaction; one whose key is there is left as it is."""
        now = self.now()
        async with connection.cursor() as cursor:
            await cursor.executemany(PUT, [(kind, key, lane, at or now, now) for key, lane in jobs])

    async def take(self, kind: str, busy: Sequence[str] = ()) -> Job | None:
        """Take the job that has been due for longest, of a lane that is not busy; None where none is due."""
        now, holder = self.now(), uuid.uuid4().hex
        asked = {"kind": kind, "now": now, "until": now + LEASE, "holder": holder, "busy": list(busy)}
        async with self._database.pool.connection() as connection:
            row: Any = await (await connection.execute(TAKE, asked)).fetchone()
        if row is None:
            return None
        number, _, key, lane, attempts, made_at = row
        return Job(number, kind, key, lane, attempts, made_at, holder)

    async def done(self, connection: Connection, job: Job) -> bool:
        """End a job; False where its lease had ended and another centre has it."""
        return bool((await connection.execute(DONE, (job.id, job.holder))).rowcount)

    async def later(self, connection: Connection, job: Job, wait: timedelta, error: str) -> None:
        """Try again after `wait`."""
        await connection.execute(LATER, (self.now() + wait, error, job.id, job.holder))

    async def bury(self, connection: Connection, job: Job, error: str) -> None:
        """Give it up; it stays to be seen, and `revive` takes it up again."""
        await connection.execute(BURY, (error, job.id, job.holder))

    async def revive(self, connection: Connection, kind: str, key: str) -> bool:
        """Do a job again from the start; False where there is none of that key."""
        return bool((await connection.execute(REVIVE, (self.now(), kind, key))).rowcount)

    async def counts(self) -> list[tuple[str, str, int, datetime]]:
        """Return (kind, state, number, when the first of them is due)."""
        async with self._database.pool.connection() as connection:
            return await (await connection.execute(COUNT)).fetchall()  # type: ignore[return-value]
