"""Grants as they are kept: read with the account in one query, and what part of the city they reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, delete, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.shapes import Name
from central.security import schemas
from central.security.models import Grant, OwnRole, User
from central.security.principal import Principal
from central.security.rights import Part, Right
from central.security.roles import PERMISSIONS, Permission, Role
from central.security.sight import EVERYTHING, NOTHING, Sight
from central.store.base import Database
from central.store.reach import among
from central.store.registry import Department, Site

_OLD_ROLES = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)


def held_by(account: type[User] = User) -> ScalarSelect[Any]:
    """Return a column for a query on users: the account's grants, with the permissions of own roles."""
    fields = func.jsonb_build_object(
        "role", Grant.role, "areas", Grant.areas, "departments", Grant.departments,
        "permissions", OwnRole.permissions,
    )  # fmt: skip
    listed = func.jsonb_agg(aggregate_order_by(fields, Grant.number))
    return (
        select(func.coalesce(listed, literal([], JSONB)))
        .select_from(Grant)
        .outerjoin(OwnRole, OwnRole.id == Grant.role)
        .where(Grant.username == account.username)
        .correlate(account)
        .scalar_subquery()
    )


def rights_of(grants: Iterable[Mapping[str, Any]]) -> tuple[Right, ...]:
    """Return the rights that the column above holds. A role that is gone allows nothing."""
    return tuple(
        Right(
            grant["role"],
            permissions_of(grant["role"], grant["permissions"]),
            part(grant["areas"]),
            part(grant["departments"]),
        )
        for grant in grants
    )


def permissions_of(role: str, own: Sequence[str] | None) -> frozenset[Permission]:
    """Return what a role allows; own are the permissions of one that is kept as data.

    A permission that this version does not know, left by another one, is left out.
    """
    if role in PERMISSIONS:
        return PERMISSIONS[role]
    known = set(Permission)
    return frozenset(Permission(name) for name in own or () if name in known)


def limit(role: str, own: Sequence[str] | None, areas: Iterable[str], departments: Iterable[str]) -> Right:
    """Return what a token is narrowed to: a role, empty for none, and a part of the city."""
    permissions = permissions_of(role, own) if role else frozenset(Permission)
    return Right(role, permissions, part(areas), part(departments))


def part(names: Iterable[str]) -> Part:
    """Return names as they are kept, where none means all, as a part of the city."""
    return frozenset(names) or None


def old_role(rights: Sequence[Right]) -> str:
    """Return what the version before would call these rights; empty where it knows no such thing."""
    if len(rights) == 1 and rights[0].whole and rights[0].role in _OLD_ROLES:
        return rights[0].role
    return ""


async def put(session: AsyncSession, username: str, rights: Sequence[Right]) -> None:
    """Replace the grants of an account."""
    await session.execute(delete(Grant).where(Grant.username == username))
    for right in rights:
        session.add(
            Grant(
                username=username,
                role=right.role,
                areas=sorted(right.areas or ()),
                departments=sorted(right.departments or ()),
            )
        )
    await session.flush()


class Reach:
    """Finds what part of the city a permission reaches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sight(self, principal: Principal, permission: Permission) -> Sight:
        """Return the sites where the person may do this; asked anew, since sites change hands."""
        rights = [right for right in principal.rights if right.carries(permission)]
        if not rights:
            return NOTHING
        if any(right.whole for right in rights):
            return EVERYTHING
        async with self._database.session() as session:
            found = await session.scalars(select(Site.id).where(or_(*map(_where, rights))))
            return Sight(frozenset(found))

    async def parts(self, sight: Sight) -> schemas.Parts:
        """Return the districts and departments of the sites within sight; of all, every department."""
        within = true() if sight.sites is None else among(Site.id, sight.sites)
        areas = select(Site.district).where(within, Site.district != "").distinct().order_by(Site.district)
        departments = select(Department).order_by(Department.id)
        if sight.sites is not None:
            departments = departments.where(Department.id.in_(select(Site.department).where(within)))
        async with self._database.session() as session:
            return schemas.Parts(
                areas=[*await session.scalars(areas)],
                departments=[
                    schemas.Department(id=row.id, name=Name(zh=row.name_zh, en=row.name_en))
                    for row in await session.scalars(departments)
                ],
            )


def _where(right: Right) -> ColumnElement[bool]:
    return and_(
        true() if right.areas is None else Site.district.in_(right.areas),
        true() if right.departments is None else Site.department.in_(right.departments),
    )
