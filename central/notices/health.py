"""Whether an endpoint takes what it is sent. One that fails for days is switched off, and somebody told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

PATIENCE: Final = timedelta(days=5)
"""How long an endpoint may fail without one success."""

WORKED = """
INSERT INTO webhook_health (webhook, last_sent_at) VALUES (%s, %s)
ON CONFLICT (webhook) DO UPDATE SET last_sent_at = excluded.last_sent_at, failing_since = NULL
"""
FAILED = """
INSERT INTO webhook_health (webhook, failing_since) VALUES (%s, %s)
ON CONFLICT (webhook) DO UPDATE
    SET failing_since = coalesce(webhook_health.failing_since, excluded.failing_since)
RETURNING failing_since
"""
DISABLE = (
    "UPDATE notice_items SET enabled = false WHERE id = %s AND kind = 'webhook' AND enabled RETURNING name"
)
NOTE = "UPDATE webhook_health SET disabled_at = %s, disabled_why = %s WHERE webhook = %s"
CLEAR = """
UPDATE webhook_health SET disabled_at = NULL, disabled_why = '', failing_since = NULL WHERE webhook = %s
"""
ALL = "SELECT webhook, failing_since, last_sent_at, disabled_at, disabled_why FROM webhook_health"


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint does."""

    failing_since: datetime | None = None
    last_sent_at: datetime | None = None
    disabled_at: datetime | None = None
    disabled_why: str = ""


class Healths:
    """Notes successes and failures of endpoints."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def worked(self, connection: AsyncConnection[Any], webhook: int) -> None:
        """Note that it took a message."""
        await connection.execute(WORKED, (webhook, to_datetime(self._clock())))

    async def failed(
        self, connection: AsyncConnection[Any], webhook: int, why: str, *, gone: bool
    ) -> datetime | None:
        """Note a failure; returns since when it has failed if that has just switched it off, else None."""
        now = to_datetime(self._clock())
        row = await (await connection.execute(FAILED, (webhook, now))).fetchone()
        assert row is not None  # noqa: S101 - it returns what it wrote
        since: datetime = row[0]
        if not gone and now - since < PATIENCE:
            return None
        if not (await connection.execute(DISABLE, (webhook,))).rowcount:
            return None
        await connection.execute(NOTE, (now, why, webhook))
        return since

    async def enabled(self, webhook: int) -> None:
        """Begin anew: somebody has switched it on."""
        async with self._database.pool.connection() as connection:
            await connection.execute(CLEAR, (webhook,))

    async def all(self) -> dict[int, Health]:
        """Return how every endpoint does that was ever sent anything."""
        async with self._database.pool.connection() as connection:
            rows = await (await connection.execute(ALL)).fetchall()
        return {int(row[0]): Health(*row[1:]) for row in rows}  # type: ignore[call-overload,arg-type]
