"""A look at the log of a gateway that may be running: reads only, takes no lock, changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edge.buffer.base import Aside, Depth
from edge.buffer.book import Book, Done, read_book, read_done
from edge.buffer.facts import GET, believed
from edge.buffer.file import FILE_NAME
from edge.buffer.places import Places
from protocols.errors import StorageError
from protocols.wire.channels import STREAMS, Stream


@dataclass(frozen=True, slots=True)
class Glance:
    """What lies in a log: its identity, what waits by stream, what was refused, and its bytes on disk."""

    boot: str
    depth: dict[Stream, Depth]
    asides: list[Aside]
    size_bytes: int
    thinned: int = 0
    dropped: int = 0


def glance(folder: Path) -> Glance:
    """Look into the log in `folder`. Raises StorageError where there is none or it cannot be read."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise StorageError(
            f"{path} does not exist yet. It is made when the gateway runs for the first time; "
            "check `state_dir` of the gateway file."
        )
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            db.execute("BEGIN")  # one moment for all that is read
            book = read_book(_fact(db, "book"))
            done = read_done(_fact(db, "done"))
            if book is None or done is None:
                raise StorageError(
                    f"{path}: it is being made, or damaged. Start the gateway, which repairs it."
                )
            depth = {stream: book.depth(stream, _oldest_us(db, stream, book, done)) for stream in STREAMS}
            asides = [
                Aside(stream, place - book.era(place)[0], *rest)
                for stream, place, *rest in db.execute(
                    "SELECT stream, place, n, length(data), reason, aside_us FROM aside"
                    " ORDER BY aside_us, stream, place"
                )
            ]
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}. Run this as the user that runs the gateway.") from error
    beside = (path, path.with_name(FILE_NAME + "-wal"))
    size = sum(file.stat().st_size for file in beside if file.exists())
    return Glance(book.boot, depth, asides, size, book.thinned, book.dropped)


def tables(folder: Path) -> list[dict[str, object]]:
    """Return name, columns and number of rows of each table of the log, as support wants to see its shape.

    Raises StorageError where the file cannot be read.
    """
    # Loaded only here: a running gateway has no use for its four megabytes.
    from sqlite_utils import Database  # noqa: PLC0415

    path = folder / FILE_NAME
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            return [
                {"table": table.name, "rows": table.count, "columns": [*table.columns_dict]}
                for table in Database(db).tables
            ]
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}. Run this as the user that runs the gateway.") from error


def _fact(db: sqlite3.Connection, key: str) -> str | bytes | None:
    row = db.execute(GET, (key,)).fetchone()
    return believed(key, row) if row else None


def _oldest_us(db: sqlite3.Connection, stream: Stream, book: Book, done: Done) -> int | None:
    if not book.streams[stream].batches:
        return None
    places: Places = done[stream]
    for first, last in places.gaps():
        sql = f"SELECT made_us FROM {stream} WHERE place BETWEEN ? AND ? ORDER BY place LIMIT 1"  # noqa: S608
        row = db.execute(sql, (first, last)).fetchone()
        if row:
            return int(row[0])
    return None
