"""The file of a backup: a ZIP of zstd streams, with a manifest of digests, row counts and versions.

    tables/NAME.copy.zst   binary COPY of one table or partition (PostgreSQL, SQL COPY, "Binary Format")
    manifest.json          `Manifest`; written last, so that a file without it was never finished

Members are stored as they are (they are compressed already); `unzip -l` lists them, `zstd -d` opens one.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import msgspec
import zstandard

from protocols.errors import Rejected

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 20
LEVEL: Final = 3


class TableEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One table of a backup. bytes and sha256 are of the COPY stream before it was compressed.

    parent and bound are of a partition: `readings`, `FOR VALUES FROM (…) TO (…)`.
    """

    name: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    parent: str | None = None
    bound: str | None = None

    @property
    def member(self) -> str:
        """Its place in the file."""
        return f"tables/{self.name}.copy.zst"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. revision is that of the tables; taken_at is when the snapshot was made, UTC."""

    format: int
    citynerve: str
    revision: str
    server: str
    taken_at: datetime
    tables: tuple[TableEntry, ...]
    sequences: dict[str, int]
    left_out: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(table.rows for table in self.tables)


class Writing:
    """One table on its way into the file: `write` chunks of its COPY stream, then ask `bytes`, `sha256`."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member
        self._pressed = zstandard.ZstdCompressor(level=LEVEL).compressobj()
        self._digest = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """The digest of what was written, in hexadecimal."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Add a chunk."""
        self.bytes += len(chunk)
        self._digest.update(chunk)
        self._member.write(self._pressed.compress(bytes(chunk)))

    def end(self) -> None:
        """Close the stream."""
        self._member.write(self._pressed.flush())


class NewBundle:
    """A backup that is being written. It has its name only when `create` ends well."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @contextmanager
    def table(self, name: str) -> Iterator[Writing]:
        """Write one table."""
        with self._archive.open(f"tables/{name}.copy.zst", "w", force_zip64=True) as member:
            writing = Writing(member)
            yield writing
            writing.end()

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, which makes it whole."""
        self._archive.writestr(MANIFEST, json.dumps(msgspec.to_builtins(manifest), indent=1))


@contextmanager
def create(path: Path) -> Iterator[NewBundle]:
    """Write a backup to `path`, mode 0600, durable and named when the block ends; nothing stays of a failure.

    Raises Rejected (`no-room`) where the folder cannot take it.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                yield NewBundle(archive)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise Rejected(
            "no-room",
            f"{path} cannot be written: {error.strerror or error}. Choose a folder with room that this"
            " account may write; nothing half-written was left there",
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


class Bundle:
    """A backup that is there."""

    def __init__(self, path: Path) -> None:
        """Read the manifest. Raises Rejected: `unreadable`, `damaged`, `newer`."""
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                text = archive.read(MANIFEST)
        except OSError as error:
            raise Rejected("unreadable", f"{path} cannot be read: {error.strerror or error}") from error
        except (zipfile.BadZipFile, KeyError) as error:
            raise _damaged(path, "it is cut off, or no backup of CityNerve") from error
        try:
            said = json.loads(text)
            if isinstance(said, dict) and isinstance(said.get("format"), int) and said["format"] > FORMAT:
                raise Rejected(
                    "newer",
                    f"{path} has format {said['format']}, written by CityNerve {said.get('citynerve')};"
                    f" this one knows format {FORMAT}. Restore it with that version or a newer one",
                )
            self.manifest = msgspec.convert(said, Manifest)
        except (ValueError, msgspec.ValidationError) as error:
            raise _damaged(path, f"its manifest cannot be read: {error}") from error

    def chunks(self, table: TableEntry) -> Iterator[bytes]:
        """Yield the COPY stream of a table, and at the end prove its digest. Raises Rejected (`damaged`)."""
        digest, size = hashlib.sha256(), 0
        try:
            with (
                zipfile.ZipFile(self.path) as archive,
                archive.open(table.member) as member,
                zstandard.ZstdDecompressor().stream_reader(member) as stream,
            ):
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except (zipfile.BadZipFile, zstandard.ZstdError, KeyError, EOFError) as error:
            raise _damaged(self.path, f"table {table.name} cannot be unpacked: {error}") from error
        if size != table.bytes or digest.hexdigest() != table.sha256:
            raise _damaged(self.path, f"table {table.name} is not what was written: its SHA-256 differs")

    def check(self) -> None:
        """Unpack everything once and prove every digest. Raises Rejected (`damaged`)."""
        for table in self.manifest.tables:
            for _ in self.chunks(table):
                pass


def _damaged(path: Path, why: str) -> Rejected:
    return Rejected("damaged", f"{path}: {why}. Take another backup file; nothing was changed")
