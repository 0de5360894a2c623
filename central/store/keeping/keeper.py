"""Does what the plan says: archives where it is wanted, deletes, and notes it. Of many centres one does it.

It gives way to everything else. A day is dropped only with a lock that comes within seconds, or the next
hour; rows go in small transactions; a backup that is being taken (KEEPING_LOCK, shared) is waited for.
Between archiving and deleting, late readings may arrive for a day: then the count differs, nothing is
deleted, and the next hour archives it anew.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

import psycopg
import structlog
from prometheus_client import Counter
from psycopg import Connection
from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg.sql import SQL, Identifier

from central.store.backup.take import KEEPING_LOCK
from central.store.keeping.archive import Archive
from central.store.keeping.classes import SERIES_BY_CLASS, Limits, RetentionClass
from central.store.keeping.plan import Day, Step, plan

log = structlog.get_logger(__name__)

EVERY_S: Final = 3600
"""Days fall due once a day; what had to wait (a lock, a backup, a backlog) is tried again in an hour."""
SERIES_AT_ONCE: Final = 20
"""Series of one deletion: a day of twenty points at 1 Hz is under two million rows."""
ROLLUPS_AT_ONCE: Final = 500
STOP_S: Final = 2.0
LOCK_TIMEOUT: Final = "3s"

DROPPED = Counter("citynerve_retention_days_dropped", "Daily partitions of readings that were dropped")
DELETED = Counter(
    "citynerve_retention_rows_deleted", "Readings deleted before their day, by class", ["class"]
)
ARCHIVED = Counter("citynerve_retention_rows_archived", "Readings written to the archive before deletion")

DAYS = r"""
SELECT to_date(substring(c.relname FROM 'readings_(\d{8})$'), 'YYYYMMDD'), coalesce(k.thinned, '{}'),
    EXISTS (SELECT 1 FROM rollup_dirty r
        WHERE r.minute >= to_date(substring(c.relname FROM '\d{8}$'), 'YYYYMMDD')
        AND r.minute < to_date(substring(c.relname FROM '\d{8}$'), 'YYYYMMDD') + 1),
    (k.restored_at AT TIME ZONE 'UTC')::date
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
LEFT JOIN kept_days k ON k.day = to_date(substring(c.relname FROM '\d{8}$'), 'YYYYMMDD')
WHERE i.inhparent = 'readings'::regclass AND c.relname ~ '^readings_\d{8}$'
"""

THINNED = """
INSERT INTO kept_days (day, thinned) VALUES (%(day)s, %(classes)s)
ON CONFLICT (day) DO UPDATE SET thinned = ARRAY(
    SELECT DISTINCT unnest(kept_days.thinned || excluded.thinned) ORDER BY 1)
