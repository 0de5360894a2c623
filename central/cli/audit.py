"""`citynerve audit`: prove that the audit trail is whole, and write it out."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from central.cli.settings import Data, settings
from central.config import Config
from central.security.audit import AuditTrail, Finding, Head
from central.security.audit_filter import AuditFilter
from central.store.open import open_database
from protocols.model.clock import now_us

app = typer.Typer(help="The audit trail: who did what, hash-chained.", no_args_is_help=True)

WORDS = {
    "altered": "entry {number} was altered",
    "removed-before": "an entry before {number} was removed, or {number} was put in",
    "cut-off": "entries after {number} were cut off",
    "another-past": "entry {number} is not the one of the head that you kept: the past was written anew",
}


class Format(StrEnum):
    """How entries are written."""

    JSONL = "jsonl"
    CSV = "csv"


TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@app.command()
def verify(
    since: Annotated[
        str | None, typer.Option(help="A head that an earlier run printed: it must still be in the chain.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = None,
) -> None:
    """Walk the whole chain; exit 1 where an entry was altered, removed or cut off.

    Prints the head of the chain. Kept where the database's owner cannot write, it proves with --since that
    nothing was cut off or written anew, even by somebody who can change every table.
    """
    try:
        head = None if since is None else Head.parse(since)
    except ValueError:
        raise typer.BadParameter(
            "a head is ENTRIES:NUMBER:HASH, as verify prints it", param_hint="--since"
        ) from None
    found = asyncio.run(_verify(settings(data), head))
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "whole": found.reason is None,
                    "reason": found.reason,
                    "number": found.number,
                    "entries": found.head.entries,
                    "head": found.head.text,
                }
            )
        )
    elif found.reason is None:
        typer.echo(f"The trail is whole: {found.head.entries} entries. Head: {found.head.text}")
    else:
        typer.echo(f"The trail is NOT whole: {WORDS[found.reason].format(number=found.number)}.", err=True)
    if found.reason is not None:
        raise typer.Exit(1)


@app.command()
def export(
    start: Annotated[
        datetime | None,
        typer.Option("--from", formats=TIMES, help="From then on; UTC where no zone is given."),
    ] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=TIMES, help="Before then.")] = None,
    form: Annotated[Format, typer.Option("--format", help="jsonl or csv.")] = Format.JSONL,
    data: Data = None,
) -> None:
    """Write the entries, oldest first, to standard output."""
    asyncio.run(_export(settings(data), AuditFilter(_aware(start), _aware(end)), form))


async def _verify(config: Config, since: Head | None) -> Finding:
    async with open_database(config, attach=True) as database:
        return await AuditTrail(database, now_us).prove(since)


async def _export(config: Config, which: AuditFilter, form: Format) -> None:
    async with open_database(config, attach=True) as database:
        table = csv.writer(sys.stdout)
        names: list[str] = []
        async for entry in AuditTrail(database, now_us).export(which):
            if form is Format.JSONL:
                typer.echo(entry.model_dump_json())
                continue
            row = entry.model_dump(mode="json")
            row["changes"] = json.dumps(row["changes"], ensure_ascii=False) if row["changes"] else ""
            if not names:
                names = [*row]
                table.writerow(names)
            table.writerow([_cell(row[name]) for name in names])


def _cell(value: object) -> object:
    """Keep a spreadsheet from taking what somebody typed as user name or path for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
