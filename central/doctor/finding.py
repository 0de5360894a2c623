"""A finding, and whom is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from central.config import Config
from central.store.base import Database

Weight = Literal["warning", "error"]
"""warning: mend it this week; error: mend it now, something is lost, open or about to stop."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    code is stable (`database.settings`); what: with figures and units; why: what comes of it; repair: a
    command or one step for a person.
    """

    code: str
    weight: Weight
    what: str
    why: str
    repair: str


@dataclass(frozen=True, slots=True)
class Patient:
    """A centre to look at, from its own machine. now: aware UTC, of this machine's clock."""

    config: Config
    database: Database
    now: datetime
    deep: bool = False
    demo_password: str = ""

    async def rows(self, query: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
        """Ask the database."""
        async with self.database.pool.connection() as connection:
            return await (await connection.execute(query.encode(), parameters or None)).fetchall()

    async def row(self, query: str, *parameters: Any) -> tuple[Any, ...]:
        """Ask for one row."""
        return (await self.rows(query, *parameters))[0]

    async def has(self, table: str) -> bool:
        """Whether a table is there: an older schema lacks some."""
        return (await self.row("SELECT to_regclass(%s) IS NOT NULL", table))[0] is True


Look = Callable[[Patient], AsyncIterator[Finding]]


def span(seconds: float) -> str:
    """Say a duration as a person would: `3 d`, `5 h`, `12 min`, `40 s`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def volume(size: float) -> str:
    """Say bytes: `1.5 GB`."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
