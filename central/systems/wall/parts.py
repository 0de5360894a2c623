"""The room's parts, put together from the centre's floors when the room is first entered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from central.security.walls import Walls
from central.systems.centre import Centre
from central.systems.wall.service import Layouts


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes of this room work with."""

    layouts: Layouts
    walls: Walls


def parts_of(request: Request) -> Parts:
    """Return this room's parts; they keep nothing, so each request may have its own."""
    centre: Centre = request.app.state.centre
    return Parts(Layouts(centre.database, centre.registry, centre.clock), centre.security.walls)


Room = Annotated[Parts, Depends(parts_of)]
