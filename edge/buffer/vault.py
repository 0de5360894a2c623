"""The log's place on the disk: the folder that is locked, the file that is opened, rescued and tended.

Whoever wants something of the log lets the vault `do` it: where there was no room so far it is opened,
where it proves to be damaged it goes on in a new file and the same is done there.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import structlog

from edge.buffer.carve import PAGE
from edge.buffer.file import FILE_NAME, Damaged, DiskFull, LogFile
from edge.buffer.log import Log
from edge.buffer.policy import Ballast, Room
from edge.buffer.rescue import (
    KEPT_FILES,
    carry_over,
    carry_some,
    carry_tail,
    discard,
    quarantine,
    quarantined,
)
from edge.buffer.salvage import Salvage
from edge.config.keeping import StorageEntry
from protocols.errors import StorageError
from protocols.model.clock import SECOND_US, Clock
from protocols.wire.channels import STREAMS

Result = TypeVar("Result")
_TEND_S: Final = 10.0
_TENDING_S: Final = 0.05
_CHUNK: Final = 256


class Vault:
    """One locked folder with its log; `log` is None while there is no room to begin one.

    opened: hears of each log that is opened. `quarantined` names the last file that was found damaged.
    Not for two threads at once.
    """

    def __init__(
        self, folder: Path, clock: Clock, keeping: StorageEntry, opened: Callable[[Log], None]
    ) -> None:
        self.folder = folder
        self.keeping = keeping
        self.log: Log | None = None
        self.quarantined: Path | None = None
        self._clock = clock
        self._opened = opened
        self._path = folder / FILE_NAME
        self._logger = structlog.get_logger("edge.buffer")
        self._salvage: Salvage | None = None
        self._tended_s = 0.0
        self._held: int | None = _hold(folder)
        try:
            self._ballast = Ballast(folder)
            self.room = Room(folder, keeping, self._ballast)
            self._start()
        except BaseException:
            self.close()
            raise

    def keep(self, keeping: StorageEntry) -> None:
        """Keep to other limits from now on."""
        self.keeping = keeping
        self.room = Room(self.folder, keeping, self._ballast)

    def close(self) -> None:
        """Let go of the files and the folder; safe to call twice."""
        if self._salvage is not None:
            self._salvage.close()
            self._salvage = None
        if self.log is not None:
            self.log.file.close()
            self.log = None
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def do(self, act: Callable[[Log], Result]) -> Result:
        """Do something with the log, in the gate; where it proves to be damaged, again with its successor."""
        log = self._ready()
        try:
            return act(log)
        except Damaged as error:
            self._rescue(str(error))
        try:
            return act(self._ready())
        except Damaged as error:
            raise StorageError(
                f"{self._path}: the log is damaged again at once ({error}). Replace this disk."
            ) from error

    def with_ballast(self, write: Callable[[], Result], *, urgent: bool) -> Result:
        """Write; without room once more after the ballast has been let go, if this must not be lost."""
        try:
            return write()
        except DiskFull:
            if not urgent or not self._ballast.release():
                raise
        self._logger.error("the disk is full; the reserve is used for what must not be lost")
        return write()

    def _start(self) -> None:
        try:
            self._ready()
        except DiskFull as error:
            self._logger.warning("the log waits for room on the disk", reason=str(error))

    def _ready(self) -> Log:
        """Return the open log; opens it where there was no room so far. Raises StorageError."""
        if self._held is None:
            raise StorageError(f"{self._path}: the log is closed.")
        if self.log is None:
            try:
                self.log = self._open()
            except Damaged as error:
                self._rescue(str(error))
            if self.log is not None:
                self._opened(self.log)
                self._ballast.take(self.room.floor)
        if self.log is None:
            raise StorageError(f"{self._path}: the log cannot be opened.")
        return self.log

    def _open(self) -> Log:
        emptied = self._path.exists() and not self._path.stat().st_size
        if emptied and (self._ballast.there or self._path.with_name(FILE_NAME + "-wal").exists()):
            # SQLite would take it for a new one; the reserve beside it says that there was a log.
            self.quarantined = quarantine(self._path, self._clock())
            self._logger.error("the log has been emptied; a new one is begun", kept_as=str(self.quarantined))
        kept = quarantined(self.folder)
        file = self._connect()
        try:
            log = Log(file)
            if log.fresh and kept:
                file.close()
                return carry_over(kept[-1], None, None, self._connect, "it was moved here and not searched")
            if log.fresh:
                log.begin()
            if file.lost_tail:
                self.quarantined = quarantine(self._path, self._clock(), copy_wal=True)
                wal = Salvage(self._path, wal_only=True)
                try:
                    found = carry_tail(log, wal)
                finally:
                    wal.close()
                self._logger.error("the end of the log was damaged; what is whole is kept", batches=found)
        except BaseException:
            file.close()
            raise
        return log

    def _connect(self) -> LogFile:
        """Open the file; without room after the ballast has been let go, at last without sharing it."""
        try:
            file = LogFile(self._path)
        except DiskFull:
            self._ballast.release()
            try:
                file = LogFile(self._path)
            except DiskFull:
                file = LogFile(self._path, alone=True)
        disk = os.statvfs(self.folder)
        total = disk.f_blocks * disk.f_frsize
        file.limit_wal(min(1000, min(total, self.keeping.max_bytes or total) // (8 * PAGE)))
        return file

    def _rescue(self, reason: str) -> None:
        """Go on in a new file."""
        known = None
        if self._salvage is not None:
            self._salvage.close()
            self._salvage = None
        if self.log is not None:
            known = (self.log.book, self.log.done)
            self.log.file.close()
            self.log = None
        self.quarantined = quarantine(self._path, self._clock())
        book, done = known or (None, None)
        self.log = carry_over(self.quarantined, book, done, self._connect, reason)

    def tend(self) -> None:
        """Do a little of what can wait: carry over, delete what is kept no longer, renew the reserve."""
        log = self.log
        if log is None:
            return
        now_s = time.monotonic()
        try:
            if log.book.salvages:
                self._carry(log)
            if now_s - self._tended_s >= _TEND_S:
                before_us = self._clock() - round(self.keeping.keep_hours * 3600 * SECOND_US)
                ends = now_s + _TENDING_S
                gone = [log.forget_kept(stream, before_us, _CHUNK) for stream in STREAMS]
                while any(gone) and time.monotonic() < ends:
                    gone = [log.forget_kept(stream, before_us, _CHUNK) for stream in STREAMS]
                self._tended_s = 0.0 if any(gone) else now_s
                self._ballast.take(self.room.floor)
                for path in quarantined(self.folder)[:-KEPT_FILES]:
                    if all(name != path.name for name, _ in log.book.salvages):
                        discard(path)
        except Damaged as error:
            self._rescue(str(error))
        except StorageError as error:
            self._logger.warning("the log cannot be tended now", reason=str(error))

    def _carry(self, log: Log) -> None:
        name, position = log.book.salvages[0]
        if self._salvage is None or self._salvage.path.name != name:
            self._salvage = Salvage(self.folder / name, position)
        ends = time.monotonic() + _TENDING_S
        while True:
            carried = carry_some(log, self._salvage)
            if carried:
                self._logger.info("batches are carried over", batches=carried, left=self._salvage.left)
            if self._salvage.done or time.monotonic() > ends:
                break
        if self._salvage.done:
            self._salvage.close()
            self._salvage = None


def _hold(folder: Path) -> int:
    """Lock the folder for this process: two gateways on one log would double every number."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The folder itself, not a file in it: a full disk may have no room for one.
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StorageError(
            f"{folder}: {error.strerror}. Give the gateway a `state_dir` that it may write, "
            f"or run: chown -R $(id -un) {folder}"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        raise StorageError(
            f"{folder}: another gateway is using this folder. Stop it, or give this one its own `state_dir`."
        ) from error
    return held
