"""Accounts, sessions, tokens and audit entries as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from central.kernel.shapes import Asked, Page, Shape
from central.security.passwords import MAX_LENGTH, MIN_LENGTH
from central.security.roles import Permission, Role

Username = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", examples=["wang.lei"])]
Password = Annotated[SecretStr, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
DisplayName = Annotated[str, Field(min_length=1, max_length=100)]


class SignIn(Asked):
    """What a person types at the door."""

    username: str = Field(max_length=64)
    password: SecretStr = Field(max_length=MAX_LENGTH)


class Myself(Shape):
    """The person who is signed in."""

    username: str
    display_name: str
    role: Role
    permissions: list[Permission] = Field(description="what this role may do")


class SessionOut(Shape):
    """An open session."""

    user: Myself


class User(Shape):
    """An account."""

    username: str
    display_name: str
    role: Role
    disabled: bool
    created_at: datetime
    last_sign_in_at: datetime | None


class NewUser(Asked):
    """An account to create."""

    username: Username
    display_name: DisplayName
    role: Role
    password: Password


class UserChange(Asked):
    """What to change of an account; fields left out stay. A new password ends the account's sessions."""

    display_name: DisplayName | None = None
    role: Role | None = None
    password: Password | None = None
    disabled: bool | None = None


class UserPage(Page[User]):
    """Accounts by user name."""


class Token(Shape):
    """An API token; its secret is shown once, when it is made."""

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class NewToken(Asked):
    """A token to make for oneself."""

    name: str = Field(min_length=1, max_length=100)
    role: Role | None = Field(default=None, description="at most one's own; left out: one's own")
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)


class TokenMade(Token):
    """A new token with its secret."""

    token: str = Field(description="the secret, shown this once; send it as `Authorization: Bearer …`")


class TokenPage(Page[Token]):
    """One's own tokens, newest first."""


class AuditEntry(Shape):
    """One unsafe request and how it ended."""

    number: int
    at: datetime
    actor: str = Field(description="user name; for a failed sign-in the name that was tried")
    via: str = Field(description="session, token, or none")
    operation: str
    method: str
    path: str
    status: int
    address: str
    hash: str = Field(description="SHA-256 over the hash before and this record, hexadecimal")


class AuditPage(Page[AuditEntry]):
    """The audit trail, newest first."""
