"""The room's parts, put together from the centre's floors when the room is first entered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from fastapi import Depends, Request

from central.link.gateways import Gateways
from central.link.ingest import READINGS
from central.live.feed import Feed
from central.store.history import History
from central.systems.monitoring import citymap
from central.systems.monitoring.alarms import AlarmDesk
from central.systems.monitoring.overview import OverviewDesk
from central.systems.monitoring.registry import Registry
from central.systems.monitoring.schemas import CityMap
from central.systems.monitoring.service import Monitoring
from protocols.model.clock import Clock


@dataclass(slots=True)
class Parts:
    """What the routes of this room work with."""

    registry: Registry
    monitoring: Monitoring
    alarms: AlarmDesk
    overview: OverviewDesk
    gateways: Gateways
    history: History
    feed: Feed
    clock: Clock
    map_dir: Path | None
    map: CityMap | None = None

    @classmethod
    def build(cls, centre: Any) -> Self:
        """Put the room together; `centre` is `central.app.Centre`, which rooms cannot import."""
        registry = Registry(centre.database)
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
            overview=OverviewDesk(
                registry=registry,
                latest=centre.latest,
                alarms=centre.alarms,
                gateways=centre.gateways,
                database=centre.database,
                clock=centre.clock,
                committed=committed_readings,
            ),
            gateways=centre.gateways,
            history=centre.history,
            feed=centre.feed,
            clock=centre.clock,
            map_dir=centre.config.map_dir,
        )

    async def city_map(self) -> CityMap:
        """Return the city's map, read from its folder once."""
        if self.map is None:
            sites = list((await self.registry.city()).sites.values())
            found = await asyncio.to_thread(citymap.load, self.map_dir, sites)
            if self.map_dir is None:
                return found
            self.map = found
        return self.map


def committed_readings() -> int:
    """Return how many readings this process has committed since it started."""
    samples = (sample for metric in READINGS.collect() for sample in metric.samples)
    return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))


def parts_of(request: Request) -> Parts:
    """Return this room's parts, built once per application."""
    state = request.app.state
    if not hasattr(state, "monitoring"):
        state.monitoring = Parts.build(state.centre)
    parts: Parts = state.monitoring
    return parts


Room = Annotated[Parts, Depends(parts_of)]
