"""Batches on their way to the commit: checked one by one, committed many together, answered after it.

One writer takes all that waits and commits it as one transaction; while PostgreSQL works, the next
batches are decoded. The queue is bounded: when it is full a gateway is told to come again (503).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from prometheus_client import Counter, Gauge, Histogram
from psycopg.errors import DataError, IntegrityError, ProgramLimitExceeded
from sqlalchemy.exc import DBAPIError

from central.kernel.problem import Problem, from_wire, is_connection_failure, unavailable
from central.link.declarations import Declarations
from protocols.errors import WireError
from protocols.model.clock import SECOND_US, Clock
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, decode
from protocols.wire.handshake import Receipt

log = structlog.get_logger(__name__)

QUEUE_BATCHES = 512
GROUP_BATCHES = 128
GROUP_READINGS = 200_000
INLINE_BYTES = 4096
"""A small batch is decoded faster than a thread is asked to do it."""
MAX_DAYS = 31
"""Days that the readings of one batch may fall on; each day is a partition."""
DAY_US = 86_400 * SECOND_US

READINGS = Counter("citynerve_ingest_readings", "Readings committed", ["gateway"])
BATCHES = Counter("citynerve_ingest_batches", "Batches committed", ["stream"])
DUPLICATES = Counter("citynerve_ingest_duplicates", "Batches that had been committed before")
REFUSED = Counter("citynerve_ingest_refused", "Batches refused", ["code"])
WAITING = Gauge("citynerve_ingest_queue_batches", "Batches that wait for their commit")
GROUP_SIZE = Histogram(
    "citynerve_ingest_group_batches",
    "Batches that one commit took",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
BATCH_SIZE = Histogram(
    "citynerve_ingest_batch_readings",
    "Readings of one batch",
    buckets=(1, 10, 100, 500, 1000, 2500, 5000, 10_000, 25_000),
)
COMMIT_SECONDS = Histogram(
    "citynerve_ingest_commit_seconds",
    "Time of one commit of a group of batches",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)


@dataclass(slots=True)
class Arrival:
    """A checked batch that waits for its commit. series: of each reading, shape (n,); empty for others."""

    gateway: str
    batch: Batch
    series: NDArray[np.int32]
    received_us: int
    receipt: asyncio.Future[Receipt] = field(repr=False)


Write = Callable[[Sequence[Arrival]], Awaitable[Sequence[Receipt]]]
"""Commits a group in one transaction and returns a receipt for each; raises where nothing was committed."""


class Ingest:
    """Takes batches in, and gives receipts for what is committed. `run` is its writer."""

    def __init__(self, declarations: Declarations, write: Write, clock: Clock) -> None:
        self._declarations = declarations
        self._write = write
        self._clock = clock
        self._waiting: deque[Arrival] = deque()
        self._more = asyncio.Event()
        self._closed = False
        self.committed = 0
        """Readings committed since the start."""

    async def accept(self, gateway: str, body: bytes) -> Receipt:
        """Commit one encoded batch of an authenticated gateway; it is durable when this returns.

        Raises Problem: 400 `corrupt`, `shape` or `version`, 409 `declare-first`, 413 `too-large`,
        503 `unavailable`.
        """
        try:
            return await self._accept(gateway, body)
        except WireError as error:
            REFUSED.labels(error.reason).inc()
            log.warning("ingest.refused", gateway=gateway, reason=error.reason, detail=str(error))
            raise from_wire(error) from error
        except Problem as problem:
            REFUSED.labels(problem.code).inc()
            raise

    async def _accept(self, gateway: str, body: bytes) -> Receipt:
        received_us = self._clock()
        batch = decode(body) if len(body) <= INLINE_BYTES else await asyncio.to_thread(decode, body)
        known = await self._declarations.series(gateway, batch.declaration)
        await self._declarations.used(gateway, batch.declaration, min(batch.made_us, received_us))
        series = np.empty(0, np.int32)
        payload = batch.payload
        if isinstance(payload, Readings):
            if int(payload.point.max()) >= len(known):
                raise WireError("shape", f"a point index is beyond the {len(known)} declared points")
            days = np.unique(payload.time_us // DAY_US)
            if len(days) > MAX_DAYS:
                raise WireError("shape", f"its readings fall on {len(days)} days; at most {MAX_DAYS} may")
            series = known[payload.point]
        if self._closed or len(self._waiting) >= QUEUE_BATCHES:
            raise unavailable()
        arrival = Arrival(gateway, batch, series, received_us, asyncio.get_running_loop().create_future())
        self._waiting.append(arrival)
        WAITING.set(len(self._waiting))
        self._more.set()
        return await arrival.receipt

    async def run(self) -> None:
        """Commit what waits, until `close`; a failure is answered and never ends the writer."""
        while True:
            await self._more.wait()
            self._more.clear()
            while group := self._take():
                await self._commit(group)
            if self._closed:
                return

    def close(self) -> None:
        """Take no more; what waits is still committed before `run` returns."""
        self._closed = True
        self._more.set()

    def _take(self) -> list[Arrival]:
        group: list[Arrival] = []
        readings = 0
        while self._waiting and len(group) < GROUP_BATCHES and readings < GROUP_READINGS:
            arrival = self._waiting.popleft()
            if arrival.receipt.cancelled():
                continue
            group.append(arrival)
            readings += len(arrival.series)
        WAITING.set(len(self._waiting))
        return group

    async def _commit(self, group: list[Arrival]) -> None:
        started = perf_counter()
        try:
            receipts = await self._write(group)
        except Exception as error:
            # Whatever it was: the writer serves every gateway, answers, and goes on.
            if len(group) > 1 and not is_connection_failure(error):
                # One of them is at fault; alone, each gets its own answer.
                for arrival in group:
                    await self._commit([arrival])
                return
            problem = _problem(error, group)
            for arrival in group:
                _answer(arrival.receipt, problem)
            return
        COMMIT_SECONDS.observe(perf_counter() - started)
        GROUP_SIZE.observe(len(group))
        for arrival, receipt in zip(group, receipts, strict=True):
            if receipt.duplicate:
                DUPLICATES.inc()
            else:
                BATCHES.labels(arrival.batch.stream).inc()
                READINGS.labels(arrival.gateway).inc(len(arrival.series))
                if len(arrival.series):
                    BATCH_SIZE.observe(len(arrival.series))
                self.committed += len(arrival.series)
            if not arrival.receipt.done():
                arrival.receipt.set_result(receipt)


def _answer(receipt: asyncio.Future[Receipt], error: Exception) -> None:
    if not receipt.done():
        receipt.set_exception(error)


def _problem(error: Exception, group: Sequence[Arrival]) -> Exception:
    """Translate what a commit raised into what the gateways are told."""
    names: dict[str, Any] = {"gateway": group[0].gateway, "batches": len(group)}
    if isinstance(error, WireError | Problem):
        return error
    if is_connection_failure(error):
        log.warning("ingest.database_unavailable", error=str(error), **names)
        return unavailable()
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, DataError | IntegrityError | ProgramLimitExceeded):
        log.error("ingest.batch_refused_by_database", error=str(cause), **names)
        return WireError("shape", f"the database refuses its content: {cause}")
    log.error("ingest.commit_failed", exc_info=error, **names)
    return Problem(500, "internal", "The batch was not committed", "The centre's log says why.")
