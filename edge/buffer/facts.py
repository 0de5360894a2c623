"""Small things that the log must know for sure: a value by its key, with a CRC and a revision.

SQLite does not notice a flipped bit inside a value. A fact that does not pass its check is as if it were
not there, and whoever asks decides what that means; the revision tells which of two copies is newer.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

CREATE = (
    "CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value BLOB NOT NULL,"
    " rev INTEGER NOT NULL, crc INTEGER NOT NULL)"
)
PUT = (
    "INSERT INTO fact (key, value, rev, crc) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, rev = excluded.rev, crc = excluded.crc"
)
GET = "SELECT value, rev, crc FROM fact WHERE key = ?"


class Fact(NamedTuple):
    """A value: JSON as text where it is the log's own, bytes where it is somebody's state."""

    value: str | bytes
    rev: int


def believed(key: str, row: Sequence[object]) -> str | bytes | None:
    """Return the value of a row of GET, or None where it does not pass its check."""
    value, rev, crc = row
    if isinstance(value, str | bytes) and isinstance(rev, int) and check(key, Fact(value, rev)) == crc:
        return value
    return None


def check(key: str, fact: Fact) -> int:
    """Return the CRC-32 of a fact under its key."""
    value = fact.value.encode() if isinstance(fact.value, str) else fact.value
    return zlib.crc32(value, zlib.crc32(f"{key}\0{fact.rev}\0".encode()))
