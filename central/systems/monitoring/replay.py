"""The city as it stood at a past moment: alarms from their journal, values and states from the readings.

The registry is today's: what was declared or renamed since is shown under its present name and place.
Where readings have been dropped by their retention class, no value was fresh: devices then are stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from central.city.registry import City, PointRecord, Registry
from central.kernel.problem import Problem
from central.live.latest import STALE_PERIODS
from central.security.sight import Sight
from central.store.base import Database
from central.store.history import ALL_BITS
from central.store.readings import DAY_US
from central.systems.monitoring import schemas_replay as schemas
from protocols.model.alarm import ACTIVE_STATES, UNACKED_STATES
from protocols.model.clock import Clock, from_datetime, to_datetime
from protocols.model.quality import quality_class

MOST_ALARMS: Final = 2000
"""In the list of one moment; the counts are of all."""
STATES: Final = {"active": 0, "stale": 1, "fault": 2}
LEVELS: Final = ("P1", "P2", "P3", "P4")

ALARMS_AT: Final = """
SELECT a.id, a.site, a.device, a.point, a.priority, a.name_zh, a.name_en, a.raised_at, step.to_state
FROM alarms a CROSS JOIN LATERAL (
    SELECT j.to_state FROM alarm_journal j WHERE j.alarm = a.id AND j.at <= %(at)s
    ORDER BY j.at DESC, j.id DESC LIMIT 1
) step
WHERE a.raised_at <= %(at)s AND (a.closed_at IS NULL OR a.closed_at > %(at)s) AND step.to_state <> 'NORM'
    AND (%(sites)s::text[] IS NULL OR a.site = ANY(%(sites)s::text[]))
ORDER BY a.raised_at DESC, a.id DESC
"""
"""What stood at a moment, by the last step before it; one index look per alarm that was open then."""

VALUES_AT: Final = """
SELECT s.series, (extract(epoch FROM r.time) * 1000000)::bigint, r.value, r.quality, r.text
FROM unnest(%(series)s::int[], %(reach_s)s::float8[]) AS s (series, reach_s) CROSS JOIN LATERAL (
    SELECT time, value, quality, text FROM readings
    WHERE series = s.series AND time <= %(at)s AND time > %(from)s
        AND time > %(at)s::timestamptz - s.reach_s * interval '1 second'
    ORDER BY time DESC LIMIT 1
) r
"""
"""The newest reading of each series at a moment, as far back as each may reach."""

DENSITY: Final = """
SELECT
    width_bucket(extract(epoch FROM raised_at)::float8, %(start)s::float8, %(end)s::float8, %(buckets)s) - 1,
    priority, count(*)
FROM alarms
WHERE raised_at >= %(from)s AND raised_at < %(to)s
    AND (%(sites)s::text[] IS NULL OR site = ANY(%(sites)s::text[]))
