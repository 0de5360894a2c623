"""Tables of the alarm board: occurrences, the append-only journal of what happened, overlays of rules."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base

_OPEN = text("closed_at IS NULL")


class AlarmRow(Base):
    """One occurrence. `number` is the last step applied; closed_at is set when the state is NORM.

    overlays: `protocols.model.alarm.Overlay` codes in the order in which they are shown, as the gateway has
    them. covers: ids of what the centre lays over it by itself (`central.live.alarm_covers`), cover_codes
    the overlays that these amount to, muted_by the gateway whose outage does. fold: the storm that it is
    folded into. group_key: the first-out group of the rule, first_out: this was the first of it.
    """

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
    overlays: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    told_state: Mapped[str | None]
    told_overlays: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    group_key: Mapped[str] = mapped_column(default="")
    first_out: Mapped[bool] = mapped_column(default=False)
    realarms: Mapped[int] = mapped_column(default=0)
    reactivations: Mapped[int] = mapped_column(default=0)
    assignee: Mapped[str | None]
    assigned_at: Mapped[datetime | None]
    assigned_by: Mapped[str | None]
    covers: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list)
    cover_codes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    muted_by: Mapped[str] = mapped_column(default="")
    fold: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index("ix_alarms_closed_newest", "raised_at", "id", postgresql_where=text("closed_at IS NOT NULL")),
        Index("ix_alarms_open_newest", "raised_at", "id", postgresql_where=_OPEN),
        Index("ix_alarms_open_priority", "priority", "raised_at", "id", postgresql_where=_OPEN),
        Index("ix_alarms_open_site", "site", "raised_at", "id", postgresql_where=_OPEN),
        Index("ix_alarms_open_device", "device", "raised_at", "id", postgresql_where=_OPEN),
        Index("ix_alarms_raised", "raised_at", "id"),
        Index("ix_alarms_point", "point", "raised_at"),
        Index("ix_alarms_rule", "gateway", "rule_id", postgresql_where=_OPEN),
        Index("ix_alarms_assigned", "assignee", postgresql_where=_OPEN),
        Index("ix_alarms_covered", "gateway", postgresql_where=_OPEN),
        Index("ix_alarms_folded", "fold", postgresql_where=text("fold IS NOT NULL")),
    )

    @property
    def hidden(self) -> bool:
        """Whether something lies over it, so that nobody is called to it."""
        return bool(self.overlays or self.covers)


class JournalRow(Base):
    """One entry of the append-only journal; `at` is when it happened, `recorded_at` when it was stored.

    act: id of the `AlarmAct` behind it, by which the gateway's report of an act from here is recognised.
    hidden: something lay over the alarm at this step, so that nobody was called.
    """

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
    act: Mapped[str] = mapped_column(default="")
    hidden: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        Index("ix_alarm_journal_act", "act", postgresql_where=text("act <> ''")),
        Index("ix_alarm_journal_at", "at"),
    )


class OverlayRow(Base):
    """An interval in which people had laid something over a rule; left_at None: it is there now."""

    __tablename__ = "alarm_overlays"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"))
    rule_id: Mapped[str]
    overlay: Mapped[str]
    entered_at: Mapped[datetime]
    entered_by: Mapped[str]
    reason: Mapped[str]
    until_at: Mapped[datetime | None]
    act: Mapped[str]
    left_at: Mapped[datetime | None]
    left_by: Mapped[str | None]
    left_why: Mapped[str | None]

    __table_args__ = (
        Index(
            "uq_alarm_overlays_now",
            "gateway",
            "rule_id",
            "overlay",
            unique=True,
            postgresql_where=text("left_at IS NULL"),
        ),
    )
