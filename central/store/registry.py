"""What the city consists of: sites, gateways, their declarations, devices, points and rules.

Ids: a site's is its key; `gateway`, `gateway.device`, `gateway.device.point`. Nothing is deleted when
a gateway no longer declares it: it is retired, and its history stays.

Columns hold what is in force. Where people wrote something else than the gateway declared, `written` has
their words and `declared` the gateway's (None: no gateway declared the thing, people planned it).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base

_LOCK = 0x636E_0007
"""Advisory lock of whoever writes changes, so that a higher number was committed later."""


async def lock_registry(connection: AsyncConnection[Any]) -> None:
    """Wait for the turn to change the registry; held to the end of the transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


class Department(Base):
    """A department of the city (主管部门) that owns sites."""

    __tablename__ = "departments"

    id: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]


class Written:
    """What people write about any registered thing, beside what its gateway declares."""

    declared: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    written: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    note: Mapped[str] = mapped_column(default="")


class Placed(Written):
    """A thing that stands somewhere. grid_cell: 单元网格 code; lifecycle_at: since when it is in that state.

    contacts: `[{"name", "role", "phone", "email"}]`, personal data.
    """

    grid_cell: Mapped[str] = mapped_column(default="")
    contacts: Mapped[list[dict[str, str]]] = mapped_column(JSONB, default=list)
    lifecycle: Mapped[str] = mapped_column(default="active")
    lifecycle_at: Mapped[datetime | None]


class Site(Placed, Base):
    """A place on the map; lon and lat in degrees, WGS 84. department: its owner's id, or empty."""

    __tablename__ = "sites"

    id: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]
    district: Mapped[str]
    department: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    lon: Mapped[float]
    lat: Mapped[float]


class Gateway(Placed, Base):
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
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    site: Mapped[str | None] = mapped_column(ForeignKey("sites.id"), index=True)


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


class Device(Placed, Base):
    """A device; `retired_at` is set while no declaration of its gateway names it, as for a planned one.

    lon and lat are its own, degrees WGS 84; without them it stands where its site does.
    """

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
    serial: Mapped[str] = mapped_column(default="")
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    retired_at: Mapped[datetime | None]


class Point(Written, Base):
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


class RegistryChange(Base):
    """One change that people, or a gateway's declaration, made to a registered thing. Append-only.

    before and after hold the fields that changed; phone numbers and addresses of people are masked.
    """

    __tablename__ = "registry_changes"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    kind: Mapped[str]
    thing: Mapped[str]
    action: Mapped[str]
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reason: Mapped[str]

    __table_args__ = (Index("ix_registry_changes_kind_thing", "kind", "thing", "number"),)


class Attachment(Base):
    """A photo or document at a site or device. size in bytes; content as it is served."""

    __tablename__ = "attachments"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    thing: Mapped[str]
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    note: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    content: Mapped[bytes] = mapped_column(deferred=True)

    __table_args__ = (Index("ix_attachments_kind_thing", "kind", "thing"),)
