"""What lies where: the days of readings, the rollups, the archive; and what falls due next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from central.store.base import Database
from central.store.keeping.classes import CLASSES, RetentionClass

NEWEST: Final = 50

PRESENT: Final = r"""
SELECT to_date(substring(c.relname FROM 'readings_(\d{8})$'), 'YYYYMMDD'), pg_total_relation_size(c.oid),
    coalesce(k.thinned, '{}')
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
LEFT JOIN kept_days k ON k.day = to_date(substring(c.relname FROM '\d{8}$'), 'YYYYMMDD')
WHERE i.inhparent = 'readings'::regclass AND c.relname ~ '^readings_\d{8}$' ORDER BY 1
"""
ROLLUPS: Final = """
SELECT width, pg_total_relation_size(('rollup_' || width)::regclass)
FROM unnest(ARRAY['1m', '1h', '1d']) width
"""
GONE: Final = "SELECT count(*), max(dropped_at) FROM kept_days WHERE dropped_at IS NOT NULL"
ARCHIVED: Final = """
SELECT class, count(*), sum(rows)::bigint, sum(bytes)::bigint, min(day), max(day), max(archived_at)
FROM archived_days GROUP BY class
"""
FILES: Final = """
SELECT day, class, file, rows, bytes, archived_at FROM archived_days ORDER BY archived_at DESC, file LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Due:
    """The oldest day that still has readings of a class, and when it goes, midnight UTC."""

    retention: RetentionClass
    day: date
    at: date


@dataclass(frozen=True, slots=True)
class Archived:
    """What the archive has of a class."""

    retention: str
    files: int
    rows: int
    bytes: int
    oldest: date
    newest: date
    last_at: datetime


@dataclass(frozen=True, slots=True)
class File:
    """One file of the archive, relative to its folder."""

    day: date
    retention: str
    file: str
    rows: int
    bytes: int
    archived_at: datetime


@dataclass(frozen=True, slots=True)
class Holdings:
    """All of it. days: those with readings, of which `oldest` and `newest` are the ends, as UTC dates."""

    days: int
    oldest: date | None
    newest: date | None
    bytes: int
    rollups: dict[str, int]
    gone_days: int
    gone_at: datetime | None
    archive: list[Archived]
    files: list[File]
    due: list[Due]


async def holdings(
    database: Database, days: Mapping[RetentionClass, int], used: Collection[RetentionClass]
) -> Holdings:
    """Return what there is. used: the classes that any point has."""
    async with database.pool.connection() as connection:
        present: list[Any] = await (await connection.execute(PRESENT)).fetchall()
        rollups: list[Any] = await (await connection.execute(ROLLUPS)).fetchall()
        gone: Any = await (await connection.execute(GONE)).fetchone()
        archived: list[Any] = await (await connection.execute(ARCHIVED)).fetchall()
        files: list[Any] = await (await connection.execute(FILES, (NEWEST,))).fetchall()
    return Holdings(
        days=len(present),
        oldest=present[0][0] if present else None,
        newest=present[-1][0] if present else None,
        bytes=sum(size for _, size, _ in present),
        rollups=dict(rollups),
        gone_days=gone[0],
        gone_at=gone[1],
        archive=[Archived(*row) for row in archived],
        files=[File(*row) for row in files],
        due=due([(day, thinned) for day, _, thinned in present], days, used),
    )


def due(
    present: Collection[tuple[date, Collection[str]]],
    days: Mapping[RetentionClass, int],
    used: Collection[RetentionClass],
) -> list[Due]:
    """Return what falls due next of each class, soonest first. present: days, with the classes gone there."""
    oldest = {
        name: min((day for day, thinned in present if name not in thinned), default=None)
        for name in CLASSES
        if name in used
    }
    found = [
        # `plan.is_past`: the last moment of the day is as many full days ago.
        Due(name, day, day + timedelta(days[name] + 1))
        for name, day in oldest.items()
        if day is not None
    ]
    return sorted(found, key=lambda one: one.at)
