"""The log's content: batches by place, what waits and what is done, and the book about them, kept together.

A change goes to the file and to the book in one transaction; when it fails, the book is read again.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from edge.buffer.base import Stored
from edge.buffer.book import Book, Done, load_book, read_done, save_done
from edge.buffer.file import Damaged, LogFile
from edge.buffer.places import HIGHEST, LOWEST, Places
from protocols.errors import StorageError
from protocols.wire.channels import STREAMS, Stream


def _read(file: LogFile) -> tuple[Book, Done]:
    """Return book and places of a file, both new where nothing was ever written to it."""
    book, done = load_book(file), read_done(file.fact("done"))
    if book is not None and done is not None:
        return book, done
    if any(file.read(f"SELECT 1 FROM {table} LIMIT 1") for table in (*STREAMS, "fact")):  # noqa: S608
        raise Damaged("what it says about itself cannot be believed")
    return Book(), {stream: Places() for stream in STREAMS}


class Row(NamedTuple):
    """A batch as it lies in its table."""

    place: int
    n: int
    made_us: int
    data: bytes


ROW: Final = (int, int, int, bytes)
"""What the columns of a row hold."""


class Log:
    """One open file with its book. Raises Damaged or StorageError; not for two threads at once."""

    def __init__(self, file: LogFile, known: tuple[Book, Done] | None = None) -> None:
        self.file = file
        self.book, self.done = known or _read(file)

    @property
    def fresh(self) -> bool:
        """Whether nothing has been written yet: it has no boot."""
        return not self.book.eras

    def begin(self) -> None:
        """Give a fresh log its boot."""
        with self.change(done=True):
            self.book.begin(uuid.uuid4().hex)

    def number_under(self, kernel: str) -> None:
        """Begin a new era where the machine was started since: a disk can forget what it had promised.

        The numbers of what it forgot may be at the centre already, and must never name anything else.
        Raises StorageError; no batch is to be numbered then.
        """
        if not kernel or kernel == self.book.kernel:
            return
        with self.change():
            if self.book.kernel:
                self.book.begin(uuid.uuid4().hex)
                self._forget_eras()
            self.book.kernel = kernel

    def _forget_eras(self) -> None:
        """Drop the eras of which nothing lies here any more; what a rescue finds makes its own again."""
        eras = self.book.eras
        ends = [base for base, _ in eras[1:]]
        self.book.eras = [
            era for era, end in zip(eras, ends, strict=False) if self._used(era[0], end)
        ] + eras[-1:]

    def _used(self, base: int, end: int) -> bool:
        between = "place > ? AND place <= ? LIMIT 1"
        tables = (*STREAMS, "aside")
        return any(self.file.read(f"SELECT 1 FROM {table} WHERE {between}", (base, end)) for table in tables)  # noqa: S608

    @contextmanager
    def change(self, *, durable: bool = True, done: bool = False) -> Iterator[None]:
        """Change the file and the book together, or neither. `done` says that places become done."""
        try:
            with self.file.transaction(durable=durable):
                yield
                self.book.save(self.file)
                if done:
                    save_done(self.file, self.done)
        except StorageError:
            self._read_again()
            raise

    def _read_again(self) -> None:
        book, done = load_book(self.file), read_done(self.file.fact("done"))
        if book is not None and done is not None:
            self.book, self.done = book, done

    def put(self, stream: Stream, row: Row) -> bool:
        """Store a waiting batch, inside `change`; False where its place is taken."""
        sql = f"INSERT OR IGNORE INTO {stream} (place, n, made_us, data) VALUES (?, ?, ?, ?)"  # noqa: S608
        if not self.file.write(sql, row):
            return False
        self.book.came(stream, row.n, len(row.data))
        return True

    def replace(self, stream: Stream, old: Sequence[Row], new: Sequence[Row]) -> None:
        """Give waiting batches other content under the same places, inside `change`."""
        # First all go, then all come: pages whose rows only become smaller are never freed.
        for row in old:
            self.file.write(f"DELETE FROM {stream} WHERE place = ?", (row.place,))  # noqa: S608
            self.book.went(stream, row.n, len(row.data))
        for row in new:
            self.put(stream, row)

    def rows(
        self,
        stream: Stream,
        *,
        low: int = LOWEST,
        high: int = HIGHEST,
        newest: bool = False,
        limit: int = 8,
        exclude: Collection[int] = (),
    ) -> list[Row]:
        """Return waiting batches between two places, oldest first or newest first."""
        found: list[Row] = []
        gaps = self.done[stream].gaps(low, high)
        marks = ",".join("?" * len(exclude))
        order = "DESC" if newest else "ASC"
        sql = (
            f"SELECT place, n, made_us, data FROM {stream} WHERE place BETWEEN ? AND ?"  # noqa: S608
            f" AND place NOT IN ({marks}) ORDER BY place {order} LIMIT ?"
        )
        for first, last in reversed(list(gaps)) if newest else gaps:
            values = (first, last, *exclude, limit - len(found))
            found += [Row(*row) for row in self.file.read(sql, values, ROW)]
            if len(found) >= limit:
                break
        return found

    def oldest_us(self, stream: Stream) -> int | None:
        """Return when the oldest waiting batch was closed."""
        if not self.book.streams[stream].batches:
            return None
        for first, last in self.done[stream].gaps():
            sql = f"SELECT made_us FROM {stream} WHERE place BETWEEN ? AND ? ORDER BY place LIMIT 1"  # noqa: S608
            for (made_us,) in self.file.read(sql, (first, last), (int,)):
                return int(made_us)
        return None

    def acknowledge(self, stream: Stream, places: Collection[int]) -> None:
        """Let waiting batches be done and keep them, inside `change(done=True)`; unknown ones are ignored."""
        done = self.done[stream]
        sql = f"SELECT n, length(data) FROM {stream} WHERE place = ?"  # noqa: S608
        for place in places:
            if place in done:
                continue
            for n, size in self.file.read(sql, (place,), (int, int)):
                self.book.went(stream, n, size, stays=True)
                done.add(place, place)

    def remove(self, stream: Stream, place: int) -> Row | None:
        """Take a waiting batch out, inside `change(done=True)`; None where there is none."""
        rows = self.rows(stream, low=place, high=place, limit=1)
        if not rows:
            return None
        self.file.write(f"DELETE FROM {stream} WHERE place = ?", (place,))  # noqa: S608
        self.book.went(stream, rows[0].n, len(rows[0].data))
        self.done[stream].add(place, place)
        return rows[0]

    def forget_kept(self, stream: Stream, before_us: int | None, limit: int) -> int:
        """Delete the oldest batches that are done, made before a time or any; return how many went."""
        gone = 0
        for first, last in self.done[stream].ranges():
            sql = (
                f"SELECT place, made_us, length(data) FROM {stream}"  # noqa: S608
                " WHERE place BETWEEN ? AND ? ORDER BY place LIMIT ?"
            )
            rows: list[Any] = self.file.read(sql, (first, last, limit - gone), (int, int, int))
            chosen = [row for row in rows if before_us is None or row[1] < before_us]
            if chosen:
                with self.change(durable=False):
                    sql = f"DELETE FROM {stream} WHERE place BETWEEN ? AND ?"  # noqa: S608
                    self.file.write(sql, (chosen[0][0], chosen[-1][0]))
                    kept = self.book.streams[stream]
                    kept.kept = max(kept.kept - sum(row[2] for row in chosen), 0)
                gone += len(chosen)
            if len(chosen) < len(rows) or gone >= limit:
                break
        return gone

    def stored(self, stream: Stream, row: Row) -> Stored:
        """Return a row under the name that it has at the centre."""
        base, boot = self.book.era(row.place)
        return Stored(stream, row.place, row.place - base, row.n, row.data, boot)
