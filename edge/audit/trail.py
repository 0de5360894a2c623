"""The gateway's own audit trail: who did what here, in a file that cannot be edited without trace.

One JSON line for each deed, mode 0600, on the disk before `note` returns. Each line seals the one before
it (`protocols.model.chain`), over rotated files too. The seal has no secret: whoever may write the file
can rewrite all of it, consistently, from some line to the end. Against that the centre remembers the last
seal that the gateway told it (`GatewayStatus.audit_head`); `edge.audit.proof` compares.

    state_dir/audit.jsonl            the newest lines
    state_dir/audit-000000001.jsonl  older ones, named by their first number
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from edge.durable import sync_folder
from protocols.errors import StorageError
from protocols.model.chain import START, Scalar, seal
from protocols.model.clock import Clock, now_us

FILE_NAME: Final = "audit.jsonl"
MAX_BYTES: Final = 4_000_000
KEPT_FILES: Final = 16
"""Rotated files that are kept; the oldest beyond them are deleted."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One deed. n counts from 1 without gaps; prev and hash are the seals before and of it, hexadecimal.

    actor: `centre:…` a user there, `page:…` and `local:…` a person here, `action:…` the gateway itself.
    """

    n: int
    time_us: int
    actor: str
    what: str
    subject: str
    detail: str
    prev: str
    hash: str

    def sealed(self) -> bytes:
        """Return the seal that belongs to what this entry says, after the one that it names before it."""
        said: dict[str, Scalar] = {
            "n": self.n,
            "time_us": self.time_us,
            "actor": self.actor,
            "what": self.what,
            "subject": self.subject,
            "detail": self.detail,
        }
        return seal(bytes.fromhex(self.prev), said)


class Audit:
    """Appends to the trail in `folder`. Several may be open at once, also in several processes.

    Its methods wait for the disk: call them from a worker thread. They raise StorageError where the
    disk does not take a line; the line is then not in the trail, not even half of it.
    """

    def __init__(
        self, folder: Path, clock: Clock = now_us, *, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES
    ) -> None:
        self.path = folder / FILE_NAME
        self._clock = clock
        self._max_bytes = max_bytes
        self._kept = kept
        self._gate = threading.Lock()
        self._known = (-1, -1)
        self._count, self._last = 0, START

    def note(self, actor: str, what: str, subject: str, detail: str = "") -> int:
        """Write down one deed durably and return its number."""
        with self._gate:
            with self._held() as file:
                if os.fstat(file).st_size < self._max_bytes:
                    return self._append(file, actor, what, subject, detail)
                self._rotate()
            with self._held() as file:
                return self._append(file, actor, what, subject, detail)

    def head(self) -> tuple[int, str]:
        """Return the number of the last entry and its seal; (0, "") before the first."""
        with self._gate:
            if not self.path.exists() and not rotated(self.path.parent):
                return 0, ""
            with self._held():
                return self._count, self._last.hex() if self._count else ""

    def _append(self, file: int, actor: str, what: str, subject: str, detail: str) -> int:
        entry = AuditEntry(
            n=self._count + 1,
            time_us=self._clock(),
            actor=_utf8(actor),
            what=_utf8(what),
            subject=_utf8(subject),
            detail=_utf8(detail),
            prev=self._last.hex(),
            hash="",
        )
        digest = entry.sealed()
        line = msgspec.json.encode(msgspec.structs.replace(entry, hash=digest.hex())) + b"\n"
        before = os.fstat(file).st_size
        try:
            # On a full disk the first write may take a part, and the second then says why.
            written = os.write(file, line)
            while written < len(line):
                written += os.write(file, line[written:])
            os.fsync(file)
        except OSError as error:
            os.ftruncate(file, before)
            raise _storage_error(self.path, error) from error
        stat = os.fstat(file)
        self._known = (stat.st_ino, stat.st_size)
        self._count, self._last = entry.n, digest
        return entry.n

    @contextmanager
    def _held(self) -> Iterator[int]:
        """Open the trail, locked against other writers, with its end known."""
        file = self._open()
        try:
            self._recall(file)
            yield file
        finally:
            os.close(file)

    def _open(self) -> int:
        while True:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise _storage_error(self.path, error) from error
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_ino == self._inode():
                return file
            os.close(file)  # another has rotated it while we waited for the lock

    def _inode(self) -> int:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return -1

    def _recall(self, file: int) -> None:
        """Find the end of the chain where another has written, and clean up after a power cut."""
        stat = os.fstat(file)
        if (stat.st_ino, stat.st_size) == self._known:
            return
        lines = self.path.read_bytes().splitlines(keepends=True)
        torn = len(lines[-1]) if lines and not lines[-1].endswith(b"\n") else 0
        if torn and parsed(lines[-1]) is not None:
            os.write(file, b"\n")  # only its end of line is missing
            torn = 0
        elif torn:
            # Nobody was told that this line is written: `note` had not returned.
            os.ftruncate(file, stat.st_size - torn)
            lines.pop()
        last = _last(lines)
        for older in reversed(rotated(self.path.parent)):
            if last is not None:
                break
            last = _last(older.read_bytes().splitlines(keepends=True))
        self._count, self._last = (last.n, bytes.fromhex(last.hash)) if last else (0, START)
        stat = os.fstat(file)
        self._known = (stat.st_ino, stat.st_size)
        if torn:
            self._append(
                file, "gateway", "audit-recovered", FILE_NAME, f"{torn} bytes of a torn line removed"
            )

    def _rotate(self) -> None:
        lines = map(parsed, self.path.read_bytes().split(b"\n"))
        first = next((entry.n for entry in lines if entry), self._count + 1)
        try:
            self.path.rename(self.path.with_name(f"audit-{first:09}.jsonl"))
            for old in rotated(self.path.parent)[: -self._kept]:
                old.unlink()
            sync_folder(self.path.parent)
        except OSError as error:
            raise _storage_error(self.path, error) from error


def rotated(folder: Path) -> list[Path]:
    """Return the older files of the trail, the oldest first."""
    return sorted(folder.glob("audit-*.jsonl"))


def parsed(line: bytes) -> AuditEntry | None:
    """Return the entry of a line, or None where it is none."""
    try:
        entry = msgspec.json.decode(line, type=AuditEntry)
        bytes.fromhex(entry.prev + entry.hash)
    except (msgspec.MsgspecError, ValueError):
        return None
    return entry


def entries(folder: Path, last: int) -> list[AuditEntry]:
    """Return the newest entries of a trail, the oldest of them first; also while it is written."""
    found: list[AuditEntry] = []
    for file in reversed([*rotated(folder), folder / FILE_NAME]):
        if len(found) >= last or not file.exists():
            continue
        lines = file.read_bytes().split(b"\n")
        found = [entry for entry in map(parsed, lines) if entry is not None] + found
    return found[-last:] if last > 0 else []


def _last(lines: list[bytes]) -> AuditEntry | None:
    return next((entry for entry in map(parsed, reversed(lines)) if entry is not None), None)


def _utf8(words: str) -> str:
    """A lone surrogate (a file name, a device's words) cannot be written as UTF-8."""
    return words.encode("utf-8", "replace").decode("utf-8")


def _storage_error(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: {error.strerror or error}. Free some space on this disk, "
        "and let the gateway's user write there."
    )
