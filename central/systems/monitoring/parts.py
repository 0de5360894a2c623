"""The room's parts, put together from the centre's floors when the room is first entered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from fastapi import Depends, FastAPI, Request

from central.city.registry import Registry
from central.kernel.bus import Bus
from central.link.gateways import Gateways
from central.link.outbox import Outbox
from central.link.packages import Packages
from central.link.wishes import Wishes
from central.live.feed import Feed
from central.security.sight import Sight
from central.store.base import Database
from central.store.history import History
from central.systems.centre import Centre
from central.systems.monitoring import citymap
from central.systems.monitoring.alarm_around import AlarmAround
from central.systems.monitoring.alarm_desk import Desk
from central.systems.monitoring.alarm_health import AlarmHealthDesk
from central.systems.monitoring.alarm_people import People
from central.systems.monitoring.alarm_saved import SavedViews
from central.systems.monitoring.alarm_watch import DeskWatch
from central.systems.monitoring.alarms import AlarmDesk
from central.systems.monitoring.audience import Audience
from central.systems.monitoring.cameras import CameraDesk
from central.systems.monitoring.figures import DEFAULT_PATTERNS
from central.systems.monitoring.gateways import GatewayDesk
from central.systems.monitoring.latest_lines import LatestLines
from central.systems.monitoring.marks import MapDesk
from central.systems.monitoring.overview import OverviewDesk
from central.systems.monitoring.replay import ReplayDesk
from central.systems.monitoring.schemas import CityMap
from central.systems.monitoring.service import Monitoring
from central.systems.monitoring.trend_views import TrendViewDesk
from central.systems.monitoring.witness import Witness
from protocols.model.clock import Clock


@dataclass(slots=True)
class Parts:
    """What the routes of this room work with."""

    registry: Registry
    monitoring: Monitoring
    alarms: AlarmDesk
    around: AlarmAround
    desk: Desk
    watch: DeskWatch
    witness: Witness
    saved: SavedViews
    people: People
    health: AlarmHealthDesk
    overview: OverviewDesk
    gateways: Gateways
    gateway_desk: GatewayDesk
    outbox: Outbox
    packages: Packages
    wishes: Wishes
    history: History
    feed: Feed
    lines: LatestLines
    bus: Bus
    clock: Clock
    map_dir: Path | None
    map_style: str | None
    map_desk: MapDesk
    replay: ReplayDesk
    trend_views: TrendViewDesk
    cameras: CameraDesk
    database: Database
    map: citymap.Layers | None = None

    @classmethod
    def build(cls, centre: Centre) -> Self:
        """Put the room together."""
        registry = centre.registry
        gateway_desk = GatewayDesk(centre.gateways, registry)
        wishes = Wishes(centre.outbox, centre.packages, centre.clock)
        desk = Desk(
            board=centre.alarms,
            registry=registry,
            database=centre.database,
            bus=centre.bus,
            clock=centre.clock,
            positions=centre.config.alarm_positions,
        )
        return cls(
            registry=registry,
            monitoring=Monitoring(
                registry=registry,
                latest=centre.latest,
                alarms=centre.alarms,
                gateways=centre.gateways,
                database=centre.database,
                clock=centre.clock,
            ),
            alarms=AlarmDesk(centre.alarms, registry, centre.history, centre.database),
            around=AlarmAround(centre.alarms, registry, centre.database),
            desk=desk,
            watch=DeskWatch(
                desk,
                board=centre.alarms,
                gateways=centre.gateways,
                registry=registry,
                database=centre.database,
                bus=centre.bus,
                clock=centre.clock,
            ),
            witness=Witness(
                registry=registry,
                latest=centre.latest,
                gateways=centre.gateways,
                wishes=wishes,
                database=centre.database,
                clock=centre.clock,
            ),
            saved=SavedViews(registry, centre.database, centre.clock),
            people=People(registry, centre.database),
            health=AlarmHealthDesk(centre.database, centre.clock, centre.config.alarm_positions),
            overview=OverviewDesk(
                registry=registry,
                latest=centre.latest,
                alarms=centre.alarms,
                gateways=gateway_desk,
                database=centre.database,
                clock=centre.clock,
                committed=centre.committed,
                patterns=centre.config.key_figures or DEFAULT_PATTERNS,
            ),
            gateways=centre.gateways,
            gateway_desk=gateway_desk,
            outbox=centre.outbox,
            packages=centre.packages,
            wishes=wishes,
            history=centre.history,
            feed=centre.feed,
            lines=LatestLines(centre.latest, centre.clock),
            bus=centre.bus,
            clock=centre.clock,
            map_dir=centre.config.map_dir,
            map_style=centre.config.map_style,
            replay=ReplayDesk(centre.database, registry, centre.clock),
            trend_views=TrendViewDesk(centre.database, registry, centre.clock),
            cameras=CameraDesk(
                registry=registry,
                latest=centre.latest,
                alarms=centre.alarms,
                gateways=centre.gateways,
                snapshots=centre.snapshots,
                outbox=centre.outbox,
                wishes=wishes,
                clock=centre.clock,
            ),
            database=centre.database,
            map_desk=MapDesk(
                registry=registry,
                latest=centre.latest,
                gateways=gateway_desk,
                tally=centre.alarms.tally,
                database=centre.database,
                clock=centre.clock,
            ),
        )

    def audience(self, sight: Sight) -> Audience:
        """Return what a listener of that sight may hear."""
        return Audience(sight, self.registry, self.alarms, self.overview)

    async def city_map(self, sight: Sight) -> CityMap:
        """Return the city's map, read from its folder once, with bounds that hold every site within sight."""
        if self.map is None:
            self.map = await asyncio.to_thread(citymap.load, self.map_dir)
        return self.map.around(list((await self.registry.city(sight.sites)).sites.values()), self.map_style)


def parts_in(app: FastAPI) -> Parts:
    """Return this room's parts, built once per application."""
    state = app.state
    if not hasattr(state, "monitoring"):
        state.monitoring = Parts.build(state.centre)
    parts: Parts = state.monitoring
    return parts


def parts_of(request: Request) -> Parts:
    """Return this room's parts to a route."""
    return parts_in(request.app)


Room = Annotated[Parts, Depends(parts_of)]