"""
DROPPED_DAY = """
INSERT INTO kept_days (day, dropped_at) VALUES (%s, now())
ON CONFLICT (day) DO UPDATE SET dropped_at = now(), restored_at = NULL
"""

Outcome = Literal["", "done", "not-rolled-up", "restored", "busy", "changed"]


@dataclass(frozen=True, slots=True)
class Done:
    """A step and what became of it: `done`, or why it waits for the next hour; empty in a dry run."""

    step: Step
    outcome: Outcome
    rows: int = 0
    archived: int = 0


class Keeper:
    """Keeps readings as long as their class says. Blocking; call it in a thread."""

    def __init__(self, url: str, limits: Limits, archive: Archive | None) -> None:
        """archive: where what goes is written first; None: it goes."""
        self._url = url
        self._limits = limits
        self._archive = archive
        self._stop = threading.Event()
        self._working: Connection[Any] | None = None

    def stop(self) -> None:
        """End a run that is under way: its statement is cancelled, and the next hour begins it anew."""
        self._stop.set()
        if (working := self._working) is not None:
            working.cancel_safe(timeout=STOP_S)

    def run(self, today: date | None = None, *, dry: bool = False) -> list[Done]:
        """Do what is due as of `today` (UTC); return it. Empty while another centre or a backup is at it."""
        today = today or datetime.now(UTC).date()
        done: list[Done] = []
        with psycopg.connect(self._url, autocommit=True, options="-c timezone=UTC") as connection:
            if dry:
                return [Done(step, step.held) for step in self._plan(connection, today)]
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (KEEPING_LOCK,)).fetchone()
            if row is None or not row[0]:
                return []
            connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'".encode())
            self._working = connection
            try:
                self._turn(connection, today, done)
            except QueryCanceled:
                if not self._stop.is_set():
                    raise
                log.info("retention.stopped", done=len(done))
            finally:
                self._working = None
        return done

    def _turn(self, connection: Connection[Any], today: date, done: list[Done]) -> None:
        series = _series(connection)
        for step in self._plan(connection, today):
            if self._stop.is_set():
                return
            result = Done(step, step.held) if step.held else self._do(connection, step, series)
            log.info(
                "retention.step", kind=step.kind, day=str(step.day), classes=step.classes,
                outcome=result.outcome, rows=result.rows, archived=result.archived,
            )  # fmt: skip
            done.append(result)
        self._rollups(connection, today, sorted(n for numbers in series.values() for n in numbers))

    def _plan(self, connection: Connection[Any], today: date) -> list[Step]:
        days = [
            Day(day, frozenset(thinned), backlog, restored)
            for day, thinned, backlog, restored in connection.execute(DAYS).fetchall()
        ]
        return list(plan(days, today, self._limits.days, list(_series(connection))))

    def _do(self, connection: Connection[Any], step: Step, series: dict[RetentionClass, list[int]]) -> Done:
        archived: dict[RetentionClass, int] = {}
        if self._archive is not None:
            for name in step.classes:
                archived[name] = self._keep(connection, self._archive, step.day, name, series[name])
        kept = sum(archived.values())
        try:
            if step.kind == "drop":
                rows = self._drop(connection, step, kept if self._archive is not None else None)
            else:
                rows = self._thin(connection, step, series, archived if self._archive is not None else None)
        except LockNotAvailable:
            return Done(step, "busy", 0, kept)
        return Done(step, "changed" if rows is None else "done", rows or 0, kept)

    def _keep(
        self,
        connection: Connection[Any],
        archive: Archive,
        day: date,
        name: RetentionClass,
        series: list[int],
    ) -> int:
        # Arrow takes half a second and 40 MB: a centre that archives nothing needs none.
        from central.store.keeping.parquet import COLUMNS, write  # noqa: PLC0415

        ids = dict(
            connection.execute("SELECT series, id FROM points WHERE series = ANY(%s)", (series,)).fetchall()
        )
        statement = SQL(
            "COPY (SELECT {} FROM {} WHERE series = ANY({}) ORDER BY series, time) TO STDOUT (FORMAT csv)"
        ).format(SQL(COLUMNS), _table(day), series)

        def rows() -> Iterator[bytes | bytearray | memoryview]:
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                yield from copy

        path = archive.path(day, name)
        written = write(path, rows(), ids)
        if not written.rows:
            path.unlink()
            return 0
        archive.put(connection, day, name, path, written)
        ARCHIVED.inc(written.rows)
        return written.rows

    def _drop(self, connection: Connection[Any], step: Step, archived: int | None) -> int | None:
        """Drop a day; return its rows, or None where they are no longer those that were archived."""
        with connection.transaction():
            connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_table(step.day)))
            row = connection.execute(SQL("SELECT count(*) FROM {}").format(_table(step.day))).fetchone()
            rows = int(row[0]) if row is not None else 0
            if archived is not None and rows != archived:
                return None
            connection.execute(SQL("DROP TABLE {}").format(_table(step.day)))
            connection.execute(DROPPED_DAY, (step.day,))
        DROPPED.inc()
        return rows

    def _thin(
        self,
        connection: Connection[Any],
        step: Step,
        series: dict[RetentionClass, list[int]],
        archived: dict[RetentionClass, int] | None,
    ) -> int | None:
        """Delete classes from a day in small transactions; return the rows, or None as in `_drop`."""
        total = 0
        for name in step.classes:
            numbers = series[name]
            if archived is not None:
                row = connection.execute(
                    SQL("SELECT count(*) FROM {} WHERE series = ANY(%s)").format(_table(step.day)), (numbers,)
                ).fetchone()
                if row is None or row[0] != archived[name]:
                    return None
            for start in range(0, len(numbers), SERIES_AT_ONCE):
                some = numbers[start : start + SERIES_AT_ONCE]
                statement = SQL("DELETE FROM {} WHERE series = ANY(%s)").format(_table(step.day))
                deleted = connection.execute(statement, (some,)).rowcount
                total += deleted
                DELETED.labels(name).inc(deleted)
        connection.execute(THINNED, {"day": step.day, "classes": list(step.classes)})
        return total

    def _rollups(self, connection: Connection[Any], today: date, series: list[int]) -> None:
        for name, days in self._limits.rollup_days.items():
            if not days:
                continue
            before = today - timedelta(days)
            statement = SQL("DELETE FROM {} WHERE series = ANY(%s) AND bucket < %s").format(
                Identifier(f"rollup_{name}")
            )
            for start in range(0, len(series), ROLLUPS_AT_ONCE):
                if self._stop.is_set():
                    return
                connection.execute(statement, (series[start : start + ROLLUPS_AT_ONCE], before))


def _series(connection: Connection[Any]) -> dict[RetentionClass, list[int]]:
    return dict(connection.execute(SERIES_BY_CLASS.encode()).fetchall())


def _table(day: date) -> Identifier:
    return Identifier(f"readings_{day:%Y%m%d}")
