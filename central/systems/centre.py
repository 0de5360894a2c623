"""What every room is given: the floors below it, as one object. Built in `central/app.py`, nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from central.city.registry import Registry
from central.config import Config
from central.kernel.bus import Bus
from central.link.gateways import Gateways
from central.link.outbox import Outbox
from central.link.packages import Packages
from central.live.alarms import AlarmBoard
from central.live.feed import Feed
from central.live.latest import LatestBoard
from central.live.snapshots import Snapshots
from central.security.parts import Security
from central.store.base import Database
from central.store.history import History
from protocols.model.clock import Clock


@dataclass(frozen=True, slots=True)
class Centre:
    """The parts of one running centre; `request.app.state.centre` in a route."""

    config: Config
    clock: Clock
    database: Database
    bus: Bus
    registry: Registry
    latest: LatestBoard
    alarms: AlarmBoard
    feed: Feed
    history: History
    gateways: Gateways
    outbox: Outbox
    packages: Packages
    snapshots: Snapshots
    security: Security
    committed: Callable[[], int]
    """How many readings were committed since the start; its difference over time is the rate."""


def of(request: Request) -> Centre:
    """Return the centre that answers this request."""
    centre: Centre = request.app.state.centre
    return centre


CentreDep = Annotated[Centre, Depends(of)]
"""`async def route(centre: CentreDep)`."""
