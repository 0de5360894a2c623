"""`citynerve db`: the tables."""

from __future__ import annotations

import asyncio

import typer

from central.cli.settings import Data, settings
from central.config import Config
from central.store.open import open_database

app = typer.Typer(help="The database of the centre.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `db` a group although it has one command."""


@app.command()
def upgrade(data: Data = None) -> None:
    """Bring the tables to the newest revision. The centre does the same when it starts."""
    asyncio.run(_upgrade(settings(data)))
    typer.echo("The tables are at the newest revision.")


async def _upgrade(config: Config) -> None:
    async with open_database(config, attach=True):
        pass
