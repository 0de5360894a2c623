"""A scan that the running gateway does beside its polling, as the same stream of events as one of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from edge.cli.control import Control
from protocols.errors import Rejected
from protocols.field.scanning import Found, Progress

_LOOK_S: Final = 0.3


class Beside:
    """Starts scans at a running gateway."""

    def __init__(self, gateway: Control) -> None:
        self._gateway = gateway

    async def scan(self, **wanted: Any) -> AsyncIterator[Found | Progress]:
        """Yield what the gateway's scan finds; stopped when nobody listens any more. Raises Rejected."""
        started = await asyncio.to_thread(self._gateway.post, "/api/scan", wanted)
        job = f"/api/jobs/{started['job']}"
        after, state = 0, "running"
        try:
            while state == "running":
                view = await asyncio.to_thread(self._gateway.get, job, after=after)
                state, after = view["state"], view["next"]
                for found in view["found"]:
                    yield Found(**found)
                yield Progress(view["done"], view["total"], view["doing"])
                if state == "running":
                    await asyncio.sleep(_LOOK_S)
            if state != "done":
                raise Rejected("scan", view["error"] or f"the scan was {state}")
        finally:
            if state == "running":
                await asyncio.to_thread(self._gateway.delete, job)
