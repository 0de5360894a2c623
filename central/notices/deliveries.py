"""Deliveries: one message to one receiver, from when it was decided until its receipt.

What decides a message names its cause in `source`; the same cause twice is one delivery, whoever decides it.

    waiting   in the queue              held      too many at once: for the next digest
    digested  told in a digest          sent      the other side took it
    refused   it never will take it     given_up  no more tries
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from psycopg import AsyncConnection

from central.kernel.problem import Problem, not_found
from central.kernel.shapes import decode_cursor, encode_cursor
from central.notices.outcome import Outcome
from central.notices.queue import Queue
from central.store.base import Database
from protocols.model.clock import from_datetime, to_datetime

Connection = AsyncConnection[Any]
State = Literal["waiting", "held", "digested", "sent", "refused", "given_up"]
JOB: Final = "deliver"
MANY: Final = 1_000_000
KEPT: Final = timedelta(days=90)
"""Receipts older than this are removed."""

_COLUMNS: Final = (
    "id, source, kind, item, item_name, rule, rule_name, event, alarm, site, priority, step, recipient, lang,"
    " subject, body, state, digest, made_at, ended_at"
)
PUT = f"""
INSERT INTO deliveries ({_COLUMNS}) VALUES ({", ".join(["%s"] * 20)})
ON CONFLICT (source) DO NOTHING RETURNING id
"""  # noqa: S608 - made of constants
RECENT = """
SELECT item, recipient, count(*) FILTER (WHERE state NOT IN ('held', 'digested') AND made_at > %(since)s),
    count(*) FILTER (WHERE state = 'held')
FROM deliveries
WHERE kind = 'notice' AND item = ANY(%(items)s) AND (state = 'held' OR made_at > %(since)s)
GROUP BY item, recipient
"""
"""What each receiver of these channels was sent since then, and what is held for him."""
ONE = f"SELECT {_COLUMNS} FROM deliveries WHERE id = %s"  # noqa: S608 - made of a constant
LIST = f"""
SELECT {_COLUMNS}, (SELECT count(*) FROM delivery_attempts t WHERE t.delivery = d.id),
    coalesce((SELECT answer FROM delivery_attempts t WHERE t.delivery = d.id ORDER BY t.id DESC LIMIT 1), '')
FROM deliveries d
WHERE (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(item)s::bigint IS NULL OR item = %(item)s)
    AND (%(state)s::text IS NULL OR state = %(state)s) AND (%(alarm)s::text IS NULL OR alarm = %(alarm)s)
    AND (%(before)s::timestamptz IS NULL OR (made_at, id) < (%(before)s, %(before_id)s))
ORDER BY made_at DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608 - made of a constant
ATTEMPT = """
INSERT INTO delivery_attempts (delivery, at, outcome, answer, took_ms) VALUES (%s, %s, %s, %s, %s)
"""
ATTEMPTS = "SELECT at, outcome, answer, took_ms FROM delivery_attempts WHERE delivery = %s ORDER BY id"
END = "UPDATE deliveries SET state = %s, ended_at = %s WHERE id = %s"
AGAIN = "UPDATE deliveries SET state = 'waiting', ended_at = NULL WHERE id = %s"
PURGE = """
DELETE FROM deliveries WHERE id IN (
    SELECT id FROM deliveries WHERE made_at < %s AND state NOT IN ('waiting', 'held')
    ORDER BY made_at LIMIT 5000 FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. site: where its alarm is, None for what belongs to none. subject, body: as sent."""

    id: str
    source: str
    kind: Literal["notice", "webhook"]
    item: int
    item_name: str
    rule: int | None
    rule_name: str
    event: str
    alarm: str | None
    site: str | None
    priority: str | None
    step: int | None
    recipient: str
    lang: str
    subject: str
    body: str
    state: State
    digest: str | None
    made_at: datetime
    ended_at: datetime | None
    attempts: int = 0
    answer: str = ""

    @property
    def lane(self) -> str:
        """What fills up when the other side is slow."""
        return f"{self.kind}:{self.item}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, and what came of it."""

    at: datetime
    outcome: str
    answer: str
    took_ms: int


def new_id() -> str:
    """Return a new delivery's id: the key by which a receiver knows a repeat."""
    return f"msg_{uuid.uuid4().hex}"


