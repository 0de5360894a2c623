"""Refuses addresses with a zero character: PostgreSQL's text cannot hold one, so nothing is named so."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from central.kernel.problem import Problem


class NoZeros:
    """Answers 400 `zero-character` where a path or query has one, before anything looks it up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            detail = "The address holds a zero character (%00); leave it out."
            await Problem(400, "zero-character", "Bad address", detail).response()(scope, receive, send)
            return
        await self._app(scope, receive, send)
