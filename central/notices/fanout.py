"""From the steps of alarms to deliveries: subscriptions, signed webhooks, start and end of escalations.

One centre at a time does a turn, in one transaction: what it read of `alarm_tells` is gone when the
deliveries are there, or neither is.

Late and hidden steps (backfill, shelved, suppressed, maintenance) tell no person;
webhooks get them, marked.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection

from central.notices.bodies import Escalation, Subscription, Webhook, WebhookEvent
from central.notices.book import Book, Item
from central.notices.deliveries import Deliveries, Delivery, new_id
from central.notices.digest import Digests
from central.notices.escalations import Escalations
from central.notices.facts import ALARM_COLUMNS, ALARM_JOINS, Alarm, Entry, document
from central.notices.plan import UNACKED
from central.notices.templates import Templates
from central.notices.writing import Writer, per_minute
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

SightOf = Callable[[str], Awaitable[Set[str] | None]]
"""The sites that an account may read, None: all."""

BATCH: Final = 500
LOCK: Final = 0x636E_0009
CALLS: Final = frozenset({"ACT", "REALARM", "UNSHELVE", "RETURN", "UNSUPPRESS", "UNCOVER"})
"""Steps that call people: an alarm came, or came out from under what lay over it."""

TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
TAKE = f"""
WITH taken AS (
    DELETE FROM alarm_tells WHERE id IN (SELECT id FROM alarm_tells ORDER BY id LIMIT {BATCH})
    RETURNING id, alarm, entry
)
SELECT j.id, j.at, j.event, j.from_state, j.to_state, j.actor, j.comment, j.late OR j.hidden, {ALARM_COLUMNS}
FROM taken t JOIN alarm_journal j ON j.id = t.entry JOIN alarms a ON a.id = t.alarm {ALARM_JOINS}
ORDER BY t.id
"""  # noqa: S608 - made of constants
DROP = f"DELETE FROM alarm_tells WHERE id IN (SELECT id FROM alarm_tells ORDER BY id LIMIT {BATCH * 20})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did. more: there is more to read at once."""

    told: int = 0
    more: bool = False


def said(entry: Entry) -> str | None:
    """Return the event that a step means to people: raised, cleared, acknowledged; None for no news."""
    if entry.event == "ACT" or (entry.event in CALLS and entry.to_state == "UNACK"):
        return "raised"
    if entry.event == "CLR":
        return "cleared"
    if entry.event == "ACK" and entry.from_state in UNACKED and entry.to_state not in UNACKED:
        return "acknowledged"
    return None


