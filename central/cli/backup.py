"""`citynerve backup` and `citynerve restore`: the whole database in one file, and back.

Exit codes: 0 done, 1 refused with a sentence and nothing changed, 2 wrong settings.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from central.cli.attached import Json
from central.cli.settings import Data, settings
from central.cli.trail import actor, write_down
from central.config import Config
from central.store import migrate
from central.store.backup import restore as restoring
from central.store.backup import take as taking
from central.store.backup.aftercare import Aftermath
from central.store.backup.bundle import Bundle, Manifest, TableEntry
from central.store.open import database_server, open_database
from protocols.errors import Rejected


def backup(
    target: Annotated[Path, typer.Argument(help="File to write, or a folder that is there.")],
    keep: Annotated[
        int | None, typer.Option(min=1, help="In a folder: keep so many newest backups, delete older ones.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write the whole database into one file while the centre works. The file holds secrets: mode 0600.

    Example: citynerve backup /var/backups/citynerve --keep 14
    """
    if keep is not None and not target.is_dir():
        raise typer.BadParameter("goes with a folder that is there", param_hint="--keep")
    config = settings(data)
    with _refusals():
        path, manifest = asyncio.run(_take(config, target))
    if keep is not None:
        for old in sorted(target.glob(f"citynerve-*{taking.SUFFIX}"))[:-keep]:
            old.unlink()
            typer.echo(f"{old.name} was deleted: more than {keep} were there", err=True)
    if as_json:
        typer.echo(
            msgspec.json.encode({"file": str(path), "bytes": path.stat().st_size, "manifest": manifest})
        )
        return
    typer.echo(
        f"{path}: {manifest.rows:,} rows in {path.stat().st_size / 1e6:,.1f} MB, as of {_when(manifest)}"
    )


def restore(
    file: Annotated[Path, typer.Argument(help="File that `citynerve backup` wrote.", dir_okay=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Throw away what is in the database now.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only prove every digest of the file; touch no database.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put a backup back into an empty database. Stop the centre first; start it afterwards.

    Example: citynerve restore citynerve-20261122T134500Z.cnbackup
    """
    config = settings(data)
    with _refusals():
        if check:
            kept = Bundle(file)
            kept.check()
            typer.echo(f"{file} is whole: {kept.manifest.rows:,} rows, as of {_when(kept.manifest)}")
            return
        kept, after = asyncio.run(_restore(config, file, replace=replace))
    if as_json:
        typer.echo(msgspec.json.encode({"manifest": kept.manifest, "aftermath": after}).decode())
        return
    for line in _account(kept.manifest, after):
        typer.echo(line)


async def _take(config: Config, target: Path) -> tuple[Path, Manifest]:
    async with database_server(config, attach=True) as url:
        path, manifest = await asyncio.to_thread(taking.take, url, target, progress=_taken)
        await asyncio.to_thread(taking.record, url, path, manifest, actor())
        if manifest.revision == migrate.head():
            await _write_down(config, "backup", path)
    return path, manifest


async def _restore(config: Config, file: Path, *, replace: bool) -> tuple[Bundle, Aftermath]:
    async with database_server(config) as url:
        kept, after = await asyncio.to_thread(
            restoring.restore, url, file, replace=replace, actor=actor(), progress=_restored
        )
        await _write_down(config, "restore", file)
    return kept, after


async def _write_down(config: Config, operation: str, path: Path) -> None:
    """Leave a trace in the audit trail: whoever took or put back everything."""
    async with open_database(config, migrate=False, attach=True) as database:
        await write_down(database, operation, str(path))


def _account(manifest: Manifest, after: Aftermath) -> Iterator[str]:
    yield f"Restored {manifest.rows:,} rows, as of {_when(manifest)}."
    yield (
        "What gateways delivered after that they may have deleted: the centre takes what they still"
        " have, once, and `citynerve doctor` names what stays missing."
    )
    if after.commands_ended or after.orders_ended:
        yield f"{after.commands_ended} commands and {after.orders_ended} orders under way have been ended."
    if after.notices_ended:
        yield f"{after.notices_ended} notices that were waiting have been given up; send again what matters."
    yield "Everybody signs in again. Passwords, roles and rights are those of the backup."
    if after.tokens:
        yield f"{after.tokens} API tokens hold as in the backup: revoke again what was revoked since."
    yield (
        "A gateway that exchanged its token since is refused (`unknown-gateway`) and keeps its data;"
        " let it in: citynerve gateway enrol-code ID"
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Rejected as error:
        typer.echo(f"citynerve: {error}", err=True)
        raise typer.Exit(1) from error


def _taken(table: TableEntry, place: int, count: int) -> None:
    _progress(f"[{place}/{count}] {table.name}: {table.rows:,} rows", last=place == count)


def _restored(what: str, table: TableEntry | None, place: int, count: int) -> None:
    words = f"{what} [{place}/{count}] {table.name}: {table.rows:,} rows" if table else what
    _progress(words, last=place == count)


def _progress(words: str, *, last: bool) -> None:
    """One line that is written over at a terminal; in a log only the last of each kind."""
    if sys.stderr.isatty():
        typer.echo(f"\r\033[K{words}", err=True, nl=last)
    elif last:
        typer.echo(words, err=True)


def _when(manifest: Manifest) -> str:
    return f"{manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC, revision {manifest.revision}"
