"""Take a backup while the centre works: one snapshot, all tables, one file.

The transaction is REPEATABLE READ, so every table shows the same instant, and readings go on being
written meanwhile. Its locks (ACCESS SHARE) stand in the way of nothing but dropping tables; retention
and migrations wait, and say so. The digests are of the rows in the order in which they lie in the table,
which a restore repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection, sql
from psycopg.errors import UndefinedTable

from central.store.backup import bundle, catalogue
from central.store.backup.bundle import CHUNK, FORMAT, Manifest, TableEntry
from central.store.backup.catalogue import Table
from protocols.errors import Rejected

SUFFIX: Final = ".cnbackup"
ATTEMPTS: Final = 5
KEEPING_LOCK: Final = 0x43_4E_5F_4B_50
"""Advisory lock of retention: "CN_KP". A backup shares it, so that no partition is dropped under it."""

Progress = Callable[[TableEntry, int, int], None]
"""Hears each table as it is done, its place, and how many there are."""

SESSION = """
SET timezone = 'UTC'; SET statement_timeout = 0; SET lock_timeout = 0; SET synchronize_seqscans = off;
SET idle_in_transaction_session_timeout = 0; SET extra_float_digits = 3; SET bytea_output = 'hex'
"""
"""No time limits of the server's; scans begin at the beginning, so that a digest says the same twice."""


def file_in(folder: Path, now: datetime) -> Path:
    """Return the name of a backup in a folder: `citynerve-20261122T134500Z.cnbackup`."""
    return folder / f"citynerve-{now:%Y%m%dT%H%M%SZ}{SUFFIX}"


def take(url: str, target: Path, *, progress: Progress | None = None) -> tuple[Path, Manifest]:
    """Write a backup of the database to `target`, a file or a folder that is there; return what it holds.

    Raises Rejected: `no-tables`, `no-room`, `exists`; psycopg.Error where the database went away.
    """
    path = file_in(target, datetime.now(UTC)) if target.is_dir() else target
    if path.exists():
        raise Rejected("exists", f"{path} is there already; choose another name, or a folder")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SESSION)
        # Before the transaction: its first statement that reads makes the snapshot.
        connection.execute("SELECT pg_advisory_lock_shared(%s)", (KEEPING_LOCK,))
        tables = _begin(connection)
        with bundle.create(path) as made:
            entries = []
            for place, table in enumerate(tables, 1):
                entry = _copy(connection, made, table)
                entries.append(entry)
                if progress is not None:
                    progress(entry, place, len(tables))
            manifest = _manifest(connection, entries)
            made.finish(manifest)
        connection.execute("COMMIT")
    return path, manifest


def record(url: str, path: Path, manifest: Manifest, actor: str) -> None:
    """Note in the database that a backup was taken, for `doctor` and the metrics; older tables cannot."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT to_regclass('backups')").fetchone()
        if row is None or row[0] is None:
            return
        connection.execute(
            "INSERT INTO backups (taken_at, finished_at, file, bytes, rows, revision, actor)"
            " VALUES (%s, now(), %s, %s, %s, %s, %s)",
            (manifest.taken_at, str(path), path.stat().st_size, manifest.rows, manifest.revision, actor),
        )


def _begin(connection: Connection[Any]) -> list[Table]:
    """Open the transaction with every table locked against being dropped; its snapshot is made after that."""
    for _ in range(ATTEMPTS):
        tables = catalogue.tables(connection)
        if not tables or catalogue.revision(connection) is None:
            raise Rejected("no-tables", "the database holds no tables of CityNerve: there is nothing to keep")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        names = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)
        try:
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
        except UndefinedTable:
            connection.execute("ROLLBACK")  # dropped in between: look again
            continue
        if catalogue.tables(connection) == tables:
            return tables
        connection.execute("ROLLBACK")
    raise Rejected("busy", "the tables change all the time (a migration runs?); try again in a minute")


def _copy(connection: Connection[Any], made: bundle.NewBundle, table: Table) -> TableEntry:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    chosen = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        columns, sql.Identifier(table.name), sql.Literal(table.name not in catalogue.LEFT_OUT)
    )
    with connection.cursor() as cursor, made.table(table.name) as writing:
        waiting = bytearray()
        # The driver hands over row by row; digest and compressor want more at a time.
        with cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(chosen)) as copy:
            for row in copy:
                waiting += row
                if len(waiting) >= CHUNK:
                    writing.write(waiting)
                    waiting.clear()
        writing.write(waiting)
        rows = cursor.rowcount
    return TableEntry(
        name=table.name, columns=table.columns, parent=table.parent, bound=table.bound,
        rows=rows, bytes=writing.bytes, sha256=writing.sha256,
    )  # fmt: skip


def _manifest(connection: Connection[Any], entries: list[TableEntry]) -> Manifest:
    row = connection.execute("SELECT now(), current_setting('server_version')").fetchone()
    revision = catalogue.revision(connection)
    if row is None or revision is None:
        raise Rejected("no-tables", "the tables were taken away while they were read; try again")
    return Manifest(
        format=FORMAT,
        citynerve=version("citynerve"),
        revision=revision,
        server=row[1],
        taken_at=row[0],
        tables=tuple(entries),
        sequences=catalogue.sequences(connection),
        left_out=tuple(sorted(catalogue.LEFT_OUT)),
    )
