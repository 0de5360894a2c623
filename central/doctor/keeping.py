"""What is kept: room on the disk, age of backups, the archive's files, modes of what holds secrets."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psycopg

from central.doctor.finding import Finding, Patient, span, volume
from central.store.backup import aftercare
from central.store.keeping.archive import Entry, Verdict
from central.store.keeping.parts import archive

LITTLE, VERY_LITTLE = 0.10, 0.03
BACKUP_DUE, BACKUP_LATE = timedelta(days=2), timedelta(days=8)
OTHERS = stat.S_IRWXO


async def room(patient: Patient) -> AsyncIterator[Finding]:
    """The disk under the data folder. A database server elsewhere has a disk of its own to look at."""
    folder = patient.config.data_dir
    if not folder.is_dir():
        return
    use = shutil.disk_usage(folder)
    share = use.free / use.total
    if share < LITTLE:
        yield Finding(
            "disk.free", "error" if share < VERY_LITTLE else "warning",
            f"{volume(use.free)} of {volume(use.total)} are free under {folder}",
            "on a full disk PostgreSQL stops; gateways then keep everything until they are full too",
            "citynerve retention run --dry-run   # shorter CITYNERVE_RETENTION, or a larger disk",
        )  # fmt: skip


async def backups(patient: Patient) -> AsyncIterator[Finding]:
    """There is a backup, it is fresh, it is where it was written, and nobody else may read it."""
    if not await patient.has("backups"):
        return
    rows = await patient.rows("SELECT taken_at, file FROM backups ORDER BY taken_at DESC LIMIT 1")
    repair = "citynerve backup /var/backups/citynerve --keep 14   # every night, and copy it elsewhere"
    if not rows:
        yield Finding(
            "backup.none", "warning", "no backup was ever taken with `citynerve backup`",
            "a lost disk is then a lost city, unless the server has a backup of its own", repair,
        )  # fmt: skip
        return
    taken_at, file = rows[0]
    age = patient.now - taken_at
    if age > BACKUP_DUE:
        yield Finding(
            "backup.age", "error" if age > BACKUP_LATE else "warning",
            f"the newest backup is {span(age.total_seconds())} old ({file})",
            "what came since is lost with the disk", repair,
        )  # fmt: skip
    path = Path(file)
    if _open_to(path, OTHERS | stat.S_IRWXG):
        yield Finding(
            "backup.mode", "error", f"others may read {file}",
            "it holds password hashes, second factors and digests of tokens", f"chmod 600 {file}",
        )  # fmt: skip


async def archived(patient: Patient) -> AsyncIterator[Finding]:
    """The archive's files are there, of the right size, and with --deep bit by bit what was written."""
    if not await patient.has("archived_days"):
        return
    rows = await patient.rows("SELECT day, class, file, rows, bytes, sha256 FROM archived_days ORDER BY day")
    names = ("day", "retention", "file", "rows", "bytes", "sha256")
    entries = [Entry(**dict(zip(names, row, strict=True))) for row in rows]
    kept = archive(patient.config)
    bad = [
        entry
        for entry in entries
        if not (kept.folder / entry.file).is_file()
        or (kept.folder / entry.file).stat().st_size != entry.bytes
    ]
    if patient.deep and not bad:
        verdicts: list[Verdict] = await asyncio.to_thread(lambda: list(kept.verify(entries)))
        bad = [verdict.entry for verdict in verdicts if verdict.state != "whole"]
    if bad:
        yield Finding(
            "archive.damaged", "error",
            f"{len(bad)} of {len(entries)} files of the archive are missing or changed, first {bad[0].file}",
            "those readings are nowhere else",
            f"citynerve archive verify   # then put copies back into {kept.folder}",
        )  # fmt: skip


async def modes(patient: Patient) -> AsyncIterator[Finding]:
    """Files with secrets are closed to others."""
    named = os.environ.get("CITYNERVE_DATABASE_URL_FILE")
    for path in filter(None, (Path(named) if named else None, patient.config.data_dir / "postgres")):
        if _open_to(path, OTHERS):
            yield Finding(
                "files.mode", "error", f"everybody on this machine may open {path}",
                "it holds the database or the password to it", f"chmod o-rwx {path}",
            )  # fmt: skip


async def restored(patient: Patient) -> AsyncIterator[Finding]:
    """After a restore: what gateways delivered before it and the centre has not got again."""
    if not await patient.has("restores"):
        return
    rows = await patient.rows("SELECT taken_at, restored_at FROM restores ORDER BY id DESC LIMIT 1")
    if not rows:
        return
    taken_at, restored_at = rows[0]

    def ask() -> list[aftercare.Gap]:
        with psycopg.connect(patient.database.url) as connection:
            return aftercare.gaps(connection)

    gaps = await asyncio.to_thread(ask)
    if gaps:
        worst = gaps[0]
        batches = sum(gap.last - gap.first + 1 for gap in gaps)
        yield Finding(
            "restore.gap", "warning",
            f"{batches} batches of {len({gap.gateway for gap in gaps})} gateways have not come again"
            f" since the restore of {restored_at:%Y-%m-%d %H:%M} UTC ({worst.gateway}, {worst.stream}"
            f" {worst.first} to {worst.last}, …)",
            f"they were acknowledged after the backup of {taken_at:%Y-%m-%d %H:%M} UTC and deleted at the"
            " gateway: readings, alarms and outcomes of that time are missing here",
            "citynerve-edge alarms list FILE   # at each of them: compare what is open with the console",
        )  # fmt: skip


def _open_to(path: Path, whom: int) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & whom)
    except OSError:
        return False  # it lies on another machine, or was moved there


LOOKS = (room, backups, archived, modes, restored)
