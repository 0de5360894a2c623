"""Live values over server-sent events: once a second at most, only what changed, never a queue.

What a slow phone misses is not kept for it: the next event tells the newest values. One that takes nothing
for ten seconds is cut off, and opens the stream again by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
import numpy as np
import structlog
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from edge.console.alarms import alarm_views
from edge.console.answers import Problem
from edge.console.guard import Caller
from edge.console.layout import Layout
from edge.console.overview import Overview
from edge.console.points import value_view
from edge.house import House
from protocols.errors import StorageError
from protocols.model.reading import PointIndexes

MAX_STREAMS: Final = 16
MAX_POINTS: Final = 500
TICK_S: Final = 1.0
OVERVIEW_TICKS: Final = 5
SLOW_S: Final = 10.0
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def event(name: str, data: object) -> bytes:
    """Return one server-sent event with JSON data."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


class Watched:
    """The points of one stream: what was told of each, so that only changes are told again."""

    def __init__(self, house: House, choose: Callable[[], PointIndexes]) -> None:
        """`choose` finds the points in the plan that runs. Raises Problem `not-found`."""
        self._house = house
        self._choose = choose
        self._plan = house.plan
        self._points = choose()
        self._times = np.full(len(self._points), -1, np.int64)
        self._codes = np.zeros(len(self._points), np.uint32)

    def changes(self) -> list[int]:
        """Return the indexes of the points that changed since the last call; all of them at first.

        Raises Problem `not-found` where a new configuration has taken a point away.
        """
        house = self._house
        if house.plan is not self._plan:
            self._plan, self._points = house.plan, self._choose()
            self._times = np.full(len(self._points), -1, np.int64)
            self._codes = np.zeros(len(self._points), np.uint32)
        shaper = house.pipeline.shaper
        times, codes = shaper.latest_us[self._points], shaper.latest_quality[self._points]
        changed = (times != self._times) | (codes != self._codes)
        self._times, self._codes = times, codes
        return list(self._points[changed].tolist())


class Streams:
    """All open streams: how many there may be, and how they end."""

    def __init__(
        self,
        house: House,
        layout: Layout,
        overview: Overview,
        *,
        tick_s: float = TICK_S,
        slow_s: float = SLOW_S,
    ) -> None:
        """`slow_s`: how long a client may take nothing before it is cut off."""
        self._house = house
        self._layout = layout
        self._overview = overview
        self.open = 0
        self._tick_s = tick_s
        self._slow_s = slow_s
        self._log = structlog.get_logger("edge.console")

    def _wanted(self, request: Request) -> Watched | None:
        """Return the points that a request names. Raises Problem: `not-found`, `too-many-points`."""
        device, named = request.query_params.get("device"), request.query_params.get("points", "")
        names = [name for name in named.split(",") if name]
        if len(names) > MAX_POINTS:
            raise Problem(422, "too-many-points", f"watch at most {MAX_POINTS} points at a time")
        if not device and not names:
            return None
        layout = self._layout

        def choose() -> PointIndexes:
            if device:
                return layout.place(device).points
            return np.array([layout.point(name).index for name in names], np.int32)

        return Watched(self._house, choose)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `GET /api/stream`. Raises Problem before the stream begins, nothing after."""
        watched = self._wanted(Request(scope, receive))
        if self.open >= MAX_STREAMS:
            raise Problem(
                503,
                "too-many-streams",
                f"{MAX_STREAMS} pages are open; close one of them",
                headers={"Retry-After": "5"},
            )
        self.open += 1
        work = asyncio.create_task(self._pump(scope["caller"], scope["closing"], watched, send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.open -= 1
            for task in (work, gone):
                task.cancel()
            ends = await asyncio.gather(work, gone, return_exceptions=True)
        if isinstance(ends[0], Exception):
            self._log.info("page stream is cut off", reason=repr(ends[0]), by=scope["caller"].actor)

    async def _pump(
        self, caller: Caller, closing: asyncio.Event, watched: Watched | None, send: Send
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        tick, alarms = 0, b""
        while not closing.is_set() and caller.present():
            body = await self._events(watched, tick)
            if (now := event("alarms", alarm_views(self._house))) != alarms:
                alarms = now
                body += alarms
            if body:
                # A phone that sleeps takes nothing: the server's buffer fills, and send waits.
                async with asyncio.timeout(self._slow_s):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            tick += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), self._tick_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self, watched: Watched | None, tick: int) -> bytes:
        house = self._house
        parts = []
        if watched is not None and (changed := watched.changes()):
            parts.append(event("values", [value_view(house, house.plan.points[i]) for i in changed]))
        if tick % OVERVIEW_TICKS == 0:
            with suppress(StorageError):
                parts.append(event("overview", await self._overview.view()))
        return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def routes(streams: Streams) -> list[Route]:
    """GET /api/stream?device=K or ?points=a,b."""
    return [Route("/api/stream", streams, methods=["GET"])]
