"""`citynerve-edge audit`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Annotated

import msgspec
import typer

from edge.audit.proof import REPAIR, verify
from edge.audit.trail import entries
from edge.cli.terminal import FAILED, WRONG, AsJson, GatewayFile, reported
from edge.cli.words import plain
from edge.opening import open_plan
from protocols.model.clock import to_datetime

app = typer.Typer(help="The local audit trail: what was done at this gateway, by whom.", no_args_is_help=True)


@app.command()
def show(
    file: GatewayFile,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest entries are listed.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest entries; also while the gateway runs.

    Example: citynerve-edge audit show gateway.yaml --last 50
    """
    with reported():
        found = entries(open_plan(file).loaded.state_dir, last)
    if as_json:
        typer.echo(json.dumps([msgspec.to_builtins(entry) for entry in found], ensure_ascii=False, indent=2))
        return
    for entry in found:
        when = to_datetime(entry.time_us).isoformat(timespec="seconds")
        told = f"{entry.n:>6} {when} {entry.actor} {entry.what} {entry.subject}: {entry.detail}"
        typer.echo(plain(told))


@app.command("verify")
def verify_(
    file: GatewayFile,
    head: Annotated[
        str, typer.Option(metavar="COUNT:SEAL", help="A head that was noted elsewhere, to compare with.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check that no entry was altered, removed, moved or cut off. Exit code 1 where one was.

    Example: citynerve-edge audit verify gateway.yaml
    """
    remembered = None
    if head:
        match = re.fullmatch(r"(\d+):([0-9a-f]{64})", head)
        if match is None:
            typer.echo(
                f"--head {head!r} is not COUNT:SEAL; copy the line `head` of an earlier verify", err=True
            )
            raise typer.Exit(WRONG)
        remembered = int(match[1]), match[2]
    with reported():
        proof = verify(open_plan(file).loaded.state_dir, remembered)
    if as_json:
        typer.echo(json.dumps(asdict(proof), ensure_ascii=False, indent=2))
    else:
        typer.echo(f"{proof.entries} entries, {proof.first} to {proof.last}")
        typer.echo(f"head {proof.last}:{proof.head}")
        if proof.torn:
            typer.echo("the last line was cut short, as a power cut does; the next entry replaces it")
        for place in proof.tampering:
            typer.echo(plain(str(place)), err=True)
        typer.echo(f"not whole. {REPAIR}" if proof.tampering else "whole", err=bool(proof.tampering))
    if proof.tampering:
        raise typer.Exit(FAILED)
