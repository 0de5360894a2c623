"""The audit trail: every unsafe request to the API and how it ended, hash-chained, never changed.

It is written before the answer goes out, so that nobody is told "done" without a trace of it. Bodies
are not kept (they may hold secrets); what was decided is in the journals of alarms, cases and commands.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central.kernel.problem import is_connection_failure
from central.kernel.shapes import decode_cursor, encode_cursor
from central.security import schemas
from central.security.models import AuditEntry
from central.security.origin import SAFE_METHODS
from central.store.base import Database
from protocols.model.chain import START, Scalar, first_break, seal
from protocols.model.clock import Clock, from_datetime, to_datetime

log = structlog.get_logger(__name__)

_LOCK = 0x636E_0002
"""Advisory lock of the chain's end: one entry after the other, over all replicas."""
AUDITED_PREFIX = "/api/"


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
                prev_hash=previous,
            )
            entry.hash = seal(previous, _content(entry))
            session.add(entry)

    async def list(self, *, limit: int = 100, cursor: str | None = None) -> schemas.AuditPage:
        """Return entries, newest first."""
        statement = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit + 1)
        if cursor is not None:
            statement = statement.where(AuditEntry.number < decode_cursor(cursor, int)[0])
        async with self._database.session() as session:
            rows = (await session.scalars(statement)).all()
        return schemas.AuditPage(
            items=[_show(row) for row in rows[:limit]],
            next_cursor=encode_cursor(rows[limit - 1].number) if len(rows) > limit else None,
        )

    async def first_broken(self) -> int | None:
        """Return the number of the first entry that was changed or follows a removed one; None if none."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(AuditEntry).order_by(AuditEntry.number))).all()
        place = first_break((_content(row), row.prev_hash, row.hash) for row in rows)
        return None if place is None else rows[place].number


class AuditMiddleware:
    """Writes down each unsafe request below `/api/` as its answer is about to go out.

    The permission that a route asks for leaves `principal` in the request's state; a sign-in, which
    has none, leaves `audit_actor`. The trail is `app.state.centre.security.audit`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        watched = scope["type"] == "http" and scope["path"].startswith(AUDITED_PREFIX)
        if not watched or scope["method"] in SAFE_METHODS:
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
        deed = Deed(
            actor=str(getattr(principal, "username", state.get("audit_actor", ""))),
            via=str(getattr(principal, "via", "none")),
            operation=str(getattr(route, "operation_id", None) or ""),
            method=scope["method"],
            path=scope["path"],
            status=status,
            address=client[0] if client else "",
        )
        trail: AuditTrail = scope["app"].state.centre.security.audit
        try:
            await trail.write(deed)
        except Exception as error:
            # The deed is committed or refused already; hiding its answer would not undo it.
            if not is_connection_failure(error):
                raise
            log.critical("audit.not_written", error=str(error), deed=deed)


def _content(entry: AuditEntry) -> dict[str, Scalar]:
    return {
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
        hash=entry.hash.hex(),
    )
