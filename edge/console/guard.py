"""Stands before every request: who asks, is it our own page, is the body bearable; and says the headers.

    Door (page | local) → Guard (session, CSRF, host) → routes → Guard (problems, security headers)

Whatever is below /api needs a session unless it came through the control socket: a route added tomorrow is
closed by itself. A request without a known door counts as one from the page.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.console.answers import Problem
from edge.console.auth import Gatekeeper
from protocols.errors import ConfigError, FieldError, Rejected, StorageError

DoorName = Literal["page", "local"]
SESSION_PATH: Final = "/api/session"
"""The one path of the API that strangers may use: it says who we are, and takes the password."""
OWN_HEADER: Final = "citynerve"
"""Value of X-Requested-With: a form of another site cannot send it without asking us first."""
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CSP: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `actor` is the name for the audit, `present()` whether he is still signed in."""

    actor: str
    door: DoorName
    address: str
    present: Callable[[], bool]


def caller(request: Request) -> Caller:
    """Return who sent a request that the guard has let in."""
    found = request.scope["caller"]
    assert isinstance(found, Caller)  # noqa: S101 - the guard has put it there
    return found


def cookie_name(gateway: str) -> str:
    """Return the session cookie's name: browsers share cookies between ports, and so between two gateways."""
    return f"page-{gateway}"


def cookie(scope: Scope, gateway: str) -> str:
    """Return the token that a request carries; empty where it has none."""
    return cookie_parser(Headers(scope=scope).get("cookie", "")).get(cookie_name(gateway), "")


class Door:
    """Marks every request with the door that it came through; `closing` ends what stays open behind it.

    `host` is the address or name that the page listens on.
    """

    def __init__(self, app: ASGIApp, name: DoorName, host: str = "") -> None:
        self.closing = asyncio.Event()
        self._host = host.lower()
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        scope["door"], scope["host"], scope["closing"] = self._name, self._host, self.closing
        await self._app(scope, receive, send)


class Guard:
    """Lets in who may come in, and turns every error into an answer; nothing escapes to the server."""

    def __init__(self, app: ASGIApp, keeper: Gatekeeper, gateway: str) -> None:
        self._app = app
        self._keeper = keeper
        self._gateway = gateway
        self._log = structlog.get_logger("edge.console")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request, have it answered, and put the security headers on the answer."""
        begun = False

        async def told(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            scope["caller"] = self._let_in(scope)
            await self._app(scope, receive, told)
        except Exception as error:
            problem = as_problem(error)
            if problem.status >= 500 and problem.code == "internal":
                self._log.error("page failed; report this", path=scope["path"], exc_info=error)
            if not begun:
                await problem.response()(scope, receive, told)

    def _let_in(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        local = scope.get("door") == "local"
        address = scope["client"][0] if scope.get("client") else "unknown"
        if local:
            return Caller(f"local:{address}", "local", address, lambda: True)
        _own_host(scope, headers)
        token = cookie(scope, self._gateway)
        sessions = self._keeper.sessions
        if scope["path"].startswith("/api"):
            if scope["method"] in _WRITES:
                _own_page(scope["method"], headers)
            if scope["path"] != SESSION_PATH and not sessions.holds(token):
                raise Problem(401, "signed-out", "sign in with the password of this gateway's page")
        return Caller(f"page:{address}", "page", address, lambda: sessions.holds(token, seen=False))


def as_problem(error: Exception) -> Problem:
    """Translate what the gateway's parts raise into what a page can show."""
    match error:
        case Problem():
            return error
        case HTTPException():
            code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
            detail = "there is nothing at this address that answers such a request"
            return Problem(error.status_code, code, detail, headers=error.headers)
        case ConfigError():
            return Problem(422, "mistakes", str(error), mistakes=error.mistakes)
        case Rejected():
            return Problem(409, error.reason, str(error))
        case FieldError():
            return Problem(502, "device", str(error))
        case StorageError():
            return Problem(503, "storage", str(error))
        case _:
            return Problem(500, "internal", "the page made a mistake; the gateway's log has the details")


def _own_page(method: str, headers: Mapping[str, str]) -> None:
    """Refuse a write that another site's page may have caused (OWASP: custom header, fetch metadata)."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or method == "DELETE"
    ours = headers.get("x-requested-with") == OWN_HEADER
    same_site = headers.get("sec-fetch-site", "same-origin") == "same-origin"
    # "null" is what a sandboxed frame sends: it has no host either.
    host = headers.get("host", "").lower()
    same_origin = "origin" not in headers or headers["origin"].partition("://")[2].lower() == host
    if not (is_json and ours and same_site and same_origin):
        raise Problem(
            403,
            "not-our-page",
            "a write is JSON and carries `X-Requested-With: citynerve`, from this gateway's own page",
        )


def _own_host(scope: Scope, headers: Mapping[str, str]) -> None:
    """Refuse a name that is not ours (DNS rebinding); over TLS the certificate has seen to that."""
    if scope.get("scheme") == "https":
        return
    try:
        name = urlsplit("//" + headers.get("host", "")).hostname or ""
        if name not in {"localhost", socket.gethostname().lower(), scope.get("host")}:
            ipaddress.ip_address(name.partition("%")[0])
    except ValueError as error:
        raise Problem(
            421, "not-our-name", "open the page by the gateway's address, not by a name, or serve it over TLS"
        ) from error
