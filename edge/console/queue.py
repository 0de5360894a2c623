"""GET /api/queue: what waits to be sent, what the centre refused, and what it takes on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.buffer.base import Aside, Depth
from edge.console.answers import answer
from edge.console.worker import Worker
from edge.house import House
from protocols.wire.channels import Stream
from protocols.wire.handshake import StorageStatus

SHOWN: Final = 100


class AsideView(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the centre refused for good, and why; `n` counts its readings or rows."""

    stream: Stream
    seq: int
    n: int
    bytes: int
    reason: str
    aside_us: int


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """The log by stream; `asides` are the newest hundred of `set_aside`."""

    boot: str
    size_bytes: int
    streams: Mapping[Stream, Depth]
    set_aside: int
    asides: list[AsideView]
    storage: StorageStatus
    waiting_for_storage: str | None


def queue_view(house: House) -> QueueView:
    """Return what lies in the log. Blocks on the disk. Raises StorageError."""
    buffer = house.buffer
    asides = buffer.asides()
    return QueueView(
        boot=buffer.boot,
        size_bytes=buffer.size_bytes(),
        streams=buffer.depth(),
        set_aside=len(asides),
        asides=[_view(aside) for aside in asides[-SHOWN:]],
        storage=buffer.forecast(),
        waiting_for_storage=house.pipeline.storage_error,
    )


def _view(aside: Aside) -> AsideView:
    return AsideView(**aside._asdict())


def routes(house: House, worker: Worker) -> list[Route]:
    """GET /api/queue."""

    async def queue(_: Request) -> Response:
        return answer(await worker.run(queue_view, house))

    return [Route("/api/queue", queue)]
