"""From a batch to the screens: what one commit does, in the order in which it does it.

marks     which batches are known already (a repeat changes nothing)
readings  columns into the day's partition, and marks for the rollups
alarms    transitions onto the board; what was raised, into the casebook
outcomes  onto the commands they belong to
COMMIT    then, and only then: receipts, latest values, live feed, bus
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, cast

import numpy as np
from psycopg import AsyncConnection
from psycopg.types.multirange import Int8Multirange
from psycopg.types.range import Int8Range
from sqlalchemy.ext.asyncio import AsyncConnection as EngineConnection
from sqlalchemy.ext.asyncio import AsyncSession

from central.casebook import schemas
from central.casebook.models import RaisedAlarm
from central.casebook.service import alarms_raised
from central.kernel.bus import Bus
from central.link.gateways import Gateways
from central.link.ingest import Arrival
from central.link.outbox import Outbox
from central.live.alarms import AlarmBoard, AlarmRow
from central.live.feed import Feed
from central.live.latest import LatestBoard
from central.store.base import Database
from central.store.readings import DAY_US, Partitions, SeriesReadings, store
from central.store.rollups import mark
from protocols.model.alarm import AlarmTransition, Priority
from protocols.model.clock import Clock, from_datetime, to_datetime
from protocols.model.command import CommandOutcome
from protocols.model.reading import Readings
from protocols.wire.handshake import Receipt

Stream = tuple[str, str, str]
"""(gateway, boot, stream): within it a sequence number is committed once."""

OPEN_MARKS = """
INSERT INTO ingest_marks (gateway, boot, stream)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING
"""

LOCK_MARKS = """
SELECT m.gateway, m.boot, m.stream, i.seq, m.committed @> i.seq FROM ingest_marks m
JOIN unnest(%s::text[], %s::text[], %s::text[], %s::int8[]) AS i (gateway, boot, stream, seq)
    USING (gateway, boot, stream)
