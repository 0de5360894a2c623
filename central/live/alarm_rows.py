"""Tables of the alarm board: occurrences, and the append-only journal of what happened to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


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
        Index("ix_alarms_open", "raised_at", postgresql_where=text("closed_at IS NULL")),
        Index("ix_alarms_raised", "raised_at", "id"),
        Index("ix_alarms_rule", "gateway", "rule_id", postgresql_where=text("closed_at IS NULL")),
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
