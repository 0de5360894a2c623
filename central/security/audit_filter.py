"""Which entries of the audit trail somebody asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement

from central.security.models import AuditEntry


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What all wanted entries have; None and empty: whatever. start inclusive, end exclusive.

    what is looked for, as it is, in the path, the operation and the things that were changed. alike are
    operations that are meant by it too: screens call them by words of their own.
    """

    start: datetime | None = None
    end: datetime | None = None
    actor: str | None = None
    what: str = ""
    alike: tuple[str, ...] = ()
    refused: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return it for a query."""
        found: list[ColumnElement[bool]] = []
        if self.start is not None:
            found.append(AuditEntry.at >= self.start)
        if self.end is not None:
            found.append(AuditEntry.at < self.end)
        if self.actor is not None:
            found.append(AuditEntry.actor == self.actor)
        if self.what:
            columns = (AuditEntry.path, AuditEntry.operation, AuditEntry.changes)
            first, *rest = (column.icontains(self.what, autoescape=True) for column in columns)
            for condition in rest:
                first |= condition
            if self.alike:
                first |= AuditEntry.operation.in_(self.alike)
            found.append(first)
        if self.refused is not None:
            found.append(AuditEntry.status >= 400 if self.refused else AuditEntry.status < 400)
        return found


NO_FILTER: Final = AuditFilter()
