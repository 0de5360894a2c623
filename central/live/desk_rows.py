"""Tables of the alarm desk: what the centre lays over alarms, folded storms, saved views of the list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


class CoverRow(Base):
    """Something that lies over every alarm which it matches, from a moment to another.

    kind: `maintenance` (a window, shown as out of service), `suppression` (by a person, with reason and
    end), `inhibition` (a gateway is offline). site, device, gateway, rule narrow it, None: any; rule is a
    pattern with `*`, kinds alarm kinds. begun_at is set when it was laid, ended_at when it was taken off.
    """

    __tablename__ = "alarm_covers"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    site: Mapped[str | None]
    device: Mapped[str | None]
    gateway: Mapped[str | None]
    rule: Mapped[str | None]
    kinds: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    reason: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    begun_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    end_why: Mapped[str | None]

    __table_args__ = (Index("ix_alarm_covers_now", "from_at", postgresql_where=text("ended_at IS NULL")),)


class FoldRow(Base):
    """A storm folded into one entry. kind `auto`: by the flood's rate; `hand`: by a person.

    since: from when its alarms were raised; rate: calls in the ten minutes before it was made; ended_at: the
    flood is over and nothing more is folded; undone_at: its alarms stand in the list again.
    """

    __tablename__ = "alarm_folds"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    since: Mapped[datetime]
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    reason: Mapped[str]
    rate: Mapped[int]
    ended_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]

    __table_args__ = (Index("ix_alarm_folds_now", "made_at", postgresql_where=text("undone_at IS NULL")),)


class ViewRow(Base):
    """A filter of the alarm list that somebody saved; a shared one is everybody's to use."""

    __tablename__ = "alarm_views"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    shared: Mapped[bool]
    filter: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("owner", "name"),)
