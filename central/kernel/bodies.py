"""How large a request may be: it is read into memory before anybody asks who sent it."""

from __future__ import annotations

import re
from typing import Final

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central.kernel.problem import Problem

MOST: Final = 1024 * 1024
"""Bytes of a request."""
LARGE: Final = 20 * 1024 * 1024
"""Bytes of one that holds a gateway's whole configuration, as JSON."""


class BodyLimit:
    """Answers 413 `too-large` to a longer body, at its first byte where it says how long it is.

    own: paths whose routes look at it themselves; large: paths that may send `LARGE`.
    """

    def __init__(self, app: ASGIApp, own: re.Pattern[str], large: re.Pattern[str]) -> None:
        self._app = app
        self._own = own
        self._large = large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or self._own.match(scope["path"]):
            await self._app(scope, receive, send)
            return
        most = LARGE if self._large.match(scope["path"]) else MOST
        detail = f"At most {most} bytes are taken here; send less at once."
        said = Headers(scope=scope).get("content-length", "")
        if said.isdecimal() and int(said) > most:
            problem = Problem(413, "too-large", "The request is too large", detail)
            await problem.response()(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise HTTPException(413, detail)
            return message

        await self._app(scope, counted, send)
