"""Runs every look, and opens the database for them without changing a table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout
from sqlalchemy.exc import SQLAlchemyError

from central.config import Config
from central.doctor import database, gateways, keeping, machine, queues, safety
from central.doctor.finding import Finding, Look, Patient
from central.store.base import Database
from central.store.open import open_database
from protocols.errors import ConfigError

FAMILIES: Final[dict[str, tuple[Look, ...]]] = {
    "database": database.LOOKS,
    "keeping": keeping.LOOKS,
    "queues": queues.LOOKS,
    "gateways": gateways.LOOKS,
    "safety": safety.LOOKS,
    "machine": machine.LOOKS,
}
"""In the order in which one would mend."""


async def examine(patient: Patient) -> list[Finding]:
    """Return everything found, errors first, otherwise in the order of the families."""
    found: list[Finding] = []
    for family, looks in FAMILIES.items():
        for look in looks:
            try:
                found += [finding async for finding in look(patient)]
            except (DatabaseError, PoolTimeout, SQLAlchemyError) as error:
                found.append(_could_not(family, look, error))
    return sorted(found, key=lambda finding: finding.weight != "error")


async def visit(config: Config, *, deep: bool = False, demo_password: str = "") -> list[Finding]:
    """Open the database of the settings, look, and let go of it; unreachable is a finding too."""
    try:
        async with _opened(config) as opened:
            patient = Patient(config, opened, datetime.now(UTC), deep, demo_password)
            return await examine(patient)
    except (ConfigError, DatabaseError, PoolTimeout) as error:
        return [
            Finding(
                "database.unreachable", "error", f"the database does not answer: {error}".strip(),
                "nothing can be stored or shown; gateways keep what they read",
                "systemctl status postgresql, or look at postgres.log in the data folder",
            )
        ]  # fmt: skip


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Database]:
    async with open_database(config, migrate=False, attach=True) as opened:
        async with opened.pool.connection():
            pass  # it answers, before anything is looked at
        yield opened


def _could_not(family: str, look: Look, error: Exception) -> Finding:
    return Finding(
        f"{family}.unknown", "warning",
        f"{getattr(look, '__name__', family)} could not be looked at: {str(error).splitlines()[0]}",
        "what is wrong there, if anything, is not known",
        "citynerve db upgrade, if the tables are older; else see the log of PostgreSQL",
    )  # fmt: skip
