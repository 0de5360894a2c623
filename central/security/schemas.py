"""Accounts, sessions, tokens and audit entries as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, SecretStr

from central.kernel.shapes import Asked, Name, Page, Shape
from central.security.passwords import MAX_LENGTH
from central.security.roles import Permission

Username = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", examples=["wang.lei"])]
Password = Annotated[SecretStr, Field(min_length=1, max_length=MAX_LENGTH)]
PartName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
DisplayName = Annotated[str, Field(min_length=1, max_length=100)]


class SignIn(Asked):
    """What a person types at the door."""

    username: str = Field(max_length=64)
    password: SecretStr = Field(max_length=MAX_LENGTH)
    code: str | None = Field(
        default=None, max_length=40, description="second factor: six figures, or a recovery code"
    )


class Grant(Asked):
    """A role at the sites of some districts and owner departments; none given: at all of them."""

    role: str = Field(max_length=64, examples=["operator"], description="id of a role, see GET /roles")
    areas: list[PartName] = Field(default=[], max_length=200, description="districts (区); none: all")
    departments: list[PartName] = Field(
        default=[], max_length=200, description="ids of owner departments (主管部门); none: all"
    )


Grants = Annotated[list[Grant], Field(max_length=50)]


class SignInWays(Shape):
    """How one may sign in besides a password."""

    oidc: bool
    label: str = Field(description="what the button says; empty: the console's own words")


class Myself(Shape):
    """The person who is signed in."""

    username: str
    display_name: str
    role: str = Field(description="the role of the grant that allows most")
    grants: list[Grant] = Field(description="what a token was narrowed to, where one was used")
    permissions: list[Permission] = Field(description="what these grants allow somewhere in the city")
    must_enrol: bool = Field(description="nothing is allowed until a second factor is enrolled")


class SessionOut(Shape):
    """An open session."""

    user: Myself


class User(Shape):
    """An account, of a person or, as a service account, of a program."""

    username: str
    display_name: str
    role: str = Field(description="the role of the grant that allows most; empty without a grant")
    grants: list[Grant]
    service: bool = Field(description="has no password and signs in by token only")
    owner: str | None = Field(description="who answers for a service account")
    disabled: bool
    created_at: datetime
    last_sign_in_at: datetime | None
    second_factor: bool


class NewUser(Asked):
    """An account to create: of a person, with a password, or of a service, with an owner."""

    username: Username
    display_name: DisplayName
    grants: Grants
    password: Password | None = Field(default=None, description="left out for a service account")
    service: bool = False
    owner: str | None = Field(default=None, max_length=64, description="left out: whoever creates it")


class UserChange(Asked):
    """What to change of an account; fields left out stay. A new password ends the account's sessions."""

    display_name: DisplayName | None = None
    grants: Grants | None = None
    password: Password | None = None
    disabled: bool | None = None
    owner: str | None = Field(default=None, max_length=64)


class RoleOut(Shape):
    """A role: a set of permissions under a name."""

    id: str
    name: Name
    permissions: list[Permission]
    built_in: bool
    holders: int | None = Field(
        description="how many accounts have it; null for who sees a part of the city, and after a change"
    )


class NameAsked(Asked):
    """A name in both languages."""

    zh: DisplayName
    en: DisplayName


class RoleAsked(Asked):
    """A role of the centre's own."""

    name: NameAsked
    permissions: list[Permission] = Field(min_length=1, max_length=100)


class RolePage(Page[RoleOut]):
    """The roles: the built-in ones, weakest first, then the centre's own."""


class Department(Shape):
    """An owner department (主管部门)."""

    id: str
    name: Name


class Parts(Shape):
    """The parts of the city by which a grant may be limited, as far as the person reaches."""

    areas: list[str] = Field(description="districts (区) that have sites")
    departments: list[Department]


class Me(Shape):
    """One's own account."""

    user: Myself
    session: str = Field(description="id of the session or token that asks")
    has_password: bool
    second_factor: bool
    recovery_codes_left: int


class PasswordChange(Asked):
    """One's own new password, with the old one."""

    current: SecretStr = Field(max_length=MAX_LENGTH)
    password: Password


class PasswordProof(Asked):
    """One's own password again, before what a stolen session must not do."""

    password: SecretStr = Field(max_length=MAX_LENGTH)


class TotpStart(Shape):
    """A second factor to enrol; shown this once."""

    secret: str = Field(description="base32, to type where the picture cannot be read")
    uri: str = Field(description="otpauth:// address, as in the picture")
    svg: str = Field(description="QR code as an SVG image")


class TotpCode(Asked):
    """A code of the authenticator app."""

    code: str = Field(max_length=40)


class RecoveryCodes(Shape):
    """Codes for one sign-in each without the app; shown this once."""

    codes: list[str]


class OpenSession(Shape):
    """A browser that is signed in."""

    id: str
    username: str
    created_at: datetime
    seen_at: datetime = Field(description="last request, to a minute")
    expires_at: datetime
    address: str
    agent: str = Field(description="what the browser calls itself")
    proof: str = Field(description="password, totp, recovery or oidc")
    current: bool = Field(description="the session that asks")


class OpenSessionPage(Page[OpenSession]):
    """Open sessions, the last used first."""


class Policy(Asked):
    """Settings of security for everybody."""

    second_factor_roles: list[str] = Field(
        default=[], max_length=100, description="roles that may nothing without a second factor"
    )
    token_days: int = Field(default=90, ge=1, le=3650, description="days that a token lives unless asked")
    token_days_max: int = Field(default=3650, ge=1, le=3650, description="days that a token lives at most")


class UserPage(Page[User]):
    """Accounts by user name."""


class Token(Shape):
    """An API token; its secret is shown once, when it is made."""

    id: str
    name: str
    username: str = Field(description="the account that it speaks for")
    role: str | None = Field(description="the role that it is narrowed to; null: whatever its owner may")
    areas: list[str]
    departments: list[str]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class NewToken(Asked):
    """A token to make; at most what its owner may, narrowed as asked."""

    name: str = Field(min_length=1, max_length=100)
    role: str | None = Field(default=None, max_length=64, description="left out: not narrowed")
    areas: list[PartName] = Field(default=[], max_length=200, description="districts; none: not narrowed")
    departments: list[PartName] = Field(default=[], max_length=200)
    expires_in_days: int | None = Field(
        default=None, ge=1, le=3650, description="left out: as the policy says, 90 days"
    )


class TokenMade(Token):
    """A new token with its secret."""

    token: str = Field(description="the secret, shown this once; send it as `Authorization: Bearer …`")


class TokenPage(Page[Token]):
    """Tokens, newest first."""


class AuditChange(Shape):
    """A thing before and after; only the fields that differ. null: there was, or is, no such thing."""

    what: str = Field(examples=["user li.na"])
    before: dict[str, Any] | None
    after: dict[str, Any] | None


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
    changes: list[AuditChange] | None = Field(description="what it changed, where that is kept")
    request_id: str | None = Field(description="X-Request-Id of the request, which its log lines carry too")
    hash: str = Field(description="SHA-256 over the hash before and this record, hexadecimal")


class AuditProof(Shape):
    """Whether the chain of the audit trail is whole."""

    whole: bool
    reason: str | None = Field(description="altered, removed-before, cut-off or another-past; null: whole")
    number: int | None = Field(description="the entry where it shows")
    entries: int
    head: str = Field(description="keep it elsewhere, for `citynerve audit verify --since`")


class AuditPage(Page[AuditEntry]):
    """The audit trail, newest first."""
