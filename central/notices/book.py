"""The settings of notices as they are kept: one row each, its body a document, its secrets sealed apart.

Secrets go in and never come out: who reads a setting sees their names. The seal is the centre's key file, so
who copies the database has none of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from central.kernel.problem import Problem, not_found
from central.notices.bodies import Body, Channel, Email, Escalation, Http, Subscription, Target, Webhook
from central.notices.texts import secret_names
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

Kind = Literal["channel", "subscription", "escalation", "webhook"]
SHAPES: Final[Mapping[Kind, type[Body]]] = {
    "channel": Channel,
    "subscription": Subscription,
    "escalation": Escalation,
    "webhook": Webhook,
}
MAX_ITEMS: Final = 500
RECEIVERS: Final = {
    "email": (re.compile(r"[^@\s<>,;\x00-\x1f]{1,64}@[^@\s<>,;\x00-\x1f]{1,190}"), "name@city.example"),
    "sms": (re.compile(r"\+?[0-9]{3,20}"), "+8613800000000"),
}
"""How a receiver is written, by the kind of channel."""

_COLUMNS = "id, kind, name, enabled, body, secret_names, made_at, changed_at, changed_by"
LIST = f"SELECT {_COLUMNS} FROM notice_items WHERE kind = ANY(%s) ORDER BY name, id"  # noqa: S608 - constants
ONE = f"SELECT {_COLUMNS} FROM notice_items WHERE id = %s"  # noqa: S608 - constants
SECRETS = "SELECT secrets FROM notice_items WHERE id = %s"
MAKE = """
INSERT INTO notice_items (kind, name, enabled, body, secrets, secret_names, made_at, changed_at, changed_by)
VALUES (%(kind)s, %(name)s, %(enabled)s, %(body)s, %(secrets)s, %(secret_names)s, %(at)s, %(at)s, %(by)s)
RETURNING id
"""
CHANGE = """
UPDATE notice_items SET name = %(name)s, enabled = %(enabled)s, body = %(body)s, secrets = %(secrets)s,
    secret_names = %(secret_names)s, changed_at = %(at)s, changed_by = %(by)s
WHERE id = %(id)s AND kind = %(kind)s
"""


class Sealer(Protocol):
    """Seals what must be read again but never shown."""

    def seal(self, plain: bytes) -> bytes:
        """Return what may be kept."""
        ...

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed; CityNerveError where the key is another one."""
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """One setting."""

    id: int
    kind: Kind
    name: str
    enabled: bool
    body: Body
    secret_names: tuple[str, ...]
    made_at: datetime
    changed_at: datetime
    changed_by: str


class Book:
    """Reads and writes settings."""

    def __init__(self, database: Database, clock: Clock, sealer: Sealer) -> None:
        self._database = database
        self._clock = clock
        self.sealer = sealer

    async def items(self, *kinds: Kind) -> list[Item]:
        """Return the settings of these kinds by name."""
        async with self._database.pool.connection() as connection:
            return await self.listed(connection, *kinds)

    async def listed(self, connection: AsyncConnection[Any], *kinds: Kind) -> list[Item]:
        """Return the same inside the caller's transaction."""
        return [
            _item(row) for row in await (await connection.execute(LIST.encode(), (list(kinds),))).fetchall()
        ]

    async def get(self, kind: Kind, item: int) -> Item:
        """Return one. Problem 404 where there is none of that kind."""
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(ONE.encode(), (item,))).fetchone()
        if row is None or row[1] != kind:
            raise not_found(kind, str(item))
        return _item(row)

    async def secrets(self, item: int) -> dict[str, str]:
        """Return the secrets of a setting, for who sends with them. CityNerveError without their key."""
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(SECRETS, (item,))).fetchone()
        if row is None or row[0] is None:
            return {}
        opened: dict[str, str] = json.loads(self.sealer.open(bytes(row[0])))  # type: ignore[call-overload]
        return opened

    async def make(
        self, kind: Kind, name: str, body: Body, secrets: Mapping[str, str], *, by: str, enabled: bool = True
    ) -> Item:
        """Make a setting. Problems 409 `exists`, `too-many`; 422 for what does not fit together."""
        everything = await self.items("channel", "subscription", "escalation", "webhook")
        if sum(one.kind == kind for one in everything) >= MAX_ITEMS:
            raise Problem(409, "too-many", "Too many", f"There are {MAX_ITEMS} already; remove some first.")
        fits(body, everything, secrets)
        values = self._values(kind, name, body, secrets, by=by, enabled=enabled)
        async with self._database.pool.connection() as connection:
            try:
                row = await (await connection.execute(MAKE, values)).fetchone()
            except UniqueViolation:
                raise _taken(name) from None
        assert row is not None  # noqa: S101 - it returns what it inserted
        return await self.get(kind, int(row[0]))  # type: ignore[call-overload]

    async def change(
        self, kind: Kind, item: int, name: str, body: Body, secrets: Mapping[str, str | None], *, by: str,
        enabled: bool,
    ) -> Item:  # fmt: skip
        """Change a setting. secrets: those that are to be another, or None to forget one; the others stay."""
        await self.get(kind, item)
        kept = {**await self.secrets(item), **secrets}
        held = {key: value for key, value in kept.items() if value is not None}
        fits(body, await self.items("channel", "subscription", "escalation", "webhook"), held, item)
        values = self._values(kind, name, body, held, by=by, enabled=enabled)
        async with self._database.pool.connection() as connection:
            try:
                await connection.execute(CHANGE, {**values, "id": item})
            except UniqueViolation:
                raise _taken(name) from None
        return await self.get(kind, item)

    async def delete(self, kind: Kind, item: int) -> Item:
        """Remove a setting; its deliveries stay to be seen. Problem 409 `in-use` for a channel in use."""
        gone = await self.get(kind, item)
        users = [
            one.name
            for one in await self.items("subscription", "escalation")
            if kind == "channel" and any(target.channel == item for target in targets(one.body))
        ]
        if users:
            used = ", ".join(users)
            raise Problem(
                409, "in-use", "Still in use", f"Used by {used}; choose another channel there first."
            )
        async with self._database.pool.connection() as connection:
            await connection.execute("DELETE FROM notice_items WHERE id = %s", (item,))
        return gone

    def _values(
        self, kind: Kind, name: str, body: Body, secrets: Mapping[str, str], *, by: str, enabled: bool
    ) -> dict[str, Any]:
        sealed = self.sealer.seal(json.dumps(dict(secrets)).encode()) if secrets else None
        return {
            "kind": kind,
            "name": name,
            "enabled": enabled,
            "body": Jsonb(body.model_dump(mode="json", by_alias=True)),
            "secrets": sealed,
            "secret_names": sorted(secrets),
            "at": to_datetime(self._clock()),
            "by": by,
        }


