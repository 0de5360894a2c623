"""The store-and-forward log in one SQLite file (WAL, synchronous=FULL).

A batch is encoded once, here, because its number is part of its bytes; what lies in the file is what
goes over the link. Table and column names are the documentation of the file: `sqlite3 buffer.db` in
the field shows what waits.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, get_args

import msgspec
import sqlite_utils

from edge.buffer.base import Aside, Buffer, Depth, Entry, Stored
from protocols.errors import StorageError
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.command import CommandOutcome
from protocols.model.order import Order
from protocols.wire.batch import Batch, encode
from protocols.wire.channels import Stream
from protocols.wire.handshake import StorageStatus

FILE_NAME = "buffer.db"
_STREAMS: tuple[Stream, ...] = get_args(Stream)
_COMMANDS_KEPT_US = 30 * 86_400 * SECOND_US


class SqliteBuffer(Buffer):
    """The log of one gateway in `folder`, which it locks for itself; at most `max_bytes` on disk.

    A file that SQLite cannot read is moved away under a name that says when, and a new one begun;
    `quarantined` then names it, so that the gateway can say so.
    """

    def __init__(self, folder: Path, clock: Clock = now_us, max_bytes: int | None = None) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._path = folder / FILE_NAME
        self._gate = threading.RLock()
        self.quarantined: Path | None = None
        self._held: IO[str] | None = _hold(folder)
        try:
            self._db = self._open()
        except BaseException:
            self._held.close()
            raise
        self.boot = self._meta("boot") or self._begin()
        self._next = {stream: self._highest(stream) + 1 for stream in _STREAMS}
        self._waiting = {stream: self._count(stream) for stream in _STREAMS}

    def append(self, entries: Sequence[Entry], state: Mapping[str, bytes] | None = None) -> list[int]:
        with self._transaction():
            for key, value in (state or {}).items():
                self._keep(key, value)
            return self._append(entries)

    def _append(self, entries: Sequence[Entry]) -> list[int]:
        numbers: list[int] = []
        taken: Counter[Stream] = Counter()
        grown: dict[Stream, tuple[int, int]] = {}
        for stream, declaration, made_us, payload in entries:
            seq = self._next[stream] + taken[stream]
            taken[stream] += 1
            data = encode(Batch(stream, self.boot, seq, declaration, made_us, payload))
            self._db.execute(
                f"INSERT INTO {stream} (seq, n, made_us, data) VALUES (?, ?, ?, ?)",  # noqa: S608
                (seq, len(payload), made_us, data),
            )
            rows, size = grown.get(stream, (0, 0))
            grown[stream] = (rows + len(payload), size + len(data))
            numbers.append(seq)

        def count() -> None:
            for stream, added in taken.items():
                self._next[stream] += added
                waiting = self._waiting[stream]
                rows, size = grown[stream]
                self._waiting[stream] = (waiting[0] + added, waiting[1] + rows, waiting[2] + size)

        self._after_commit.append(count)
        return numbers

    def pending(
        self, stream: Stream, *, newest: bool = False, limit: int = 8, exclude: Collection[int] = ()
    ) -> list[Stored]:
        order = "DESC" if newest else "ASC"
        marks = ",".join("?" * len(exclude))
        with self._gate:
            rows = self._read(
                f"SELECT seq, n, data FROM {stream} WHERE seq NOT IN ({marks}) ORDER BY seq {order} LIMIT ?",  # noqa: S608
                (*exclude, limit),
            )
        return [Stored(stream, row[0], row[0], row[1], row[2], self.boot) for row in rows]

    def recent(self, since_us: int, until_us: int) -> Iterator[Stored]:
        after = 0
        while True:
            with self._gate:
                rows = self._read(
                    "SELECT seq, n, data FROM readings WHERE seq > ? AND made_us BETWEEN ? AND ?"
                    " ORDER BY seq LIMIT 64",
                    (after, since_us, until_us + 60 * SECOND_US),
                )
            for row in rows:
                yield Stored("readings", row[0], row[0], row[1], row[2], self.boot)
            if not rows:
                return
            after = rows[-1][0]

    def forecast(self) -> StorageStatus:
        disk = os.statvfs(self._path.parent)
        return StorageStatus(
            used_bytes=self.size_bytes(),
            limit_bytes=self._max_bytes,
            free_bytes=disk.f_bavail * disk.f_frsize,
            left_s=None,
        )

    def rhythm_s(self) -> float:
        return 0.0

    def acknowledge(self, stream: Stream, places: Collection[int]) -> None:
        with self._transaction(durable=False):
            for seq in places:
                self._remove(stream, seq)

    def _remove(self, stream: Stream, seq: int) -> tuple[int, int, int, bytes] | None:
        """Take one batch out of the queue; return (seq, n, made_us, data), or None if it is not there."""
        rows = self._read(
            f"DELETE FROM {stream} WHERE seq = ? RETURNING seq, n, made_us, data",  # noqa: S608
            (seq,),
        )
        if not rows:
            return None
        row: tuple[int, int, int, bytes] = rows[0]

        def count() -> None:
            batches, held, size = self._waiting[stream]
            self._waiting[stream] = (batches - 1, held - row[1], size - len(row[3]))

        self._after_commit.append(count)
        return row

    def set_aside(self, stream: Stream, place: int, reason: str) -> None:
        with self._transaction():
            row = self._remove(stream, place)
            if row is not None:
                self._db.execute(
                    "INSERT INTO aside (stream, seq, n, data, reason, aside_us) VALUES (?, ?, ?, ?, ?, ?)",
                    (stream, place, row[1], row[3], reason, self._clock()),
                )

    def asides(self) -> list[Aside]:
        with self._gate:
            rows = self._read(
                "SELECT stream, seq, n, length(data), reason, aside_us FROM aside"
                " ORDER BY aside_us, stream, seq"
            )
        return [Aside(*row) for row in rows]

    def depth(self) -> dict[Stream, Depth]:
        with self._gate:
            return {stream: self._depth(stream) for stream in _STREAMS}

    def _depth(self, stream: Stream) -> Depth:
        rows = self._read(f"SELECT made_us FROM {stream} ORDER BY seq LIMIT 1")  # noqa: S608
        return Depth(*self._waiting[stream], rows[0][0] if rows else None)

    def size_bytes(self) -> int:
        beside = (self._path, self._path.with_name(FILE_NAME + "-wal"))
        return sum(path.stat().st_size for path in beside if path.exists())

    def remember(self, declaration: str, encoded: bytes) -> None:
        with self._transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO declaration (hash, encoded) VALUES (?, ?)", (declaration, encoded)
            )

    def declaration(self, declaration: str) -> bytes | None:
        with self._gate:
            rows = self._read("SELECT encoded FROM declaration WHERE hash = ?", (declaration,))
        return rows[0][0] if rows else None

    def save_state(self, key: str, value: bytes) -> None:
        with self._transaction():
            self._keep(key, value)

    def _keep(self, key: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)", (key, value))

    def load_state(self, key: str) -> bytes | None:
        with self._gate:
            rows = self._read("SELECT value FROM state WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def begin(self, order: Order, number: int) -> bool:
        with self._transaction():
            self._db.execute(
                "DELETE FROM command WHERE outcome IS NOT NULL AND begun_us < ?",
                (self._clock() - _COMMANDS_KEPT_US,),
            )
            first = self._db.execute(
                "INSERT OR IGNORE INTO command (id, asked, begun_us) VALUES (?, ?, ?)",
                (order.id, msgspec.json.encode(order), self._clock()),
            ).rowcount
            cursor = max(number, self.inbox_cursor())
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('inbox_cursor', ?)", (str(cursor),))
            return bool(first)

    def finish(self, outcome: CommandOutcome, declaration: str, made_us: int) -> int:
        with self._transaction():
            self._db.execute(
                "UPDATE command SET outcome = ? WHERE id = ?", (msgspec.json.encode(outcome), outcome.command)
            )
            return self._append([Entry("outcomes", declaration, made_us, (outcome,))])[0]

    def interrupted(self) -> list[Order]:
        with self._gate:
            rows = self._read("SELECT asked FROM command WHERE outcome IS NULL ORDER BY begun_us, id")
        return [msgspec.json.decode(row[0], type=Order) for row in rows]

    def inbox_cursor(self) -> int:
        with self._gate:
            return int(self._meta("inbox_cursor") or 0)

    def close(self) -> None:
        with self._gate:
            self._db.close()
            if self._held is not None:
                self._held.close()
                self._held = None

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self._path, self._max_bytes)
        except sqlite3.DatabaseError as error:
            # "Locked", "full" and "no rights" are OperationalErrors too: those files are not damaged.
            if not _damaged(error):
                raise _storage_error(self._path, error) from error
        self.quarantined = self._path.with_name(f"{FILE_NAME}.damaged-{self._clock() // SECOND_US}")
        self._path.rename(self.quarantined)
        for tail in ("-wal", "-shm"):
            self._path.with_name(FILE_NAME + tail).unlink(missing_ok=True)
        return _connect(self._path, self._max_bytes)

    def _begin(self) -> str:
        boot = uuid.uuid4().hex
        with self._transaction():
            self._db.execute("INSERT INTO meta VALUES ('boot', ?)", (boot,))
        return boot

    def _meta(self, key: str) -> str | None:
        rows = self._read("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def _highest(self, stream: Stream) -> int:
        rows = self._read("SELECT seq FROM sqlite_sequence WHERE name = ?", (stream,))
        return rows[0][0] if rows else 0

    def _count(self, stream: Stream) -> tuple[int, int, int]:
        rows = self._read(f"SELECT count(*), total(n), total(length(data)) FROM {stream}")  # noqa: S608
        return int(rows[0][0]), int(rows[0][1]), int(rows[0][2])

    def _read(self, sql: str, values: Sequence[object] = ()) -> list[tuple]:  # type: ignore[type-arg]
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _storage_error(self._path, error) from error

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Run one write transaction; the counters in memory move only after it is committed."""
        with self._gate:
            self._after_commit: list[Callable[[], None]] = []
            try:
                # In WAL mode NORMAL skips the sync of this commit; the next FULL one carries it along.
                self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise _storage_error(self._path, error) from error
            for act in self._after_commit:
                act()


