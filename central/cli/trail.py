"""Deeds at the command line in the audit trail: whoever has the machine leaves a trace as others do."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Any

from central.security.audit import AuditTrail, Deed
from central.security.changes import difference
from central.store.base import Database
from protocols.model.clock import now_us


def actor() -> str:
    """Return who types, as journals and the trail name him."""
    return f"cli:{getpass.getuser()}"


async def write_down(
    database: Database, operation: str, about: str, change: tuple[str, Any, Mapping[str, Any]] | None = None
) -> None:
    """Leave an entry. about: a file, or what was named; change: the thing, its fields before and after."""
    noted = None if change is None else difference(*change)
    changes = () if noted is None else (noted,)
    await AuditTrail(database, now_us).write(
        Deed(actor(), "cli", operation, "CLI", about, 200, "", changes=changes)
    )
