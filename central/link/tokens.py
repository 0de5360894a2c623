"""Tokens of gateways: found by their hash, exchanged one for the next without ever locking a gateway out.

    T ──POST token──► T + N kept        both open the door; N is not proven
                      first use of N ──► N alone; T ends

A gateway that lost the answer still has T and asks again: a newer N replaces the one it never got.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import structlog
from sqlalchemy import or_, select, update

from central.kernel.problem import Problem
from central.store.base import Database
from central.store.registry import Gateway
from protocols.model.clock import SECOND_US, Clock, to_datetime

log = structlog.get_logger(__name__)

CACHE_US = 10 * SECOND_US
"""How long a token is believed without asking the database, should another process revoke it."""


@dataclass(frozen=True, slots=True)
class _Known:
    gateway: str
    revoked: bool
    until_us: int


class Tokens:
    """Says whose a token is."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def forget(self) -> None:
        """Ask the database again for every token: something about them changed."""
        self._known.clear()

    async def authenticate(self, token: str) -> str:
        """Return the gateway of a token. Raises Problem 401 `unknown-gateway` or 403 `revoked`."""
        hashed = token_hash(token)
        now = self._clock()
        known = self._known.get(hashed)
        if known is None or known.until_us < now:
            known = await self._look(hashed, now)
            self._known[hashed] = known
        if known.revoked:
            raise Problem(
                403,
                "revoked",
                "Gateway revoked",
                f"An administrator revoked {known.gateway!r}. Its data stays in its buffer; enrol it again"
                " with a new code to go on.",
            )
        return known.gateway

    async def next(self, token: str) -> tuple[str, str]:
        """Make the token that follows `token`; return (gateway, new token). Raises Problem as above."""
        gateway = await self.authenticate(token)
        made = new_token()
        async with self._database.session() as session:
            # Only the present token may ask: an old request that arrives late must not replace a new one.
            asked = await session.scalar(
                update(Gateway)
                .where(Gateway.id == gateway, Gateway.token_hash == token_hash(token))
                .values(next_token_hash=token_hash(made))
                .returning(Gateway.id)
            )
        self.forget()
        if asked is None:
            raise _unknown()
        log.info("gateway.token_made", gateway=gateway)
        return gateway, made

    async def _look(self, hashed: str, now_us: int) -> _Known:
        async with self._database.session() as session:
            found = await session.scalar(
                select(Gateway).where(or_(Gateway.token_hash == hashed, Gateway.next_token_hash == hashed))
            )
            if found is None:
                raise _unknown()
            if found.token_hash != hashed and found.state != "revoked":
                proven = await session.scalar(
                    update(Gateway)
                    .where(Gateway.id == found.id, Gateway.next_token_hash == hashed)
                    .values(token_hash=hashed, next_token_hash=None, token_at=to_datetime(now_us))
                    .returning(Gateway.id)
                )
                self.forget()
                log.info("gateway.token_rotated", gateway=found.id, by_this_request=proven is not None)
            return _Known(found.id, found.state == "revoked", now_us + CACHE_US)


def new_token() -> str:
    """Return a fresh token: 256 random bits."""
    return f"cng_{secrets.token_urlsafe(32)}"


def token_hash(token: str) -> str:
    """Return what is kept of a token. 256 random bits need no slow hash: there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def _unknown() -> Problem:
    return Problem(
        401,
        "unknown-gateway",
        "Unknown gateway",
        "This token is not, or no longer, a gateway's. Enrol the gateway again with a new code.",
        headers={"WWW-Authenticate": "Bearer"},
    )