def _connect(path: Path, max_bytes: int | None) -> sqlite3.Connection:
    fresh = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        if fresh:
            path.chmod(0o600)
        # A batch of 1,000 readings is about 2.1 kB: three share 8 KiB, while 4 KiB would hold one.
        connection.execute("PRAGMA page_size=8192")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        if max_bytes is not None:
            (page_size,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count={max(1, max_bytes // page_size)}")
        _create(sqlite_utils.Database(connection))
    except BaseException:
        connection.close()
        raise
    return connection


def _create(db: sqlite_utils.Database) -> None:
    # AUTOINCREMENT: a number is never given twice, also when every batch before it has been deleted.
    for stream in _STREAMS:
        db.conn.execute(
            f"CREATE TABLE IF NOT EXISTS {stream} (seq INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL,"
            " made_us INTEGER NOT NULL, data BLOB NOT NULL)"
        )
    db.table("aside").create(
        {"stream": str, "seq": int, "n": int, "data": bytes, "reason": str, "aside_us": int},
        pk=("stream", "seq"),
        if_not_exists=True,
    )
    db.table("declaration").create({"hash": str, "encoded": bytes}, pk="hash", if_not_exists=True)
    db.table("state").create({"key": str, "value": bytes}, pk="key", if_not_exists=True)
    db.table("command").create(
        {"id": str, "asked": bytes, "begun_us": int, "outcome": bytes}, pk="id", if_not_exists=True
    )
    db.table("meta").create({"key": str, "value": str}, pk="key", if_not_exists=True)


def _hold(folder: Path) -> IO[str]:
    """Lock the folder for this process: two gateways on one log would double every number."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = os.fdopen(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600), "w")
    except OSError as error:
        raise StorageError(
            f"{folder}: {error.strerror}. Give the gateway a `state_dir` that it may write, "
            f"or run: chown -R $(id -un) {folder}"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise StorageError(
            f"{folder}: another gateway is using this folder. Stop it, or give this one its own `state_dir`."
        ) from error
    return held


def _damaged(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


def _storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    repair = {
        sqlite3.SQLITE_FULL: "Free some space on this disk; the gateway goes on by itself.",
        sqlite3.SQLITE_READONLY: f"Make it writable: chown $(id -un) {path}",
        sqlite3.SQLITE_CANTOPEN: "Check that the folder exists and that the gateway may write in it.",
        sqlite3.SQLITE_BUSY: "Another program holds it open for writing; close that program.",
    }.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "Run `citynerve-edge queue` to see what is left.")
    return StorageError(f"{path}: {error}. {repair}")
