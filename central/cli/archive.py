"""`citynerve archive`: days of readings that were written to Parquet and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

import msgspec
import psycopg
import typer

from central.cli.attached import Json
from central.cli.settings import Data, settings
from central.config import Config
from central.store.keeping.archive import Archive
from central.store.keeping.parts import archive
from central.store.open import database_server

Result = TypeVar("Result")

app = typer.Typer(help="Days of readings in the archive.", no_args_is_help=True)


@app.command("list")
def list_days(data: Data = None, as_json: Json = False) -> None:
    """List what was archived, the oldest day first."""
    entries = _with(settings(data), lambda kept, connection: kept.entries(connection))
    if as_json:
        typer.echo(msgspec.json.encode(entries).decode())
        return
    for entry in entries:
        typer.echo(
            f"{entry.day}  {entry.retention:10} {entry.rows:14,} rows {entry.bytes:14,} B  {entry.file}"
        )
    if not entries:
        typer.echo("Nothing was archived; CITYNERVE_ARCHIVE=1 lets the centre archive what it deletes.")


@app.command()
def verify(data: Data = None, as_json: Json = False) -> None:
    """Read every file and compare its SHA-256. Exit code 1 where one is missing or has changed."""
    verdicts = _with(settings(data), lambda kept, connection: list(kept.verify(kept.entries(connection))))
    bad = [verdict for verdict in verdicts if verdict.state != "whole"]
    if as_json:
        typer.echo(msgspec.json.encode(verdicts).decode())
    else:
        for verdict in bad:
            typer.echo(f"{verdict.entry.file} is {verdict.state}; take it from a copy of the archive")
        typer.echo(f"{len(verdicts) - len(bad)} of {len(verdicts)} files are whole.")
    if bad:
        raise typer.Exit(1)


@app.command()
def restore(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], metavar="DAY", help="2024-06-01, UTC.")],
    data: Data = None,
) -> None:
    """Put a day back among the readings, for at least 30 days. What is there stays."""
    back, unknown = _with(
        settings(data), lambda kept, connection: kept.restore(connection, date(day.year, day.month, day.day))
    )
    typer.echo(f"{back:,} readings of {day:%Y-%m-%d} are back for at least 30 days.")
    if unknown:
        typer.echo(f"{unknown:,} are of points that this database does not know; they stay in the files.")


def _with(config: Config, act: Callable[[Archive, psycopg.Connection[Any]], Result]) -> Result:
    async def acted() -> Result:
        async with database_server(config, attach=True) as url:
            return await asyncio.to_thread(_act, url)

    def _act(url: str) -> Result:
        with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
            return act(archive(config), connection)

    return asyncio.run(acted())
