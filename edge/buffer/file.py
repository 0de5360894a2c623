"""The SQLite file of the log: opened, written in transactions, and asked how large it is.

WAL, `synchronous=FULL`: what a durable transaction wrote survives a power cut. Table and column names are
the documentation of the file; `sqlite3 buffer.db` in the field shows what lies there.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from edge.buffer import facts
from edge.buffer.carve import FRAME, FRAME_HEADER, PAGE, WAL_HEADER
from edge.buffer.facts import Fact, check
from protocols.errors import StorageError
from protocols.wire.channels import STREAMS

FILE_NAME: Final = "buffer.db"
TINY: Final = 1 << 18
"""With fewer free bytes an error of the file system is a full disk, whatever it calls itself."""

_NO_TEXT: Final = "Could not decode to UTF-8"
"""Python's own words, which have no code, where a blob has become a text: all that was written is UTF-8."""

CREATE: Final = (
    # A place is taken from the fact `book`, never from the table: it is not given twice after a deletion.
    *(
        f"CREATE TABLE IF NOT EXISTS {stream} (place INTEGER PRIMARY KEY, n INTEGER NOT NULL,"
        " made_us INTEGER NOT NULL, data BLOB NOT NULL)"
        for stream in STREAMS
    ),
    "CREATE TABLE IF NOT EXISTS aside (stream TEXT, place INTEGER, n INTEGER, data BLOB, reason TEXT,"
    " aside_us INTEGER, PRIMARY KEY (stream, place))",
    "CREATE TABLE IF NOT EXISTS declaration (hash TEXT PRIMARY KEY, encoded BLOB)",
    "CREATE TABLE IF NOT EXISTS command (id TEXT PRIMARY KEY, asked BLOB, begun_us INTEGER, outcome BLOB)",
    facts.CREATE,
)


class Damaged(Exception):
    """The file cannot be read as a database any more; what is whole in it must be carried to a new one."""


