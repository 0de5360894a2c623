"""Accounts and their tokens: who there is, and what each may do at most."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.problem import Problem, not_found
from central.security import schemas
from central.security.models import ApiToken, User, UserSession
from central.security.passwords import Passwords
from central.security.principal import Principal
from central.security.roles import Role, within
from central.security.secret import TOKEN_PREFIX, new_secret
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.clock import Clock, to_datetime


class Accounts:
    """Creates and changes accounts and tokens. Somebody always stays who can administer them."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords

    async def users(self) -> schemas.UserPage:
        """Return every account, by user name."""
        async with self._database.session() as session:
            rows = await session.scalars(select(User).order_by(User.username))
            return schemas.UserPage(items=[schemas.User.model_validate(row) for row in rows])

    async def create(self, username: str, display_name: str, role: Role, password: str) -> schemas.User:
        """Create an account; Rejected(`exists`) where the name is taken."""
        hashed = await self._passwords.hash(password)
        async with self._database.session() as session:
            values = {
                "username": username,
                "display_name": display_name,
                "role": role,
                "password_hash": hashed,
                "created_at": to_datetime(self._clock()),
            }
            statement = insert(User).values(values).on_conflict_do_nothing().returning(User)
            made = (await session.scalars(statement)).one_or_none()
            if made is None:
                raise Rejected("exists", f"there is a user {username!r} already; choose another name")
            return schemas.User.model_validate(made)

    async def ensure(self, username: str, display_name: str, role: Role, password: str) -> None:
        """Create the account, or set its password, role and name; for the command line and the demo."""
        hashed = await self._passwords.hash(password)
        values = {"display_name": display_name, "role": role, "password_hash": hashed, "disabled": False}
        statement = insert(User).values(username=username, created_at=to_datetime(self._clock()), **values)
        async with self._database.session() as session:
            await session.execute(statement.on_conflict_do_update(index_elements=["username"], set_=values))
            await session.execute(delete(UserSession).where(UserSession.username == username))

    async def change(
        self,
        username: str,
        *,
        display_name: str | None = None,
        role: Role | None = None,
        password: str | None = None,
        disabled: bool | None = None,
    ) -> schemas.User:
        """Change what is given. Rejected(`last-admin`) where nobody could administer afterwards.

        A new password, or switching the account off, ends its sessions.
        """
        hashed = None if password is None else await self._passwords.hash(password)
        async with self._database.session() as session:
            user = await session.get(User, username, with_for_update=True)
            if user is None:
                raise not_found("user", username)
            user.display_name = display_name or user.display_name
            user.role = role or user.role
            user.password_hash = hashed or user.password_hash
            user.disabled = user.disabled if disabled is None else disabled
            await session.flush()
            await _keep_an_admin(session)
            if hashed or user.disabled:
                await session.execute(delete(UserSession).where(UserSession.username == username))
            return schemas.User.model_validate(user)

    async def any_user(self) -> bool:
        """Say whether there is an account at all; a new centre has none."""
        async with self._database.session() as session:
            return await session.scalar(select(User.username).limit(1)) is not None

    async def tokens(self, owner: Principal) -> schemas.TokenPage:
        """Return the person's own tokens, newest first."""
        statement = select(ApiToken).where(ApiToken.username == owner.username)
        async with self._database.session() as session:
            rows = await session.scalars(statement.order_by(ApiToken.created_at.desc(), ApiToken.id))
            return schemas.TokenPage(items=[schemas.Token.model_validate(row) for row in rows])

    async def make_token(
        self, owner: Principal, name: str, role: Role | None, expires_in_days: int | None
    ) -> schemas.TokenMade:
        """Make a token; Rejected(`role-too-strong`) for a role beyond the person's own.

        Problem 403 `sign-in-needed` for a caller who is a token: it could outlive itself.
        """
        _in_person(owner)
        granted = role or owner.role
        if not within(granted, owner.role):
            raise Rejected(
                "role-too-strong", f"a {owner.role} cannot give {granted} away; ask for {owner.role}"
            )
        secret, key = new_secret(TOKEN_PREFIX)
        now = to_datetime(self._clock())
        row = ApiToken(
            id=str(uuid.uuid4()),
            digest=key,
            name=name,
            username=owner.username,
            role=granted,
            created_at=now,
            expires_at=None if expires_in_days is None else now + timedelta(days=expires_in_days),
            used_at=None,
        )
        async with self._database.session() as session:
            session.add(row)
        shown = schemas.Token.model_validate(row)
        return schemas.TokenMade(**shown.model_dump(), token=secret)

    async def delete_token(self, owner: Principal, token_id: str) -> None:
        """Delete one of the person's own tokens; Problem 404 for any other, 403 as above."""
        _in_person(owner)
        statement = delete(ApiToken).where(ApiToken.id == token_id, ApiToken.username == owner.username)
        async with self._database.session() as session:
            if (await session.execute(statement.returning(ApiToken.id))).one_or_none() is None:
                raise not_found("token", token_id)


def _in_person(owner: Principal) -> None:
    if owner.via == "token":
        raise Problem(
            403, "sign-in-needed", "Tokens are managed in person",
            "A token cannot make or delete tokens; sign in at the console, or with POST /api/v1/session.",
        )  # fmt: skip


async def _keep_an_admin(session: AsyncSession) -> None:
    admins = select(func.count()).where(User.role == Role.ADMIN, User.disabled.is_(False))
    if not await session.scalar(admins):
        raise Rejected("last-admin", "this is the last administrator; make another one first")
