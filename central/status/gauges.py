"""What can fill or lag, as Prometheus gauges, read when somebody asks and at most every five seconds.

Counters and histograms stand where the work is done (`link/ingest.py`, `kernel/requests.py`,
`kernel/timer.py`, `store/keeping/keeper.py`); docs/metrics.md lists all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final, cast

from prometheus_client import Gauge
from sqlalchemy.pool import QueuePool

from central.systems.centre import Centre

FRESH_S: Final = 5.0

STREAMS = Gauge("citynerve_live_streams", "Open live streams of browsers")
DATABASE_UP = Gauge("citynerve_database_up", "Whether the database answered the last look")
CONNECTIONS = Gauge("citynerve_database_connections", "Connections of this centre", ["pool", "state"])
CONNECTION_WAITERS = Gauge("citynerve_database_waiting", "Requests that wait for a connection")
DATABASE_BYTES = Gauge("citynerve_database_bytes", "Size of the database")
PARTITIONS = Gauge("citynerve_readings_partitions", "Daily tables of readings")
ROLLUP_BACKLOG = Gauge("citynerve_rollup_backlog_minutes", "Minutes of gateways that wait for their rollup")
ROLLUP_LAG = Gauge("citynerve_rollup_lag_seconds", "Age of the oldest minute that waits; 0: none does")
COMMANDS = Gauge("citynerve_outbox_commands", "Commands that have not ended", ["state"])
ORDERS = Gauge("citynerve_outbox_orders", "Orders to gateways that have not ended", ["state"])
JOBS = Gauge("citynerve_jobs", "Jobs that wait (`waiting`) or were given up (`dead`)", ["state"])
ALARMS = Gauge("citynerve_alarms_open", "Alarms that are not closed")
BACKUP = Gauge("citynerve_backup_taken_timestamp_seconds", "When the newest backup was taken; 0: never")
ARCHIVED = Gauge("citynerve_archive_bytes", "Bytes of the archive's files")
DISK_FREE = Gauge("citynerve_disk_free_bytes", "Room on the disk of the data folder")
DISK_SIZE = Gauge("citynerve_disk_size_bytes", "Size of that disk")

GATEWAYS = Gauge("citynerve_gateways", "Gateways by state", ["state"])
LAG = Gauge("citynerve_gateway_lag_seconds", "Age of the newest source time received", ["gateway"])
SEEN = Gauge("citynerve_gateway_seen_timestamp_seconds", "When it was last heard", ["gateway"])
BACKLOG = Gauge("citynerve_gateway_backlog_batches", "Batches that wait at the gateway", ["gateway"])
BACKLOG_READINGS = Gauge("citynerve_gateway_backlog_readings", "Readings that wait there", ["gateway"])
ASIDE = Gauge("citynerve_gateway_set_aside_batches", "Batches that the centre refused", ["gateway"])
LEFT = Gauge("citynerve_gateway_storage_left_seconds", "How long its memory lasts at this rate", ["gateway"])
DROPPED = Gauge("citynerve_gateway_dropped_readings", "Readings it had no room for, ever", ["gateway"])
OFFSET = Gauge("citynerve_gateway_clock_offset_seconds", "Centre's clock minus the gateway's", ["gateway"])

BY_GATEWAY: Final = (LAG, SEEN, BACKLOG, BACKLOG_READINGS, ASIDE, LEFT, DROPPED, OFFSET)

TOTALS: Final = """
SELECT pg_database_size(current_database()),
    (SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass),
    (SELECT count(*) FROM rollup_dirty),
    (SELECT extract(epoch FROM now() - min(minute))::float8 FROM rollup_dirty),
    (SELECT count(*) FROM alarms WHERE closed_at IS NULL),
    (SELECT coalesce(extract(epoch FROM max(taken_at)), 0)::float8 FROM backups),
    (SELECT coalesce(sum(bytes), 0)::bigint FROM archived_days)
