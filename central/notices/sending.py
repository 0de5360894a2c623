"""Sends what is in the queue: takes a job, makes one attempt, writes its receipt, ends it or puts it off."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from prometheus_client import Counter as Metric
from psycopg import AsyncConnection

from central.kernel.problem import Problem, is_connection_failure
from central.notices import request
from central.notices.bodies import Channel, Email, Webhook
from central.notices.book import Book, Item
from central.notices.deliveries import JOB, Deliveries, Delivery, State
from central.notices.health import Healths
from central.notices.mail import Mailer
from central.notices.outcome import Outcome, told
from central.notices.outgoing import Forbidden, Outgoing, Unreachable
from central.notices.queue import Backoff, Job, Queue
from central.notices.signing import SECRET, sign
from central.store.base import Database
from protocols.errors import CityNerveError
from protocols.model.clock import SECOND_US, Clock

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
"""Messages that one centre sends at the same time; half of them at most over one lane."""
IDLE_S: Final = 1.0
PEOPLE: Final = Backoff(timedelta(seconds=5), timedelta(minutes=15), 15)
"""About two hours: what tells a person of an alarm later than that tells nothing."""
SYSTEMS: Final = Backoff(timedelta(seconds=5), timedelta(hours=2), 60)
"""About four days."""
SENT = Metric("citynerve_notices_total", "Attempts to deliver", ["kind", "outcome"])

Disabled = Callable[[AsyncConnection[Any], Item, datetime, str], Awaitable[None]]
"""Tells whoever subscribed that a webhook was switched off."""


class Sender:
    """Works the queue off, as long as it runs."""

    def __init__(
        self, database: Database, clock: Clock, queue: Queue, book: Book, deliveries: Deliveries,
        healths: Healths, outgoing: Outgoing, mailer: Mailer, disabled: Disabled,
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._queue = queue
        self._book = book
        self._deliveries = deliveries
        self._healths = healths
        self._outgoing = outgoing
        self._mailer = mailer
        self._disabled = disabled
        self._wake = asyncio.Event()
        self._lanes: Counter[str] = Counter()

    def wake(self) -> None:
        """Look into the queue now."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled; what is under way then is sent again by whoever finds its lease over."""
        async with asyncio.TaskGroup() as group:
            slots = asyncio.Semaphore(AT_ONCE)
            while True:
                await slots.acquire()
                job = await self._next()
                if job is None:
                    slots.release()
                    await self._rest()
                    continue
                self._lanes[job.lane] += 1
                group.create_task(self._do(job, slots))

    async def _next(self) -> Job | None:
        busy = [lane for lane, number in self._lanes.items() if number >= AT_ONCE // 2]
        try:
            return await self._queue.take(JOB, busy)
        except Exception as error:
            if not is_connection_failure(error):
                raise
            log.warning("notices.database_unavailable", error=str(error))
            return None

    async def _rest(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(IDLE_S):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _do(self, job: Job, slots: asyncio.Semaphore) -> None:
        try:
            await self.send(job)
        except Exception as error:
            # Its lease ends and it comes again; the others must not suffer from it.
            if is_connection_failure(error):
                log.warning("notices.database_unavailable", error=str(error))
            else:
                log.exception("notices.failed", delivery=job.key)
        finally:
            self._lanes[job.lane] -= 1
            slots.release()
            self._wake.set()

    async def send(self, job: Job) -> None:
        """Make one attempt at a job."""
        try:
            delivery = await self._deliveries.get(job.key)
        except Problem:  # removed meanwhile
            async with self._database.pool.connection() as connection:
                await self._queue.done(connection, job)
            return
        item: Item | None
        try:
            item = await self._book.get("channel" if delivery.kind == "notice" else "webhook", delivery.item)
        except Problem:
            item = None
        begun = time.monotonic()
        outcome = await self._attempt(item, delivery)
        took_ms = round((time.monotonic() - begun) * 1000)
        SENT.labels(delivery.kind, outcome.ending).inc()
        await self._settle(job, delivery, item, outcome, took_ms)

    async def _attempt(self, item: Item | None, delivery: Delivery) -> Outcome:
        if item is None:
            return Outcome("refused", "the channel was removed")
        if not item.enabled and delivery.event not in ("test", "ping"):
            return Outcome("refused", "it is switched off")
        try:
            secrets = await self._book.secrets(item.id)
        except CityNerveError as error:
            return Outcome("failed", str(error))
        if isinstance(item.body, Webhook):
            outcome = await self._signed(item.body, secrets, delivery)
        else:
            assert isinstance(item.body, Channel)  # noqa: S101 - nothing else sends
            outcome = await self._message(item.body, secrets, delivery)
        return replace(outcome, answer=told(outcome.answer, secrets.values()))

    async def _message(self, channel: Channel, secrets: dict[str, str], delivery: Delivery) -> Outcome:
        settings = channel.settings
        if isinstance(settings, Email):
            return await self._mailer.send(
                settings, secrets.get("password", ""), key=delivery.id, to=delivery.recipient,
                subject=delivery.subject, text=delivery.body, at=delivery.made_at,
            )  # fmt: skip
        short = delivery.body if settings.kind == "sms" else delivery.subject
        values = {
            "to": delivery.recipient, "subject": delivery.subject, "text": delivery.body, "short": short,
            "id": delivery.id,
        }  # fmt: skip
        return await request.send(self._outgoing, settings, secrets, values)

    async def _signed(self, webhook: Webhook, secrets: dict[str, str], delivery: Delivery) -> Outcome:
        body = delivery.body.encode()
        headers = sign(secrets[SECRET], delivery.id, self._clock() // SECOND_US, body)
        headers["Content-Type"] = "application/json; charset=utf-8"
        try:
            answer = await self._outgoing.call("POST", webhook.url, headers, body)
        except Forbidden as error:
            return Outcome("refused", str(error))
        except Unreachable as error:
            return Outcome("failed", str(error))
        said = f"{answer.status} {answer.text}"
        if 200 <= answer.status < 300:
            return Outcome("sent", said)
        gone = answer.status == 410
        return Outcome("refused" if gone else "failed", said, gone)

    async def _settle(
        self, job: Job, delivery: Delivery, item: Item | None, outcome: Outcome, took_ms: int
    ) -> None:
        async with self._database.pool.connection() as connection, connection.transaction():
            await self._deliveries.tried(connection, delivery.id, outcome, took_ms)
            wait = (PEOPLE if delivery.kind == "notice" else SYSTEMS).after(job.attempts)
            if outcome.ending == "sent":
                if await self._queue.done(connection, job):
                    await self._deliveries.end(connection, delivery.id, "sent")
            elif outcome.ending == "refused" or wait is None:
                await self._queue.bury(connection, job, outcome.answer)
                over: State = "refused" if outcome.ending == "refused" else "given_up"
                await self._deliveries.end(connection, delivery.id, over)
            else:
                await self._queue.later(connection, job, wait, outcome.answer)
            if item is not None and delivery.kind == "webhook" and item.enabled:
                await self._judge(connection, item, outcome)

    async def _judge(self, connection: AsyncConnection[Any], item: Item, outcome: Outcome) -> None:
        if outcome.ending == "sent":
            await self._healths.worked(connection, item.id)
            return
        since = await self._healths.failed(connection, item.id, outcome.answer, gone=outcome.gone)
        if since is not None:
            log.warning("webhook.disabled", webhook=item.name, since=since.isoformat())
            await self._disabled(connection, item, since, outcome.answer)
