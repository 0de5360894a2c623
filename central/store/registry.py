"""What the city consists of: sites, gateways, their declarations, devices, points and rules.

Ids: a site's is its key; `gateway`, `gateway.device`, `gateway.device.point`. Nothing is deleted when
a gateway no longer declares it: it is retired, and its history stays.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


class Department(Base):
    """A department of the city (主管部门) that owns sites."""

    __tablename__ = "departments"

    id: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]


class Site(Base):
    """A place on the map; lon and lat in degrees, WGS 84; department is its owner's, or empty."""

    __tablename__ = "sites"

    id: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]
    district: Mapped[str]
    department: Mapped[str] = mapped_column(default="")
    lon: Mapped[float]
    lat: Mapped[float]


class Gateway(Base):
    """A gateway. state: `pending` until it enrolled, then `active`, at the end `revoked`.

    last_seen and clock_offset_ms are written every few seconds, not with every batch.
    last_command counts the commands and orders sent to it, so that inbox numbers rise in commit order.
    token_at is when its present token was made; next_token_hash is of one that it was given and has not
    used yet: its first use makes it the present one.
    """

    __tablename__ = "gateways"

    id: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    state: Mapped[str]
    software: Mapped[str] = mapped_column(default="")
    token_hash: Mapped[str | None] = mapped_column(unique=True)
    next_token_hash: Mapped[str | None] = mapped_column(unique=True)
    token_at: Mapped[datetime | None]
    declaration: Mapped[str | None]
    created_at: Mapped[datetime]
    enrolled_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_seen: Mapped[datetime | None]
    clock_offset_ms: Mapped[float | None]
    last_command: Mapped[int] = mapped_column(BigInteger, default=0)


class EnrolmentCode(Base):
    """A one-time code for one gateway; only its SHA-256 is kept."""

    __tablename__ = "enrolment_codes"

    code_hash: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"), index=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    expires_at: Mapped[datetime]
    spent_at: Mapped[datetime | None]


class Declaration(Base):
    """A manifest as it was declared. `series[i]` is the series of the point that batches call i."""

    __tablename__ = "declarations"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[bytes]
    series: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    received_at: Mapped[datetime]


class RuleRow(Base):
    """An alarm rule as declared; `body` is `protocols.model.alarm.Rule` as JSON."""

    __tablename__ = "rules"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"), primary_key=True)
    declaration: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    point: Mapped[str] = mapped_column(index=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Device(Base):
    """A device; `retired_at` is set while no declaration of its gateway names it."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"), index=True)
    key: Mapped[str]
    site: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]
    profile: Mapped[str]
    profile_version: Mapped[int]
    protocol: Mapped[str]
    vendor: Mapped[str]
    model: Mapped[str]
    retired_at: Mapped[datetime | None]


class Point(Base):
    """A point; `series` is its number in every table of readings and never changes.

    labels: `{"0": ["停止", "Stopped"], …}`; period_s: the longest normal time between two readings.
    retention: the class of its readings, `critical`, `standard` or `diagnostic`; None: that of its device's
    kind (`central.store.retention`).
    """

    __tablename__ = "points"

    series: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"), index=True)
    device: Mapped[str] = mapped_column(ForeignKey("devices.id"), index=True)
    key: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    unit: Mapped[str]
    value_type: Mapped[str]
    period_s: Mapped[float]
    decimals: Mapped[int | None]
    min: Mapped[float | None]
    max: Mapped[float | None]
    writable: Mapped[bool]
    write_min: Mapped[float | None]
    write_max: Mapped[float | None]
    labels: Mapped[dict[str, list[str]]] = mapped_column(JSONB)
    retired_at: Mapped[datetime | None]
    retention: Mapped[str | None]

    __table_args__ = (Index("ix_points_live", "gateway", postgresql_where=text("retired_at IS NULL")),)
