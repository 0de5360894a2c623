"""GET /api/log: the newest lines of the gateway's log."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.console.answers import Problem, answer, whole
from edge.console.ring import Line, installed

LEVELS: Final = ("debug", "info", "warning", "error")


class LogView(msgspec.Struct, frozen=True, kw_only=True):
    """Lines in order; ask again with `after` = `next`."""

    next: int
    lines: list[Line]


async def log(request: Request) -> Response:
    """Answer the lines after a number; none where the program keeps no log in memory."""
    level = request.query_params.get("level", "info")
    if level not in LEVELS:
        raise Problem(422, "wrong-query", f"`level` is one of {', '.join(LEVELS)}")
    ring = installed()
    newest, lines = ring.after(whole(request, "after", 0, 0, 1 << 62), level) if ring else (0, [])
    return answer(LogView(next=newest, lines=lines))


def routes() -> list[Route]:
    """GET /api/log?after=N&level=info."""
    return [Route("/api/log", log)]
