"""Accounts: who there is, and what each may do at most."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.problem import Problem, not_found
from central.security import grants as kept
from central.security import schemas
from central.security.models import Grant, OutsideIdentity, SecondFactor, User, UserSession
from central.security.oidc import refused
from central.security.oidc_settings import OidcSettings
from central.security.passwords import Passwords
from central.security.principal import Principal
from central.security.rights import Right, may_give
from central.security.role_book import read
from central.security.roles import Role
from central.security.weak import refuse_weak
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.clock import Clock, to_datetime

NO_PASSWORD = "none"  # noqa: S105 - no hash has this form, so nothing matches it
_LOCK = 0x636E_0006
"""Advisory lock of changes to accounts: two administrators must not demote each other at once."""


class Accounts:
    """Creates and changes accounts. Somebody always stays who can administer the whole centre.

    Nobody gives away, or takes over, more than he may himself: `by` must hold every right that an account
    has before and after the change. None as `by` is the machine's own administrator, at the command line.
    """

    def __init__(self, database: Database, clock: Clock, passwords: Passwords) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords

    async def users(self) -> schemas.UserPage:
        """Return every account, by user name."""
        async with self._database.session() as session:
            rows = await session.execute(_ACCOUNTS.order_by(User.username))
            return schemas.UserPage(
                items=[_show(user, kept.rights_of(held), factor) for user, held, factor in rows]
            )

    async def user(self, username: str) -> schemas.User:
        """Return one account; Problem 404."""
        async with self._database.session() as session:
            return _show(*await _account(session, username))

    async def create(self, asked: schemas.NewUser, by: Principal) -> schemas.User:
        """Create an account; Rejected(`exists`): the name is taken; (`no-owner`): its owner is no person."""
        if asked.service != (asked.password is None):
            raise Problem(
                422, "password", "A person needs a password, a service has none",
                "Give a password and leave `service` out, or set `service` and leave the password out.",
            )  # fmt: skip
        hashed = NO_PASSWORD
        if asked.password is not None:
            refuse_weak(asked.password.get_secret_value(), asked.username)
            hashed = await self._passwords.hash(asked.password.get_secret_value())
        owner = (asked.owner or by.username) if asked.service else None
        async with self._database.session() as session:
            rights = await read(session, asked.grants)
            may_give(by.rights, rights)
            await _check_owner(session, owner)
            values = {
                "username": asked.username,
                "display_name": asked.display_name,
                "role": kept.old_role(rights),
                "password_hash": hashed,
                "service": asked.service,
                "owner": owner,
                "created_at": to_datetime(self._clock()),
            }
            statement = insert(User).values(values).on_conflict_do_nothing().returning(User)
            made = (await session.scalars(statement)).one_or_none()
            if made is None:
                raise Rejected("exists", f"there is a user {asked.username!r} already; choose another name")
            await kept.put(session, asked.username, rights)
            return _show(made, rights)

    async def ensure(
        self,
        username: str,
        display_name: str,
        role: str,
        password: str,
        *,
        areas: Iterable[str] = (),
        departments: Iterable[str] = (),
    ) -> None:
        """Create the account, or set its password, role and name; for the command line and the demo."""
        refuse_weak(password, username)
        hashed = await self._passwords.hash(password)
        async with self._database.session() as session:
            rights = await read(
                session, [schemas.Grant(role=role, areas=[*areas], departments=[*departments])]
            )
            values = {
                "display_name": display_name,
                "role": kept.old_role(rights),
                "password_hash": hashed,
                "disabled": False,
                "service": False,
                "owner": None,
            }
            made = insert(User).values(username=username, created_at=to_datetime(self._clock()), **values)
            await session.execute(made.on_conflict_do_update(index_elements=["username"], set_=values))
            await kept.put(session, username, rights)
            await session.execute(delete(UserSession).where(UserSession.username == username))

    async def change(
        self, username: str, asked: schemas.UserChange, by: Principal
    ) -> tuple[schemas.User, schemas.User]:
        """Change what is given; return the account as it was and as it is.

        Rejected(`last-admin`) where nobody could administer the centre afterwards. A new password, or
        switching the account off, ends its sessions.
        """
        password = asked.password.get_secret_value() if asked.password else None
        if password is not None:
            refuse_weak(password, username)
        hashed = None if password is None else await self._passwords.hash(password)
        async with self._database.session() as session:
            await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            user, held, factor = await _account(session, username)
            before = _show(user, held, factor)
            may_give(by.rights, held)
            rights: Sequence[Right] = held
            if asked.grants is not None:
                rights = await read(session, asked.grants)
                may_give(by.rights, rights)
                await kept.put(session, username, rights)
                user.role = kept.old_role(rights)
            if user.service and hashed is not None:
                raise Rejected("service", f"{username!r} is a service account and signs in by token only")
            if asked.owner is not None and user.service:
                await _check_owner(session, asked.owner)
                user.owner = asked.owner
            user.display_name = asked.display_name or user.display_name
            user.password_hash = hashed or user.password_hash
            user.disabled = user.disabled if asked.disabled is None else asked.disabled
            await session.flush()
            await _keep_an_admin(session)
            if hashed or user.disabled:
                await session.execute(delete(UserSession).where(UserSession.username == username))
            return before, _show(user, rights, factor)

    async def delete(self, username: str, by: Principal) -> schemas.User:
        """Remove a service account with its tokens. Rejected(`person`) for a person's: switch it off instead.

        A person's name stays in the journals, so nobody else may come to bear it.
        """
        async with self._database.session() as session:
            user, held, factor = await _account(session, username)
            may_give(by.rights, held)
            if not user.service:
                raise Rejected("person", "an account of a person is switched off, never removed")
            await session.delete(user)
            return _show(user, held, factor)

    async def arrive(
        self, issuer: str, subject: str, claims: Mapping[str, Any], settings: OidcSettings
    ) -> str:
        """Return the account of somebody who signed in elsewhere; his grants become what his claims give.

        One is made at the first sign-in where they give any. Problem 403: `no-grant` where they give none,
        `name-taken` where the name is that of an account here (which is never handed over), `off`.
        """
        asked = settings.granted(claims)
        name = username_of(str(claims.get(settings.name_claim) or claims.get("email") or ""), issuer, subject)
        shown = str(claims.get("name") or name)[:100].replace("\0", "")
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            if not asked:
                raise refused("no-grant")
            rights = await read(session, asked)
            known = await session.get(OutsideIdentity, (issuer, subject))
            if known is None:
                if await session.get(User, name) is not None:
                    raise refused("name-taken")
                session.add(
                    User(username=name, display_name=shown, password_hash=NO_PASSWORD, created_at=now)
                )
                await session.flush()
                session.add(OutsideIdentity(issuer=issuer, subject=subject, username=name, linked_at=now))
            else:
                name = known.username
            user = await session.get_one(User, name)
            if user.disabled:
                raise refused("off")
            await kept.put(session, name, rights)
            user.role = kept.old_role(rights)
            await session.flush()
            await _keep_an_admin(session)
            return name

    async def set_password(self, username: str, password: str) -> None:
        """Set a person's own new password; Problem 422 `weak-password`. His sessions stay."""
        refuse_weak(password, username)
        hashed = await self._passwords.hash(password)
        async with self._database.session() as session:
            (await session.get_one(User, username)).password_hash = hashed

    async def has_password(self, username: str) -> bool:
        """Say whether the account has a password; services and people from elsewhere have none."""
        async with self._database.session() as session:
            return (await session.get_one(User, username)).password_hash != NO_PASSWORD

    async def require_above(self, username: str, by: Principal) -> None:
        """Problem 403 `beyond-yours` for an account that may what `by` may not; 404 where there is none."""
        async with self._database.session() as session:
            _, held, _ = await _account(session, username)
            may_give(by.rights, held)

    async def any_user(self) -> bool:
        """Say whether there is an account at all; a new centre has none."""
        async with self._database.session() as session:
            return await session.scalar(select(User.username).limit(1)) is not None


