"""What can still be had from a damaged log: every row is believed only for the check that it carries itself.

batches       the checksum of their zstd frame; their name lies inside
declarations  their name is their hash
facts         a CRC over key, revision and value; the newest revision counts
orders        they can be read, and name themselves as their row does
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.buffer.carve import Pages, Row
from edge.buffer.facts import Fact, check
from protocols.errors import WireError
from protocols.model.manifest import declaration_hash
from protocols.model.order import Order
from protocols.wire.batch import Head, peek

_MAGIC = b"\x28\xb5\x2f\xfd"


class Found(NamedTuple):
    """A whole batch. `reason` is set where it had been set aside."""

    head: Head
    data: bytes
    reason: str = ""
    aside_us: int = 0


@dataclass
class Small:
    """The few small rows of a log, each once: the newest that could be read."""

    facts: dict[str, Fact] = field(default_factory=dict)
    declarations: dict[str, bytes] = field(default_factory=dict)
    orders: dict[str, tuple[bytes, int, bytes | None]] = field(default_factory=dict)


class Salvage:
    """One damaged log, read page by page; `position` is how far the search for batches has come."""

    def __init__(self, path: Path, position: int = 0, *, wal_only: bool = False) -> None:
        self.path = path
        self.position = position
        self._pages = Pages(path, wal_only=wal_only)

    @property
    def done(self) -> bool:
        """Whether every page has been looked at."""
        return self.position >= len(self._pages)

    @property
    def left(self) -> float:
        """The share of the file that has not been looked at, 0 to 1."""
        return 1 - self.position / max(len(self._pages), 1)

    def small(self) -> Small:
        """Look through the whole file for its small rows; a second for every few hundred megabytes."""
        found = Small()
        for position in range(len(self._pages)):
            for _, row in self._pages.rows(position):
                _sort(row, found)
        return found

    def step(self, pages: int = 64) -> Iterator[Found]:
        """Yield the whole batches of the next pages. A batch can come more than once."""
        for position in range(self.position, min(self.position + pages, len(self._pages))):
            for _, row in self._pages.rows(position):
                batch = _batch(row)
                if batch is not None:
                    yield batch
            self.position = position + 1

    def close(self) -> None:
        """Let go of the damaged file."""
        self._pages.close()


def _batch(row: Row) -> Found | None:
    match row:
        case (None, int(), int(), bytes() as data):
            reason, aside_us = "", 0
        case (str(), int(), int(), bytes() as data, str() as reason, int() as aside_us, *_):
            pass
        case _:
            return None
    if not data.startswith(_MAGIC):
        return None
    try:
        return Found(peek(data), data, reason, aside_us)
    except WireError:
        return None


def _sort(row: Row, found: Small) -> None:
    match row:
        case (str() as key, (str() | bytes()) as value, int() as rev, int() as crc):
            fact = Fact(value, rev)
            if check(key, fact) == crc and (key not in found.facts or found.facts[key].rev < rev):
                found.facts[key] = fact
        case (str() as name, bytes() as asked, int() as begun_us, (None | bytes()) as outcome):
            known = found.orders.get(name)
            if _is_order(name, asked) and (known is None or known[2] is None):
                found.orders[name] = (asked, begun_us, outcome)
        case (str() as name, bytes() as encoded) if declaration_hash(encoded) == name:
            found.declarations[name] = encoded


def _is_order(name: str, asked: bytes) -> bool:
    try:
        return msgspec.json.decode(asked, type=Order).id == name  # type: ignore[no-any-return]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
