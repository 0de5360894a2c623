"""Sessions of browsers and tokens of programs: beginning, ending, and telling who a request is from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select, true, update

from central.kernel.problem import not_found
from central.security import schemas
from central.security.grants import held_by, limit, rights_of
from central.security.models import ApiToken, OwnRole, User, UserSession
from central.security.policy import in_force, parse
from central.security.principal import Principal
from central.security.secret import digest, new_secret
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

LIFETIME: Final = timedelta(days=7)
"""A session ends then, whatever happens."""
IDLE: Final = timedelta(hours=12)
"""A session ends after so long without a request: a shift, not a weekend."""
_SEEN_EVERY: Final = timedelta(minutes=1)
_AGENT_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session; the secret is the cookie's value and is not kept anywhere else."""

    secret: str
    principal: Principal


class Sessions:
    """Each session and token is looked up in the database at every request: what ends there, ends at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def start(self, username: str, proof: str, address: str, agent: str) -> SignedIn:
        """Begin a session for somebody who proved who he is, by `proof`: password, totp, recovery or oidc."""
        secret, key = new_secret()
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            user = await session.get_one(User, username)
            user.last_sign_in_at = now
            await session.execute(delete(UserSession).where(UserSession.expires_at < now))
            session.add(
                UserSession(
                    digest=key,
                    username=username,
                    created_at=now,
                    seen_at=now,
                    expires_at=now + LIFETIME,
                    address=address,
                    agent=agent[:_AGENT_LENGTH].replace("\0", ""),
                    proof=proof,
                )
            )
        principal = await self.by_cookie(secret)
        assert principal is not None  # noqa: S101 - made a moment ago
        return SignedIn(secret, principal)

    async def sign_out(self, secret: str) -> None:
        """End a session; one that has ended already is no error."""
        async with self._database.session() as session:
            await session.execute(delete(UserSession).where(UserSession.digest == digest(secret)))

    async def strengthen(self, key: str, proof: str) -> None:
        """Note that the session was proved by more than it began with."""
        async with self._database.session() as session:
            await session.execute(update(UserSession).where(_named(key)).values(proof=proof))

    async def list(self, username: str | None = None, current: str = "") -> schemas.OpenSessionPage:
        """Return the open sessions of somebody, or of everybody, the last used first."""
        now = to_datetime(self._clock())
        statement = (
            select(UserSession)
            .where(
                true() if username is None else UserSession.username == username,
                UserSession.expires_at > now,
                UserSession.seen_at >= now - IDLE,
            )
            .order_by(UserSession.seen_at.desc(), UserSession.digest)
        )
        async with self._database.session() as session:
            rows = (await session.scalars(statement)).all()
        return schemas.OpenSessionPage(items=[_show(row, current) for row in rows])

    async def end(self, key: str, username: str | None = None) -> str:
        """End a session by its public id, only of `username` if given; return whose it was. Problem 404."""
        mine = true() if username is None else UserSession.username == username
        statement = delete(UserSession).where(_named(key), mine).returning(UserSession.username)
        async with self._database.session() as session:
            whose = (await session.scalars(statement)).one_or_none()
        if whose is None:
            raise not_found("session", key)
        return whose

    async def end_others(self, username: str, key: str) -> None:
        """End every session of somebody but the one with this public id."""
        async with self._database.session() as session:
            await session.execute(delete(UserSession).where(UserSession.username == username, ~_named(key)))

    async def by_cookie(self, secret: str) -> Principal | None:
        """Return who the session belongs to; None when it has ended."""
        now = to_datetime(self._clock())
        statement = select(UserSession, User, held_by(), in_force()).join(
            User, User.username == UserSession.username
        )
        statement = statement.where(UserSession.digest == digest(secret))
        async with self._database.session() as session:
            found = (await session.execute(statement)).one_or_none()
            if found is None:
                return None
            held, user, grants, policy = found
            if user.disabled or now >= held.expires_at or now - held.seen_at > IDLE:
                return None
            if now - held.seen_at > _SEEN_EVERY:
                held.seen_at = now
            key = session_id(held.digest)
            rights = rights_of(grants)
            strict = parse(policy).second_factor_roles
            if held.proof == "password" and any(right.role in strict for right in rights):
                return Principal(user.username, user.display_name, (), "session", key, must_enrol=True)
            return Principal(user.username, user.display_name, rights, "session", key)

    async def by_token(self, secret: str) -> Principal | None:
        """Return whom the token speaks for, with what is left of his rights; None when it has ended."""
        now = to_datetime(self._clock())
        statement = (
            select(ApiToken, User, held_by(), OwnRole.permissions)
            .join(User, User.username == ApiToken.username)
            .outerjoin(OwnRole, OwnRole.id == ApiToken.narrowed)
            .where(ApiToken.digest == digest(secret))
        )
        async with self._database.session() as session:
            found = (await session.execute(statement)).one_or_none()
            if found is None:
                return None
            token, user, grants, own = found
            if user.disabled or (token.expires_at is not None and now >= token.expires_at):
                return None
            if token.used_at is None or now - token.used_at > _SEEN_EVERY:
                token.used_at = now
            role = token.role if token.narrowed is None else token.narrowed
            most = limit(role, own, token.areas, token.departments)
            left = (right.narrowed(most) for right in rights_of(grants))
            rights = tuple(right for right in left if right is not None)
            return Principal(user.username, user.display_name, rights, "token", token.id)


def session_id(key: bytes) -> str:
    """Return the public name of a session: the digest of its digest, from which nothing leads back."""
    return hashlib.sha256(key).hexdigest()[:32]


def _named(key: str) -> ColumnElement[bool]:
    return func.left(func.encode(func.sha256(UserSession.digest), "hex"), 32) == key


def _show(row: UserSession, current: str) -> schemas.OpenSession:
    key = session_id(row.digest)
    return schemas.OpenSession(
        id=key,
        username=row.username,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        address=row.address,
        agent=row.agent,
        proof=row.proof,
        current=key == current,
    )
