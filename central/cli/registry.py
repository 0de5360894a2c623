"""`citynerve registry`: the registry as CSV and GeoJSON files, in and out, on the centre's database."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from central.city import owners, tablefile
from central.city.book import Book, Change
from central.city.fields import Kind
from central.city.records import Department
from central.city.tablefile import Format, Mistake
from central.city.transfer import Plan, plan
from central.cli.settings import Data, settings
from central.cli.trail import write_down
from central.config import Config
from central.kernel.shapes import names
from central.store.open import open_database
from protocols.errors import Rejected
from protocols.model.clock import now_us

app = typer.Typer(help="The registry of sites, gateways, devices and points, as files.", no_args_is_help=True)

KINDS: dict[str, Kind] = {"sites": "site", "gateways": "gateway", "devices": "device", "points": "point"}
What = Annotated[str, typer.Argument(metavar="KIND", help="sites, gateways, devices or points.")]
Shape = Annotated[str | None, typer.Option("--format", help="csv or geojson; left out: by the file's name.")]


@app.command("export")
def export_(
    kind: What,
    file: Annotated[Path | None, typer.Argument(help="File to write; left out: standard output.")] = None,
    shape: Shape = None,
    fields: Annotated[
        str | None, typer.Option(help="Columns after the id, comma separated; left out: all.")
    ] = None,
    data: Data = None,
) -> None:
    """Write everything of a kind as CSV or GeoJSON. Imported again, the file changes nothing.

    Example: citynerve registry export sites sites.csv --fields name_zh,district,lon,lat
    """
    wanted, form = _kind(kind), _format(shape, file)
    if wanted == "point" and form == "geojson":
        raise Rejected("no-place", "points stand at their device; export them as csv")
    chosen = None if fields is None else names(fields)
    tablefile.columns(wanted, chosen)
    text = asyncio.run(_export(settings(data), wanted, form, chosen))
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text, encoding="utf-8", newline="")


@app.command("import")
def import_(
    kind: What,
    file: Annotated[Path, typer.Argument(help="CSV or GeoJSON file.", exists=True, dir_okay=False)],
    shape: Shape = None,
    apply: Annotated[bool, typer.Option("--apply", help="Change it; without this only say what.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for those who come after.")] = "",
    data: Data = None,
) -> None:
    """Say what a file would change, with every mistake at its line and column; with --apply change it.

    All of the file is applied or, where there is one mistake, nothing.

    Example: citynerve registry import devices devices.csv --apply --reason "survey of 2026"
    """
    wanted, form = _kind(kind), _format(shape, file)
    made, changes = asyncio.run(
        _import(settings(data), wanted, form, file.read_bytes(), apply=apply, reason=reason or file.name)
    )
    _stop_at(made.mistakes, file)
    for step in made.steps if not apply else ():
        told = ", ".join(
            f"{name}: {step.before.get(name)!r} -> {value!r}" for name, value in step.after.items()
        )
        typer.echo(f"line {step.line}: {step.id} {step.outcome}  {told}")
    verb = f"applied {len(changes)} of" if apply else "would apply"
    typer.echo(
        f"{verb} {made.count('added')} added, {made.count('changed')} changed, {made.unchanged} unchanged"
    )


@app.command("departments")
def departments_(
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV file: id,name_zh,name_en.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    data: Data = None,
) -> None:
    """Add the owner departments (主管部门) of a file, or rename those that are there; without one, list them.

    All of the file is applied or, where there is one mistake, nothing. Sites name their department by its id.

    Example: citynerve registry departments departments.csv
    """
    if file is None:
        typer.echo(owners.write(asyncio.run(_departments(settings(data)))), nl=False)
        return
    wanted, mistakes = owners.read(file.read_bytes())
    _stop_at(mistakes, file)
    changed = asyncio.run(_put(settings(data), wanted))
    typer.echo(f"{len(changed)} added or renamed, {len(wanted) - len(changed)} unchanged")


def _stop_at(mistakes: Sequence[Mistake], file: Path) -> None:
    """Say every mistake at its place, and end; nothing without one."""
    for mistake in mistakes:
        place = f"line {mistake.line}" if mistake.line else "file"
        typer.echo(f"{file.name}: {place}{', ' + mistake.column if mistake.column else ''}: {mistake.en}")
    if mistakes:
        typer.echo(f"{len(mistakes)} mistakes; nothing was changed", err=True)
        raise typer.Exit(1)


def _kind(text: str) -> Kind:
    if text not in KINDS:
        raise Rejected("kind", f"{text!r} is no kind; use one of: {', '.join(KINDS)}")
    return KINDS[text]


def _format(asked: str | None, file: Path | None) -> Format:
    if asked is None:
        return "geojson" if file is not None and file.suffix.lower() in {".geojson", ".json"} else "csv"
    if asked == "csv":
        return "csv"
    if asked == "geojson":
        return "geojson"
    raise Rejected("format", f"{asked!r} is no format; use csv or geojson")


async def _export(config: Config, kind: Kind, form: Format, chosen: list[str] | None) -> str:
    async with open_database(config, attach=True) as database:
        book = Book(database, now_us)
        states = await book.states(kind)
        ordered = [states[key] for key in sorted(states)]
        if form == "csv":
            return "".join(tablefile.write_csv(kind, ordered, chosen))
        sites = await book.states("site")
        places = {key: (site["lon"], site["lat"]) for key, site in sites.items()}
        return "".join(tablefile.write_geojson(kind, ordered, places, chosen))


async def _departments(config: Config) -> Sequence[Department]:
    async with open_database(config, attach=True) as database:
        return await owners.departments(database)


async def _put(config: Config, wanted: Sequence[Department]) -> Sequence[owners.Changed]:
    async with open_database(config, attach=True) as database:
        changed = await owners.put(database, wanted)
        for before, after in changed:
            was = None if before is None else asdict(before)
            await write_down(
                database, "putDepartment", after.id, (f"department {after.id}", was, asdict(after))
            )
        return changed


async def _import(
    config: Config, kind: Kind, form: Format, data: bytes, *, apply: bool, reason: str
) -> tuple[Plan, list[Change]]:
    async with open_database(config, attach=True) as database:
        book = Book(database, now_us)
        made = plan(kind, tablefile.read(kind, form, data), await book.states(kind), await book.known())
        if not apply or made.mistakes:
            return made, []
        return made, await book.write(made.edits, actor=f"cli:{getpass.getuser()}", reason=reason)
