"""When each gateway was last heard, how far its clock is off, how new its newest reading is."""

from __future__ import annotations

from dataclasses import dataclass

from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

SMOOTHING = 0.2
"""Weight of a new clock offset: the way of one message is not symmetric, the mean of many is near."""

FLUSH = """
UPDATE gateways g SET last_seen = greatest(g.last_seen, s.last_seen), clock_offset_ms = s.offset_ms
FROM unnest(%s::text[], %s::timestamptz[], %s::float8[]) AS s (id, last_seen, offset_ms) WHERE g.id = s.id
"""


@dataclass(slots=True)
class Seen:
    """What this process has heard of one gateway. Times in µs UTC; 0 is never."""

    last_us: int = 0
    newest_us: int = 0
    offset_ms: float | None = None


class Presence:
    """Kept in memory with every request; written to the table every few seconds by `flush`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._seen: dict[str, Seen] = {}
        self._unwritten: set[str] = set()

    def of(self, gateway: str) -> Seen:
        """Return what is known; a `Seen` of zeros for a gateway that was never heard here."""
        return self._seen.get(gateway, Seen())

    def heard(self, gateway: str, sent_us: int | None = None) -> None:
        """Note a request; sent_us is the gateway's own clock as it sent it."""
        seen = self._seen.setdefault(gateway, Seen())
        seen.last_us = self._clock()
        self._unwritten.add(gateway)
        if sent_us is not None:
            offset = (seen.last_us - sent_us) / 1000
            known = seen.offset_ms
            seen.offset_ms = offset if known is None else known + SMOOTHING * (offset - known)

    def received(self, gateway: str, newest_us: int) -> None:
        """Note the newest source time of a committed batch."""
        seen = self._seen.setdefault(gateway, Seen())
        seen.newest_us = max(seen.newest_us, newest_us)

    async def flush(self) -> None:
        """Write what changed since the last time."""
        gateways = list(self._unwritten)
        if not gateways:
            return
        seen = [self._seen[name] for name in gateways]
        moments = [to_datetime(item.last_us) for item in seen]
        async with self._database.pool.connection() as connection:
            await connection.execute(FLUSH, (gateways, moments, [item.offset_ms for item in seen]))
        self._unwritten.difference_update(gateways)
