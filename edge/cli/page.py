"""`citynerve-edge page`: the password of the technician's page, and where the page is."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.audit import Audit
from edge.cli.control import Control
from edge.cli.terminal import GatewayFile, reported
from edge.console.password import FILE_NAME, MIN_LENGTH, set_password
from edge.opening import open_plan
from protocols.errors import Rejected

app = typer.Typer(help="The technician's page: its password, its address.", no_args_is_help=True)
PasswordEnv = Annotated[
    str | None,
    typer.Option("--password-env", metavar="NAME", help="Take the password from this environment variable."),
]


@app.command("password")
def password(file: GatewayFile, password_env: PasswordEnv = None) -> None:
    """Set the password of the page; everybody who is signed in has to sign in again.

    Asked twice on a terminal, else one line of standard input. Only its scrypt hash is kept.

    Example: citynerve-edge page password gateway.yaml
    """
    with reported():
        loaded = open_plan(file).loaded
        path = keep_password(loaded.state_dir, asked_password(password_env))
    typer.echo(f"the page's password is set; its hash is in {path}")


@app.command("url")
def url(file: GatewayFile) -> None:
    """Print where the page of the running gateway is served.

    Example: citynerve-edge page url gateway.yaml
    """
    with reported():
        found: str | None = Control(open_plan(file).loaded).get("/api/session")["url"]
        if found is None:
            raise Rejected(
                "no-page", "this gateway serves no page; see `page:` in its file, and its log for the reason"
            )
    typer.echo(found)


def asked_password(env: str | None) -> str:
    """Return a new password: of an environment variable, asked for on a terminal, or read from a pipe.

    Raises Rejected (`no-password`) where none is given and (`weak-password`) where two differ.
    """
    if env is not None:
        given = os.environ.get(env, "")
        if not given:
            raise Rejected("no-password", f"the environment variable {env} is empty; put the password there")
        return given
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"New password of the page (at least {MIN_LENGTH} characters): ")
    if getpass.getpass("Once more: ") != first:
        raise Rejected("weak-password", "the two are not the same; nothing was changed")
    return first


def has_password(state_dir: Path) -> bool:
    """Return whether the page has a password."""
    return (state_dir / FILE_NAME).exists()


def keep_password(state_dir: Path, given: str) -> Path:
    """Set the page's password, and note in the audit trail who did; return the file."""
    had_one = has_password(state_dir)
    path = set_password(state_dir, given)
    Audit(state_dir).note(
        f"local:{getpass.getuser()}", "page-password", "page", "changed" if had_one else "set"
    )
    return path
