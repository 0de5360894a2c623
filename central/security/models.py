"""Tables of security; secrets are stored as digests only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


class User(Base):
    """An account of a person, or of a program: a service account has no password, only tokens, and an owner.

    role is what a centre of the version before goes by, see migration 0006; nothing here reads it.
    """

    __tablename__ = "users"

    username: Mapped[str] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    role: Mapped[str] = mapped_column(default="", server_default="")
    password_hash: Mapped[str]
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime | None] = mapped_column(default=None)
    service: Mapped[bool] = mapped_column(default=False)
    owner: Mapped[str | None] = mapped_column(ForeignKey("users.username"), default=None)


class Grant(Base):
    """A role that an account has at the sites of these districts and owner departments; none: at all."""

    __tablename__ = "grants"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    username: Mapped[str] = mapped_column(ForeignKey("users.username", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    areas: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    departments: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)


class OwnRole(Base):
    """A role that the centre made for itself, beside those that are built in."""

    __tablename__ = "roles"

    id: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))


class UserSession(Base):
    """A signed-in browser; found by the SHA-256 of its cookie."""

    __tablename__ = "sessions"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(ForeignKey("users.username", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    address: Mapped[str]
    agent: Mapped[str] = mapped_column(default="", server_default="")
    proof: Mapped[str] = mapped_column(default="password", server_default="password")


class SignInFailure(Base):
    """A sign-in that failed, for as long as it counts against the next one."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (
        Index("ix_sign_in_failures_address_at", "address", "at"),
        Index("ix_sign_in_failures_username_at", "username", "at"),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    username: Mapped[str]
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)


class Setting(Base):
    """A setting of security that is made in the console."""

    __tablename__ = "security_settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)


class SecondFactor(Base):
    """A person's TOTP secret, sealed; it counts once a code has confirmed it."""

    __tablename__ = "second_factors"

    username: Mapped[str] = mapped_column(ForeignKey("users.username", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes]
    enrolled_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None] = mapped_column(default=None)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class RecoveryCode(Base):
    """A code for one sign-in without the second factor; found by its digest."""

    __tablename__ = "recovery_codes"

    username: Mapped[str] = mapped_column(ForeignKey("users.username", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class OutsideIdentity(Base):
    """Who an account is at an OpenID provider."""

    __tablename__ = "identities"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(ForeignKey("users.username", ondelete="CASCADE"), index=True)
    linked_at: Mapped[datetime]


class OidcAttempt(Base):
    """A sign-in that is at the provider now; found by the digest of its `state`, usable once."""

    __tablename__ = "oidc_attempts"

    state: Mapped[bytes] = mapped_column(primary_key=True)
    browser: Mapped[bytes]
    nonce: Mapped[str]
    verifier: Mapped[str]
    next: Mapped[str]
    expires_at: Mapped[datetime]


class ApiToken(Base):
    """A key for a program, owned by an account and never stronger than that account.

    narrowed is the role that it is narrowed to, empty: none; NULL: made by the version before, `role` counts.
    """

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    name: Mapped[str]
    username: Mapped[str] = mapped_column(ForeignKey("users.username", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(default="", server_default="")
    narrowed: Mapped[str | None] = mapped_column(default="")
    areas: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    departments: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class AuditEntry(Base):
    """One unsafe request and how it ended; append-only, hash-chained in the order of `number`."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    via: Mapped[str]
    operation: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    status: Mapped[int]
    address: Mapped[str]
    changes: Mapped[str | None] = mapped_column(default=None)
    request_id: Mapped[str | None] = mapped_column(default=None)
    prev_hash: Mapped[bytes]
    hash: Mapped[bytes]


class AuditHead(Base):
    """How many entries there are, and the hash of the last: one row, that shows a tail that was cut off."""

    __tablename__ = "audit_head"

    only_one: Mapped[bool] = mapped_column(primary_key=True, default=True)
    entries: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]
