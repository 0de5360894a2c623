"""Routes of one's own session: in, who am I, out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, status

from central.kernel.shapes import problems
from central.security import schemas
from central.security.permissions import (
    COOKIE,
    CookieValue,
    MayOwnAccount,
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
    require_own_origin(request, strict=False)
    security.rates.address(address_of(request))
    request.state.audit_actor = asked.username
    signed_in = await security.door.sign_in(
        asked.username,
        asked.password.get_secret_value(),
        asked.code,
        address_of(request),
        request.headers.get("user-agent", ""),
    )
    # A cookie that was here before, whoever put it here, is no way into the new session.
    if before := request.cookies.get(COOKIE):
        await security.sessions.sign_out(before)
    give_cookie(request, response, signed_in.secret)
    return schemas.SessionOut(user=myself(signed_in.principal))


@router.get("/session", operation_id="getSession", responses=problems(401, 503))
async def get_session(who: MayOwnAccount) -> schemas.SessionOut:
    """Say who is signed in."""
    return schemas.SessionOut(user=myself(who))


@router.delete(
    "/session",
    operation_id="signOut",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 503),
)
async def sign_out(
    who: MayOwnAccount, cookie: CookieValue, request: Request, response: Response, security: SecurityPart
) -> None:
    """Sign out: the session ends here, not only in the browser."""
    if cookie is not None:
        await security.sessions.sign_out(cookie)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=is_secure(request))


def give_cookie(request: Request, response: Response, secret: str) -> None:
    """Let the browser keep its session; no script and no other site reads or sends it."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )


def address_of(request: Request) -> str:
    """Return where the request comes from."""
    return request.client.host if request.client else ""


def myself(principal: Principal) -> schemas.Myself:
    """Return somebody as the console is told."""
    return schemas.Myself(
        username=principal.username,
        display_name=principal.display_name,
        role=principal.role,
        grants=grants_out(principal.rights),
        permissions=principal.permissions,
        must_enrol=principal.must_enrol,
    )


def is_secure(request: Request) -> bool:
    """Say whether cookies of this answer go over https only."""
    secure: bool = request.app.state.centre.config.secure
    return secure or request.url.scheme == "https"
