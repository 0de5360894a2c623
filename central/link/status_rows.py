"""The tables of what gateways say of themselves: status, links of their audit trail, configurations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


class StatusRow(Base):
    """A gateway's newest status: `protocols.wire.handshake.GatewayStatus` as it came.

    audit_warning: `cut` (fewer entries than before) or `rewritten` (another seal under the same number)
    where its audit trail cannot be the one that was seen; empty while it can.
    audit_since: heads seen before are not compared: the gateway was enrolled anew, or an administrator
    looked into it and accepted the trail as it is.
    """

    __tablename__ = "gateway_status"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"), primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    received_at: Mapped[datetime]
    audit_warning: Mapped[str] = mapped_column(default="")
    audit_warned_at: Mapped[datetime | None]
    audit_since: Mapped[datetime | None]


class AuditHeadRow(Base):
    """One link of a gateway's audit trail as it was told: after `count` entries the digest was this."""

    __tablename__ = "audit_heads"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str]


class GatewayConfigRow(Base):
    """A configuration that a gateway ran, as it sent it; `masked` values were withheld as secrets."""

    __tablename__ = "gateway_configs"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    profiles: Mapped[dict[str, str]] = mapped_column(JSONB)
    masked: Mapped[int] = mapped_column(Integer)
    received_at: Mapped[datetime]
