"""What was learnt of devices (`edge.notebook`), to be seen by a technician, and forgotten by his word.

GET /api/learnt lists it; DELETE /api/learnt/{device} forgets a device, whose line is then opened anew.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.console.answers import Problem, answer, nothing
from edge.console.guard import caller
from edge.house import House
from edge.notebook import LearntView, Notebook, view_of


def learnt_view(house: House, device: str, connection: str) -> LearntView | None:
    """Return what was learnt of a device, None for nothing worth a word."""
    session = house.sessions.get(connection)
    return None if session is None else view_of(session.notes.get(device))


def routes(house: House) -> list[Route]:
    """GET /api/learnt, DELETE /api/learnt/{device}."""

    async def every(_: Request) -> Response:
        found = {
            entry.key: view
            for entry in house.plan.loaded.entry.devices
            if (view := learnt_view(house, entry.key, entry.connection)) is not None
        }
        return answer(found)

    async def forget(request: Request) -> Response:
        device = request.path_params["device"]
        entry = next((one for one in house.plan.loaded.entry.devices if one.key == device), None)
        if entry is None:
            raise Problem(404, "not-found", f"this gateway has no device {device!r}")
        session = house.sessions[entry.connection]
        if isinstance(session.notes, Notebook):
            await asyncio.to_thread(house.audit.note, caller(request).actor, "learnt.forgotten", device, "")
            if session.notes.forget(device):
                session.turn()
        return nothing()

    return [
        Route("/api/learnt", every),
        Route("/api/learnt/{device}", forget, methods=["DELETE"]),
    ]
