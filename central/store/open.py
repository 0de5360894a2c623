"""Open the database that the settings name: the embedded PostgreSQL, or a server by its URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from central.config import Config
from central.store.base import Database
from central.store.embedded import embedded_server
from central.store.migrate import upgrade


@asynccontextmanager
async def open_database(
    config: Config, *, migrate: bool = True, attach: bool = False
) -> AsyncIterator[Database]:
    """Open the database for as long as the block lasts, with its tables at the newest revision.

    attach: use an embedded server that another process of ours already runs (for the command line);
    without it, a data folder in use is an error. A server that was started here is stopped here.
    """
    async with database_server(config, attach=attach) as url, _connected(url, migrate) as database:
        yield database


@asynccontextmanager
async def database_server(config: Config, *, attach: bool = False) -> AsyncIterator[str]:
    """Yield the libpq URL of the database, whatever state its tables are in; attach as in `open_database`."""
    if config.database_url is not None:
        yield config.database_url
        return
    async with embedded_server(config.data_dir, attach=attach) as url:
        yield url


@asynccontextmanager
async def _connected(url: str, migrate: bool) -> AsyncIterator[Database]:
    if migrate:
        await upgrade(url)
    database = Database(url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()