class Fanout:
    """Reads steps and decides who is told."""

    def __init__(
        self, database: Database, clock: Clock, book: Book, templates: Templates, deliveries: Deliveries,
        digests: Digests, sight_of: SightOf,
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._book = book
        self._templates = templates
        self._deliveries = deliveries
        self._digests = digests
        self._sight_of = sight_of
        self._escalations = Escalations(clock)

    async def turn(self) -> Turn:
        """Do one turn; nothing where another centre is at it."""
        async with self._database.pool.connection() as connection, connection.transaction():
            locked = await (await connection.execute(TRY_LOCK, (LOCK,))).fetchone()
            if locked is None or not locked[0]:
                return Turn()
            items = await self._book.listed(connection, "channel", "subscription", "escalation", "webhook")
            rules = [item for item in items if item.kind != "channel" and item.enabled]
            if not rules:
                dropped = await connection.execute(DROP.encode())
                await self._escalations.advance(connection, {}, None)
                return Turn(more=dropped.rowcount == BATCH * 20)
            writer = await self._writer(connection, items)
            rows: list[Any] = await (await connection.execute(TAKE.encode())).fetchall()
            steps = [(Entry(*row[:8]), Alarm(*row[8:])) for row in rows]
            found = [one for rule in rules for one in self._told(rule, steps, writer)]
            found += await self._hooked(rules, steps)
            by_id = {item.id: item for item in rules}
            await self._begin(connection, rules, steps)
            found += await self._escalations.advance(connection, by_id, writer)
            limits = per_minute(writer.channels)
            new = await self._deliveries.put(connection, (d for d in found if d.kind == "notice"), limits)
            new += await self._deliveries.put(connection, (d for d in found if d.kind == "webhook"))
            digests = await self._digests.turn(connection, writer)
            return Turn(len(new) + digests, len(rows) == BATCH)

    async def _writer(self, connection: AsyncConnection[Any], items: Sequence[Item]) -> Writer:
        channels = {item.id: item for item in items if item.kind == "channel"}
        return Writer(channels, await self._templates.texts(connection), to_datetime(self._clock()))

    def _told(self, rule: Item, steps: Sequence[tuple[Entry, Alarm]], writer: Writer) -> Iterator[Delivery]:
        body = rule.body
        if not isinstance(body, Subscription) or not body.awake(writer.now):
            return
        for entry, alarm in steps:
            event = said(entry)
            if (
                event in body.events
                and event is not None
                and quiet(entry, alarm) is None
                and meant(body, alarm)
            ):
                source = f"{event}:{rule.id}:{entry.id}"
                yield from writer.alarm(body.targets, event, alarm, rule, source, body.zone)

    async def _hooked(self, rules: Sequence[Item], steps: Sequence[tuple[Entry, Alarm]]) -> list[Delivery]:
        found = []
        sights: dict[str, Set[str] | None] = {}
        for rule in rules:
            if not isinstance(rule.body, Webhook):
                continue
            for entry, alarm in steps:
                event: WebhookEvent = HOOKED.get(said(entry) or "", "alarm.changed")
                if event not in rule.body.events or not meant(rule.body, alarm):
                    continue
                owner = rule.body.owner
                if owner not in sights:
                    sights[owner] = await self._sight_of(owner)
                sight = sights[owner]
                if sight is None or alarm.site in sight:
                    found.append(self._message(rule, event, entry, alarm))
        return found

    def _message(self, rule: Item, event: WebhookEvent, entry: Entry, alarm: Alarm) -> Delivery:
        assert isinstance(rule.body, Webhook)  # noqa: S101 - asked by the caller
        return webhook(rule, event, f"hook:{rule.id}:{entry.id}", self._clock, document(alarm, entry), alarm)

    async def _begin(
        self, connection: AsyncConnection[Any], rules: Sequence[Item], steps: Sequence[tuple[Entry, Alarm]]
    ) -> None:
        now = to_datetime(self._clock())
        for rule in rules:
            body = rule.body
            escalates = isinstance(body, Escalation) or (
                isinstance(body, Subscription) and "unacknowledged" in body.events
            )
            if not escalates or not isinstance(body, Escalation | Subscription) or not body.awake(now):
                continue
            for entry, alarm in steps:
                if said(entry) == "raised" and quiet(entry, alarm) is None and meant(body, alarm):
                    await self._escalations.begin(connection, rule, alarm)
        await self._escalations.touched(connection, sorted({alarm.id for _, alarm in steps}))


HOOKED: Final[Mapping[str, WebhookEvent]] = {
    "raised": "alarm.raised",
    "cleared": "alarm.cleared",
    "acknowledged": "alarm.acknowledged",
}


def meant(body: Subscription | Escalation | Webhook, alarm: Alarm) -> bool:
    """Say whether the filter lets this alarm through."""
    return body.filter.lets(
        priority=alarm.priority, area=alarm.area, site=alarm.site, category=alarm.category
    )


def quiet(entry: Entry, alarm: Alarm) -> str | None:
    """Say why a step tells no person: `late`, `covered`; None where it does."""
    if entry.late:
        return "late"
    return "covered" if alarm.covers else None


def webhook(
    rule: Item, event: str, source: str, clock: Clock, data: Mapping[str, Any], alarm: Alarm | None
) -> Delivery:
    """Return a message to an endpoint; its body is what will be signed, byte by byte."""
    assert isinstance(rule.body, Webhook)  # noqa: S101 - called for webhooks only
    now = to_datetime(clock())
    stamp = now.isoformat().replace("+00:00", "Z")
    body = json.dumps({"type": event, "timestamp": stamp, "data": data}, ensure_ascii=False)
    return Delivery(
        id=new_id(), source=source, kind="webhook", item=rule.id, item_name=rule.name, rule=None,
        rule_name="", event=event, alarm=alarm.id if alarm else None, site=alarm.site if alarm else None,
        priority=alarm.priority if alarm else None, step=None, recipient=rule.body.url, lang="",
        subject=event, body=body, state="waiting", digest=None, made_at=now, ended_at=None,
    )  # fmt: skip
