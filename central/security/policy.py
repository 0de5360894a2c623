"""Settings of security that an administrator makes in the console, kept in the database for every replica."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ScalarSelect, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from central.security import schemas
from central.security.models import Setting
from central.store.base import Database

KEY = "policy"


class Policies:
    """Reads and writes the policy; where nothing was set it is `schemas.Policy()`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self) -> schemas.Policy:
        """Return the policy in force."""
        async with self._database.session() as session:
            return parse(await session.scalar(select(in_force())))

    async def put(self, policy: schemas.Policy) -> tuple[schemas.Policy, schemas.Policy]:
        """Set the policy; return it as it was and as it is. It counts from the next request on."""
        value = policy.model_dump(mode="json")
        async with self._database.session() as session:
            before = parse(await session.scalar(select(in_force())))
            made = insert(Setting).values(key=KEY, value=value)
            await session.execute(made.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
        return before, policy


def in_force() -> ScalarSelect[Any]:
    """Return the policy as a column for another query; `parse` reads it."""
    kept = select(Setting.value).where(Setting.key == KEY).scalar_subquery()
    return select(func.coalesce(kept, literal({}, JSONB))).scalar_subquery()


def parse(value: Any) -> schemas.Policy:
    """Return what is kept as a policy; fields that another version knows are left out."""
    known = schemas.Policy.model_fields
    return schemas.Policy.model_validate(
        {name: kept for name, kept in (value or {}).items() if name in known}
    )
