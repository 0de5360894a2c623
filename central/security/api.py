"""Routes of accounts: session, users, tokens, audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status

from central.kernel.shapes import Cursor, Limit, problems
from central.security import schemas
from central.security.permissions import (
    COOKIE,
    CookieValue,
    MayManageUsers,
    MayOwnTokens,
    MayRead,
    MayReadAudit,
    SecurityPart,
    require_own_origin,
)
from central.security.principal import Principal
from central.security.roles import PERMISSIONS
from central.security.sessions import LIFETIME

router = APIRouter(tags=["security"])

UserPath = Annotated[str, Path(description="user name")]


@router.post("/session", operation_id="signIn", responses=problems(401, 403, 422, 429, 503))
async def sign_in(
    asked: schemas.SignIn, request: Request, response: Response, security: SecurityPart
) -> schemas.SessionOut:
    """Sign in; sets the session cookie. Five failures within five minutes close the door for a while."""
    request.state.audit_actor = asked.username
    require_own_origin(request, strict=False)
    address = request.client.host if request.client else ""
    signed_in = await security.sessions.sign_in(asked.username, asked.password.get_secret_value(), address)
    response.set_cookie(
        COOKIE,
        signed_in.secret,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=_secure(request),
    )
    return schemas.SessionOut(user=_myself(signed_in.principal))


@router.get("/session", operation_id="getSession", responses=problems(401, 503))
async def get_session(who: MayRead) -> schemas.SessionOut:
    """Say who is signed in."""
    return schemas.SessionOut(user=_myself(who))


@router.delete(
    "/session",
    operation_id="signOut",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 503),
)
async def sign_out(
    who: MayRead, cookie: CookieValue, request: Request, response: Response, security: SecurityPart
) -> None:
    """Sign out: the session ends here, not only in the browser."""
    if cookie is not None:
        await security.sessions.sign_out(cookie)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_secure(request))


@router.get("/users", operation_id="listUsers", responses=problems(401, 403, 503))
async def list_users(who: MayManageUsers, security: SecurityPart) -> schemas.UserPage:
    """List the accounts."""
    return await security.accounts.users()


@router.post(
    "/users",
    operation_id="createUser",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 409, 422, 503),
)
async def create_user(asked: schemas.NewUser, who: MayManageUsers, security: SecurityPart) -> schemas.User:
    """Create an account. 409 `exists` where the name is taken."""
    return await security.accounts.create(
        asked.username, asked.display_name, asked.role, asked.password.get_secret_value()
    )


@router.patch(
    "/users/{username}", operation_id="changeUser", responses=problems(401, 403, 404, 409, 422, 503)
)
async def change_user(
    username: UserPath, asked: schemas.UserChange, who: MayManageUsers, security: SecurityPart
) -> schemas.User:
    """Change an account. 409 `last-admin` where nobody could administer afterwards."""
    return await security.accounts.change(
        username,
        display_name=asked.display_name,
        role=asked.role,
        password=asked.password.get_secret_value() if asked.password else None,
        disabled=asked.disabled,
    )


@router.get("/tokens", operation_id="listTokens", responses=problems(401, 503))
async def list_tokens(who: MayOwnTokens, security: SecurityPart) -> schemas.TokenPage:
    """List one's own API tokens."""
    return await security.accounts.tokens(who)


@router.post(
    "/tokens",
    operation_id="createToken",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 409, 422, 503),
)
async def create_token(
    asked: schemas.NewToken, who: MayOwnTokens, security: SecurityPart
) -> schemas.TokenMade:
    """Make an API token for oneself; its secret is in this answer and nowhere else."""
    return await security.accounts.make_token(who, asked.name, asked.role, asked.expires_in_days)


@router.delete(
    "/tokens/{token_id}",
    operation_id="deleteToken",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 503),
)
async def delete_token(token_id: str, who: MayOwnTokens, security: SecurityPart) -> None:
    """Delete one of one's own tokens; it stops working at once."""
    await security.accounts.delete_token(who, token_id)


@router.get("/audit", operation_id="listAudit", responses=problems(400, 401, 403, 503))
async def list_audit(
    who: MayReadAudit, security: SecurityPart, limit: Limit = 100, cursor: Cursor = None
) -> schemas.AuditPage:
    """Show the audit trail, newest first: every unsafe request, refused ones included."""
    return await security.audit.list(limit=limit, cursor=cursor)


def _myself(principal: Principal) -> schemas.Myself:
    return schemas.Myself(
        username=principal.username,
        display_name=principal.display_name,
        role=principal.role,
        permissions=sorted(PERMISSIONS[principal.role]),
    )


def _secure(request: Request) -> bool:
    secure: bool = request.app.state.centre.config.secure
    return secure or request.url.scheme == "https"
