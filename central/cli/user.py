"""`citynerve user`: accounts, for whoever has the machine but no account yet."""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import Annotated

import typer

from central.cli.settings import Data, settings
from central.cli.trail import write_down
from central.config import Config
from central.kernel.problem import Problem
from central.security.parts import Security
from central.security.roles import Role
from central.store.open import open_database
from protocols.errors import CityNerveError
from protocols.model.clock import now_us

app = typer.Typer(help="Accounts of the centre.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `user` a group although it has one command."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="User name.")],
    role: Annotated[
        str, typer.Option(help="viewer, operator, supervisor, engineer, admin, or one of your own.")
    ],
    display_name: Annotated[str | None, typer.Option(help="Name that others see.")] = None,
    password_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the password.")
    ] = None,
    area: Annotated[
        list[str] | None, typer.Option(help="Only at sites of this district (区); may be repeated.")
    ] = None,
    department: Annotated[
        list[str] | None, typer.Option(help="Only at sites of this owner department; may be repeated.")
    ] = None,
    data: Data = None,
) -> None:
    """Add an account, or give an existing one a new password and grant instead of those it had.

    Without --password-env a password is asked for; left empty, one is made and shown once.
    """
    if password_env is not None:
        password = os.environ.get(password_env, "")
        if not password:
            raise typer.BadParameter(f"the environment has no {password_env}", param_hint="--password-env")
    else:
        password = typer.prompt("Password (empty: make one)", default="", hide_input=True, show_default=False)
    made = not password
    password = password or secrets.token_urlsafe(12)
    places = {"areas": area or [], "departments": department or []}
    try:
        asyncio.run(_add(settings(data), name, display_name or name, role, password, places))
    except Problem as error:
        raise CityNerveError(f"{error.title}: {role!r} is not one of {', '.join(Role)}") from error
    limits = "".join(f", only at {', '.join(names)}" for names in places.values() if names)
    typer.echo(f"User {name} may now sign in as {role}{limits}." + (f" Password: {password}" if made else ""))


async def _add(
    config: Config, name: str, display_name: str, role: str, password: str, places: dict[str, list[str]]
) -> None:
    async with open_database(config, attach=True) as database:
        accounts = Security.build(database, now_us, config).accounts
        await accounts.ensure(name, display_name, role, password, **places)
        given = {"display_name": display_name, "role": role, "password": password, **places}
        await write_down(database, "addUser", name, (f"user {name}", None, given))
