"""One embedded PostgreSQL for the whole session; a fresh database, cloned from a migrated one, per test.

postgres_url   session: the migrated template database; do not connect to it, it is cloned
database_url   a fresh database, dropped after the test
database       the same, opened as `central.store.base.Database`
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

from central.store.base import Database
from central.store.embedded import embedded_server
from central.store.migrate import upgrade

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start the session's server. Not below pytest's own folder, which PostgreSQL's account cannot enter."""
    folder = Path(tempfile.mkdtemp(prefix="citynerve-test-"))
    folder.chmod(0o755)
    stack = AsyncExitStack()
    settings = {"fsync": "off", "shared_buffers": "64MB", "max_connections": "200"}

    async def start() -> str:
        url = await stack.enter_async_context(embedded_server(folder, settings=settings))
        await upgrade(url)
        return url

    with asyncio.Runner() as runner:
        try:
            yield runner.run(start())
        finally:
            runner.run(stack.aclose())
            shutil.rmtree(folder)


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A fresh, migrated, empty database."""
    name = f"test_{next(_numbers)}"
    server = postgres_url.replace("@/citynerve?", "@/postgres?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE citynerve".encode())
        try:
            yield postgres_url.replace("@/citynerve?", f"@/{name}?")
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open a database for a block."""
    database = Database(url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh database, open in the test's event loop."""
    async with opened(database_url) as database:
        yield database
