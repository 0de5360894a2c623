"""Permissions as parameter types: a route that declares `who: MayCommand` is closed to everybody else.

The person behind a request is found by session cookie (browsers) or bearer token (programs). An unsafe
request that rides on a cookie must come from our own page, see `origin`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from central.kernel.problem import Problem
from central.security.origin import SAFE_METHODS, judge
from central.security.parts import Security
from central.security.principal import Principal
from central.security.roles import Permission

COOKIE: Final = "cn_session"
WALL_COOKIE: Final = "cn_wall"
"""Of a wall screen; it speaks only where nobody is signed in, and for requests that change nothing."""

_cookie = APIKeyCookie(
    name=COOKIE, scheme_name="session", description="cookie set by POST /session", auto_error=False
)
_bearer = HTTPBearer(scheme_name="token", description="API token, `cnt_…`", auto_error=False)

CookieValue = Annotated[str | None, Depends(_cookie)]
BearerValue = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def security_of(request: Request) -> Security:
    """Return the centre's security, for routes and permissions."""
    security: Security = request.app.state.centre.security
    return security


SecurityPart = Annotated[Security, Depends(security_of)]


def require_own_origin(request: Request, *, strict: bool) -> None:
    """Refuse a request from another site; with `strict` also one that does not say where it is from."""
    verdict = judge(request.headers)
    if verdict == "other" or (strict and verdict == "unknown"):
        raise Problem(
            403,
            "cross-site",
            "Not from this console",
            "Send `Origin` or `Sec-Fetch-Site` of the centre's own address, or use an API token.",
        )


async def principal_of(request: Request, permission: Permission | None = None) -> Principal | None:
    """Return who the request's token or cookie speaks for at this moment; None where it does for nobody.

    With a permission, None as well where he may not (any more), and `sight` is what it reaches now. A stream
    that stays open asks this again and again: tokens end, sessions are revoked, grants change.
    """
    security = security_of(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        principal = await security.sessions.by_token(token.strip())
    else:
        cookie = request.cookies.get(COOKIE)
        principal = None if cookie is None else await security.sessions.by_cookie(cookie)
        screen = request.cookies.get(WALL_COOKIE)
        if principal is None and screen is not None and request.method in SAFE_METHODS:
            principal = await security.walls.by_cookie(screen)
    if principal is None or permission is None:
        return principal
    if not principal.may(permission):
        return None
    return replace(principal, sight=await security.reach.sight(principal, permission))


def require_whole(who: Principal) -> None:
    """Refuse somebody who sees a part of the city only. Problem 403 `sight`.

    For what belongs to no site. It asks nothing about the thing itself, so the answer tells nothing of it.
    """
    if not who.sight.whole:
        raise Problem(
            403,
            "sight",
            "Your rights reach a part of the city only",
            "This belongs to no site; it needs rights that nothing limits. Ask an administrator.",
        )


def _requires(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    async def check(request: Request, cookie: CookieValue, bearer: BearerValue) -> Principal:
        if bearer is None and cookie is not None and request.method not in SAFE_METHODS:
            require_own_origin(request, strict=True)
        principal = await principal_of(request)
        rates = security_of(request).rates
        if principal is None:
            rates.address(request.client.host if request.client else "")
            raise Problem(
                401,
                "not-signed-in",
                "Not signed in",
                "Sign in with POST /api/v1/session, or send a valid API token.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        request.state.principal = principal
        rates.account(principal.username)
        if principal.must_enrol and permission is not Permission.OWN_ACCOUNT:
            raise Problem(
                403, "second-factor-needed", "A second factor is needed",
                "Your role asks for one: POST /api/v1/me/totp, then /me/totp/confirm with a code of it.",
            )  # fmt: skip
        if not principal.may(permission):
            raise Problem(
                403,
                "role",
                "Your role does not allow this",
                f"{_as(principal)} may not do `{permission}`; ask an administrator for another role.",
            )
        return replace(principal, sight=await security_of(request).reach.sight(principal, permission))

    check.permission = permission  # type: ignore[attr-defined]  # read by the test that walks the routes
    return check


def _as(principal: Principal) -> str:
    roles = sorted({right.role for right in principal.rights if right.role})
    return f"With the role {', '.join(roles)} one" if roles else "An account without a role"


MayRead = Annotated[Principal, Depends(_requires(Permission.READ))]
MayAcknowledge = Annotated[Principal, Depends(_requires(Permission.ACKNOWLEDGE))]
MayShelve = Annotated[Principal, Depends(_requires(Permission.SHELVE))]
MayHandleCases = Annotated[Principal, Depends(_requires(Permission.HANDLE_CASES))]
MayCommand = Annotated[Principal, Depends(_requires(Permission.COMMAND))]
MayOwnAccount = Annotated[Principal, Depends(_requires(Permission.OWN_ACCOUNT))]
MayOwnTokens = Annotated[Principal, Depends(_requires(Permission.OWN_TOKENS))]
MayManageUsers = Annotated[Principal, Depends(_requires(Permission.MANAGE_USERS))]
MayManageGateways = Annotated[Principal, Depends(_requires(Permission.MANAGE_GATEWAYS))]
MayReadAudit = Annotated[Principal, Depends(_requires(Permission.READ_AUDIT))]
MayExport = Annotated[Principal, Depends(_requires(Permission.EXPORT))]
MaySuppress = Annotated[Principal, Depends(_requires(Permission.SUPPRESS))]
MayEditRegistry = Annotated[Principal, Depends(_requires(Permission.EDIT_REGISTRY))]
MayEditWall = Annotated[Principal, Depends(_requires(Permission.EDIT_WALL))]
MayManageNotices = Annotated[Principal, Depends(_requires(Permission.MANAGE_NOTICES))]
MayManageHooks = Annotated[Principal, Depends(_requires(Permission.MANAGE_HOOKS))]
MayOperate = Annotated[Principal, Depends(_requires(Permission.OPERATE))]
