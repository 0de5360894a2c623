"""Bring the tables to the newest revision; many centres may start at once, one of them migrates.

Migrations from 0006 on are additive (`tests/central/store/test_two_versions.py` holds them to it), so two
versions of the centre may work on one database while they are exchanged one by one. A centre that finds
tables newer than it knows leaves them as they are and works.
"""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from central.store.base import sqlalchemy_url

log = structlog.get_logger(__name__)

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 0x43_4E_5F_44_42
"""Advisory lock of migrations: "CN_DB"."""


def head() -> str:
    """Return the newest revision that this version knows."""
    found = _scripts().get_current_head()
    assert found is not None  # noqa: S101 - there are migrations
    return found


def revisions() -> frozenset[str]:
    """Return every revision that this version knows."""
    return frozenset(script.revision for script in _scripts().walk_revisions())


async def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to `revision` under an advisory lock; does nothing when they have run."""
    await asyncio.to_thread(run, url, revision)


def run(url: str, revision: str = "head", *, locked: bool = False) -> None:
    """As `upgrade`, blocking. locked: the caller holds LOCK already, on a connection of its own."""
    engine = create_engine(
        sqlalchemy_url(url), poolclass=NullPool, connect_args={"options": "-c timezone=UTC"}
    )
    wanted = head() if revision == "head" else revision
    try:
        with engine.connect() as connection:
            # Asked without the lock first: whoever only looks must not wait for a migration or a restore.
            if _is_there(connection, wanted):
                return
            if not locked:
                # A session lock, because Alembic commits between revisions.
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
                connection.commit()
            try:
                if not _is_there(connection, wanted):
                    command.upgrade(_settings(connection), revision)
                    connection.commit()
            finally:
                connection.rollback()
                if not locked:
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
                    connection.commit()
    finally:
        engine.dispose()


def _is_there(connection: Connection, wanted: str) -> bool:
    """Whether the tables are at that revision, or at one that only a newer version knows."""
    found = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    if found is not None and found not in revisions():
        log.warning("tables.newer", found=found, known=head())
        return True
    return found == wanted


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(SCRIPTS))


def _settings(connection: Connection) -> AlembicConfig:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(SCRIPTS))
    settings.attributes["connection"] = connection
    return settings
