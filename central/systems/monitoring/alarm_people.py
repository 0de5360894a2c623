"""To whom an alarm may be assigned: whoever may answer some that the asker may."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from central.city.records import SiteRecord
from central.city.registry import Registry
from central.kernel.problem import Problem
from central.security.grants import held_by, rights_of
from central.security.models import User
from central.security.rights import Right
from central.security.roles import Permission
from central.security.sight import Sight
from central.store.base import Database
from central.systems.monitoring import schemas_desk as schemas


class People:
    """Reads accounts that are not switched off."""

    def __init__(self, registry: Registry, database: Database) -> None:
        self._registry = registry
        self._database = database

    async def list(self, sight: Sight) -> schemas.AssigneeList:
        """List them by name: those whose right to acknowledge reaches a site within sight."""
        sites = (await self._registry.city(sight.sites)).sites.values()
        chosen = select(User.username, User.display_name, held_by()).where(
            User.disabled.is_(False), User.service.is_(False)
        )
        async with self._database.session() as session:
            rows = (await session.execute(chosen.order_by(User.display_name, User.username))).all()
        return schemas.AssigneeList(
            items=[
                schemas.Assignee(username=name, display_name=shown)
                for name, shown, grants in rows
                if any(_reaches(right, sites) for right in rights_of(grants))
            ]
        )

    async def require(self, username: str, sight: Sight) -> None:
        """Problem 422 `bad-assignee` for somebody who may not answer alarms, or is not there."""
        if username not in {person.username for person in (await self.list(sight)).items}:
            detail = (
                f"{username!r} may not answer alarms, or is not there; GET /alarms/assignees lists who is."
            )
            raise Problem(422, "bad-assignee", "Nobody to assign it to", detail)


def _reaches(right: Right, sites: Collection[SiteRecord]) -> bool:
    """Say whether a right allows to acknowledge at one of the sites."""
    return right.carries(Permission.ACKNOWLEDGE) and (
        right.whole
        or any(
            (right.areas is None or site.district in right.areas)
            and (right.departments is None or site.department in right.departments)
            for site in sites
        )
    )
