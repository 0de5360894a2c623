"""The versions of a gateway's configuration on disk: what ran, what runs, and what to go back to.

    state_dir/versions/000007.json   one version, whole: its texts, who made it, when and why; never changed
    state_dir/versions/index.json    which one runs, which was good, the state of each, the trial under way

A version's file is written before the index names it, and the index is replaced in one step: after a power
cut there is the state before or the state after, never one between. Everything is 0600 in a 0700 folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import structlog

from edge.config.texts import Texts
from edge.durable import replace_file
from protocols.errors import Rejected, StorageError
from protocols.model.clock import Clock, now_us

KEPT: Final = 20
Source = Literal["file", "page", "centre", "rollback", "start"]
"""Who wanted it: the command line, the page, the centre, a way back, or the file found at a start."""
VersionState = Literal["running", "good", "probation", "rolled-back", "refused"]
"""`running` is proven and runs; `good` ran well before; the last two never will without somebody's wish."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version as lists show it. why says what became of it; order is the centre's, where it came so."""

    number: int
    digest: str
    made_us: int
    source: Source
    actor: str
    note: str = ""
    state: VersionState
    why: str = ""
    order: str = ""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A version on probation. back: the version to return to. seconds, spent_s: of the gateway running.

    devices and uplink are what was well before and must be well again. starts counts the times that the
    process began within it without having been stopped in order.
    """

    number: int
    back: int
    seconds: float
    devices: tuple[str, ...]
    uplink: bool
    spent_s: float = 0.0
    starts: int = 0


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway knows of its versions, oldest first. running and good are 0 before the first."""

    gateway: str = ""
    versions: tuple[Version, ...] = ()
    running: int = 0
    good: int = 0
    trial: Trial | None = None
    told: Literal["same", "refused", "rolled-back"] = "same"
    """What the last change came to, and `told_why` in words; until the next one."""
    told_why: str = ""
    wanted: str = ""
    """Digest of what was wanted and does not run, after `refused` and `rolled-back`."""


class _Whole(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a version's own file."""

    number: int
    made_us: int
    source: Source
    actor: str
    note: str
    file: str
    profiles: dict[str, str]