def targets(body: Body) -> list[Target]:
    """Return everybody whom a subscription or an escalation tells."""
    if isinstance(body, Subscription):
        return body.targets
    if isinstance(body, Escalation):
        return [target for step in body.steps for target in step.targets]
    return []


def fits(body: Body, items: list[Item], secrets: Mapping[str, str], own: int | None = None) -> None:
    """Problem 422 where it names a channel that is not there, a receiver of another kind, no such secret."""
    wrong: list[dict[str, str]] = []
    if isinstance(body, Channel):
        needed = _needed(body)
        wrong += [
            {"field": f"secrets.{name}", "problem": "is used and not set; set it"}
            for name in sorted(needed - set(secrets))
        ]
    channels = {item.id: item.body for item in items if isinstance(item.body, Channel)}
    if isinstance(body, Channel) and own is not None:
        users = [item for item in items if any(target.channel == own for target in targets(item.body))]
        old = channels[own]
        if users and old.settings.kind != body.settings.kind:
            problem = f"{', '.join(item.name for item in users)} has receivers of kind {old.settings.kind}"
            wrong.append({"field": "settings.kind", "problem": f"{problem}; make a new channel"})
    for target in targets(body):
        channel = channels.get(target.channel)
        if channel is None:
            wrong.append({"field": "channel", "problem": f"there is no channel {target.channel}"})
        else:
            wrong += [{"field": "to", "problem": problem} for problem in receivers_wrong(channel, target.to)]
    if wrong:
        detail = "; ".join(f"{one['field']}: {one['problem']}" for one in wrong)
        raise Problem(422, "invalid", "The request is not valid", detail, errors=wrong)


def receivers_wrong(channel: Channel, to: list[str]) -> list[str]:
    """Return what is wrong with receivers of a channel."""
    kind = channel.settings.kind
    if kind == "webhook":
        return ["a webhook has no receivers; leave them out"] if to else []
    if not to:
        return ["name at least one receiver"]
    pattern, example = RECEIVERS[kind]
    return [f"{one!r} is not written like {example}" for one in to if not pattern.fullmatch(one)]


def _needed(channel: Channel) -> set[str]:
    settings = channel.settings
    if isinstance(settings, Email):
        return {"password"} if settings.user else set()
    assert isinstance(settings, Http)  # noqa: S101 - there is no third
    return secret_names(settings.url, settings.body, *settings.headers.values())


def _item(row: tuple[Any, ...]) -> Item:
    number, kind, name, enabled, body, names, made_at, changed_at, changed_by = row
    shape: Body = TypeAdapter(SHAPES[kind]).validate_python(body)
    return Item(number, kind, name, enabled, shape, tuple(names), made_at, changed_at, changed_by)


def _taken(name: str) -> Problem:
    return Problem(409, "exists", "The name is taken", f"There is {name!r} already; choose another name.")
