"""A look at the log of a gateway that may be running: reads only, takes no lock, changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from edge.buffer.base import Aside, Depth
from edge.buffer.sqlite import FILE_NAME
from protocols.errors import StorageError
from protocols.wire.channels import Stream


@dataclass(frozen=True, slots=True)
class Glance:
    """What lies in a log: its identity, what waits by stream, what was refused, and its bytes on disk."""

    boot: str
    depth: dict[Stream, Depth]
    asides: list[Aside]
    size_bytes: int


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
            boot = db.execute("SELECT value FROM meta WHERE key = 'boot'").fetchone()
            depth = {stream: _depth(db, stream) for stream in get_args(Stream)}
            asides = [
                Aside(*row)
                for row in db.execute(
                    "SELECT stream, seq, n, length(data), reason, aside_us FROM aside"
                    " ORDER BY aside_us, stream, seq"
                )
            ]
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}. Run this as the user that runs the gateway.") from error
    beside = (path, path.with_name(FILE_NAME + "-wal"))
    size = sum(file.stat().st_size for file in beside if file.exists())
    return Glance(boot[0] if boot else "", depth, asides, size)


def _depth(db: sqlite3.Connection, stream: Stream) -> Depth:
    row = db.execute(
        f"SELECT count(*), total(n), total(length(data)), min(made_us) FROM {stream}"  # noqa: S608
    ).fetchone()
    return Depth(int(row[0]), int(row[1]), int(row[2]), row[3])
