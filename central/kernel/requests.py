"""Each request gets a number that its log lines and its answer share, and is counted and timed."""

from __future__ import annotations

import re
import secrets
from time import perf_counter

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("central.request")

HEADER = "X-Request-Id"
GIVEN = re.compile(r"^[A-Za-z0-9_-]{8,64}$")
"""An id that a proxy gave is kept; anything else could write into the log."""
SLOW_S = 1.0

ANSWERS = Counter("citynerve_http_answers", "HTTP answers", ["method", "route", "status"])
SECONDS = Histogram(
    "citynerve_http_seconds",
    "Time until the answer begins",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class RequestLog:
    """Binds `request_id` for every log line of a request, logs failures, and counts answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if GIVEN.match(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started = perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
                self._note(scope, message["status"], perf_counter() - started)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, noted)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "other"
        ANSWERS.labels(scope["method"], route, status).inc()
        SECONDS.labels(route).observe(seconds)
        level = log.warning if status >= 500 else log.info if status >= 400 else log.debug
        level(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 1),
        )
