"""`citynerve doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from central.cli.attached import Json
from central.cli.demo import PASSWORD
from central.cli.settings import Data, settings
from central.doctor.examine import FAMILIES, visit


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file of the archive too; takes its time.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with the centre, why it matters and what mends it. Run it as the centre's account.

    Exit code 0: all is well; 1: warnings; 2: errors.
    """
    found = asyncio.run(visit(settings(data), deep=deep, demo_password=PASSWORD))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    for finding in () if as_json else found:
        typer.secho(f"{finding.weight.upper():8} {finding.what}", bold=True)
        typer.echo(f"         why:  {finding.why}")
        typer.echo(f"         mend: {finding.repair}   [{finding.code}]")
    errors = sum(finding.weight == "error" for finding in found)
    if not as_json:
        looks = sum(map(len, FAMILIES.values()))
        typer.echo(f"{looks} looks: {errors} errors, {len(found) - errors} warnings.")
    raise typer.Exit(2 if errors else 1 if found else 0)
