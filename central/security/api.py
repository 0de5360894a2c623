"""Routes of one's own session, and of the audit trail."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, status

from central.kernel.shapes import Cursor, Limit, problems
from central.security import schemas
from central.security.permissions import (
    COOKIE,
    CookieValue,
    MayRead,
    MayReadAudit,
    SecurityPart,
    require_own_origin,
)
from central.security.principal import Principal
from central.security.service import grants_out
from central.security.sessions import LIFETIME

router = APIRouter(tags=["security"])


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
        grants=grants_out(principal.rights),
        permissions=principal.permissions,
    )


def _secure(request: Request) -> bool:
    secure: bool = request.app.state.centre.config.secure
    return secure or request.url.scheme == "https"
