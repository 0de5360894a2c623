"""Bring the tables to the newest revision; many centres may start at once, one of them migrates."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from central.store.base import sqlalchemy_url

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 0x43_4E_5F_44_42
"""Advisory lock of migrations: "CN_DB"."""


async def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to `revision` under an advisory lock; does nothing when they have run."""
    await asyncio.to_thread(_upgrade, url, revision)


def _upgrade(url: str, revision: str) -> None:
    engine = create_engine(
        sqlalchemy_url(url), poolclass=NullPool, connect_args={"options": "-c timezone=UTC"}
    )
    with engine.connect() as connection:
        # A session lock, because Alembic commits between revisions.
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        connection.commit()
        try:
            command.upgrade(_settings(connection), revision)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
            connection.commit()
    engine.dispose()


def _settings(connection: Connection) -> AlembicConfig:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(SCRIPTS))
    settings.attributes["connection"] = connection
    return settings
