"""Routes of the sign-in at an OpenID provider. They are for browsers: they answer by sending them on."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, status
from fastapi.responses import RedirectResponse

from central.kernel.problem import Problem
from central.kernel.shapes import problems
from central.security import schemas
from central.security.api import address_of, give_cookie, is_secure
from central.security.oidc import PATIENCE, Oidc
from central.security.permissions import SecurityPart

router = APIRouter(tags=["security"])

FLOW: Final = "cn_oidc"
PATH: Final = "/api/v1/session/oidc"


@router.get("/session/ways", operation_id="listSignInWays", responses=problems(503))
async def list_ways(security: SecurityPart) -> schemas.SignInWays:
    """Say how one may sign in besides a password. For the sign-in page, so open to everybody."""
    oidc = security.oidc
    return schemas.SignInWays(oidc=oidc is not None, label=oidc.settings.label if oidc else "")


@router.get(
    "/session/oidc",
    operation_id="beginOidc",
    status_code=status.HTTP_302_FOUND,
    response_class=RedirectResponse,
    responses=problems(403, 404, 422, 429, 503),
)
async def begin(
    request: Request,
    security: SecurityPart,
    next_page: Annotated[
        str, Query(alias="next", max_length=500, pattern=r"^/([^/\\\x00].*)?$", description="page to go to")
    ] = "/",
) -> RedirectResponse:
    """Send the browser to the provider. 404 where none is configured."""
    security.rates.address(address_of(request))
    oidc = _configured(security.oidc)
    begun = await oidc.begin(_redirect(request, oidc), next_page)
    answer = RedirectResponse(begun.url, status.HTTP_302_FOUND)
    # Lax, not strict: it has to come back with a browser that the provider sends.
    answer.set_cookie(
        FLOW, begun.browser, max_age=int(PATIENCE.total_seconds()), path=PATH, httponly=True, samesite="lax",
        secure=is_secure(request),
    )  # fmt: skip
    return answer


@router.get(
    "/session/oidc/callback",
    operation_id="finishOidc",
    status_code=status.HTTP_302_FOUND,
    response_class=RedirectResponse,
    responses=problems(404, 503),
)
async def finish(request: Request, security: SecurityPart) -> RedirectResponse:
    """Take the browser back from the provider, and sign it in; what fails is told on the sign-in page."""
    oidc = _configured(security.oidc)
    try:
        arrived = await oidc.finish(
            _redirect(request, oidc), dict(request.query_params), request.cookies.get(FLOW, "")
        )
        username = await security.accounts.arrive(
            oidc.settings.issuer, arrived.subject, arrived.claims, oidc.settings
        )
    except Problem as problem:
        if problem.status >= 500:
            raise
        reason = problem.detail.split(":")[0]
        answer = RedirectResponse(f"/sign-in?failed={quote(reason)}", status.HTTP_302_FOUND)
        answer.delete_cookie(FLOW, path=PATH)
        return answer
    request.state.audit_actor = username
    agent = request.headers.get("user-agent", "")
    signed_in = await security.sessions.start(username, "oidc", address_of(request), agent)
    answer = RedirectResponse(arrived.next, status.HTTP_302_FOUND)
    give_cookie(request, answer, signed_in.secret)
    answer.delete_cookie(FLOW, path=PATH)
    return answer


def _configured(oidc: Oidc | None) -> Oidc:
    if oidc is None:
        raise Problem(404, "not-found", "Not found", "No sign-in elsewhere is configured; use a password.")
    return oidc


def _redirect(request: Request, oidc: Oidc) -> str:
    return oidc.settings.redirect or str(request.url_for("finish"))
