"""What the gateway's memory holds and how fast it empties: one answer for the page and for the centre."""

from __future__ import annotations

import asyncio

from edge.buffer.base import Buffer, Depth
from edge.house import House
from protocols.wire.channels import Stream
from protocols.wire.handshake import BacklogStatus, StorageStatus


async def memory(house: House) -> tuple[BacklogStatus, StorageStatus]:
    """Return what waits in all streams, and what the log takes. Raises StorageError.

    The pace is that of the readings; none before there is a link.
    """
    depth, storage = await asyncio.to_thread(_look, house.buffer)
    oldest = [one.oldest_us for one in depth.values() if one.oldest_us is not None]
    pace = house.sender.progress.look(depth["readings"]) if house.sender is not None else None
    backlog = BacklogStatus(
        batches=sum(one.batches for one in depth.values()),
        readings=depth["readings"].rows,
        bytes=sum(one.bytes for one in depth.values()),
        oldest_us=min(oldest, default=None),
        readings_per_s=pace.readings_per_s if pace else 0.0,
        eta_s=pace.eta_s if pace else None,
    )
    return backlog, storage


def _look(buffer: Buffer) -> tuple[dict[Stream, Depth], StorageStatus]:
    return buffer.depth(), buffer.forecast()
