"""Two things that are looked at now and then: the file, for edits by hand, and what is well."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from edge.config.texts import Texts, gather, own_profiles
from edge.versions.probation import Seen
from edge.versions.store import write
from protocols.errors import ConfigError

_WELL: Final = "well.json"


class FileWatch:
    """Notices that the gateway file or one of its own profiles says something else than what runs."""

    def __init__(self, file: Path) -> None:
        self.digest = ""
        """Digest of what the file says, where it is not what runs; `unreadable` where nobody can tell."""
        self.why = ""
        self._file = file
        self._running = ""
        self._files: list[Path] = []
        self._stamp: object = None

    def expect(self, running: Texts) -> None:
        """Note what runs: the files are compared with it from now on."""
        self._running = running.digest
        self._files = [self._file, *own_profiles(self._file, running.file)]
        self._stamp = None

    def look(self) -> bool:
        """Look at the files, and read them only where they were touched; return whether they differ anew."""
        stamp = tuple(_stamps(self._files))
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        before = self.digest
        try:
            digest = gather(self._file).digest
            self.digest = "" if digest == self._running else digest
            self.why = f"the file was changed and not applied; run: citynerve-edge config apply {self._file}"
        except ConfigError as error:
            self.digest, self.why = "unreadable", str(error)
        return bool(self.digest) and self.digest != before


def _stamps(files: Iterable[Path]) -> Iterable[tuple[int, int, int] | None]:
    for file in files:
        try:
            status = file.stat()
        except OSError:
            yield None
        else:
            yield status.st_mtime_ns, status.st_size, status.st_ino


class _Well(msgspec.Struct, frozen=True):
    devices: tuple[str, ...] = ()
    uplink: bool = False


class WellKeeper:
    """Remembers over a restart what was well: what a configuration that comes with a start must reach."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _WELL
        self._kept: _Well | None = None

    def last(self) -> Seen:
        """Return what was well when it was kept last; nothing where that is not known."""
        try:
            well = msgspec.json.decode(self._path.read_bytes(), type=_Well)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return Seen(frozenset(), uplink=False)
        return Seen(frozenset(well.devices), well.uplink)

    def keep(self, seen: Seen) -> None:
        """Write it down where it is another than before. Raises StorageError."""
        well = _Well(tuple(sorted(seen.devices)), seen.uplink)
        if well != self._kept:
            write(self._path, msgspec.json.encode(well))
            self._kept = well
