"""The outbox: commands on their way to devices. Rooms leave them here; gateways fetch them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.kernel.bus import Bus
from central.store.base import Base, Database
from protocols.model.clock import Clock
from protocols.wire.handshake import InboxItem


class CommandRow(Base):
    """One command; `number` rises by gateway in commit order. Value and read_back: number or text."""

    __tablename__ = "commands"

    id: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"))
    number: Mapped[int] = mapped_column(BigInteger)
    device: Mapped[str] = mapped_column(index=True)
    point: Mapped[str] = mapped_column(index=True)
    value: Mapped[float | str] = mapped_column(JSONB)
    expected: Mapped[float | None]
    unit: Mapped[str]
    state: Mapped[str]
    issued_at: Mapped[datetime]
    issued_by: Mapped[str]
    expires_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    read_back: Mapped[float | str | None] = mapped_column(JSONB(none_as_null=True))
    reason: Mapped[str]
    detail: Mapped[str]

    __table_args__ = (
        Index("uq_commands_number", "gateway", "number", unique=True),
        Index("ix_commands_waiting", "gateway", "number", postgresql_where="finished_at IS NULL"),
        Index("ix_commands_issued", "issued_at", "id"),
    )


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command as screens see it; state is `protocols.model.command.CommandState`."""

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


@dataclass(frozen=True, slots=True)
class CommandPage:
    """Commands, the newest first; next_cursor None at the end."""

    items: list[CommandView]
    next_cursor: str | None


class Outbox:
    """Sends commands and keeps what became of them. Every change is published on the bus as `command`."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock

    async def send(
        self,
        point: str,
        value: float | str,
        *,
        issued_by: str,
        expires_in_s: float = 60.0,
        expected: float | None = None,
    ) -> CommandView:
        """Store a command and wake the gateway's long poll.

        Raises KeyError for an unknown point; Rejected: `not-writable`, `out-of-limits`, `wrong-type`,
        `retired`, `revoked`, `expiry`.
        """
        raise NotImplementedError

    async def get(self, command_id: str) -> CommandView | None:
        """Return one command, or None."""
        raise NotImplementedError

    async def list(
        self, *, device: str | None = None, point: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> CommandPage:
        """Return commands, the newest first. Raises Rejected(`bad-cursor`)."""
        raise NotImplementedError

    async def fetch(self, gateway: str, after: int, wait_s: float) -> list[InboxItem]:
        """Return what waits for a gateway beyond `after`, at once or as soon as there is something.

        Marks what it returns as delivered. Empty when `wait_s` is over.
        """
        raise NotImplementedError

    async def expire(self) -> int:
        """Mark undelivered commands whose time is over as `expired`; return how many. Called by a timer."""
        raise NotImplementedError
