"""The city in numbers, and the beat that tells every open screen when they change."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from central.casebook import queries
from central.city.registry import City, Registry
from central.kernel.bus import Bus
from central.kernel.shapes import Name, QualityOut
from central.live.alarms import AlarmBoard
from central.live.latest import LatestBoard
from central.security.sight import EVERYTHING, Sight
from central.store.base import Database
from central.systems.monitoring import schemas
from central.systems.monitoring.condition import count_devices
from central.systems.monitoring.figures import DEFAULT_PATTERNS, Chooser
from central.systems.monitoring.gateways import GatewayDesk
from protocols.model.clock import SECOND_US, Clock, to_datetime

BEAT_S: Final = 1.0
RATE_SPAN_US: Final = 10 * SECOND_US


class Rate:
    """Readings per second over the last ten seconds, from a counter that only rises."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._marks: deque[tuple[int, int]] = deque()

    def per_second(self, total: int) -> float:
        """Note the counter's value now, and return the rate since the oldest mark within the span."""
        now = self._clock()
        self._marks.append((now, total))
        while len(self._marks) > 2 and self._marks[1][0] <= now - RATE_SPAN_US:
            self._marks.popleft()
        then, before = self._marks[0]
        return 0.0 if now <= then else round((total - before) * SECOND_US / (now - then), 1)


class OverviewDesk:
    """Counts the city; every count comes from the board, the registry or the casebook, none is kept here."""

    def __init__(
        self,
        *,
        registry: Registry,
        latest: LatestBoard,
        alarms: AlarmBoard,
        gateways: GatewayDesk,
        database: Database,
        clock: Clock,
        committed: Callable[[], int],
        patterns: Sequence[str] = DEFAULT_PATTERNS,
    ) -> None:
        self._registry = registry
        self._latest = latest
        self._alarms = alarms
        self._gateways = gateways
        self._database = database
        self._clock = clock
        self._committed = committed
        self._chooser = Chooser(patterns)
        self._rate = Rate(clock)
        self._turn = asyncio.Lock()
        self._parts: dict[Sight, schemas.Overview] = {}
        self._parts_of: datetime | None = None

    async def overview(self, sight: Sight) -> schemas.Overview:
        """Count everything within sight now."""
        city = await self._registry.city(sight.sites)
        now_us = self._clock()
        now = to_datetime(now_us)
        devices = count_devices(city, self._latest)
        points = self._latest.summary(None if sight.whole else city.live_series)
        alarms = await self._alarms.counts(sight.sites)
        worst = await self._alarms.worst_by_site(sight.sites)
        gateways = await self._gateways.list(sight)
        active = await self._alarms.tally.worst_points(self._chooser.shortlist(city).keys, sight.sites)
        async with self._database.session() as session:
            cases = await queries.counts(session, now, sight.sites)
        return schemas.Overview(
            server_time=now,
            sites=schemas.SiteCounts(
                total=len(city.sites_in_use), with_alarm=sum(1 for _, count, _ in worst.values() if count)
            ),
            devices=schemas.DeviceCounts(
                total=devices.total(),
                online=devices["active"],
                stale=devices["stale"],
                bad=devices["fault"],
            ),
            points=schemas.PointCounts(
                total=points.total,
                good=points.good,
                uncertain=points.uncertain,
                bad=points.bad,
                stale=points.stale,
                unread=points.unread,
            ),
            alarms=schemas.AlarmCounts(
                active=alarms.active,
                unacked=alarms.unacked,
                shelved=alarms.shelved,
                by_priority=schemas.PriorityCounts(
                    **{code: alarms.by_priority.get(code, 0) for code in ("P1", "P2", "P3", "P4")}
                ),
            ),
            cases=schemas.CaseCounts(open=cases.open, overdue=cases.overdue),
            gateways=schemas.GatewayCounts(
                total=len(gateways), online=sum(item.state in {"online", "degraded"} for item in gateways)
            ),
            readings_per_s=self._rate.per_second(self._committed()) if sight.whole else None,
            key_figures=self._figures(city, active),
        )

    async def part(self, sight: Sight, beat: datetime) -> schemas.Overview:
        """Return the overview within sight, counted once a beat for all who see the same."""
        async with self._turn:
            if self._parts_of != beat:
                self._parts, self._parts_of = {}, beat
            if sight not in self._parts:
                self._parts[sight] = await self.overview(sight)
            return self._parts[sight]

    def _figures(self, city: City, active: dict[str, str]) -> list[schemas.KeyFigure]:
        chosen = self._chooser.choose(city, active)
        values = self._latest.get_many([figure.point.series for figure in chosen])
        shown = []
        for figure in chosen:
            value = values.get(figure.point.series)
            if value is None:
                continue
            shown.append(
                schemas.KeyFigure.model_validate(
                    {
                        "point": figure.point.id,
                        "device": figure.point.device,
                        "site": figure.site,
                        "name": Name(zh=figure.point.name_zh, en=figure.point.name_en),
                        "value": value.value,
                        "unit": figure.point.unit,
                        "decimals": figure.point.decimals,
                        "time": to_datetime(value.time_us),
                        "quality": QualityOut.of(value.quality),
                        "stale": value.stale,
                        "priority": figure.priority,
                    }
                )
            )
        return shown


class Beat:
    """Publishes `overview` while somebody listens and the numbers change; due once a second."""

    def __init__(self, desk: OverviewDesk, bus: Bus, listening: Callable[[], bool]) -> None:
        self._desk = desk
        self._bus = bus
        self._listening = listening
        self._last: schemas.Overview | None = None

    async def turn(self) -> None:
        """Count once, and tell the bus what is new."""
        if not self._listening():
            self._last = None
            return
        now = await self._desk.overview(EVERYTHING)
        if differs(now, self._last):
            self._bus.publish("overview", now)
            self._last = now


def differs(now: schemas.Overview, last: schemas.Overview | None) -> bool:
    """Say whether the numbers changed: the time alone is no news."""
    return last is None or now.model_copy(update={"server_time": last.server_time}) != last
