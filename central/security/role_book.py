"""The roles there are: those built in, and those that this centre made for itself as lists of permissions."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Name
from central.security import schemas
from central.security.grants import part, permissions_of
from central.security.models import ApiToken, Grant, OwnRole
from central.security.principal import Principal
from central.security.rights import Right, may_give
from central.security.roles import NAMES, PERMISSIONS, Permission, Role
from central.security.sight import Sight
from central.store.base import Database
from protocols.errors import Rejected


class RoleBook:
    """Lists, makes and removes roles, and reads a grant as the right that it gives."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, sight: Sight) -> schemas.RolePage:
        """Return the built-in roles, then the centre's own by id.

        How many accounts have each is told to who sees the whole city: it counts people everywhere.
        """
        async with self._database.session() as session:
            count = select(Grant.role, func.count(func.distinct(Grant.username))).group_by(Grant.role)
            holders = {row[0]: row[1] for row in await session.execute(count)}

            def of(role: str) -> int | None:
                return holders.get(role, 0) if sight.whole else None

            own = await session.scalars(select(OwnRole).order_by(OwnRole.id))
            items = [
                _show(role, *NAMES[role], PERMISSIONS[role], built_in=True, holders=of(role)) for role in Role
            ]
            items += [
                _show(
                    row.id, row.name_zh, row.name_en, permissions_of(row.id, row.permissions),
                    built_in=False, holders=of(row.id),
                )
                for row in own
            ]  # fmt: skip
        return schemas.RolePage(items=items)

    async def put(
        self, role: str, asked: schemas.RoleAsked, by: Principal
    ) -> tuple[schemas.RoleOut | None, schemas.RoleOut]:
        """Make the role or change it; return it as it was and as it is. Rejected(`built-in`)."""
        _own(role)
        may_give(by.rights, [Right(role, frozenset(asked.permissions))])
        values = {
            "name_zh": asked.name.zh,
            "name_en": asked.name.en,
            "permissions": sorted(set(asked.permissions)),
        }
        async with self._database.session() as session:
            before = await session.get(OwnRole, role, with_for_update=True)
            if before is not None:
                # Who has it loses what is left out: that is for somebody who has it himself.
                may_give(by.rights, [Right(role, permissions_of(role, before.permissions))])
            shown = None if before is None else _own_shown(before)
            made = insert(OwnRole).values(id=role, **values)
            made = made.on_conflict_do_update(index_elements=["id"], set_=values)
            row = (
                await session.scalars(made.returning(OwnRole), execution_options={"populate_existing": True})
            ).one()
            return shown, _own_shown(row)

    async def delete(self, role: str) -> schemas.RoleOut:
        """Remove a role and return it. Rejected(`in-use`) while an account or a token has it."""
        _own(role)
        async with self._database.session() as session:
            row = await session.get(OwnRole, role, with_for_update=True)
            if row is None:
                raise not_found("role", role)
            used = select(or_(exists().where(Grant.role == role), exists().where(ApiToken.narrowed == role)))
            if await session.scalar(used):
                raise Rejected("in-use", f"accounts or tokens still have {role!r}; give them another first")
            await session.delete(row)
            return _own_shown(row)


async def read(session: AsyncSession, grants: Iterable[schemas.Grant]) -> list[Right]:
    """Return what grants give, within a transaction. Problem 422 `unknown-role`."""
    return [
        Right(
            grant.role,
            permissions_of(grant.role, await own_permissions(session, grant.role)),
            part(grant.areas),
            part(grant.departments),
        )
        for grant in grants
    ]


async def own_permissions(session: AsyncSession, role: str | None) -> list[str] | None:
    """Return the permissions of one of the centre's own roles; None for one built in. Problem as above."""
    if role is None or role in PERMISSIONS:
        return None
    row = await session.get(OwnRole, role)
    if row is None:
        raise Problem(
            422, "unknown-role", "There is no such role",
            f"{role!r} is no role; GET /api/v1/roles lists those there are.",
        )  # fmt: skip
    return row.permissions


def _own(role: str) -> None:
    if role in PERMISSIONS:
        raise Rejected("built-in", f"{role!r} is built in and stays as it is; make a role of another id")


def _own_shown(row: OwnRole) -> schemas.RoleOut:
    permissions = permissions_of(row.id, row.permissions)
    return _show(row.id, row.name_zh, row.name_en, permissions, built_in=False, holders=None)


def _show(
    role: str, zh: str, en: str, permissions: frozenset[Permission], *, built_in: bool, holders: int | None
) -> schemas.RoleOut:
    return schemas.RoleOut(
        id=role, name=Name(zh=zh, en=en), permissions=sorted(permissions), built_in=built_in, holders=holders
    )
