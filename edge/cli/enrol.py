"""`citynerve-edge enrol`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from edge.app import open_plan
from edge.cli.terminal import GatewayFile, reported
from edge.link.enrol import enrol as spend
from protocols.errors import Rejected


def enrol(
    file: GatewayFile,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The one-time code from the centre.")],
) -> None:
    """Spend a one-time code for this gateway's credentials. A running gateway then connects by itself.

    Example: citynerve-edge enrol gateway.yaml 7Q4M-K2XB
    """
    with reported():
        plan = open_plan(file)
        loaded = plan.loaded
        if loaded.entry.centre is None:
            raise Rejected("no-centre", f"{file} has no `centre:`; add `centre: {{url: https://…}}`")
        path = asyncio.run(
            spend(
                loaded.entry.centre.url,
                loaded.ca_file,
                plan.gateway,
                code,
                loaded.state_dir,
                loaded.entry.centre.pin,
            )
        )
    typer.echo(f"{plan.gateway} is enrolled at {loaded.entry.centre.url}; credentials are in {path}")
