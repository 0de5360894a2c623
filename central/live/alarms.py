"""The alarm board: every occurrence with its present state, and the journal of all that happened to it.

The gateway judges the condition (ACT, CLR); people answer here (ACK, shelve). Both go through
`protocols.model.alarm.step`. Shelving is an overlay beside the state (alarms.md sections 1 to 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from central.kernel.bus import Bus
from central.store.base import Base, Database
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import Clock

StateFilter = Literal["active", "unacked", "open", "closed", "all"]


class AlarmRow(Base):
    """One occurrence. `number` is the last step applied; closed_at is set when the state is NORM."""

    __tablename__ = "alarms"

    id: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"))
    declaration: Mapped[str]
    rule_id: Mapped[str]
    point: Mapped[str]
    series: Mapped[int | None]
    device: Mapped[str] = mapped_column(index=True)
    site: Mapped[str] = mapped_column(index=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]
    priority: Mapped[str]
    category: Mapped[str]
    limit: Mapped[float]
    deadband: Mapped[float]
    unit: Mapped[str]
    state: Mapped[str]
    number: Mapped[int]
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    acked_at: Mapped[datetime | None]
    acked_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    shelved_until: Mapped[datetime | None]
    shelved_by: Mapped[str | None]
    shelve_reason: Mapped[str | None]
    raise_value: Mapped[float | None]
    last_value: Mapped[float | None]
    late: Mapped[bool]

    __table_args__ = (
        Index("ix_alarms_open", "raised_at", postgresql_where="closed_at IS NULL"),
        Index("ix_alarms_raised", "raised_at", "id"),
        Index("ix_alarms_rule", "gateway", "rule_id", postgresql_where="closed_at IS NULL"),
    )


class JournalRow(Base):
    """One entry of the append-only journal; `at` is when it happened, `recorded_at` when it was stored."""

    __tablename__ = "alarm_journal"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    alarm: Mapped[str] = mapped_column(ForeignKey("alarms.id"), index=True)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    event: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    actor: Mapped[str]
    comment: Mapped[str]
    value: Mapped[float | None]
    quality: Mapped[int | None] = mapped_column(BigInteger)
    number: Mapped[int | None]
    late: Mapped[bool]


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An occurrence as screens see it. event_id and case_id are the casebook's and not known here."""

    id: str
    rule_id: str
    name_zh: str
    name_en: str
    point: str
    device: str
    site: str
    gateway: str
    kind: str
    priority: str
    category: str
    state: str
    active: bool
    acked: bool
    shelved_until: datetime | None
    limit: float
    deadband: float
    unit: str
    raised_at: datetime
    cleared_at: datetime | None
    acked_at: datetime | None
    acked_by: str | None
    raise_value: float | None
    last_value: float | None
    late: bool
    declaration: str


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step of an occurrence, by whom and why."""

    at: datetime
    recorded_at: datetime
    event: str
    from_state: str
    to_state: str
    actor: str
    comment: str
    value: float | None
    quality: int | None
    late: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an alarm rests on: its rule as it was declared, and every step since."""

    alarm: AlarmView
    rule: dict[str, Any]
    """`protocols.model.alarm.Rule` as JSON, from the declaration that the occurrence names."""
    journal: list[JournalEntry]


@dataclass(frozen=True, slots=True)
class AlarmQuery:
    """Which alarms. `open` means not closed; `site`, `device`, `priority` narrow; shelved None = both."""

    state: StateFilter = "open"
    priority: str | None = None
    site: str | None = None
    device: str | None = None
    shelved: bool | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """Alarms, the newest raised first; next_cursor None at the end."""

    items: list[AlarmView]
    next_cursor: str | None
    total: int


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """Counts for the overview: open occurrences that are active; unacked; shelved; active by priority."""

    active: int
    unacked: int
    shelved: int
    by_priority: dict[str, int]


class AlarmBoard:
    """Reads and changes occurrences. Every change is one transaction and is published on the bus as `alarm`."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock

    async def list(self, query: AlarmQuery) -> AlarmPage:
        """Return a page. Raises Rejected(`bad-cursor`) for a cursor that was not made here."""
        raise NotImplementedError

    async def get(self, alarm_id: str) -> AlarmView | None:
        """Return one occurrence, or None."""
        raise NotImplementedError

    async def evidence(self, alarm_id: str) -> Evidence | None:
        """Return one occurrence with its rule and journal, or None."""
        raise NotImplementedError

    async def counts(self) -> AlarmCounts:
        """Count the open occurrences for the overview."""
        raise NotImplementedError

    async def worst_by_site(self) -> dict[str, tuple[str | None, int, int]]:
        """Return site -> (worst active priority, active alarms, unacknowledged alarms), open ones only."""
        raise NotImplementedError

    async def acknowledge(self, alarm_id: str, actor: str, comment: str = "") -> AlarmView:
        """Acknowledge (确认). Idempotent. Raises KeyError for an unknown alarm."""
        raise NotImplementedError

    async def shelve(self, alarm_id: str, actor: str, minutes: int, reason: str) -> AlarmView:
        """Shelve (搁置) for 1 to 1440 minutes.

        Raises KeyError; Rejected: `closed`, `already-shelved`, `shelving-time`, `reason-missing`.
        """
        raise NotImplementedError

    async def unshelve(self, alarm_id: str, actor: str) -> AlarmView:
        """End the shelving; an active alarm annunciates again. Raises KeyError, Rejected(`not-shelved`)."""
        raise NotImplementedError

    async def expire_shelves(self) -> int:
        """Unshelve every occurrence whose time is over; return how many. Called by a timer."""
        raise NotImplementedError

    async def apply(
        self, session: AsyncSession, gateway: str, transitions: Sequence[AlarmTransition], received_us: int
    ) -> tuple[list[str], list[str]]:
        """Apply a gateway's transitions inside the ingest transaction.

        Returns (ids of occurrences that are new here, ids of all that changed). The caller publishes.
        """
        raise NotImplementedError

    async def publish(self, alarm_ids: Sequence[str]) -> None:
        """Tell the bus the present state of these occurrences; called after the commit."""
        raise NotImplementedError
