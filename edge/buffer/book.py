"""What the log knows about itself without counting: places, boots, what waits, what is done, what was spent.

Three facts of the file. `book` is written with every change, `done` with every acknowledgement; so a log
of a hundred million readings opens at once, and what is counted never disagrees with what lies there.

    place = base of its era + number      an era begins where a boot begins: numbers count from 1 again
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import msgspec

from edge.buffer.base import Depth
from edge.buffer.file import LogFile
from edge.buffer.places import Places
from protocols.wire.channels import STREAMS, Stream

ERA: Final = 1 << 40
"""Places between the bases of two eras whose ends are not known: more than a boot can ever number."""


class Kept(msgspec.Struct, array_like=True):
    """One stream. next: its next place; batches, rows, size: what waits; kept: bytes acknowledged."""

    next: int = 1
    batches: int = 0
    rows: int = 0
    size: int = 0
    kept: int = 0


class Day(msgspec.Struct, array_like=True):
    """What one UTC day (days since 1970) has written and sent, in bytes."""

    day: int = 0
    written: int = 0
    sent_day: int = 0
    sent: int = 0


class Doubt(msgspec.Struct, array_like=True):
    """What was recorded in doubt of the time: kernel's run, time minus uptime, (first, last) by stream."""

    kernel: str
    offset_us: int
    places: dict[Stream, tuple[int, int]]


class Book(msgspec.Struct):
    """The facts of one log; change it inside a transaction and `save` it there."""

    eras: list[tuple[int, str]] = msgspec.field(default_factory=list)
    streams: dict[Stream, Kept] = msgspec.field(
        default_factory=lambda: {stream: Kept() for stream in STREAMS}
    )
    thinned: int = 0
    dropped: int = 0
    broken: int = 0
    """Readings of batches whose bytes had changed on the disk."""
    levels: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    """By level of thinning: the place up to which it has gone."""
    day: Day = msgspec.field(default_factory=Day)
    salvages: list[tuple[str, int]] = msgspec.field(default_factory=list)
    """Damaged files that are being searched, and the page that comes next in each."""
    doubts: list[Doubt] = msgspec.field(default_factory=list)
    kernel: str = ""
    """The run of the kernel in which the present era numbers; empty where that is not known."""

    @property
    def boot(self) -> str:
        """The identity under which the log numbers now."""
        return self.eras[-1][1]

    def begin(self, boot: str, done: Done | None = None) -> None:
        """Begin an era beyond every place that was ever given; every stream counts from 1 again.

        done: places that are done, where this book may be older than they are.
        """
        base = 0
        if self.eras:
            known = [last for places in (done or {}).values() for _, last in places.ranges()]
            base = max(self.eras[-1][0], *(kept.next for kept in self.streams.values()), *known) + ERA
        self.eras.append((base, boot))
        for kept in self.streams.values():
            kept.next = base + 1

    def era(self, place: int) -> tuple[int, str]:
        """Return (base, boot) of the era that a place belongs to."""
        i = bisect_left(self.eras, place, key=lambda era: era[0]) - 1
        return self.eras[max(i, 0)]

    def place(self, boot: str, seq: int) -> int:
        """Return the place of a batch by its name; an unknown boot gets room before all others."""
        for base, known in self.eras:
            if known == boot:
                return base + seq
        base = self.eras[0][0] - ERA
        self.eras.insert(0, (base, boot))
        return base + seq

    def depth(self, stream: Stream, oldest_us: int | None) -> Depth:
        """Return what waits in a stream."""
        kept = self.streams[stream]
        return Depth(kept.batches, kept.rows, kept.size, oldest_us)

    def came(self, stream: Stream, rows: int, size: int) -> None:
        """Count a batch that waits from now on."""
        kept = self.streams[stream]
        kept.batches, kept.rows, kept.size = kept.batches + 1, kept.rows + rows, kept.size + size

    def went(self, stream: Stream, rows: int, size: int, *, stays: bool = False) -> None:
        """Count a batch that waits no longer; with `stays` it is kept for those who look back."""
        kept = self.streams[stream]
        kept.batches, kept.rows, kept.size = kept.batches - 1, kept.rows - rows, kept.size - size
        if stays:
            kept.kept += size

    def save(self, file: LogFile) -> None:
        """Write it, inside a transaction."""
        file.put_fact("book", msgspec.json.encode(self).decode())


def load_book(file: LogFile) -> Book | None:
    """Return the book of a file, or None where it has none that can be believed."""
    return _decoded(file.fact("book"))


def read_book(value: str | bytes | None) -> Book | None:
    """Return the book that a fact holds."""
    return _decoded(value)


def _decoded(value: str | bytes | None) -> Book | None:
    if value is None:
        return None
    try:
        book = msgspec.json.decode(value, type=Book)
    except msgspec.DecodeError:
        return None
    return book if book.eras and set(book.streams) == set(STREAMS) else None


Done = dict[Stream, Places]


def save_done(file: LogFile, done: Done) -> None:
    """Write which places are done, inside a transaction."""
    told = {stream: places.ranges() for stream, places in done.items()}
    file.put_fact("done", msgspec.json.encode(told).decode())


def read_done(value: str | bytes | None) -> Done | None:
    """Return the places that are done, or None where the fact cannot be believed."""
    if value is None:
        return None
    try:
        told = msgspec.json.decode(value, type=dict[Stream, list[tuple[int, int]]])
    except msgspec.DecodeError:
        return None
    return {stream: Places(told.get(stream, [])) for stream in STREAMS}