GROUP BY 1, 2
"""
"""How many alarms were raised in each of so many equal parts of a span, by priority."""


class ReplayDesk:
    """Answers how it was, as far as the asker's sight reaches."""

    def __init__(self, database: Database, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock

    async def at(self, moment_us: int, sight: Sight, sites: Iterable[str] = ()) -> schemas.ReplayFrame:
        """Return one frame; `sites`: whose values it tells. Problem 422 `ahead` for a time to come."""
        if moment_us > self._clock():
            raise Problem(422, "ahead", "That has not been yet", "`time` must not lie after now.")
        city = await self._registry.city(sight.sites)
        devices = city.live_devices
        owned = {device.id for device in devices}
        points = [point for point in city.live if point.device in owned]
        asked = {device.id for site in sites for device in city.devices_of.get(site, [])}
        async with self._database.pool.connection() as connection:
            cursor = await connection.execute(
                ALARMS_AT.encode(),
                {"at": to_datetime(moment_us), "sites": None if sight.sites is None else sorted(sight.sites)},
            )
            alarms: list[Any] = await cursor.fetchall()
            fresh = await _values(connection, points, moment_us)
            chosen = [point for point in points if point.device in asked]
            known = await _values(connection, chosen, moment_us, DAY_US) if chosen else {}
        alarms = [row for row in alarms if row[1] in city.sites]
        return schemas.ReplayFrame(
            time=to_datetime(moment_us),
            devices=_devices(city, fresh, alarms),
            sites=_sites(city, fresh, alarms),
            alarms=_alarms(alarms[:MOST_ALARMS]),
            total_alarms=len(alarms),
            values=_shown(chosen, known, moment_us),
        )

    async def density(self, from_us: int, to_us: int, buckets: int, sight: Sight) -> schemas.ReplayDensity:
        """Count raised alarms by part of the span and priority; Problem 422 `bad-span` where it is empty."""
        if to_us <= from_us:
            raise Problem(422, "bad-span", "The span is empty", "`from` must lie before `to`.")
        columns = {level: [0] * buckets for level in LEVELS}
        values = {
            "from": to_datetime(from_us), "to": to_datetime(to_us), "start": from_us / 1e6,
            "end": to_us / 1e6, "buckets": buckets,
            "sites": None if sight.sites is None else sorted(sight.sites),
        }  # fmt: skip
        async with self._database.pool.connection() as connection:
            rows: list[Any] = await (await connection.execute(DENSITY.encode(), values)).fetchall()
        for bucket, priority, count in rows:
            columns[priority][min(max(int(bucket), 0), buckets - 1)] += count
        return schemas.ReplayDensity(
            from_ms=from_us // 1000, step_ms=(to_us - from_us) / buckets / 1000, **columns
        )


Reading = tuple[int, float | None, int, str | None]
"""time µs, value, quality, text."""


async def _values(
    connection: AsyncConnection[Any], points: Sequence[PointRecord], moment_us: int, least_us: int = 0
) -> dict[int, Reading]:
    """Return series -> the newest reading that was not stale, or not older than `least_us`."""
    reach = [max(STALE_PERIODS * point.period_s, least_us / 1e6) for point in points]
    values = {
        "series": [point.series for point in points],
        "reach_s": reach,
        "at": to_datetime(moment_us),
        "from": to_datetime(max(moment_us - int(max(reach, default=0.0) * 1e6), 0)),
    }
    cursor = await connection.execute(VALUES_AT.encode(), values)
    rows: list[Any] = await cursor.fetchall()
    return {
        series: (time_us, value, quality & ALL_BITS, text) for series, time_us, value, quality, text in rows
    }


def _state(city: City, device: str, fresh: dict[int, Reading]) -> str:
    """Judge a device as the live page does: stale without a fresh value, fault without a good one."""
    heard = [fresh[point.series] for point in city.points_of.get(device, []) if point.series in fresh]
    if not heard:
        return "stale"
    return "fault" if all(quality_class(reading[2]) == "bad" for reading in heard) else "active"


class _Tally:
    """Alarms of one device or site at the moment."""

    def __init__(self) -> None:
        self.worst, self.active, self.unacked = 0, 0, 0

    def add(self, priority: str, state: str) -> None:
        if state in ACTIVE_STATES:
            level = int(priority[1:])
            self.worst = level if not self.worst else min(self.worst, level)
            self.active += 1
        self.unacked += state in UNACKED_STATES


def _tallies(alarms: Sequence[Any], column: int) -> dict[str, _Tally]:
    found: dict[str, _Tally] = {}
    for row in alarms:
        found.setdefault(row[column], _Tally()).add(row[4], row[8])
    return found


def _devices(city: City, fresh: dict[int, Reading], alarms: Sequence[Any]) -> schemas.ReplayMarks:
    tallies = _tallies(alarms, 2)
    states = {device.id: _state(city, device.id, fresh) for device in city.live_devices}
    ids = [device for device, state in states.items() if state != "active" or device in tallies]
    return _marks(ids, [STATES[states[device]] for device in ids], tallies)


def _sites(city: City, fresh: dict[int, Reading], alarms: Sequence[Any]) -> schemas.ReplayMarks:
    tallies = _tallies(alarms, 1)
    ids = [site.id for site in city.sites_in_use]
    silent = [
        all(
            _state(city, device.id, fresh) == "stale"
            for device in city.devices_of.get(site, [])
            if not device.retired
        )
        for site in ids
    ]
    return _marks(ids, [STATES["stale"] if quiet else STATES["active"] for quiet in silent], tallies)


def _marks(ids: list[str], states: list[int], tallies: dict[str, _Tally]) -> schemas.ReplayMarks:
    rows = [tallies.get(item) or _Tally() for item in ids]
    return schemas.ReplayMarks(
        id=ids,
        state=states,
        worst=[row.worst for row in rows],
        active=[row.active for row in rows],
        unacked=[row.unacked for row in rows],
    )


def _alarms(rows: Sequence[Any]) -> schemas.ReplayAlarms:
    return schemas.ReplayAlarms(
        id=[row[0] for row in rows],
        site=[row[1] for row in rows],
        device=[row[2] for row in rows],
        point=[row[3] for row in rows],
        priority=[row[4] for row in rows],
        name=[{"zh": row[5], "en": row[6]} for row in rows],
        raised_ms=[from_datetime(row[7]) // 1000 for row in rows],
        state=[row[8] for row in rows],
    )


def _shown(points: Sequence[PointRecord], known: dict[int, Reading], moment_us: int) -> schemas.ReplayValues:
    told = [(point, known[point.series]) for point in points if point.series in known]
    ages = [(moment_us - reading[0]) / 1e6 for _, reading in told]
    return schemas.ReplayValues(
        point=[point.id for point, _ in told],
        unit=[point.unit for point, _ in told],
        value=[reading[1] for _, reading in told],
        text=[reading[3] for _, reading in told],
        quality=[reading[2] for _, reading in told],
        age_s=ages,
        stale=[age > STALE_PERIODS * point.period_s for (point, _), age in zip(told, ages, strict=True)],
    )
