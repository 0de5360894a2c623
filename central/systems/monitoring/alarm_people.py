"""To whom an alarm may be assigned: whoever may answer it."""

from __future__ import annotations

from sqlalchemy import select

from central.kernel.problem import Problem
from central.security.grants import held_by, rights_of
from central.security.models import User
from central.security.roles import Permission
from central.store.base import Database
from central.systems.monitoring import schemas_desk as schemas


class People:
    """Reads accounts that are not switched off."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> schemas.AssigneeList:
        """List them by name."""
        chosen = select(User.username, User.display_name, held_by()).where(
            User.disabled.is_(False), User.service.is_(False)
        )
        async with self._database.session() as session:
            rows = (await session.execute(chosen.order_by(User.display_name, User.username))).all()
        return schemas.AssigneeList(
            items=[
                schemas.Assignee(username=name, display_name=shown)
                for name, shown, grants in rows
                if any(right.carries(Permission.ACKNOWLEDGE) for right in rights_of(grants))
            ]
        )

    async def require(self, username: str) -> None:
        """Problem 422 `bad-assignee` for somebody who may not answer alarms, or is not there."""
        if username not in {person.username for person in (await self.list()).items}:
            detail = (
                f"{username!r} may not answer alarms, or is not there; GET /alarms/assignees lists who is."
            )
            raise Problem(422, "bad-assignee", "Nobody to assign it to", detail)
