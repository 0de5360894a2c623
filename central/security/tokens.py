"""API tokens: keys for programs, owned by an account, never stronger than it, always with an end."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.problem import Problem, not_found
from central.security import schemas
from central.security.grants import held_by, limit, old_role, rights_of
from central.security.models import ApiToken, User
from central.security.policy import in_force, parse
from central.security.principal import Principal
from central.security.rights import Right
from central.security.role_book import own_permissions
from central.security.secret import TOKEN_PREFIX, new_secret
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.clock import Clock, to_datetime


class Tokens:
    """Makes, lists and ends tokens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, username: str) -> schemas.TokenPage:
        """Return the tokens of an account, newest first."""
        return await self._list(ApiToken.username == username)

    async def all(self) -> schemas.TokenPage:
        """Return the tokens of every account, newest first."""
        return await self._list(true())

    async def _list(self, which: ColumnElement[bool]) -> schemas.TokenPage:
        statement = select(ApiToken).where(which).order_by(ApiToken.created_at.desc(), ApiToken.id)
        async with self._database.session() as session:
            return schemas.TokenPage(items=[_show(row) for row in await session.scalars(statement)])

    async def make(
        self, maker: Principal, asked: schemas.NewToken, username: str | None = None
    ) -> schemas.TokenMade:
        """Make a token for oneself, or for the service account `username`.

        Rejected(`role-too-strong`) for more than the account may; Problem 403 `sign-in-needed` for a caller
        who is a token: it could outlive itself; 404 for an account that is no service account.
        """
        in_person(maker)
        owner = maker.username if username is None else username
        async with self._database.session() as session:
            found = (
                await session.execute(select(User, held_by()).where(User.username == owner))
            ).one_or_none()
            if found is None or (username is not None and not found[0].service):
                raise not_found("service account", owner)
            held = rights_of(found[1])
            narrowed = await self._narrowed(session, asked, held)
            secret, key = new_secret(TOKEN_PREFIX)
            now = to_datetime(self._clock())
            row = ApiToken(
                id=str(uuid.uuid4()),
                digest=key,
                name=asked.name,
                username=owner,
                role=old_role(narrowed),
                narrowed=asked.role or "",
                areas=sorted(set(asked.areas)),
                departments=sorted(set(asked.departments)),
                created_at=now,
                expires_at=now + timedelta(days=await _days(session, asked)),
                used_at=None,
            )
            session.add(row)
        return schemas.TokenMade(**_show(row).model_dump(), token=secret)

    async def delete(self, who: Principal, token_id: str, *, anyones: bool = False) -> str:
        """End one of one's own tokens, or with `anyones` any; returns whose it was.

        Problem 404 for any other, 403 as above.
        """
        in_person(who)
        mine = true() if anyones else ApiToken.username == who.username
        statement = delete(ApiToken).where(ApiToken.id == token_id, mine).returning(ApiToken.username)
        async with self._database.session() as session:
            username = (await session.scalars(statement)).one_or_none()
        if username is None:
            raise not_found("token", token_id)
        return username

    async def _narrowed(
        self, session: AsyncSession, asked: schemas.NewToken, held: tuple[Right, ...]
    ) -> list[Right]:
        """Return what the token will reach. Rejected where that is less than its role says, or nothing."""
        own = await own_permissions(session, asked.role)
        wanted = limit(asked.role or "", own, asked.areas, asked.departments)
        missing = sorted(p for p in wanted.permissions if not any(right.carries(p) for right in held))
        if asked.role and missing:
            raise Rejected(
                "role-too-strong",
                f"the account itself may not do {', '.join(missing)}; ask for a role that it has",
            )
        narrowed = [left for right in held if (left := right.narrowed(wanted)) is not None]
        if not narrowed:
            raise Rejected("reaches-nothing", "the account has no right in these areas and departments")
        return narrowed


async def _days(session: AsyncSession, asked: schemas.NewToken) -> int:
    """A token that nobody renews ends by itself."""
    policy = parse(await session.scalar(select(in_force())))
    if asked.expires_in_days is None:
        return min(policy.token_days, policy.token_days_max)
    if asked.expires_in_days > policy.token_days_max:
        raise Rejected("too-long", f"tokens live {policy.token_days_max} days at most here; ask for fewer")
    return asked.expires_in_days


def in_person(who: Principal) -> None:
    """Refuse a caller who is a token: it could give itself a longer or wider life."""
    if who.via == "token":
        raise Problem(
            403, "sign-in-needed", "This is done in person",
            "A token cannot do this; sign in at the console, or with POST /api/v1/session.",
        )  # fmt: skip


def _show(row: ApiToken) -> schemas.Token:
    return schemas.Token(
        id=row.id,
        name=row.name,
        username=row.username,
        role=(row.role if row.narrowed is None else row.narrowed) or None,
        areas=row.areas,
        departments=row.departments,
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
