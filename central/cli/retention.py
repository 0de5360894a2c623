"""`citynerve retention`: how long readings stay, and what is due to go."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast

import msgspec
import typer

from central.cli.attached import Json
from central.cli.settings import Data, settings
from central.cli.trail import actor, write_down
from central.config import Config
from central.store.keeping.choices import Choices, Share
from central.store.keeping.classes import CLASSES, Limits, RetentionClass
from central.store.keeping.keeper import Done
from central.store.keeping.parts import keeper
from central.store.open import database_server, open_database

app = typer.Typer(help="How long readings stay, by class.", no_args_is_help=True)


@app.command()
def show(data: Data = None, as_json: Json = False) -> None:
    """Show the classes, their days, and how many points of which kinds of devices are in each."""
    config = settings(data)
    limits = Limits.of(config)

    async def ask() -> list[Share]:
        async with open_database(config, attach=True) as database:
            return await Choices(database).shares()

    shares = asyncio.run(ask())
    if as_json:
        typer.echo(
            msgspec.json.encode(
                {"days": limits.days, "rollups": limits.rollup_days, "points": shares}
            ).decode()
        )
        return
    for name in CLASSES:
        typer.echo(f"{name:10}  {limits.days[name]:6} days")
        for share in shares:
            if share.retention == name:
                typer.echo(f"{'':12}{share.points:6} points of {share.kind}")
    for width, days in limits.rollup_days.items():
        typer.echo(f"rollup {width:3}  {f'{days:6} days' if days else 'for ever'}")
    typer.echo("archived to Parquet first" if config.archive else "deleted for good; see CITYNERVE_ARCHIVE")


@app.command("set")
def set_class(
    retention: Annotated[
        str, typer.Argument(metavar="CLASS", help="critical, standard, diagnostic, or none.")
    ],
    point: Annotated[str | None, typer.Option(help="Id of one point: gw-north.well.level.")] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of device: its points without a class.")] = None,
    data: Data = None,
) -> None:
    """Choose a class for a point or for a kind of device; `none` takes the choice back.

    Example: citynerve retention set critical --kind pump
    """
    if retention not in {*CLASSES, "none"}:
        raise typer.BadParameter(f"is one of {', '.join(CLASSES)}, none", param_hint="CLASS")
    if (point is None) == (kind is None):
        raise typer.BadParameter("give one of --point and --kind")
    chosen = None if retention == "none" else cast(RetentionClass, retention)

    async def change() -> str:
        async with open_database(settings(data), attach=True) as database:
            choices = Choices(database)
            if point is not None:
                now = await choices.set_point(point, chosen)
                said = f"{point} is {now.retention}."
            else:
                await choices.set_kind(kind or "", chosen, actor())
                said = f"Points of {kind} are {chosen or 'standard'}, where they have no class of their own."
            about = point or kind or ""
            told = (f"retention {about}", None, {"retention": retention})
            await write_down(database, "setRetention", about, told)
            return said

    typer.echo(asyncio.run(change()))


@app.command()
def run(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Do what is due now. The centre does it every hour by itself; one at a time does it."""
    done = asyncio.run(_run(settings(data), dry=dry))
    if as_json:
        typer.echo(msgspec.json.encode(done).decode())
        return
    for item in done:
        words = {"": "due", "done": "done"}.get(item.outcome, f"waits ({item.outcome})")
        rows = f", {item.rows:,} rows" if item.rows else ""
        typer.echo(f"{item.step.day}  {item.step.kind:4}  {', '.join(item.step.classes)}: {words}{rows}")
    if not done:
        typer.echo("Nothing is due.")


async def _run(config: Config, *, dry: bool) -> list[Done]:
    async with database_server(config, attach=True) as url:
        return await asyncio.to_thread(keeper(config, url).run, dry=dry)
