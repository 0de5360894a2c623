"""Routes of the replay: the city at a past moment, and where in a span the alarms were."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from central.kernel.shapes import problems
from central.security.permissions import MayRead
from central.systems.monitoring import schemas_replay
from central.systems.monitoring.parts import Room
from protocols.model.clock import LATEST_US, from_datetime

router = APIRouter(tags=["monitoring"])


@router.get("/replay/at", operation_id="getReplayAt", responses=problems(401, 403, 422, 503))
async def get_replay_at(
    who: MayRead,
    room: Room,
    time: Annotated[AwareDatetime, Query(description="not after now")],
    site: Annotated[
        list[str], Query(default_factory=list, max_length=50, description="sites whose values are told")
    ],
) -> schemas_replay.ReplayFrame:
    """Return the city as it stood at a past moment: sites, devices that were not calm, alarms, values."""
    return await room.replay.at(_moment(time), who.sight, site)


@router.get("/replay/density", operation_id="getReplayDensity", responses=problems(401, 403, 422, 503))
async def get_replay_density(
    who: MayRead,
    room: Room,
    from_: Annotated[AwareDatetime, Query(alias="from")],
    to: Annotated[AwareDatetime, Query(description="not included")],
    buckets: Annotated[int, Query(ge=1, le=1000, description="equal parts of the span")] = 240,
) -> schemas_replay.ReplayDensity:
    """Return how many alarms were raised in each part of a span, by priority."""
    return await room.replay.density(_moment(from_), _moment(to), buckets, who.sight)


def _moment(time: AwareDatetime) -> int:
    return min(max(from_datetime(time), 0), LATEST_US)
