"""What goes when there is no room: the policy of the log, and the one place where something is given up.

    1  damaged files that have been searched
    2  batches that the centre has, kept for the page's trends, oldest first
    3  old readings are thinned: one in 10 s of each point, then one in 60 s, then one in 600 s; changes of
       quality stay, and the newest tenth of what waits is left whole
    4  the oldest readings are dropped
    never   alarms and outcomes

There is no room where the log has reached `max_bytes`, or the disk has less than `min_free_bytes` left (at
most an eighth of a small disk): the log then lives on the pages that it has. Where others have filled the
disk, that may pass: up to 100,000 new readings wait in memory before 3 and 4 begin for them. All that is
thinned or dropped is counted. Alarms and outcomes go beyond both limits, at last into the ballast.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from edge.buffer.file import FILE_NAME, DiskFull, free_bytes
from edge.buffer.log import Log, Row
from edge.buffer.thinning import LEVELS_S, Thinner
from edge.config.keeping import StorageEntry
from protocols.errors import WireError
from protocols.model.reading import Readings
from protocols.wire.batch import decode, encode

BALLAST_NAME: Final = "ballast"
BALLAST_BYTES: Final = 4 << 20
PATIENT: Final = 100_000
"""Readings that wait in memory before anything is given up for them on a disk that others have filled."""
_CHUNK: Final = 128
_PAUSE_S: Final = 2.0
"""Readings wait in memory and come again after so long: nobody else should wait longer for the log."""
_SPARE: Final = 1 << 18
_SHORT_S: Final = 300.0
_TOLD_S: Final = 60.0
_NEWEST: Final = 10
"""One tenth of what waits is not thinned."""


class Ballast:
    """Disk space that is taken beforehand and let go when alarms need it: a file of nothing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / BALLAST_NAME
        disk = os.statvfs(folder)
        self._bytes = min(BALLAST_BYTES, disk.f_blocks * disk.f_frsize // 16)

    @property
    def there(self) -> bool:
        """Whether it lies ready."""
        return self._path.exists()

    @property
    def lacks(self) -> int:
        """Bytes that readings leave free so that it can be taken again."""
        return 0 if self.there else self._bytes

    def take(self, spare: int) -> None:
        """Take the space where the disk has it and `spare` bytes besides."""
        if self.there or free_bytes(self._path.parent) < self._bytes + spare:
            return
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(file, 0, self._bytes)
        except OSError:
            self._path.unlink()  # the space went to somebody else meanwhile; the next try is a minute off
        finally:
            os.close(file)

    def release(self) -> bool:
        """Let the space go; return whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


class Room:
    """Makes room in a log by the policy above."""

    def __init__(self, folder: Path, keeping: StorageEntry, ballast: Ballast) -> None:
        self._short_s = self._told_s = -_SHORT_S
        self._thinned = 0
        self._folder = folder
        self._max = keeping.max_bytes
        self._ballast = ballast
        disk = os.statvfs(folder)
        self.floor = min(keeping.min_free_bytes, disk.f_blocks * disk.f_frsize // 8)
        self._thinner: tuple[int, int, Thinner] | None = None
        self._log = structlog.get_logger("edge.buffer")

    @property
    def short(self) -> bool:
        """Whether readings were refused, thinned or dropped in the last minutes."""
        return time.monotonic() - self._short_s < _SHORT_S

    def growth(self, log: Log) -> int:
        """Return the bytes by which the file may grow; negative where it is too large already."""
        disk = free_bytes(self._folder) - self.floor - log.file.wal_growth() - self._ballast.lacks
        return disk if self._max is None else min(disk, self._max - log.file.size_bytes())

    def left(self, log: Log) -> int:
        """Return the bytes that can be stored without giving anything up."""
        return max(self.growth(log), 0) + log.file.free_pages_bytes()

    def make(self, log: Log, need: int, rows: int) -> None:
        """Make room for so many bytes and readings. Raises DiskFull where that cannot be done now."""
        # Rows fill their pages by three quarters, and each transaction moves some of the tree.
        need = need * 5 // 4 + 8 * 8192
        ample = free_bytes(self._folder) - self.floor - log.file.wal_limit - BALLAST_BYTES
        if (self._max is None and ample > need) or self.left(log) >= need:
            return
        ends = time.monotonic() + _PAUSE_S
        more = True
        while more and (left := self.left(log)) < need + _SPARE and time.monotonic() < ends:
            grave = rows >= PATIENT or self._own_fault(log)
            # Room to spare is worth thinning for: that is rarer then. It is worth no batch.
            more = self._step(log, thin=grave, drop=grave and left < need)
        if self.left(log) < need:
            self._short_s = time.monotonic()
            what = "room is still being made for readings" if more else "there is no room for readings"
            raise DiskFull(
                f"{self._folder}: {what}. Free some space on this disk, or raise `storage.max_bytes`; "
                "the gateway goes on by itself."
            )

    def _own_fault(self, log: Log) -> bool:
        """Whether it is the log itself that has taken the room."""
        size = log.file.size_bytes()
        disk = os.statvfs(self._folder)
        return size * 4 >= disk.f_blocks * disk.f_frsize or (self._max is not None and size * 2 >= self._max)

    def _step(self, log: Log, *, thin: bool, drop: bool) -> bool:
        """Give up the next thing; False where there is nothing more to give up."""
        steps: tuple[Callable[[Log], bool], ...] = (self._quarantine, self._kept)
        if thin:
            steps += (self._thin,)
        if drop:
            steps += (self._drop,)
        return any(self._helped(step, log) for step in steps)

    def _helped(self, step: Callable[[Log], bool], log: Log) -> bool:
        try:
            return step(log)
        except DiskFull:
            # Even giving up needs a few pages to be written down. What a thinner saw was not kept.
            self._thinner = None
            return self._ballast.release() and step(log)

    def _quarantine(self, log: Log) -> bool:
        if self.growth(log) >= 0:
            return False
        busy = {name for name, _ in log.book.salvages}
        for path in sorted(self._folder.glob(f"{FILE_NAME}.damaged-*")):
            if path.name.removesuffix("-wal") not in busy:
                path.unlink()
                self._log.warning("a damaged file that had been searched is deleted for room", file=path.name)
                return True
        return False

    def _kept(self, log: Log) -> bool:
        return any(log.forget_kept(stream, None, _CHUNK) for stream in log.book.streams)

    def _thin(self, log: Log) -> bool:
        book = log.book
        horizon = _horizon(log)
        for level in range(1, len(LEVELS_S) + 1):
            rows = log.rows("readings", low=book.levels[level - 1] + 1, high=horizon, limit=_CHUNK)
            if not rows:
                continue
            rows = _first_of(rows, log.file.wal_limit // 4)
            thinner = self._thinner_from(level, book.levels[level - 1])
            with log.change(durable=False):
                before = book.thinned
                thin = [_thin(row, thinner) for row in rows]
                book.thinned += sum(row.n for row in rows) - sum(row.n for row in thin)
                log.replace("readings", rows, thin)
                book.levels[level - 1] = rows[-1].place
            self._thinner = (level, rows[-1].place, thinner)
            self._short_s = time.monotonic()
            self._thinned += book.thinned - before
            if self._short_s - self._told_s >= _TOLD_S:
                self._told_s = self._short_s
                self._log.warning(
                    "old readings are thinned for room", one_in_s=LEVELS_S[level - 1], readings=self._thinned
                )
                self._thinned = 0
            return True
        return False

    def _thinner_from(self, level: int, place: int) -> Thinner:
        """Go on with the thinner that came to this place, so that it remembers what it kept last."""
        if self._thinner is not None and self._thinner[:2] == (level, place):
            return self._thinner[2]
        return Thinner(level)

    def _drop(self, log: Log) -> bool:
        rows = log.rows("readings", limit=_CHUNK)
        if not rows:
            return False
        with log.change(durable=False, done=True):
            for row in rows:
                log.remove("readings", row.place)
                log.book.dropped += row.n
        self._short_s = time.monotonic()
        self._log.error("the oldest readings are dropped for room", readings=sum(row.n for row in rows))
        return True


def _horizon(log: Log) -> int:
    """Return the last place that may be thinned: nine tenths of the way through what waits."""
    base = log.book.eras[-1][0]
    following = log.book.streams["readings"].next
    oldest = log.rows("readings", limit=1)
    low = max(oldest[0].place if oldest else following, base)
    return low + (following - low) * (_NEWEST - 1) // _NEWEST - 1


def _first_of(rows: list[Row], size: int) -> list[Row]:
    """Return as many of the first rows as have `size` bytes: a transaction must fit into the WAL."""
    taken = 0
    for i, row in enumerate(rows):
        taken += len(row.data)
        if taken > size:
            return rows[: i + 1]
    return rows


def _thin(row: Row, thinner: Thinner) -> Row:
    try:
        batch = decode(row.data)
    except WireError:
        return row  # found damaged when its turn to be sent comes, and counted then
    if not isinstance(batch.payload, Readings):
        return row
    kept = thinner.thin(batch.declaration, batch.payload)
    if len(kept) == row.n:
        return row
    return Row(row.place, len(kept), row.made_us, encode(replace(batch, payload=kept)))