class LogFile:
    """One open database file. Not for two threads at once; the log lets one in at a time.

    alone: the wal-index is kept in memory, which needs no room on the disk; others cannot look in then.
    Raises Damaged or StorageError from every method.
    """

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        self.path = path
        self.alone = alone
        self.lost_tail = False
        """Whether transactions that had been committed are missing at the end of the WAL."""
        self._rev = 0
        self.wal_limit = 0
        """Bytes of the WAL at which it is carried into the file."""
        before = _wal_end(path)
        with self._told():
            self._db = self._connect()
        try:
            with self._told():
                self._prepare(before)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def read(self, sql: str, values: Sequence[object] = (), kinds: tuple[type, ...] = ()) -> list[Any]:
        """Return the rows of a query.

        kinds: what its columns hold. The head of each row names its own types, so a bit that turns there
        makes a text of a blob or nothing of a number, which SQLite hands out without a word: Damaged.
        """
        with self._told():
            rows = self._db.execute(sql, values).fetchall()
        for row in rows if kinds else ():
            if tuple(map(type, row)) != kinds:
                raise Damaged(f"a row holds other types of values than were written: {sql}")
        return rows

    def write(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a change inside `transaction`; return the number of rows that it concerned."""
        with self._told():
            return self._db.execute(sql, values).rowcount

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Run one write transaction. Without `durable` the next durable one carries it to the disk."""
        with self._told():
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def fact(self, key: str) -> str | bytes | None:
        """Return a fact, or None where there is none that passes its check."""
        rows = self.read(facts.GET, (key,))
        return facts.believed(key, rows[0]) if rows else None

    def put_fact(self, key: str, value: str | bytes) -> None:
        """Keep a fact, inside `transaction`."""
        self._rev += 1
        fact = Fact(value, self._rev)
        self.write(facts.PUT, (key, *fact, check(key, fact)))

    def raise_revision(self, rev: int) -> None:
        """Make the facts that follow newer than those of another file."""
        self._rev = max(self._rev, rev)

    def free_pages_bytes(self) -> int:
        """Return the bytes inside the file that wait to be used again."""
        return int(self.read("PRAGMA freelist_count")[0][0]) * PAGE

    def size_bytes(self) -> int:
        """Return what the file and its WAL take on disk."""
        beside = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(path.stat().st_size for path in beside if path.exists())

    def limit_wal(self, pages: int) -> None:
        """Carry the WAL into the file whenever it has so many pages."""
        self.wal_limit = max(pages, 16) * FRAME
        self.read(f"PRAGMA wal_autocheckpoint={max(pages, 16)}")

    def wal_growth(self) -> int:
        """Return the bytes by which the WAL will still grow before it is used again from its start."""
        wal = self.path.with_name(self.path.name + "-wal")
        return max(self.wal_limit - (wal.stat().st_size if wal.exists() else 0), 0)

    def _connect(self) -> sqlite3.Connection:
        fresh = not self.path.exists()
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
        if fresh and self.path.exists():
            self.path.chmod(0o600)
        return connection

    def _prepare(self, before: tuple[int, bool]) -> None:
        if self.alone:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        # A batch of 1,000 readings is about 2.1 kB: three share 8 KiB, while 4 KiB would hold one.
        self._db.execute(f"PRAGMA page_size={PAGE}")
        self._db.execute("PRAGMA journal_mode=WAL")
        self.path.chmod(0o600)
        tables = {row[0] for row in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "meta" in tables and "fact" not in tables:
            self._upgrade()
        elif "fact" not in tables:
            self._db.execute("BEGIN IMMEDIATE")
            for statement in CREATE:
                self._db.execute(statement)
            self._db.execute("COMMIT")
        recovered = int(self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])
        frames, committed = before
        self.lost_tail = frames > recovered and committed
        rows = self._db.execute("SELECT max(rev) FROM fact").fetchone()
        self._rev = rows[0] if isinstance(rows[0], int) else 0

    def _upgrade(self) -> None:
        """Take over a log of version 0.1: places were its numbers, and its facts lay in two tables."""
        self._db.execute("BEGIN IMMEDIATE")
        for stream in (*STREAMS, "aside"):
            self._db.execute(f"ALTER TABLE {stream} RENAME COLUMN seq TO place")
        for statement in CREATE:
            self._db.execute(statement)
        meta = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        highest = dict(self._db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        streams = {}
        for stream in STREAMS:
            sql = f"SELECT count(*), total(n), total(length(data)) FROM {stream}"  # noqa: S608
            counted = [int(value) for value in self._db.execute(sql).fetchone()]
            streams[stream] = [int(highest.get(stream, 0)) + 1, *counted, 0]
        book = {"eras": [[0, meta.get("boot", "")]], "streams": streams}
        self.put_fact("book", msgspec.json.encode(book).decode())
        self.put_fact("done", "{}")
        self.put_fact("inbox_cursor", str(meta.get("inbox_cursor", "0")))
        for key, value in self._db.execute("SELECT key, value FROM state").fetchall():
            self.put_fact(f"state:{key}", value)
        # There was one kind of order, which did not say what it was.
        for name, asked in self._db.execute("SELECT id, asked FROM command").fetchall():
            with suppress(msgspec.DecodeError):
                known = {"type": "command", **msgspec.json.decode(asked, type=dict[str, Any])}
                self._db.execute(
                    "UPDATE command SET asked = ? WHERE id = ?", (msgspec.json.encode(known), name)
                )
        self._db.execute("DROP TABLE meta")
        self._db.execute("DROP TABLE state")
        self._db.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if damaged(error):
                raise Damaged(str(error)) from error
            raise storage_error(self.path, error) from error


def _wal_end(path: Path) -> tuple[int, bool]:
    """Return how many frames of its present round the WAL had, and whether the last ones end a transaction.

    Salts: section 4.1 of the file format. A salt is compared half by half, so that a frame whose salt is
    damaged still counts as one of this round. The wal-index of a process that was killed, where it is
    still there, tells of frames that have been cut off.
    """
    try:
        file = os.open(path.with_name(path.name + "-wal"), os.O_RDONLY)
    except OSError:
        return 0, False
    try:
        header = os.pread(file, WAL_HEADER, 0)
        salts = header[16:24]
        frames, committed = 0, False
        for frame in range(max(os.fstat(file).st_size - WAL_HEADER, 0) // FRAME):
            head = os.pread(file, FRAME_HEADER, WAL_HEADER + frame * FRAME)
            if head[8:12] == salts[:4] or head[12:16] == salts[4:]:
                frames = frame + 1
                committed = head[4:8] != bytes(4)
    except OSError:
        return 0, False
    finally:
        os.close(file)
    indexed = _indexed(path, salts)
    return (indexed, True) if indexed > frames else (frames, committed)


def _indexed(path: Path, salts: bytes) -> int:
    """Return the last frame of this round that the wal-index names (walformat.html, section 2.1)."""
    try:
        index = path.with_name(path.name + "-shm").read_bytes()[:96]
    except OSError:
        return 0
    if len(index) < 96 or index[:48] != index[48:] or index[32:40] != salts:
        return 0
    return int.from_bytes(index[16:20], sys.byteorder)


def damaged(error: sqlite3.Error) -> bool:
    """Return whether an error means that the file's content is not what was written."""
    if str(error).startswith(_NO_TEXT):
        return True
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_ERROR and "transaction" not in str(error):
        return True  # every statement here is known to fit: what the file says of its tables has changed
    return code & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT} or code in {
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
    }


class DiskFull(StorageError):
    """There is no room for what should be written."""


def storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    """Translate an error of SQLite into one that says what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    vague = code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
    if code == sqlite3.SQLITE_FULL or (vague and free_bytes(path.parent) < TINY):
        return DiskFull(f"{path}: {error}. Free some space on this disk; the gateway goes on by itself.")
    repair = {
        sqlite3.SQLITE_READONLY: f"Make it writable: chown $(id -un) {path}",
        sqlite3.SQLITE_CANTOPEN: "Check that the folder exists and that the gateway may write in it.",
        sqlite3.SQLITE_BUSY: "Another program holds it open for writing; close that program.",
    }.get(code, "Run `citynerve-edge queue` to see what is left.")
    return StorageError(f"{path}: {error}. {repair}")


def free_bytes(folder: Path) -> int:
    """Return the bytes of a disk that this user may still take."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
