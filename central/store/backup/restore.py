"""Put a backup back: the tables of its own revision, filled in one transaction, then migrated up.

In this order, so that nothing is touched before it is sure: the file (every digest), its age (a newer
schema is refused), the database (empty, or `replace`; nobody else on it). Foreign keys are taken away
while the rows go in and made again at the end, which proves them; append-only tables are filled like
the others, because their triggers stop changes and not the first word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection, sql

from central.store import migrate
from central.store.backup import aftercare, catalogue
from central.store.backup.aftercare import Aftermath
from central.store.backup.bundle import Bundle, TableEntry
from protocols.errors import Rejected

Progress = Callable[[str, TableEntry | None, int, int], None]
"""Hears what is being done (`check`, `fill`, `migrate`), the table, its place, and how many there are."""

BOUND: Final = re.compile(r"DEFAULT|FOR VALUES FROM \('[-0-9: +]+'\) TO \('[-0-9: +]+'\)")
OURS: Final = ("gateways", "users", "audit", "readings", "alarms", "cases")
"""A database without a row in any of these holds nothing that anybody would miss."""

OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

FOREIGN_KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND conparentid = 0
ORDER BY conrelid, conname
"""

OBJECTS = """
SELECT format('DROP %s IF EXISTS %s CASCADE', CASE kind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
    WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FUNCTION' WHEN 't' THEN 'TYPE' ELSE 'TABLE' END, name)
FROM (
    SELECT relkind::text AS kind, oid, oid::regclass::text AS name FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT 'f', oid, oid::regprocedure::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    UNION ALL
    SELECT 't', oid, oid::regtype::text FROM pg_type
    WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('e', 'd')
) o
WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = o.oid AND d.deptype = 'e')
ORDER BY kind NOT IN ('r', 'p'), kind = 't'
"""
"""Tables first: their sequences, triggers and views go with them. What an extension made stays."""


def restore(
    url: str, path: Path, *, replace: bool = False, actor: str = "", progress: Progress | None = None
) -> tuple[Bundle, Aftermath]:
    """Put the backup at `path` into the database; return it, and what was done to keep the centre honest.

    Raises Rejected: `unreadable`, `damaged`, `newer`, `foreign`, `in-use`, `not-empty`; of all these nothing
    has been changed. A failure after that leaves tables without rows: run it again with `replace`.
    """
    told = progress or (lambda *_: None)
    kept = Bundle(path)
    manifest = kept.manifest
    for place, table in enumerate(manifest.tables, 1):
        for _ in kept.chunks(table):
            pass
        told("check", table, place, len(manifest.tables))
    if manifest.revision not in migrate.revisions():
        raise Rejected(
            "newer",
            f"{path} holds tables of revision {manifest.revision}, written by CityNerve {manifest.citynerve};"
            f" this version knows revisions up to {migrate.head()}. Install that version or a newer one,"
            " then restore",
        )
    with psycopg.connect(url, autocommit=True) as connection:
        _look(connection, replace=replace)
        connection.execute("SELECT pg_advisory_lock(%s)", (migrate.LOCK,))
        with connection.transaction():
            for (statement,) in connection.execute(OBJECTS).fetchall():
                connection.execute(statement)
        migrate.run(url, manifest.revision, locked=True)
        with connection.transaction():
            _fill(connection, kept, told)
        told("migrate", None, 0, 0)
        migrate.run(url, "head", locked=True)
        with connection.transaction():
            after = aftercare.tend(connection, manifest, str(path), actor)
        connection.execute("ANALYZE")
    return kept, after


def _look(connection: Connection[Any], *, replace: bool) -> None:
    """Raise Rejected unless this database may be filled."""
    there = {table.name for table in catalogue.tables(connection)}
    if there and catalogue.revision(connection) is None:
        raise Rejected(
            "foreign",
            f"the database holds tables that are not CityNerve's ({', '.join(sorted(there)[:3])}, …);"
            " give it a database of its own: CREATE DATABASE citynerve",
        )
    others = connection.execute(OTHERS).fetchone()
    if others is not None and others[0]:
        raise Rejected(
            "in-use",
            f"{others[0]} other connections are open on this database; stop every centre that uses it"
            " (systemctl stop citynerve), then restore",
        )
    if replace:
        return
    for name in sorted(there.intersection(OURS) | ({"readings"} if "readings_other" in there else set())):
        row = connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(name))).fetchone()
        if row is not None:
            raise Rejected(
                "not-empty",
                f"the database is not empty (there are rows in {name}); restore into an empty one, or give"
                " --replace to throw away what is in it",
            )


def _fill(connection: Connection[Any], kept: Bundle, told: Progress) -> None:
    """Put every row in; all or none."""
    shape = {table.name: table for table in catalogue.tables(connection)}
    keys = connection.execute(FOREIGN_KEYS).fetchall()
    for table, name, _ in keys:
        connection.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(_name(table), sql.Identifier(name))
        )
    for name in shape:
        # What migrations sow is in the backup as it had become; triggers fired when rows were written.
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(name)))
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(name)))
    tables = kept.manifest.tables
    for place, table in enumerate(tables, 1):
        if table.name not in shape:
            _partition(connection, kept.path, table)
        columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            sql.Identifier(table.name), columns
        )
        with connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for chunk in kept.chunks(table):
                    copy.write(chunk)
            if cursor.rowcount != table.rows:
                raise Rejected(
                    "damaged", f"table {table.name}: {cursor.rowcount} rows of {table.rows} went in"
                )
        told("fill", table, place, len(tables))
    for name in shape:
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(name)))
    for table, name, definition in keys:
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                _name(table), sql.Identifier(name), sql.SQL(definition)
            )
        )
    for name, last in kept.manifest.sequences.items():
        connection.execute("SELECT setval(%s, %s)", (f'"{name}"', last))


def _partition(connection: Connection[Any], path: Path, table: TableEntry) -> None:
    if table.parent is None or table.bound is None or not BOUND.fullmatch(table.bound):
        raise Rejected("damaged", f"{path}: table {table.name} is not of its revision")
    connection.execute(
        sql.SQL("CREATE TABLE {} PARTITION OF {} {}").format(
            sql.Identifier(table.name), sql.Identifier(table.parent), sql.SQL(table.bound)
        )
    )


def _name(regclass: str) -> sql.SQL:
    """A name that PostgreSQL has quoted already where it must be."""
    return sql.SQL(regclass)
