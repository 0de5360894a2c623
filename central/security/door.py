"""The door: a password, then the second factor where there is one. What fails is counted."""

from __future__ import annotations

from central.kernel.problem import Problem
from central.security.factors import Factors
from central.security.limiter import CODE, SignInLimiter
from central.security.models import User
from central.security.passwords import Passwords
from central.security.sessions import Sessions, SignedIn
from central.store.base import Database
from protocols.model.clock import Clock


class Door:
    """Lets people in by password, and asks for it again before what a stolen session must not do."""

    def __init__(
        self, database: Database, clock: Clock, passwords: Passwords, factors: Factors, sessions: Sessions
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._factors = factors
        self._sessions = sessions
        self._limiter = SignInLimiter(database, clock)

    async def sign_in(
        self, username: str, password: str, code: str | None, address: str, agent: str
    ) -> SignedIn:
        """Begin a session. Problem 401 `sign-in-failed` whatever the cause; 429 after too many failures.

        401 `code-needed` where the password is right and the account has a second factor; 401 `wrong-code`.
        """
        await self.prove(username, password, address)
        proof = "password"
        if await self._factors.has(username):
            if not code:
                raise Problem(
                    401, "code-needed", "A code is needed",
                    "Send `code`: six figures of the authenticator app, or a recovery code.",
                )  # fmt: skip
            await self._limiter.attempt(CODE + username, address)
            used = await self._factors.check(username, code)
            if used is None:
                raise Problem(
                    401, "wrong-code", "The code is wrong",
                    "It is wrong, or was used already: wait for the next one. A recovery code counts once.",
                )  # fmt: skip
            await self._limiter.succeeded(CODE + username, address)
            proof = used
        return await self._sessions.start(username, proof, address, agent)

    async def prove(self, username: str, password: str, address: str) -> None:
        """Check a password, counting failures; Problem as above. A hash of weaker days is renewed."""
        await self._limiter.attempt(username, address)
        async with self._database.session() as session:
            user = await session.get(User, username)
        stored = user.password_hash if user is not None and not user.disabled else None
        # Without a password, as services and people from elsewhere are, it takes as long to say no.
        if not await self._passwords.matches(stored, password) or stored is None:
            raise Problem(
                401,
                "sign-in-failed",
                "Sign-in failed",
                "User name or password is wrong, or the account is off.",
            )
        await self._limiter.succeeded(username, address)
        if self._passwords.is_outdated(stored):
            renewed = await self._passwords.hash(password)
            async with self._database.session() as session:
                (await session.get_one(User, username)).password_hash = renewed
