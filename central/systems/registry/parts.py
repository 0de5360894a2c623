"""The room's one part, put together from the centre's floors when the room is first entered."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from central.systems.centre import Centre
from central.systems.registry.service import RegistryDesk


def desk_of(request: Request) -> RegistryDesk:
    """Return this room's service, built once per application."""
    state = request.app.state
    if not hasattr(state, "registry_desk"):
        centre: Centre = state.centre
        state.registry_desk = RegistryDesk(centre.registry, centre.database, centre.clock)
    desk: RegistryDesk = state.registry_desk
    return desk


Desk = Annotated[RegistryDesk, Depends(desk_of)]