class Versions:
    """The versions in a gateway's state folder. Methods block on the disk, and raise StorageError.

    read_only: for somebody who looks while the gateway may run; a damaged index is then left alone.
    """

    def __init__(self, state_dir: Path, clock: Clock = now_us, *, read_only: bool = False) -> None:
        self._read_only = read_only
        self.state_dir = state_dir
        self.folder = state_dir / "versions"
        self._clock = clock
        self._patient = False
        self._unwritten: dict[int, bytes] = {}
        self.owes = False
        """Whether the index, or a version, is only in memory: see `patiently`."""
        self._log = structlog.get_logger("edge.versions")
        self.index = self._settled = self._read_index()

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """Keep in memory what the disk does not take, until `catch_up`: a full disk must not stop a start."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def catch_up(self) -> None:
        """Write what is only in memory. Raises StorageError."""
        if self.owes:
            self.settle()

    def add(
        self, texts: Texts, source: Source, actor: str, note: str, state: VersionState, order: str = ""
    ) -> Version:
        """Keep a version and return it; the index on disk has it after `settle`."""
        known = [version.number for version in self.index.versions]
        number = max([*known, *self._numbers(), 0]) + 1
        version = Version(
            number=number,
            digest=texts.digest,
            made_us=self._clock(),
            source=source,
            actor=actor,
            note=note,
            state=state,
            order=order,
        )
        whole = _Whole(
            number=number,
            made_us=version.made_us,
            source=source,
            actor=actor,
            note=note,
            file=texts.file,
            profiles=dict(texts.profiles),
        )
        data = msgspec.json.format(msgspec.json.encode(whole))
        try:
            write(self._path(number), data)
        except StorageError:
            if not self._patient:
                raise
            self._unwritten[number] = data
        self.index = msgspec.structs.replace(self.index, versions=(*self.index.versions, version))
        return version

    def mark(self, number: int, state: VersionState, why: str = "") -> None:
        """Change the state of a version in the index in memory."""
        versions = tuple(
            msgspec.structs.replace(version, state=state, why=why or version.why)
            if version.number == number
            else version
            for version in self.index.versions
        )
        self.index = msgspec.structs.replace(self.index, versions=versions)

    def drop(self, numbers: Iterable[int]) -> None:
        """Take versions out of the index in memory; `settle` deletes them."""
        gone = set(numbers)
        versions = tuple(version for version in self.index.versions if version.number not in gone)
        self.index = msgspec.structs.replace(self.index, versions=versions)

    def settle(self, **changes: Any) -> None:
        """Change fields of the index and make it durable, all or nothing; then delete what is too old."""
        before, index = self._settled, msgspec.structs.replace(self.index, **changes)
        kept = _newest(index)
        versions = tuple(version for version in index.versions if version.number in kept)
        index = msgspec.structs.replace(index, versions=versions)
        try:
            for number in tuple(self._unwritten):
                write(self._path(number), self._unwritten[number])
                del self._unwritten[number]
            write(self.folder / "index.json", msgspec.json.format(msgspec.json.encode(index)))
        except StorageError as error:
            if not self._patient:
                self.index = before
                raise
            self.owes, self.index, self._settled = True, index, index
            self._log.warning("the versions are kept in memory until the disk has room", reason=str(error))
            return
        self.owes, self.index, self._settled = False, index, index
        for number in self._numbers():
            if number not in kept:
                self._path(number).unlink(missing_ok=True)

    def version(self, number: int) -> Version:
        """Return a version. Raises Rejected `unknown-version`."""
        for version in self.index.versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in self.index.versions) or "none yet"
        raise Rejected("unknown-version", f"version {number} is not kept; there are: {known}")

    def texts(self, number: int) -> Texts:
        """Return the texts of a version. Raises Rejected `unknown-version`, StorageError if damaged."""
        version, path = self.version(number), self._path(number)
        try:
            data = self._unwritten.get(number) or path.read_bytes()
            whole = msgspec.json.decode(data, type=_Whole)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StorageError(f"{path}: {error}. This version is lost; choose another one.") from error
        texts = Texts(whole.file, whole.profiles)
        if texts.digest != version.digest:
            raise StorageError(f"{path} was changed after it was kept. Choose another version.")
        return texts

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"

    def _numbers(self) -> list[int]:
        kept = self.folder.glob("[0-9]*.json")
        return [*(int(path.stem) for path in kept if path.stem.isdecimal()), *self._unwritten]

    def _read_index(self) -> Index:
        path = self.folder / "index.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Index)
        except FileNotFoundError:
            return Index()
        except OSError as error:
            raise StorageError(
                f"{path}: {error.strerror}. Give the gateway's user the right to read it."
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if self._read_only:
                raise StorageError(
                    f"{path} is damaged; the gateway's next start begins a new one."
                ) from error
            aside = path.with_name(f"index.damaged-{self._clock() // 1_000_000}")
            path.rename(aside)
            self._log.error(
                "the index of the versions was damaged; a new one is begun",
                kept_as=str(aside),
                reason=str(error),
            )
            return Index(versions=tuple(self._found()))

    def _found(self) -> Iterator[Version]:
        """Yield the versions whose files are whole; nobody knows any more what became of them."""
        for number in sorted(self._numbers()):
            with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                whole = msgspec.json.decode(self._path(number).read_bytes(), type=_Whole)
                yield Version(
                    number=number,
                    digest=Texts(whole.file, whole.profiles).digest,
                    made_us=whole.made_us,
                    source=whole.source,
                    actor=whole.actor,
                    note=whole.note,
                    state="good",
                    why="found after the index was damaged",
                )


def _newest(index: Index) -> set[int]:
    """Return the numbers to keep: the last KEPT, and always what runs, was good or is on probation."""
    trial = index.trial
    needed = {index.running, index.good, *((trial.number, trial.back) if trial else ())} - {0}
    others = [version.number for version in index.versions if version.number not in needed]
    room = KEPT - sum(version.number in needed for version in index.versions)
    return needed | set(others[max(len(others) - room, 0) :])


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file in one step that a power cut cannot halve. Raises StorageError."""
    try:
        replace_file(path, data, mode)
    except OSError as error:
        raise StorageError(
            f"{path}: {error.strerror or error}. Free some space, or let the gateway's user write there."
        ) from error