"""
OPEN: Final = """
SELECT 'command', state, count(*) FROM commands WHERE finished_at IS NULL GROUP BY state
UNION ALL SELECT 'order', state, count(*) FROM orders WHERE finished_at IS NULL GROUP BY state
"""
DROPPED_BY: Final = "SELECT gateway, (body->'storage'->>'dropped')::bigint FROM gateway_status"
HAS_JOBS: Final = """
SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('jobs') AND attname = 'state')
"""
JOBS_BY: Final = "SELECT state, count(*) FROM jobs GROUP BY state"


class Gauges:
    """Reads the centre into the gauges above."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._read_at = float("-inf")

    async def read(self, centre: Centre, *, up: bool) -> None:
        """Read what is older than five seconds; of a database that is down only that it is."""
        STREAMS.set(centre.feed.clients)
        DATABASE_UP.set(up)
        _connections(centre)
        if not up or self._clock() - self._read_at < FRESH_S:
            return
        self._read_at = self._clock()
        _disk(centre)
        await self._totals(centre)
        await self._gateways(centre)

    async def _totals(self, centre: Centre) -> None:
        async with centre.database.pool.connection() as connection:
            row = await (await connection.execute(TOTALS.encode())).fetchone()
            waiting = await (await connection.execute(OPEN.encode())).fetchall()
            has_jobs = await (await connection.execute(HAS_JOBS.encode())).fetchone()
            jobs: Iterable[Any] = ()
            if has_jobs is not None and has_jobs[0]:
                jobs = await (await connection.execute(JOBS_BY.encode())).fetchall()
        assert row is not None  # noqa: S101 - it has no FROM
        gauges = (DATABASE_BYTES, PARTITIONS, ROLLUP_BACKLOG, ROLLUP_LAG, ALARMS, BACKUP, ARCHIVED)
        for gauge, value in zip(gauges, row, strict=True):
            gauge.set(0 if value is None else float(cast(float, value)))
        for gauge in (COMMANDS, ORDERS, JOBS):
            gauge.clear()
        for kind, state, count in cast(Iterable[tuple[str, str, int]], waiting):
            (COMMANDS if kind == "command" else ORDERS).labels(state).set(count)
        for state, count in jobs:
            JOBS.labels(state).set(count)

    async def _gateways(self, centre: Centre) -> None:
        async with centre.database.pool.connection() as connection:
            rows = await (await connection.execute(DROPPED_BY.encode())).fetchall()
        dropped = cast(dict[str, int], dict(cast(Iterable[tuple[str, int]], rows)))
        GATEWAYS.clear()
        for gauge in BY_GATEWAY:
            gauge.clear()
        for gateway in await centre.gateways.list():
            GATEWAYS.labels(gateway.state).inc()
            offset = gateway.clock_offset_ms
            values = (
                gateway.lag_s,
                None if gateway.last_seen is None else gateway.last_seen.timestamp(),
                gateway.backlog_batches,
                gateway.backlog_readings,
                gateway.set_aside,
                gateway.storage_left_s,
                dropped.get(gateway.id),
                None if offset is None else offset / 1000,
            )
            for gauge, value in zip(BY_GATEWAY, values, strict=True):
                if value is not None:
                    gauge.labels(gateway.id).set(value)


def _connections(centre: Centre) -> None:
    raw = centre.database.pool.get_stats()
    free = raw.get("pool_available", 0)
    CONNECTIONS.labels("copy", "used").set(raw.get("pool_size", 0) - free)
    CONNECTIONS.labels("copy", "free").set(free)
    CONNECTION_WAITERS.set(raw.get("requests_waiting", 0))
    pool = centre.database.engine.pool
    if isinstance(pool, QueuePool):
        CONNECTIONS.labels("tables", "used").set(pool.checkedout())
        CONNECTIONS.labels("tables", "free").set(pool.checkedin())


def _disk(centre: Centre) -> None:
    folder = centre.config.data_dir
    if folder.is_dir():
        use = shutil.disk_usage(folder)
        DISK_FREE.set(use.free)
        DISK_SIZE.set(use.total)
