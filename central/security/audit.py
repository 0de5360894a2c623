"""The audit trail: every unsafe request to the API and how it ended, hash-chained, never changed.

It is written before the answer goes out, so that nobody is told "done" without a trace of it. Bodies
are not kept (they may hold secrets); what was decided is in the journals of alarms, cases and commands, and
what was changed of accounts, registry, rules and settings is here, before and after: see `changes`.

A chain shows what was altered or removed within it. That its tail was cut off shows against the head, kept
beside it (`audit_head`) and, by whoever keeps a head elsewhere, against that: `audit verify --since`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central.kernel.problem import is_connection_failure
from central.kernel.shapes import decode_cursor, encode_cursor
from central.security import schemas
from central.security.audit_filter import NO_FILTER, AuditFilter
from central.security.models import AuditEntry, AuditHead
from central.security.origin import SAFE_METHODS
from central.security.rates import Rates
from central.store.base import Database
from protocols.model.chain import START, Scalar, seal
from protocols.model.clock import Clock, from_datetime, to_datetime

log = structlog.get_logger(__name__)

_LOCK = 0x636E_0002
"""Advisory lock of the chain's end: one entry after the other, over all replicas."""
_BATCH: Final = 500
AUDITED_PREFIX = "/api/"
TOO_OFTEN: Final = 429
ARRIVALS: Final = "/session/oidc/callback"
"""Reading by its method, and yet it signs somebody in."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be written down. actor is empty, and via `none`, where nobody proved who they are."""

    actor: str
    via: str
    operation: str
    method: str
    path: str
    status: int
    address: str
    changes: tuple[Mapping[str, Any], ...] = ()
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries there were, the number and the hash of the last; `text` is for safekeeping."""

    entries: int
    number: int
    hash: bytes

    @property
    def text(self) -> str:
        """Return it as one word, `entries:number:hash`."""
        return f"{self.entries}:{self.number}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read that word. ValueError for another."""
        entries, number, digest = text.split(":")
        return cls(int(entries), int(number), bytes.fromhex(digest))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a proof of the trail found: the head now, and the first thing wrong, None where nothing is."""

    head: Head
    reason: str | None = None
    number: int | None = None


class AuditTrail:
    """Writes, shows and proves the trail."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def write(self, deed: Deed) -> None:
        """Append an entry and commit it."""
        async with self._database.session() as session:
            await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            last = select(AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
            previous = await session.scalar(last) or START
            entry = AuditEntry(
                at=to_datetime(self._clock()),
                actor=deed.actor,
                via=deed.via,
                operation=deed.operation,
                method=deed.method,
                path=deed.path,
                status=deed.status,
                address=deed.address,
                changes=_canonical(deed.changes) if deed.changes else None,
                request_id=deed.request_id,
                prev_hash=previous,
            )
            entry.hash = seal(previous, _content(entry))
            session.add(entry)

    async def list(
        self, which: AuditFilter = NO_FILTER, *, limit: int = 100, cursor: str | None = None
    ) -> schemas.AuditPage:
        """Return entries, newest first."""
        statement = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit + 1)
        statement = statement.where(*which.conditions())
        if cursor is not None:
            statement = statement.where(AuditEntry.number < decode_cursor(cursor, int)[0])
        async with self._database.session() as session:
            rows = (await session.scalars(statement)).all()
        return schemas.AuditPage(
            items=[_show(row) for row in rows[:limit]],
            next_cursor=encode_cursor(rows[limit - 1].number) if len(rows) > limit else None,
        )

    async def export(self, which: AuditFilter) -> AsyncIterator[schemas.AuditEntry]:
        """Yield entries, oldest first, without holding them all."""
        async with self._database.session() as session:
            async for rows in _batches(session, which):
                for row in rows:
                    yield _show(row)

    async def first_broken(self) -> int | None:
        """Return the number of the first entry that was changed or follows a removed one; None if none."""
        return (await self.prove()).number

    async def prove(self, since: Head | None = None) -> Finding:
        """Walk the whole chain. With `since`, a head that was kept elsewhere must still be in it."""
        previous, count, number = START, 0, 0
        async with self._database.session() as session:
            # One moment for the entries and the head beside them, whatever is written meanwhile.
            await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            kept = (await session.execute(select(AuditHead.entries, AuditHead.hash))).one_or_none()
            async for rows in _batches(session, NO_FILTER):
                for row in rows:
                    if row.prev_hash != previous:
                        return Finding(Head(count, number, previous), "removed-before", row.number)
                    if seal(previous, _content(row)) != row.hash:
                        return Finding(Head(count, number, previous), "altered", row.number)
                    previous, count, number = row.hash, count + 1, row.number
                    if since is not None and count == since.entries and previous != since.hash:
                        return Finding(Head(count, number, previous), "another-past", row.number)
        head = Head(count, number, previous)
        if kept is None or (kept.entries, kept.hash) != (count, previous):
            return Finding(head, "cut-off", number)
        if since is not None and count < since.entries:
            return Finding(head, "cut-off", number)
        return Finding(head)


