"""How many alarms are open, by site and priority: counted once for everybody who asks.

Counting 50,000 open occurrences costs a tenth of a second of the database. Screens ask once a second each, so
the count is kept until an alarm or the desk has changed. Another centre may work on the same database while
a release is rolled out; its changes are not told here, so no count is older than `KEPT_S`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Set
from typing import Final, NamedTuple

from sqlalchemy import and_, case, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from central.kernel.bus import Bus
from central.live.alarm_query import ACTIVE, BARE, OPEN, UNACKED
from central.live.alarm_rows import AlarmRow
from central.live.alarm_views import AlarmCounts
from central.store.base import Database

KEPT_S: Final = 15.0
PRIORITIES: Final = ("P1", "P2", "P3", "P4")


class Heap(NamedTuple):
    """The open occurrences of one site and priority; active and unacked without those under an overlay."""

    site: str
    priority: str
    active: int
    unacked: int
    shelved: int


class Pile(NamedTuple):
    """The open occurrences of one device, without those under an overlay that its gateway laid."""

    device: str
    site: str
    worst: str | None
    active: int
    unacked: int

    def beside(self, other: Pile) -> Pile:
        """Return both in one."""
        worst = min((code for code in (self.worst, other.worst) if code), default=None)
        return Pile(self.device, self.site, worst, self.active + other.active, self.unacked + other.unacked)


class Worst(NamedTuple):
    """Of the points of one key at one site, the one with the worst active alarm."""

    site: str
    point: str
    priority: str


class Tally:
    """Counts the open alarms of the whole city, and answers for parts of it."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._turn = asyncio.Lock()
        self._heaps: list[Heap] = []
        self._worst: dict[tuple[str, ...], list[Worst]] = {}
        self._devices: list[Pile] = []
        self._changes = -1
        self._counted = 0.0

    async def counts(self, sites: Set[str] | None) -> AlarmCounts:
        """Count what is open at these sites (None: everywhere)."""
        heaps = await self._seen(sites)
        by_priority = dict.fromkeys(PRIORITIES, 0)
        for heap in heaps:
            by_priority[heap.priority] += heap.active
        return AlarmCounts(
            active=sum(heap.active for heap in heaps),
            unacked=sum(heap.unacked for heap in heaps),
            shelved=sum(heap.shelved for heap in heaps),
            by_priority=by_priority,
        )

    async def worst_by_site(self, sites: Set[str] | None) -> dict[str, tuple[str | None, int, int]]:
        """Return site -> (worst active priority, active, unacknowledged), where anything is open."""
        found: dict[str, tuple[str | None, int, int]] = {}
        for heap in await self._seen(sites):  # in the order of priorities
            worst, active, unacked = found.get(heap.site, (None, 0, 0))
            if heap.active:
                worst = worst or heap.priority
            found[heap.site] = worst, active + heap.active, unacked + heap.unacked
        return found

    async def by_device(self, sites: Set[str] | None) -> dict[str, Pile]:
        """Return device -> what is open there, where anything is."""
        async with self._turn:
            await self._count()
            if not self._devices:
                self._devices = await self._piles()
            piles = self._devices
        found: dict[str, Pile] = {}
        for pile in piles:
            if sites is None or pile.site in sites:
                # A device that was moved has open alarms at two sites.
                found[pile.device] = pile.beside(found[pile.device]) if pile.device in found else pile
        return found

    async def worst_points(self, keys: Collection[str], sites: Set[str] | None) -> dict[str, str]:
        """Return point -> worst active priority: of the points with each of these keys, one a site."""
        async with self._turn:
            await self._count()
            wanted = tuple(sorted(keys))
            if wanted not in self._worst:
                self._worst[wanted] = await self._points(wanted)
            listed = self._worst[wanted]
        return {worst.point: worst.priority for worst in listed if sites is None or worst.site in sites}

    async def _seen(self, sites: Set[str] | None) -> list[Heap]:
        async with self._turn:
            await self._count()
            heaps = self._heaps
        return heaps if sites is None else [heap for heap in heaps if heap.site in sites]

    async def _count(self) -> None:
        # Read before the database is asked: what is committed meanwhile is counted again.
        changes, now = self._bus.told("alarm") + self._bus.told("desk"), time.monotonic()
        if changes == self._changes and now - self._counted < KEPT_S:
            return
        statement = (
            select(
                AlarmRow.site,
                AlarmRow.priority,
                func.count().filter(and_(BARE, ACTIVE)),
                func.count().filter(and_(BARE, UNACKED)),
                func.count().filter(AlarmRow.shelved_until.is_not(None)),
            )
            .where(OPEN)
            .group_by(AlarmRow.site, AlarmRow.priority)
            .order_by(AlarmRow.priority)
        )
        async with self._database.session() as session:
            self._heaps = [Heap(*row) for row in await session.execute(statement)]
        self._worst.clear()
        self._devices = []
        self._changes, self._counted = changes, now

    async def _piles(self) -> list[Pile]:
        statement = (
            select(
                AlarmRow.device,
                AlarmRow.site,
                func.min(case((ACTIVE, AlarmRow.priority))),
                func.count().filter(ACTIVE),
                func.count().filter(UNACKED),
            )
            .where(OPEN, func.cardinality(AlarmRow.overlays) == 0)
            .group_by(AlarmRow.device, AlarmRow.site)
        )
        async with self._database.session() as session:
            return [Pile(*row) for row in await session.execute(statement)]

    async def _points(self, keys: tuple[str, ...]) -> list[Worst]:
        if not keys:
            return []
        key = func.substr(AlarmRow.point, func.length(AlarmRow.device) + 2)
        statement = (
            select(AlarmRow.site, AlarmRow.point, AlarmRow.priority)
            .ext(distinct_on(AlarmRow.site, key))
            .where(OPEN, BARE, ACTIVE, key.in_(keys))
            .order_by(AlarmRow.site, key, AlarmRow.priority, AlarmRow.point)
        )
        async with self._database.session() as session:
            return [Worst(*row) for row in await session.execute(statement)]
