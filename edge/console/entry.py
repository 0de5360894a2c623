"""Signing in and out: `/api/session`."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.config.bind import SOFTWARE
from edge.console.answers import Problem, Words, answer, body, nothing, words
from edge.console.auth import LIFE_S, Gatekeeper, TooSoon
from edge.console.guard import caller, cookie, cookie_name
from edge.house import House
from protocols.errors import Rejected


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password of the page."""

    password: str


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are, and whether the asker is signed in; `url` of the page is for those who are."""

    gateway: str
    name: Words
    signed_in: bool
    password_set: bool
    software: str
    url: str | None


def routes(house: House, keeper: Gatekeeper, address: Callable[[], str | None]) -> list[Route]:
    """GET, POST and DELETE /api/session; `address` says where the page is served now."""
    log = structlog.get_logger("edge.console")
    gateway = house.plan.gateway

    async def show(request: Request) -> Response:
        who = caller(request)
        signed_in = who.door == "local" or who.present()
        return answer(
            SessionView(
                gateway=gateway,
                name=words(house.plan.loaded.entry.gateway.name),
                signed_in=signed_in,
                password_set=keeper.has_password,
                software=SOFTWARE if signed_in else "citynerve",
                url=address() if signed_in else None,
            )
        )

    async def sign_in(request: Request) -> Response:
        who = caller(request)
        given = await body(request, SignIn)
        try:
            token = await keeper.sign_in(given.password, who.address)
        except TooSoon as error:
            wait = str(math.ceil(error.wait_s))
            raise Problem(429, "wait", str(error), headers={"Retry-After": wait}) from error
        except Rejected as error:
            log.warning("sign-in to the page is refused", reason=error.reason, by=who.actor)
            status = 401 if error.reason == "wrong-password" else 409
            raise Problem(status, error.reason, str(error)) from error
        log.info("signed in to the page", by=who.actor)
        response = nothing()
        response.set_cookie(
            cookie_name(gateway),
            token,
            max_age=round(LIFE_S),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    async def sign_out(request: Request) -> Response:
        keeper.sessions.end(cookie(request.scope, gateway))
        response = nothing()
        response.delete_cookie(cookie_name(gateway), httponly=True, samesite="strict")
        return response

    path = "/api/session"
    return [
        Route(path, show),
        Route(path, sign_in, methods=["POST"]),
        Route(path, sign_out, methods=["DELETE"]),
    ]
