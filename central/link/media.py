"""Pictures on their way to the commit: checked, stored in a transaction of their own, answered after it."""

from __future__ import annotations

import asyncio

import structlog

from central.kernel.problem import from_wire, is_connection_failure, unavailable
from central.link.ingest import REFUSED
from central.live.snapshots import Snapshots
from protocols.errors import WireError
from protocols.model.clock import Clock
from protocols.wire.handshake import Receipt
from protocols.wire.media import decode_media

log = structlog.get_logger(__name__)

AT_ONCE = 4
"""Pictures that are stored at the same time; the database has readings to store."""


class MediaIntake:
    """Takes pictures in, a few at a time."""

    def __init__(self, snapshots: Snapshots, clock: Clock) -> None:
        self._snapshots = snapshots
        self._clock = clock
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def accept(self, gateway: str, body: bytes) -> Receipt:
        """Commit one encoded picture of an authenticated gateway; it is durable when this returns.

        Raises Problem: 400 `corrupt`, `shape` or `version`, 413 `too-large`, 503 `unavailable`.
        """
        received_us = self._clock()
        try:
            media = await asyncio.to_thread(decode_media, body)
            async with self._turn:
                fresh = await self._snapshots.keep(gateway, media)
        except WireError as error:
            REFUSED.labels(error.reason).inc()
            log.warning("media.refused", gateway=gateway, reason=error.reason, detail=str(error))
            raise from_wire(error) from error
        except Exception as error:
            if is_connection_failure(error):
                raise unavailable() from error
            raise
        return Receipt(
            stream="media", seq=media.seq, duplicate=not fresh, stored=int(fresh), received_us=received_us
        )