_ACCOUNTS = select(
    User,
    kept.held_by(),
    exists().where(SecondFactor.username == User.username, SecondFactor.confirmed_at.is_not(None)),
)


async def _account(session: AsyncSession, username: str) -> tuple[User, tuple[Right, ...], bool]:
    statement = _ACCOUNTS.where(User.username == username).with_for_update(of=User)
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        raise not_found("user", username)
    return found[0], kept.rights_of(found[1]), found[2]


async def _check_owner(session: AsyncSession, owner: str | None) -> None:
    if owner is None:
        return
    found = await session.get(User, owner)
    if found is None or found.service or found.disabled:
        raise Rejected("no-owner", f"{owner!r} is no person with an account; name one who answers for it")


async def _keep_an_admin(session: AsyncSession) -> None:
    admins = select(
        exists().where(
            Grant.username == User.username,
            Grant.role == Role.ADMIN,
            func.cardinality(Grant.areas) == 0,
            func.cardinality(Grant.departments) == 0,
            User.disabled.is_(False),
            User.service.is_(False),
        )
    )
    if not await session.scalar(admins):
        raise Rejected("last-admin", "this is the last administrator of the whole city; name another first")


def username_of(wanted: str, issuer: str, subject: str) -> str:
    """Return a user name as ours are: of what the provider calls somebody, else of what he is there."""
    plain = re.sub(r"[^a-z0-9._-]", "", wanted.split("@", maxsplit=1)[0].casefold())[:63]
    plain = re.sub(r"^[^a-z0-9]+", "", plain)
    return plain or "u-" + hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()[:16]


def _show(user: User, rights: Sequence[Right], factor: bool = False) -> schemas.User:
    shown = Principal(user.username, user.display_name, tuple(rights), "session")
    return schemas.User(
        username=user.username,
        display_name=user.display_name,
        role=shown.role,
        grants=grants_out(rights),
        service=user.service,
        owner=user.owner,
        disabled=user.disabled,
        created_at=user.created_at,
        last_sign_in_at=user.last_sign_in_at,
        second_factor=factor,
    )


def grants_out(rights: Iterable[Right]) -> list[schemas.Grant]:
    """Return rights as the API shows them."""
    return [
        schemas.Grant(
            role=right.role, areas=sorted(right.areas or ()), departments=sorted(right.departments or ())
        )
        for right in rights
    ]