ORDER BY m.gateway, m.boot, m.stream FOR UPDATE OF m
"""

ADD_MARKS = """
UPDATE ingest_marks SET committed = committed + %s WHERE gateway = %s AND boot = %s AND stream = %s
"""


@dataclass(slots=True)
class _Told:
    """What listeners hear after the commit."""

    readings: SeriesReadings | None = None
    alarms: dict[str, None] = field(default_factory=dict)
    commands: dict[str, None] = field(default_factory=dict)
    events: list[schemas.Event] = field(default_factory=list)


class Pipeline:
    """Commits groups of batches. One group at a time; `central.link.ingest` calls it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bus: Bus,
        *,
        latest: LatestBoard,
        alarms: AlarmBoard,
        feed: Feed,
        gateways: Gateways,
        outbox: Outbox,
    ) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._latest = latest
        self._alarms = alarms
        self._feed = feed
        self._gateways = gateways
        self._outbox = outbox
        self._partitions = Partitions(database.pool)

    async def commit(self, group: Sequence[Arrival]) -> list[Receipt]:
        """Commit a group in one transaction; return the receipts in its order.

        Raises WireError, or the database's error, and then nothing of the group is stored.
        """
        try:
            await self._make_partitions(group)
            return await self._commit(group)
        except BaseException:
            self._partitions.forget()
            raise

    async def _commit(self, group: Sequence[Arrival]) -> list[Receipt]:
        told = _Told()
        async with self._database.engine.connect() as connection, connection.begin():
            raw = await _driver(connection)
            fresh = await _fresh(raw, group)
            await self._readings(raw, [arrival for arrival in group if fresh[id(arrival)]], told)
            rows = [a for a in group if fresh[id(a)] and not isinstance(a.batch.payload, Readings)]
            if rows:
                await self._rows(connection, rows, told)
            await _remember(raw, [arrival for arrival in group if fresh[id(arrival)]])
        now_us = self._clock()
        await self._tell(group, told, now_us)
        return [
            Receipt(
                stream=arrival.batch.stream,
                seq=arrival.batch.seq,
                duplicate=not fresh[id(arrival)],
                stored=len(arrival.batch.payload) if fresh[id(arrival)] else 0,
                received_us=now_us,
            )
            for arrival in group
        ]

    async def _make_partitions(self, group: Sequence[Arrival]) -> None:
        days = [
            np.unique(arrival.batch.payload.time_us // DAY_US)
            for arrival in group
            if isinstance(arrival.batch.payload, Readings)
        ]
        if days:
            await self._partitions.ensure(np.concatenate(days))

    async def _readings(self, raw: AsyncConnection[Any], fresh: Sequence[Arrival], told: _Told) -> None:
        parts = [(arrival, arrival.batch.payload) for arrival in fresh]
        chosen = [(arrival, payload) for arrival, payload in parts if isinstance(payload, Readings)]
        if not chosen:
            return
        columns = Readings.concat([payload for _, payload in chosen])
        series = np.concatenate([arrival.series for arrival, _ in chosen])
        told.readings = SeriesReadings.sort(
            series, columns.time_us, columns.value, columns.quality, dict(columns.text)
        )
        await store(raw, told.readings)
        times: dict[str, list[Any]] = defaultdict(list)
        for arrival, payload in chosen:
            times[arrival.gateway].append(payload.time_us)
        for gateway, arrays in sorted(times.items()):
            await mark(raw, gateway, np.concatenate(arrays))

    async def _rows(self, connection: EngineConnection, fresh: Sequence[Arrival], told: _Told) -> None:
        """Apply alarms and outcomes, stream by stream in the order of their numbers."""
        async with AsyncSession(connection, expire_on_commit=False) as session:
            raised: list[AlarmRow] = []
            ordered = sorted(fresh, key=lambda arrival: (*_name(arrival), arrival.batch.seq))
            for (gateway, _, stream), arrivals in groupby(ordered, _name):
                its = list(arrivals)
                if stream == "alarms":
                    # Committed together, applied together: a storm comes in many small batches.
                    transitions = [one for arrival in its for one in _transitions(arrival)]
                    applied = await self._alarms.apply(session, gateway, transitions, its[0].received_us)
                    raised += applied.raised
                    told.alarms |= applied.changed
                    continue
                for arrival in its:
                    outcomes = cast(tuple[CommandOutcome, ...], arrival.batch.payload)
                    changed = await self._outbox.apply(session, gateway, outcomes)
                    told.commands |= dict.fromkeys(changed)
                    settled = await self._alarms.answered(session, gateway, outcomes, arrival.received_us)
                    told.alarms |= dict.fromkeys(settled)
            now = to_datetime(self._clock())
            told.events = await alarms_raised(session, [_raised(row) for row in raised], now=now)
            await session.flush()

    async def _tell(self, group: Sequence[Arrival], told: _Told, now_us: int) -> None:
        for arrival in group:
            payload = arrival.batch.payload
            if isinstance(payload, Readings):
                self._gateways.presence.received(arrival.gateway, int(payload.time_us.max()))
        if told.readings is not None:
            self._feed.publish(self._latest.apply(told.readings, now_us))
        await self._alarms.publish(list(told.alarms))
        await self._outbox.publish(list(told.commands))
        for event in told.events:
            self._bus.publish("event", event)


async def _driver(connection: EngineConnection) -> AsyncConnection[Any]:
    """Return psycopg's own connection below the engine's: COPY and savepoints in the same transaction."""
    raw = (await connection.get_raw_connection()).driver_connection
    return cast(AsyncConnection[Any], raw)


async def _fresh(raw: AsyncConnection[Any], group: Sequence[Arrival]) -> dict[int, bool]:
    """Lock the marks of the group's streams; return by arrival whether it is to be committed.

    Of two arrivals of one batch in one group the first is.
    """
    names = [_name(arrival) for arrival in group]
    columns = [list(column) for column in zip(*sorted(set(names)), strict=True)]
    await raw.execute(OPEN_MARKS, columns)
    asked = [*(list(column) for column in zip(*names, strict=True)), [a.batch.seq for a in group]]
    known: set[tuple[Stream, int]] = set()
    async for gateway, boot, stream, seq, committed in await raw.execute(LOCK_MARKS, asked):
        if committed:
            known.add(((gateway, boot, stream), seq))
    fresh: dict[int, bool] = {}
    for arrival, name in zip(group, names, strict=True):
        key = (name, arrival.batch.seq)
        fresh[id(arrival)] = key not in known
        known.add(key)
    return fresh


async def _remember(raw: AsyncConnection[Any], fresh: Sequence[Arrival]) -> None:
    """Add the committed sequence numbers to the marks."""
    numbers: dict[Stream, list[int]] = defaultdict(list)
    for arrival in fresh:
        numbers[_name(arrival)].append(arrival.batch.seq)
    for name, seqs in sorted(numbers.items()):
        ranges = Int8Multirange([Int8Range(seq, seq + 1) for seq in sorted(seqs)])
        await raw.execute(ADD_MARKS, (ranges, *name))


def _transitions(arrival: Arrival) -> tuple[AlarmTransition, ...]:
    return cast(tuple[AlarmTransition, ...], arrival.batch.payload)


def _name(arrival: Arrival) -> Stream:
    return arrival.gateway, arrival.batch.boot, arrival.batch.stream


def _raised(row: AlarmRow) -> RaisedAlarm:
    return RaisedAlarm(
        id=row.id,
        rule=row.rule_id,
        name_zh=row.name_zh,
        name_en=row.name_en,
        point=row.point,
        device=row.device,
        site=row.site,
        priority=cast(Priority, row.priority),
        category=row.category,
        raised_us=from_datetime(row.raised_at),
    )
