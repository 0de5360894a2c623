"""The room's one part, put together from the centre's floors when the room is first entered."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from central.city.book import Change
from central.security.changes import changed
from central.systems.centre import Centre
from central.systems.registry.service import RegistryDesk, Tell


def desk_of(request: Request) -> RegistryDesk:
    """Return this room's service, built once per application."""
    state = request.app.state
    if not hasattr(state, "registry_desk"):
        centre: Centre = state.centre
        state.registry_desk = RegistryDesk(centre.registry, centre.database, centre.clock)
    desk: RegistryDesk = state.registry_desk
    return desk


def tell_of(request: Request) -> Tell:
    """Return what notes a change for the audit entry of this request."""

    def tell(change: Change) -> None:
        changed(request, f"{change.kind} {change.id}", change.before or None, change.after or None)

    return tell


TellAudit = Annotated[Tell, Depends(tell_of)]
Desk = Annotated[RegistryDesk, Depends(desk_of)]