class AuditMiddleware:
    """Writes down each unsafe request below `/api/` as its answer is about to go out.

    The permission that a route asks for leaves `principal` in the request's state; a sign-in, which
    has none, leaves `audit_actor`. The trail is `app.state.centre.security.audit`.

    What was refused because it came too often is not written, and what nobody known sent only as often as his
    address may ask: else a stranger could fill the disk with what he was refused.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        watched = scope["type"] == "http" and scope["path"].startswith(AUDITED_PREFIX)
        if not watched or (scope["method"] in SAFE_METHODS and not scope["path"].endswith(ARRIVALS)):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._note(scope, state, int(message["status"]))
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            # The answer, 500, is made outside of here.
            await self._note(scope, state, 500)
            raise

    async def _note(self, scope: Scope, state: dict[str, object], status: int) -> None:
        principal = state.get("principal")
        route = scope.get("route")
        client = scope.get("client")
        rates: Rates = scope["app"].state.centre.security.rates
        trail: AuditTrail = scope["app"].state.centre.security.audit
        if "audit_actor" not in state:
            if status == TOO_OFTEN:
                return
            if principal is None and not rates.may_note(client[0] if client else ""):
                log.info("audit.left_out", path=scope["path"], status=status)
                return
        deed = Deed(
            actor=str(getattr(principal, "username", state.get("audit_actor", ""))),
            via=str(getattr(principal, "via", "none")),
            operation=str(getattr(route, "operation_id", None) or ""),
            method=scope["method"],
            path=scope["path"],
            status=status,
            address=client[0] if client else "",
            # A change that was refused in the end was rolled back with its request.
            changes=tuple(cast("list[dict[str, Any]]", state.get("audit_changes", ())))
            if status < 400
            else (),
            request_id=cast("str | None", state.get("request_id")),
        )
        try:
            await trail.write(deed)
        except Exception as error:
            # The deed is committed or refused already; hiding its answer would not undo it.
            if not is_connection_failure(error):
                raise
            log.critical("audit.not_written", error=str(error), deed=deed)


async def _batches(session: AsyncSession, which: AuditFilter) -> AsyncIterator[Sequence[AuditEntry]]:
    """Yield the wanted entries, oldest first, some hundred at a time."""
    last = 0
    while True:
        statement = select(AuditEntry).where(AuditEntry.number > last, *which.conditions())
        rows = (await session.scalars(statement.order_by(AuditEntry.number).limit(_BATCH))).all()
        if not rows:
            return
        yield rows
        last = rows[-1].number
        session.expunge_all()


def _canonical(changes: Sequence[Mapping[str, Any]]) -> str:
    """Return changes as the text that is kept and sealed. PostgreSQL's text holds no zero character."""
    text = json.dumps(changes, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("\\u0000", "\\ufffd")


def _content(entry: AuditEntry) -> dict[str, Scalar]:
    # Entries of the versions before have no changes or request, and are sealed without the words.
    extra: dict[str, Scalar] = {} if entry.changes is None else {"changes": entry.changes}
    if entry.request_id is not None:
        extra["request_id"] = entry.request_id
    return {
        **extra,
        "at_us": from_datetime(entry.at),
        "actor": entry.actor,
        "via": entry.via,
        "operation": entry.operation,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "address": entry.address,
    }


def _show(entry: AuditEntry) -> schemas.AuditEntry:
    return schemas.AuditEntry(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        via=entry.via,
        operation=entry.operation,
        method=entry.method,
        path=entry.path,
        status=entry.status,
        address=entry.address,
        changes=None if entry.changes is None else json.loads(entry.changes),
        request_id=entry.request_id,
        hash=entry.hash.hex(),
    )
