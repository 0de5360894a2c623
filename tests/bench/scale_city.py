"""A grown city put straight into the tables: points, a year of daily partitions, rollups, alarms.

At scale 1: 100,000 points at 500 sites, 100 million readings (three a day from every point for 334 days,
and twenty points that spoke every second yesterday), 50,000 open alarms after half a million closed ones.
What is there already is not made again, so that a run that was broken off can go on.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import Connection, sql

from central.store.embedded import embedded_server
from central.store.migrate import upgrade
from central.store.readings import DAY_US, partition_name
from protocols.model.clock import now_us

GATEWAYS, SITES_EACH, DEVICES_EACH, POINTS_EACH = 50, 10, 10, 20
DAYS, A_DAY = 334, 3
SECONDLY = 20
HOURLY_YEARS = 1000
OPEN, CLOSED = 50_000, 500_000
BULK = {
    "fsync": "off", "synchronous_commit": "off", "wal_level": "minimal", "max_wal_senders": "0",
    "maintenance_work_mem": "1GB", "work_mem": "256MB", "autovacuum": "off", "max_wal_size": "16GB",
}  # fmt: skip
"""Nothing here has to survive a crash."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of the city: 1.0 is what the issue asks for. today: days since 1970 (UTC)."""

    scale: float
    today: int

    @property
    def gateways(self) -> int:
        """Each has 2,000 points."""
        return max(1, round(GATEWAYS * self.scale))

    @property
    def points(self) -> int:
        """How many there are; their series are 1 to this."""
        return self.gateways * SITES_EACH * DEVICES_EACH * POINTS_EACH

    @property
    def readings(self) -> int:
        """How many are stored."""
        return self.points * DAYS * A_DAY + SECONDLY * 86_400

    def of(self, whole: int) -> int:
        """Return the part of a number that this scale has."""
        return max(100, round(whole * self.scale))


REGISTRY = """
INSERT INTO gateways (id, name_zh, name_en, state, created_at, enrolled_at, last_seen, declaration)
SELECT 'gw-' || g, '网关 ' || g, 'Gateway ' || g, 'active', now(), now(), now(), 'd' || g
FROM generate_series(1, %(gateways)s) g;
INSERT INTO sites (id, name_zh, name_en, kind, district, lon, lat, declared)
SELECT 'site-' || s, (ARRAY['滨江','东湖','西山','南岸','北闸'])[s %% 5 + 1] || '泵站 ' || s,
    (ARRAY['Riverside','Lakeside','Hillside','Southbank','Northgate'])[s %% 5 + 1] || ' station ' || s,
    (ARRAY['pumping_station','tunnel','bridge','park'])[s %% 4 + 1],
    (ARRAY['江东区','江西区','新城区'])[s %% 3 + 1], 118.2 + (s %% 25) * 0.01, 30.8 + (s / 25) * 0.01, '{}'
FROM generate_series(0, %(gateways)s * 10 - 1) s;
INSERT INTO devices (id, gateway, key, site, name_zh, name_en, kind, profile, profile_version, protocol,
    vendor, model, declared)
SELECT 'gw-' || (d / 100 + 1) || '.dev-' || d, 'gw-' || (d / 100 + 1), 'dev-' || d, 'site-' || (d / 10),
    (ARRAY['水泵','闸门','液位计','配电柜'])[d %% 4 + 1] || ' ' || d,
    (ARRAY['Pump','Gate','Level gauge','Switchboard'])[d %% 4 + 1] || ' ' || d,
    (ARRAY['pump','gate','level','power'])[d %% 4 + 1], 'bench.unit', 1, 'modbus',
    'Bench', 'M' || d %% 7, '{}'
FROM generate_series(0, %(gateways)s * 100 - 1) d;
INSERT INTO points (series, id, gateway, device, key, name_zh, name_en, unit, value_type, period_s, decimals,
    writable, labels, declared)
OVERRIDING SYSTEM VALUE
SELECT p + 1, 'gw-' || (p / 2000 + 1) || '.dev-' || (p / 20) || '.v' || p %% 20, 'gw-' || (p / 2000 + 1),
    'gw-' || (p / 2000 + 1) || '.dev-' || (p / 20), 'v' || p %% 20,
    (ARRAY['液位','流量','压力','温度','电流'])[p %% 5 + 1] || ' ' || p %% 20,
    (ARRAY['Level','Flow','Pressure','Temperature','Current'])[p %% 5 + 1] || ' ' || p %% 20,
    (ARRAY['m','m³/h','kPa','°C','A'])[p %% 5 + 1], 'number', CASE WHEN p < 20 THEN 1 ELSE 28800 END, 2,
    false, '{}', '{}'
FROM generate_series(0, %(points)s - 1) p;
SELECT setval(pg_get_serial_sequence('points', 'series'), %(points)s)
"""

