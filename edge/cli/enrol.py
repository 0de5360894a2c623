"""`citynerve-edge enrol`."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from edge.cli.page import asked_password, has_password, keep_password
from edge.cli.terminal import GatewayFile, reported
from edge.config.load import Loaded
from edge.console.password import checked
from edge.link.enrol import enrol as spend
from edge.opening import open_plan
from protocols.errors import Rejected


def enrol(
    file: GatewayFile,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The one-time code from the centre.")],
    page_password_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable with the password of the technician's page."),
    ] = None,
) -> None:
    """Spend a one-time code for this gateway's credentials. A running gateway then connects by itself.

    On a terminal it also asks for the password of the technician's page, where that has none yet.

    Example: citynerve-edge enrol gateway.yaml 7Q4M-K2XB
    """
    with reported():
        plan = open_plan(file)
        loaded = plan.loaded
        if loaded.entry.centre is None:
            raise Rejected("no-centre", f"{file} has no `centre:`; add `centre: {{url: https://…}}`")
        # Before the code is spent: a password that is too short must not cost one.
        password = _page_password(loaded, page_password_env)
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
        if password is not None:
            keep_password(loaded.state_dir, password)
    typer.echo(f"{plan.gateway} is enrolled at {loaded.entry.centre.url}; credentials are in {path}")
    if loaded.entry.page.enabled and not has_password(loaded.state_dir):
        typer.echo(f"its page lets nobody in yet; set a password: citynerve-edge page password {file}")


def _page_password(loaded: Loaded, env: str | None) -> str | None:
    """Return a password for the page that has none, None where nobody is there to choose one."""
    if env is None:
        if not loaded.entry.page.enabled or has_password(loaded.state_dir) or not sys.stdin.isatty():
            return None
        typer.echo("The technician's page of this gateway needs a password.")
    return checked(asked_password(env))
