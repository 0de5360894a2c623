"""Open alarms are counted once for everybody, and a count that somebody changed is never told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.bus import Bus
from central.live import alarm_tally
from central.live.alarm_tally import Pile, Tally
from central.store.base import Database
from protocols.model.alarm import AlarmEvent as E
from tests.central.live.test_overlays import say
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running


class Counted:
    """A database that counts how often it is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.times = 0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        self.times += 1
        async with self._database.session() as session:
            yield session


async def site_of(city: Running) -> str:
    async with city.centre.database.session() as session:
        site = await session.scalar(text("SELECT site FROM alarms"))
        assert isinstance(site, str)
        return site


async def test_an_answer_is_counted_at_once(city: Running, gateway: FieldGateway) -> None:
    board, tally = city.centre.alarms, city.centre.alarms.tally
    assert (await tally.counts(None)).active == 0
    await say(gateway, E.ACT, at=city.clock.now)
    counts = await tally.counts(None)
    assert (counts.active, counts.unacked, counts.shelved, sum(counts.by_priority.values())) == (1, 1, 0, 1)
    priority = next(code for code, count in counts.by_priority.items() if count)
    site = await site_of(city)
    assert await tally.worst_by_site(None) == {site: (priority, 1, 1)}
    assert await tally.worst_points({"level"}, None) == {"gw-north.well.level": priority}
    assert await tally.worst_points({"flow"}, None) == {}
    assert await tally.by_device(None) == {"gw-north.well": Pile("gw-north.well", site, priority, 1, 1)}
    await board.acknowledge("a", "operator")
    assert (await tally.counts(None)).unacked == 0
    await board.shelve("a", "operator", 10, "cleaning")
    counts = await tally.counts(None)
    assert (counts.active, counts.shelved) == (0, 1)
    assert await tally.by_device(None) == {}
    assert await tally.worst_points({"level"}, None) == {}


async def test_who_sees_other_sites_counts_nothing_of_this_one(city: Running, gateway: FieldGateway) -> None:
    tally = city.centre.alarms.tally
    await say(gateway, E.ACT, at=city.clock.now)
    assert (await tally.counts({await site_of(city)})).active == 1
    assert (await tally.counts({"elsewhere"})).active == 0
    assert await tally.worst_by_site({"elsewhere"}) == {}
    assert await tally.worst_points({"level"}, {"elsewhere"}) == {}
    assert await tally.by_device({"elsewhere"}) == {}


async def test_the_database_is_asked_once_until_something_changes(
    city: Running, gateway: FieldGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(gateway, E.ACT, at=city.clock.now)
    now = 1000.0
    monkeypatch.setattr(alarm_tally, "time", SimpleNamespace(monotonic=lambda: now))
    database, bus = Counted(city.centre.database), Bus()
    tally = Tally(cast("Database", database), bus)
    for _ in range(5):
        assert (await tally.counts(None)).active == 1
        assert len(await tally.worst_by_site(None)) == 1
    assert database.times == 1
    # Another centre on the same database tells this one nothing.
    async with city.centre.database.session() as session:
        await session.execute(text("UPDATE alarms SET state = 'ACKED'"))
    assert (await tally.counts(None)).unacked == 1
    now += alarm_tally.KEPT_S
    assert (await tally.counts(None)).unacked == 0
    assert database.times == 2
    bus.publish("alarm", object())
    await tally.counts(None)
    assert database.times == 3


def test_a_device_that_was_moved_keeps_the_worst_of_both() -> None:
    here, there = Pile("d", "a", None, 0, 1), Pile("d", "b", "P2", 1, 1)
    assert here.beside(there) == Pile("d", "a", "P2", 1, 2)
    assert there.beside(Pile("d", "c", "P1", 2, 0)) == Pile("d", "b", "P1", 3, 1)
