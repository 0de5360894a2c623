"""The migrations make exactly the tables that the models describe, once, however many start together."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

import central.app  # noqa: F401 - with it every table's model is known
from central.store.base import Base, Database
from central.store.migrate import upgrade

BY_HAND = {
    "alembic_version", "archived_days", "backups", "ingest_marks", "kept_days", "readings", "readings_other",
    "restored_marks", "restores", "retention_kinds", "rollup_1d", "rollup_1h", "rollup_1m", "rollup_dirty",
    "alarm_escalations", "alarm_tells", "deliveries", "delivery_attempts", "jobs", "notice_items",
    "notice_templates", "webhook_health",
}  # fmt: skip
"""Tables that are spoken to in SQL only, and have no model."""


async def test_upgrading_again_and_together_changes_nothing(database_url: str) -> None:
    await asyncio.gather(*(upgrade(database_url) for _ in range(3)))


async def test_models_and_migrations_agree(database: Database) -> None:

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name not in BY_HAND,
            },
        )
        return list(compare_metadata(context, Base.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_journal_cannot_be_rewritten(database: Database) -> None:
    async with database.engine.connect() as connection:
        for statement in ("DELETE FROM alarm_journal", "UPDATE alarm_journal SET actor = 'x'"):
            with pytest.raises(DBAPIError, match="append-only"):
                await connection.execute(text(statement))
            await connection.rollback()