ALARMS = """
INSERT INTO alarms (id, gateway, declaration, rule_id, point, series, device, site, name_zh, name_en, kind,
    priority, category, "limit", deadband, unit, state, number, raised_at, cleared_at, acked_at, acked_by,
    closed_at, raise_value, last_value, late)
SELECT md5('alarm' || a)::uuid::text, 'gw-' || (p / 2000 + 1), 'd' || (p / 2000 + 1),
    'dev-' || (p / 20) || '.high-' || p %% 20,
    'gw-' || (p / 2000 + 1) || '.dev-' || (p / 20) || '.v' || p %% 20, p + 1,
    'gw-' || (p / 2000 + 1) || '.dev-' || (p / 20), 'site-' || (p / 200), '液位高', 'Level high', 'hi',
    'P' || (CASE WHEN a %% 20 = 0 THEN 1 WHEN a %% 20 < 4 THEN 2 WHEN a %% 20 < 12 THEN 3 ELSE 4 END),
    (ARRAY['process','equipment','safety'])[a %% 3 + 1], 90, 1, 'm',
    CASE WHEN a > %(closed)s THEN (ARRAY['UNACK','ACKED','RTNUN'])[a %% 3 + 1] ELSE 'NORM' END, 3,
    raised, CASE WHEN a > %(closed)s THEN NULL ELSE raised + interval '10 min' END,
    CASE WHEN a > %(closed)s THEN NULL ELSE raised + interval '2 min' END,
    CASE WHEN a > %(closed)s THEN NULL ELSE 'li.na' END,
    CASE WHEN a > %(closed)s THEN NULL ELSE raised + interval '10 min' END, 92.5, 91.0, false
FROM (SELECT a, (a::bigint * 7919) %% %(points)s AS p,
    CASE WHEN a > %(closed)s THEN now() - (a - %(closed)s) * interval '600 ms'
        ELSE now() - interval '1 day' - a * interval '60 s' END AS raised
    FROM generate_series(1, %(closed)s + %(open)s) a) made;
INSERT INTO alarm_journal (alarm, at, recorded_at, event, from_state, to_state, actor, comment, value,
    number, late)
SELECT id, raised_at, raised_at, 'ACT', 'NORM', 'UNACK', gateway, '', raise_value, 1, false FROM alarms
UNION ALL SELECT id, acked_at, acked_at, 'ACK', 'UNACK', 'ACKED', acked_by, '', NULL, 2, false
FROM alarms WHERE acked_at IS NOT NULL
UNION ALL SELECT id, closed_at, closed_at, 'CLR', 'ACKED', 'NORM', gateway, '', last_value, 3, false
FROM alarms WHERE closed_at IS NOT NULL;
INSERT INTO events (id, number, title_zh, title_en, site, device, category, level, state, opened_at,
    closing_note)
SELECT 'ev-' || site || category, 'E-' || site || category, '液位高', 'Level high', site, min(device),
    category, min(priority), 'reported', min(raised_at), ''
FROM alarms WHERE priority IN ('P1', 'P2') AND closed_at IS NULL GROUP BY site, category;
INSERT INTO event_alarms (alarm, event_id, rule, name_zh, name_en, point, device, priority, raised_at)
SELECT id, 'ev-' || site || category, rule_id, name_zh, name_en, point, device, priority, raised_at
FROM alarms WHERE priority IN ('P1', 'P2') AND closed_at IS NULL
"""

ROLLUPS = {
    "1h": """
        SELECT s, b, 60, 60 * 50.0, 49.0, 51.0, 50.0, b + interval '59 min', 0
        FROM generate_series(1, %(yearly)s::int) s,
            generate_series(%(today)s::timestamptz - interval '365 days',
            %(today)s::timestamptz - interval '1 hour', interval '1 hour') b""",
    "1d": """
        SELECT s, b, 3, 150.0, 49.0, 51.0, 50.0, b + interval '20 h', 0
        FROM generate_series(1, %(points)s::int) s,
            generate_series(%(today)s::timestamptz - interval '60 days',
            %(today)s::timestamptz - interval '1 day', interval '1 day') b""",
    "1m": """
        SELECT s, b, 60, 60 * 50.0, 49.0, 51.0, 50.0, b + interval '59 s', 0
        FROM generate_series(1, %(secondly)s::int) s,
            generate_series(%(today)s::timestamptz - interval '30 days',
            %(today)s::timestamptz - interval '1 minute', interval '1 minute') b""",
}

MAKE = "CREATE TABLE {table} (LIKE readings INCLUDING ALL EXCLUDING INDEXES)"
INDEX = "ALTER TABLE {table} ADD CONSTRAINT {key} PRIMARY KEY (series, time)"
ATTACH = "ALTER TABLE readings ATTACH PARTITION {table} FOR VALUES FROM ({start}) TO ({end})"
DAY_ROWS = """
INSERT INTO {table} (series, time, value, quality)
SELECT s, {day}::timestamptz + k * interval '8 hours' + (s %% 28800) * interval '1 second',
    50 + 40 * sin(s + k), 0
FROM generate_series(%(from)s::int, %(points)s::int) s, generate_series(0, {a_day} - 1) k
"""
SECOND_ROWS = """
INSERT INTO {table} (series, time, value, quality)
SELECT s, {day}::timestamptz + k * interval '1 second', round((50 + 40 * sin(s + k / 600.0)) * 100) / 100, 0
FROM generate_series(1, {secondly}) s, generate_series(0, 86399) k
"""


