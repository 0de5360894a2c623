"""Signing in and out, and telling who a request is from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select

from central.kernel.problem import Problem
from central.security.grants import held_by, limit, rights_of
from central.security.limiter import SignInLimiter
from central.security.models import ApiToken, OwnRole, User, UserSession
from central.security.passwords import Passwords
from central.security.principal import Principal
from central.security.secret import digest, new_secret
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

LIFETIME: Final = timedelta(days=7)
"""A session ends then, whatever happens."""
IDLE: Final = timedelta(hours=12)
"""A session ends after so long without a request: a shift, not a weekend."""
_SEEN_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session; the secret is the cookie's value and is not kept anywhere else."""

    secret: str
    principal: Principal


class Sessions:
    """Sessions of browsers and tokens of programs, each looked up in the database at every request."""

    def __init__(
        self, database: Database, clock: Clock, passwords: Passwords, limiter: SignInLimiter | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._limiter = limiter or SignInLimiter(clock)

    async def sign_in(self, username: str, password: str, address: str) -> SignedIn:
        """Start a session. Problem 401 `sign-in-failed` whatever the cause; 429 after too many failures."""
        wait_s = self._limiter.wait_s(username, address)
        if wait_s:
            raise Problem(
                429,
                "too-many-attempts",
                "Too many attempts",
                f"Signing in failed too often. Try again in {wait_s} s.",
                headers={"Retry-After": str(wait_s)},
            )
        self._limiter.failed(username, address)
        async with self._database.session() as session:
            user = await session.get(User, username)
        stored = user.password_hash if user is not None and not user.disabled else None
        if not await self._passwords.matches(stored, password) or user is None:
            raise Problem(
                401,
                "sign-in-failed",
                "Sign-in failed",
                "User name or password is wrong, or the account is off.",
            )
        self._limiter.succeeded(username, address)
        renewed = (
            await self._passwords.hash(password) if self._passwords.is_outdated(user.password_hash) else None
        )
        secret, key = new_secret()
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            user = await session.get_one(User, username)
            user.last_sign_in_at = now
            user.password_hash = renewed or user.password_hash
            await session.execute(delete(UserSession).where(UserSession.expires_at < now))
            session.add(
                UserSession(
                    digest=key,
                    username=username,
                    created_at=now,
                    seen_at=now,
                    expires_at=now + LIFETIME,
                    address=address,
                )
            )
            grants = await session.scalar(select(held_by()).where(User.username == username))
        name = user.display_name
        return SignedIn(
            secret, Principal(username, name, rights_of(grants or ()), "session", session_id(key))
        )

    async def sign_out(self, secret: str) -> None:
        """End a session; one that has ended already is no error."""
        async with self._database.session() as session:
            await session.execute(delete(UserSession).where(UserSession.digest == digest(secret)))

    async def by_cookie(self, secret: str) -> Principal | None:
        """Return who the session belongs to; None when it has ended."""
        now = to_datetime(self._clock())
        statement = select(UserSession, User, held_by()).join(User, User.username == UserSession.username)
        statement = statement.where(UserSession.digest == digest(secret))
        async with self._database.session() as session:
            found = (await session.execute(statement)).one_or_none()
            if found is None:
                return None
            held, user, grants = found
            if user.disabled or now >= held.expires_at or now - held.seen_at > IDLE:
                return None
            if now - held.seen_at > _SEEN_EVERY:
                held.seen_at = now
            key = session_id(held.digest)
            return Principal(user.username, user.display_name, rights_of(grants), "session", key)

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
            most = limit(token.narrowed, own, token.areas, token.departments)
            left = (right.narrowed(most) for right in rights_of(grants))
            rights = tuple(right for right in left if right is not None)
            return Principal(user.username, user.display_name, rights, "token", token.id)


def session_id(key: bytes) -> str:
    """Return the public name of a session: the digest of its digest, from which nothing leads back."""
    return hashlib.sha256(key).hexdigest()[:32]
