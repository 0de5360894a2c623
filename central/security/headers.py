"""Headers that every answer carries: no guessing of types, no keeping of the API's answers, TLS for good."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HSTS: Final = "max-age=31536000"
"""A year (RFC 6797, 6.1.1). Without includeSubDomains: what else stands below that name is not ours."""


class SecurityHeaders:
    """Adds `X-Content-Type-Options` everywhere, and `Cache-Control: no-store` to the API's answers.

    secure: `Config.secure`; browsers then never come without TLS again. Not by the scheme of a request:
    behind a proxy that ends TLS it is http, and who tries https once has not decided for a year.
    """

    def __init__(self, app: ASGIApp, *, secure: bool = False) -> None:
        self._app = app
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        private = scope["path"].startswith("/api/")

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                if self._secure:
                    headers["Strict-Transport-Security"] = HSTS
                if private:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, marked)
