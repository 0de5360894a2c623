"""Everything of notices, put together: what the API asks, and what runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import structlog
from psycopg import AsyncConnection

from central.kernel.problem import Problem, is_connection_failure
from central.notices.bodies import Channel, Lang, Subscription, Target, Webhook
from central.notices.book import Book, Item, Sealer, receivers_wrong
from central.notices.deliveries import Deliveries, Delivery
from central.notices.digest import Digests
from central.notices.facts import local
from central.notices.fanout import Fanout, SightOf, webhook
from central.notices.health import Healths
from central.notices.mail import Mailer
from central.notices.outgoing import Network, Outgoing
from central.notices.queue import Queue
from central.notices.sending import Sender
from central.notices.templates import Templates, filled
from central.notices.writing import Writer, per_minute
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

log = structlog.get_logger(__name__)

TURN_S: Final = 1.0
PURGE_EVERY: Final = 3600


class Desk:
    """The notices of a centre. private: networks that webhooks and SMS gateways may lie in."""

    def __init__(
        self, database: Database, clock: Clock, sealer: Sealer, sight_of: SightOf,
        private: Sequence[Network], mail_private: Sequence[Network],
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._private = private
        self._mailer = Mailer(mail_private)
        self.queue = Queue(database, clock)
        self.book = Book(database, clock, sealer)
        self.templates = Templates(database, clock)
        self.deliveries = Deliveries(database, self.queue)
        self.healths = Healths(database, clock)
        digests = Digests(database, clock, self.templates, self.deliveries)
        self.fanout = Fanout(database, clock, self.book, self.templates, self.deliveries, digests, sight_of)
        self._sender: Sender | None = None

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Sender]:
        """Open what sends, without running it."""
        async with Outgoing(self._private) as outgoing:
            yield Sender(
                self._database, self._clock, self.queue, self.book, self.deliveries, self.healths, outgoing,
                self._mailer, self._disabled,
            )  # fmt: skip

    async def run(self) -> None:
        """Decide and send until cancelled."""
        async with self.sending() as sender, asyncio.TaskGroup() as group:
            self._sender = sender
            group.create_task(sender.run(), name="notices-sender")
            turns = 0
            while True:
                more = await self.turn()
                turns += 1
                if turns % PURGE_EVERY == 1:
                    await self._safely(self.deliveries.purge())
                if not more:
                    await asyncio.sleep(TURN_S)

    async def turn(self) -> bool:
        """Decide what is to be decided now; True where more of it waits."""
        turn = await self._safely(self.fanout.turn())
        if turn is not None and turn.told and self._sender is not None:
            self._sender.wake()
        return turn is not None and turn.more

    async def _safely(self, duty: Any) -> Any:
        try:
            return await duty
        except Exception as error:
            # What fails once is due again soon; nothing that was read is lost, the turn was rolled back.
            if is_connection_failure(error):
                log.warning("notices.database_unavailable", error=str(error))
            else:
                log.exception("notices.turn_failed")
            return None

    async def test(self, channel: Item, to: str, lang: Lang, by: str) -> Delivery:
        """Send a test message by a channel, switched off or not. Problem 422 for no such receiver."""
        assert isinstance(channel.body, Channel)  # noqa: S101 - got by its kind
        wrong = receivers_wrong(channel.body, [to] if to else [])
        if wrong:
            errors = [{"field": "to", "problem": problem} for problem in wrong]
            raise Problem(422, "invalid", "The request is not valid", "; ".join(wrong), errors=errors)
        async with self._database.pool.connection() as connection, connection.transaction():
            writer = await self._writer(connection, [channel])
            values = {"channel": channel.name, "at": local(writer.now, "Asia/Shanghai"), "by": by}
            text = filled(writer.texts["test", lang], values)
            target = Target(channel=channel.id, to=[to] if to else [], lang=lang)
            source = f"test:{channel.id}:{self._clock()}"
            (made,) = await self.deliveries.put(
                connection, writer.plain(target, "test", text, source, off=True)
            )
        return self._woken(made)

    async def ping(self, hook: Item, by: str) -> Delivery:
        """Send an endpoint a message of type `ping`."""
        made = webhook(hook, "ping", f"ping:{hook.id}:{self._clock()}", self._clock, {"by": by}, None)
        async with self._database.pool.connection() as connection, connection.transaction():
            await self.deliveries.put(connection, [made])
        return self._woken(made)

    async def replay(self, delivery: str) -> Delivery:
        """Send a delivery again under its id."""
        return self._woken(await self.deliveries.replay(delivery))

    def _woken(self, delivery: Delivery) -> Delivery:
        if self._sender is not None:
            self._sender.wake()
        return delivery

    async def _writer(self, connection: AsyncConnection[Any], channels: Sequence[Item]) -> Writer:
        known = {item.id: item for item in channels}
        return Writer(known, await self.templates.texts(connection), to_datetime(self._clock()))

    async def _disabled(
        self, connection: AsyncConnection[Any], hook: Item, since: datetime, error: str
    ) -> None:
        assert isinstance(hook.body, Webhook)  # noqa: S101 - asked by the caller
        items = await self.book.listed(connection, "channel", "subscription")
        writer = await self._writer(connection, [item for item in items if item.kind == "channel"])
        found: list[Delivery] = []
        for item in items:
            body = item.body
            if (
                not isinstance(body, Subscription)
                or not item.enabled
                or "webhook_disabled" not in body.events
            ):
                continue
            values = {
                "webhook": hook.name, "url": hook.body.url, "since": local(since, body.zone), "error": error
            }  # fmt: skip
            for target in body.targets:
                text = filled(writer.texts["webhook_disabled", target.lang], values)
                source = f"webhook_disabled:{item.id}:{hook.id}:{since.timestamp()}:{target.channel}"
                found += writer.plain(target, "webhook_disabled", text, source)
        await self.deliveries.put(connection, found, per_minute(writer.channels))
