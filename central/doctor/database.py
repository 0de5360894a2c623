"""PostgreSQL: version, settings that decide whether data survive, tables, transactions, partitions."""

from __future__ import annotations

from collections.abc import AsyncIterator

from central.doctor.finding import Finding, Patient, span, volume
from central.store import migrate
from central.store.base import ENGINE_POOL, RAW_POOL

OLDEST = 150_000
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
LONG_S = 600.0
FUTURE_DAYS = 2
FREEZE_AGE = 1_500_000_000

BLOATED = """
SELECT relname, n_dead_tup, pg_total_relation_size(relid) FROM pg_stat_user_tables
WHERE n_dead_tup > 200000 AND n_dead_tup > n_live_tup ORDER BY n_dead_tup DESC LIMIT 5
"""
LONG = """
SELECT pid, extract(epoch FROM now() - xact_start)::float8, state, left(query, 60) FROM pg_stat_activity
WHERE datname = current_database() AND xact_start < now() - %s * interval '1 second'
    AND state = 'idle in transaction'
"""
FUTURE = r"""
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'readings'::regclass AND c.relname ~ '^readings_\d{8}$'
    AND to_date(substring(c.relname FROM '\d{8}$'), 'YYYYMMDD') > current_date + %s ORDER BY 1
"""


async def version(patient: Patient) -> AsyncIterator[Finding]:
    """PostgreSQL 15 or newer."""
    number, name = await patient.row(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    )
    if number < OLDEST:
        yield Finding(
            "database.version", "error", f"PostgreSQL {name} is older than 15",
            "the tables use what older servers do not have",
            "upgrade the server with pg_upgrade, or restore a `citynerve backup` into a newer one",
        )  # fmt: skip


async def revision(patient: Patient) -> AsyncIterator[Finding]:
    """The tables are those of this version."""
    rows = await patient.rows("SELECT version_num FROM alembic_version")
    found = rows[0][0] if rows else "none"
    if found not in migrate.revisions():
        yield Finding(
            "database.newer", "warning",
            f"the tables are at revision {found}, this version knows {migrate.head()}",
            "this centre works on them, but does not know what is new", "upgrade this installation too",
        )  # fmt: skip
    elif found != migrate.head():
        yield Finding(
            "database.older", "error",
            f"the tables are at revision {found}, this version wants {migrate.head()}",
            "the centre does not start on them before they are migrated; it does so itself at its start",
            "citynerve backup FOLDER && citynerve db upgrade",
        )  # fmt: skip


async def settings(patient: Patient) -> AsyncIterator[Finding]:
    """What is acknowledged must be on disk; the centre's connections must fit."""
    for name in DURABLE:
        (value,) = await patient.row("SELECT current_setting(%s)", name)
        if value == "off":
            yield Finding(
                "database.settings", "error", f"PostgreSQL runs with {name} = off",
                "a gateway deletes what the centre acknowledged; a power cut at the centre then loses it",
                f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
            )  # fmt: skip
    most, used = await patient.row(
        "SELECT current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend')"
    )
    wanted = 2 * ENGINE_POOL + RAW_POOL + 8
    if most < wanted or used > 0.8 * most:
        yield Finding(
            "database.connections", "warning", f"{used} of {most} connections are in use",
            f"one centre may take up to {wanted}; without a free one its answers are 503",
            f"ALTER SYSTEM SET max_connections = {max(100, 2 * wanted)}; and restart PostgreSQL",
        )  # fmt: skip


async def tables(patient: Patient) -> AsyncIterator[Finding]:
    """Dead rows, broken indexes, transaction numbers that run out."""
    for name, dead, size in await patient.rows(BLOATED):
        yield Finding(
            "database.bloat", "warning", f"{name} holds {dead:,} dead rows in {volume(size)}",
            "queries read them too, and the disk fills", f"VACUUM (ANALYZE) {name};",
        )  # fmt: skip
    broken = await patient.rows("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    for (name,) in broken:
        yield Finding(
            "database.index", "error", f"index {name} is not valid", "queries and unique keys do without it",
            f"REINDEX INDEX CONCURRENTLY {name};",
        )  # fmt: skip
    (age,) = await patient.row("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()")
    if age > FREEZE_AGE:
        yield Finding(
            "database.freeze", "error", f"the oldest transaction number is {age:,} transactions back",
            "at two thousand million PostgreSQL stops taking writes", "vacuumdb --all --freeze",
        )  # fmt: skip


async def transactions(patient: Patient) -> AsyncIterator[Finding]:
    """Transactions that were left open hold back cleaning and lock out migrations."""
    for pid, seconds, _, query in await patient.rows(LONG, LONG_S):
        yield Finding(
            "database.transaction", "warning",
            f"connection {pid} has been idle in a transaction for {span(seconds)} ({query!r})",
            "dead rows cannot be cleaned, and retention and migrations wait for it",
            f"SELECT pg_terminate_backend({pid});",
        )  # fmt: skip


async def partitions(patient: Patient) -> AsyncIterator[Finding]:
    """Days of readings far ahead, or before 2000: clocks of devices that are wrong."""
    ahead = [name for (name,) in await patient.rows(FUTURE, FUTURE_DAYS)]
    if ahead:
        yield Finding(
            "partitions.future", "warning",
            f"there are readings of {len(ahead)} days in the future, as far as {ahead[-1][9:]}",
            "a device's or gateway's clock is wrong; its trend lies where nobody looks, and retention"
            " does not reach it",
            "citynerve gateway list --json   # then look at clock offsets, and set the clock of the device",
        )  # fmt: skip
    (old,) = await patient.row("SELECT EXISTS (SELECT 1 FROM readings_other)")
    if old:
        yield Finding(
            "partitions.old", "warning", "there are readings of before the year 2000",
            "a device's clock was never set; retention never deletes them",
            "SELECT p.id, count(*) FROM readings_other r JOIN points p USING (series) GROUP BY 1;",
        )  # fmt: skip


LOOKS = (version, revision, settings, tables, transactions, partitions)
