"""The table of commands, and a command as screens see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.link.sent import Sent


class CommandRow(Sent):
    """One command; `number` rises by gateway in commit order. Value and read_back: number or text.

    What a gateway did by itself (a local action, a person at its page) has no number.
    """

    __tablename__ = "commands"

    device: Mapped[str] = mapped_column(index=True)
    point: Mapped[str] = mapped_column(index=True)
    value: Mapped[float | str] = mapped_column(JSONB)
    expected: Mapped[float | None]
    step: Mapped[str] = mapped_column(server_default="direct")
    unit: Mapped[str]
    read_back: Mapped[float | str | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (
        Index("uq_commands_number", "gateway", "number", unique=True),
        Index("ix_commands_waiting", "gateway", "number", postgresql_where=text("finished_at IS NULL")),
        Index("ix_commands_issued", "issued_at", "id"),
    )


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command as screens see it; state is `protocols.model.command.CommandState`, step its `CommandStep`.

    local: the gateway did it by itself; the centre only heard of it.
    """

    id: str
    point: str
    device: str
    gateway: str
    value: float | str
    unit: str
    state: str
    issued_at: datetime
    issued_by: str
    expires_at: datetime
    delivered_at: datetime | None
    finished_at: datetime | None
    read_back: float | str | None
    reason: str
    detail: str
    step: str
    local: bool


@dataclass(frozen=True, slots=True)
class CommandPage:
    """Commands, the newest first; next_cursor None at the end."""

    items: list[CommandView]
    next_cursor: str | None


def view(row: CommandRow) -> CommandView:
    """Return a command as screens see it."""
    return CommandView(
        id=row.id,
        point=row.point,
        device=row.device,
        gateway=row.gateway,
        value=row.value,
        unit=row.unit,
        state=row.state,
        issued_at=row.issued_at,
        issued_by=row.issued_by,
        expires_at=row.expires_at,
        delivered_at=row.delivered_at,
        finished_at=row.finished_at,
        read_back=row.read_back,
        reason=row.reason,
        detail=row.detail,
        step=row.step,
        local=row.number is None,
    )
