"""The archive: `archive/YYYY/MM/DD-CLASS.parquet` in the data folder, beside each a manifest with its digest.

The files are never changed; what comes late for a day is a file of its own,
`DD-CLASS-2.parquet`. The database knows them (`archived_days`), and so does each `.json` beside its file,
should the database be lost. A day that is put back is held for 30 days before it goes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Literal

import msgspec
from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.sql import SQL, Identifier

from central.store.keeping.classes import RetentionClass
from central.store.keeping.files import Written, digest
from central.store.readings import SeriesReadings, copy_bytes, partition_name, text_copy_bytes
from protocols.errors import Rejected

KNOW = """
INSERT INTO archived_days (day, class, file, rows, bytes, sha256, archived_at)
VALUES (%s, %s, %s, %s, %s, %s, now())
"""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the archive. file is relative to the archive's folder."""

    day: date
    retention: str
    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a file: `whole`, `missing`, or `changed` (its SHA-256 is another)."""

    entry: Entry
    state: Literal["whole", "missing", "changed"]


class Archive:
    """The files of one centre."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, day: date, retention: RetentionClass) -> Path:
        """Return where the next file of a class of a day goes."""
        folder = self.folder / f"{day:%Y}" / f"{day:%m}"
        for number in count(1):
            path = folder / f"{day:%d}-{retention}{f'-{number}' if number > 1 else ''}.parquet"
            if not path.exists():
                return path
        raise AssertionError("numbers do not end")

    def put(
        self,
        connection: Connection[Any],
        day: date,
        retention: RetentionClass,
        path: Path,
        written: Written,
    ) -> None:
        """Note a file that was written, beside it and in the database.

        What is there already, byte for byte (a day that was put back goes again), is not kept twice.
        """
        query = "SELECT 1 FROM archived_days WHERE day = %s AND class = %s AND sha256 = %s"
        if connection.execute(query, (day, retention, written.sha256)).fetchone() is not None:
            path.unlink()
            return
        entry = Entry(
            day=day, retention=retention, file=str(path.relative_to(self.folder)),
            rows=written.rows, bytes=written.bytes, sha256=written.sha256,
        )  # fmt: skip
        path.with_suffix(".json").write_text(json.dumps(msgspec.to_builtins(entry), indent=1))
        connection.execute(KNOW, (day, retention, entry.file, entry.rows, entry.bytes, entry.sha256))

    def entries(self, connection: Connection[Any], day: date | None = None) -> list[Entry]:
        """Return what was archived, the oldest first; of one day where it is given."""
        rows = connection.execute(
            "SELECT day, class, file, rows, bytes, sha256 FROM archived_days"
            " WHERE %(day)s::date IS NULL OR day = %(day)s ORDER BY day, class, file",
            {"day": day},
        ).fetchall()
        names = ("day", "retention", "file", "rows", "bytes", "sha256")
        return [Entry(**dict(zip(names, row, strict=True))) for row in rows]

    def verify(self, entries: list[Entry]) -> Iterator[Verdict]:
        """Read every file and compare its digest."""
        for entry in entries:
            path = self.folder / entry.file
            if not path.is_file():
                yield Verdict(entry, "missing")
            else:
                same = path.stat().st_size == entry.bytes and digest(path) == entry.sha256
                yield Verdict(entry, "whole" if same else "changed")

    def restore(self, connection: Connection[Any], day: date) -> tuple[int, int]:
        """Put a day back among the readings; return (rows put back, rows of points that are not known).

        What is there stays. Raises Rejected: `not-archived`, `damaged`; then nothing is changed.
        """
        # Arrow takes half a second and 40 MB: only who opens a file pays for it.
        from central.store.keeping import parquet  # noqa: PLC0415

        entries = self.entries(connection, day)
        if not entries:
            raise Rejected("not-archived", f"{day} is not in the archive; see: citynerve archive list")
        for verdict in self.verify(entries):
            if verdict.state != "whole":
                raise Rejected(
                    "damaged",
                    f"{self.folder / verdict.entry.file} is {verdict.state};"
                    " take it from a copy of the archive",
                )
        known = dict(connection.execute("SELECT id, series FROM points").fetchall())
        back = 0
        with connection.transaction():
            connection.execute(
                "INSERT INTO kept_days (day, restored_at) VALUES (%s, now()) ON CONFLICT (day) DO UPDATE"
                " SET restored_at = now(), dropped_at = NULL, thinned = '{}'",
                (day,),
            )
            _partition(connection, day)
            for entry in entries:
                for readings in parquet.read(self.folder / entry.file, known):
                    back += _store(connection, day, readings)
        return back, sum(entry.rows for entry in entries) - back


def _partition(connection: Connection[Any], day: date) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    there = connection.execute("SELECT to_regclass(%s)", (_table(day),)).fetchone()
    if there is not None and there[0] is None:
        connection.execute(
            SQL("CREATE TABLE {} PARTITION OF readings FOR VALUES FROM ({}) TO ({})").format(
                Identifier(_table(day)), start.isoformat(), (start + timedelta(days=1)).isoformat()
            )
        )


def _store(connection: Connection[Any], day: date, readings: SeriesReadings) -> int:
    if not len(readings):
        return 0
    table = Identifier(_table(day))
    try:
        with connection.transaction():
            _copy(connection, table, readings)
    except UniqueViolation:
        connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE readings) ON COMMIT DROP")
        connection.execute("TRUNCATE incoming")
        _copy(connection, Identifier("incoming"), readings)
        connection.execute(SQL("INSERT INTO {} SELECT * FROM incoming ON CONFLICT DO NOTHING").format(table))
    return len(readings)


def _copy(connection: Connection[Any], table: Identifier, readings: SeriesReadings) -> None:
    with connection.cursor() as cursor:
        if len(readings.text) < len(readings):
            columns = SQL("COPY {} (series, time, value, quality) FROM STDIN (FORMAT binary)").format(table)
            with cursor.copy(columns) as copy:
                copy.write(copy_bytes(readings))
        if readings.text:
            columns = SQL("COPY {} (series, time, value, quality, text) FROM STDIN (FORMAT binary)").format(
                table
            )
            with cursor.copy(columns) as copy:
                copy.write(text_copy_bytes(readings))


def _table(day: date) -> str:
    return partition_name((day - date(1970, 1, 1)).days)
