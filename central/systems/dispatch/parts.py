"""The room's one part, put together from the centre's floors when the room is first entered."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from central.casebook.due import Limits
from central.systems.centre import Centre
from central.systems.dispatch.service import Dispatch


def dispatch_of(request: Request) -> Dispatch:
    """Return this room's service, built once per application."""
    state = request.app.state
    if not hasattr(state, "dispatch"):
        centre: Centre = state.centre
        state.dispatch = Dispatch(
            centre.database, centre.bus, centre.outbox, centre.clock, Limits.of(centre.config.due_minutes)
        )
    dispatch: Dispatch = state.dispatch
    return dispatch


Room = Annotated[Dispatch, Depends(dispatch_of)]