UNVACUUMED = """
SELECT relname FROM pg_stat_user_tables
WHERE last_vacuum IS NULL AND n_live_tup > 0 AND relname !~ '^readings_'
"""
QUIET = "ALTER TABLE {} SET (autovacuum_enabled = false)"
"""Days of the past stay as they are: no vacuum wakes up over a year of them while others are measured."""


def fill(folder: Path, scale: float) -> Size:
    """Put the city into a fresh, or half-filled, data folder of a centre; return what is in it."""
    filled = folder / "bench-filled"
    if filled.exists():
        return Size(scale, int(filled.read_text()))
    size = Size(scale, now_us() // DAY_US)
    asyncio.run(_fill(folder, size))
    filled.write_text(str(size.today))
    return size


async def _fill(folder: Path, size: Size) -> None:
    async with embedded_server(folder, settings=BULK) as url:
        await upgrade(url)
        await asyncio.to_thread(_work, url, size)


def _work(url: str, size: Size) -> None:
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
        # Neither triggers nor foreign keys: nobody is told of half a million alarms of the past.
        connection.execute("SET session_replication_role = replica")
        numbers = {"gateways": size.gateways, "points": size.points}
        if not _any(connection, "points"):
            _script(connection, REGISTRY, numbers)
        if not _any(connection, "alarms"):
            _script(connection, ALARMS, {**numbers, "open": size.of(OPEN), "closed": size.of(CLOSED)})
        for name in ROLLUPS:
            if not _any(connection, f"rollup_{name}"):
                _rollup(connection, name, size)
        days = {
            str(row[0])
            for row in connection.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'readings'::regclass"
            )
        }
        for back in range(1, DAYS + 1):
            name = partition_name(size.today - back)
            if name not in days:
                _day(connection, size, back, name)
            connection.execute(sql.SQL(QUIET).format(sql.Identifier(name)))
            if back % 50 == 0:
                sys.stdout.write(f"  {back} of {DAYS} days\n")
                sys.stdout.flush()
        _vacuum(connection, partition_name(size.today - 1))
        for (name,) in connection.execute(UNVACUUMED).fetchall():
            _vacuum(connection, name)


def _vacuum(connection: Connection, name: str) -> None:
    """Do what a year of autovacuum would have done."""
    connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(name)))


def _any(connection: Connection, table: str) -> bool:
    asked = sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(table))
    row = connection.execute(asked).fetchone()
    return bool(row and row[0])


def _script(connection: Connection, script: str, numbers: dict[str, int]) -> None:
    with connection.transaction():
        for statement in script.split(";\n"):
            connection.execute(statement.encode(), numbers)


def _day(connection: Connection, size: Size, back: int, name: str) -> None:
    """Make a partition as the centre does, filled before it has an index."""
    date = datetime.fromtimestamp((size.today - back) * 86_400, UTC)
    ends = {"start": sql.Literal(date.isoformat()), "end": sql.Literal((date + timedelta(1)).isoformat())}
    table = {"table": sql.Identifier(name), "day": ends["start"], "secondly": sql.Literal(SECONDLY)}
    table |= {"a_day": sql.Literal(A_DAY), "key": sql.Identifier(f"{name}_pkey")}
    with connection.transaction():
        connection.execute(sql.SQL(MAKE).format(**table))
        if back == 1:
            connection.execute(sql.SQL(SECOND_ROWS).format(**table))
        first = SECONDLY + 1 if back == 1 else 1
        connection.execute(sql.SQL(DAY_ROWS).format(**table), {"points": size.points, "from": first})
        connection.execute(sql.SQL(INDEX).format(**table))
        connection.execute(sql.SQL(ATTACH).format(**table, **ends))


def _rollup(connection: Connection, name: str, size: Size) -> None:
    numbers = {
        "points": size.points,
        "yearly": min(HOURLY_YEARS, size.points),
        "secondly": SECONDLY,
        "today": datetime.fromtimestamp(size.today * 86_400, UTC),
    }
    key = f"CONSTRAINT pk_rollup_{name}"
    with connection.transaction():
        connection.execute(f"TRUNCATE rollup_{name}".encode())
        connection.execute(f"ALTER TABLE rollup_{name} DROP {key}".encode())
        columns = "series, bucket, n, sum, min, max, last, last_time, bad"
        connection.execute(f"INSERT INTO rollup_{name} ({columns}) {ROLLUPS[name]}".encode(), numbers)
        connection.execute(f"ALTER TABLE rollup_{name} ADD {key} PRIMARY KEY (series, bucket)".encode())