class Deliveries:
    """Keeps deliveries and their receipts."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue

    async def put(
        self, connection: Connection, wanted: Iterable[Delivery], per_minute: Mapping[int, int] | None = None
    ) -> list[Delivery]:
        """Add deliveries and their jobs in the caller's transaction; return those that are new.

        per_minute: item -> what a receiver gets of it within a minute; the rest is held, and so is what comes
        while something is held, so that nothing overtakes the digest.
        """
        deliveries = list(wanted)
        if per_minute:
            deliveries = await self._held(connection, deliveries, per_minute)
        new = []
        for delivery in deliveries:
            row = [getattr(delivery, name.strip()) for name in _COLUMNS.split(",")]
            if (await connection.execute(PUT.encode(), row)).rowcount:
                new.append(delivery)
        waiting = [(delivery.id, delivery.lane) for delivery in new if delivery.state == "waiting"]
        await self._queue.put(connection, JOB, waiting)
        return new

    async def _held(
        self, connection: Connection, wanted: Sequence[Delivery], per_minute: Mapping[int, int]
    ) -> list[Delivery]:
        since = self._queue.now() - timedelta(minutes=1)
        asked = {"since": since, "items": sorted({delivery.item for delivery in wanted})}
        had: dict[tuple[int, str], int] = defaultdict(int)
        for item, recipient, sent, held in await (await connection.execute(RECENT, asked)).fetchall():
            had[item, recipient] = MANY if held else int(sent)
        decided = []
        for delivery in wanted:
            receiver = (delivery.item, delivery.recipient)
            had[receiver] += 1
            over = had[receiver] > per_minute.get(delivery.item, 1)
            decided.append(replace(delivery, state="held") if over else delivery)
        return decided

    async def get(self, delivery: str) -> Delivery:
        """Return one. Problem 404."""
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(ONE.encode(), (delivery,))).fetchone()
        if row is None:
            raise not_found("delivery", delivery)
        return Delivery(*row)  # type: ignore[arg-type]  # as the query has them

    async def page(
        self, *, kind: str | None = None, item: int | None = None, state: str | None = None,
        alarm: str | None = None, limit: int = 100, cursor: str | None = None,
    ) -> tuple[list[Delivery], str | None]:  # fmt: skip
        """Return deliveries, newest first, and the cursor of the next page."""
        at_us, last = (None, None) if cursor is None else decode_cursor(cursor, int, str)
        asked = {
            "kind": kind, "item": item, "state": state, "alarm": alarm, "limit": limit + 1,
            "before": None if at_us is None else to_datetime(at_us), "before_id": last,
        }  # fmt: skip
        async with self._database.pool.connection() as connection:
            rows = await (await connection.execute(LIST.encode(), asked)).fetchall()
        found = [Delivery(*row) for row in rows[:limit]]  # type: ignore[arg-type]  # as the query has them
        after = encode_cursor(from_datetime(found[-1].made_at), found[-1].id) if len(rows) > limit else None
        return found, after

    async def attempts(self, delivery: str) -> list[Attempt]:
        """Return the tries of a delivery in order."""
        async with self._database.pool.connection() as connection:
            rows = await (await connection.execute(ATTEMPTS, (delivery,))).fetchall()
        return [Attempt(*row) for row in rows]  # type: ignore[arg-type]  # as the query has them

    async def tried(self, connection: Connection, delivery: str, outcome: Outcome, took_ms: int) -> None:
        """Note one try."""
        row = (delivery, self._queue.now(), outcome.ending, outcome.answer, took_ms)
        await connection.execute(ATTEMPT, row)

    async def end(self, connection: Connection, delivery: str, state: State) -> None:
        """End a delivery."""
        await connection.execute(END, (state, self._queue.now(), delivery))

    async def replay(self, delivery: str) -> Delivery:
        """Send it again, under the same id. Problem 409 `not-over` while it is under way."""
        known = await self.get(delivery)
        if known.state not in ("sent", "refused", "given_up"):
            raise Problem(409, "not-over", "Not over yet", f"It is {known.state}; wait until it has ended.")
        async with self._database.pool.connection() as connection, connection.transaction():
            await connection.execute(AGAIN, (delivery,))
            if not await self._queue.revive(connection, JOB, delivery):
                await self._queue.put(connection, JOB, [(delivery, known.lane)])
        return await self.get(delivery)

    async def purge(self) -> int:
        """Remove old receipts; returns how many."""
        async with self._database.pool.connection() as connection:
            return (await connection.execute(PURGE, (self._queue.now() - KEPT,))).rowcount
