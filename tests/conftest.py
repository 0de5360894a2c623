"""One embedded PostgreSQL for the whole session; a fresh database, cloned from a migrated one, per test.

postgres_url   session: the migrated template database; do not connect to it, it is cloned
database_url   a fresh database, dropped after the test
database       the same, opened as `central.store.base.Database`
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import uvloop
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from central.store.base import Database
from central.store.embedded import embedded_server
from central.store.migrate import upgrade

# A deadline for each example measures how busy the machine is, not how right the code is.
settings.register_profile("citynerve", deadline=None)
settings.load_profile("citynerve")

_numbers = count(1)
CITY: Final = ("tests/e2e/", "tests/central/cli/test_demo.py")
"""Tests that run a whole city, or a browser: one after the other on one worker, whatever the others do."""
FAULTS: Final = "tests/faults/"
"""Tests that mostly wait, for minutes: each to whoever is free, and not at the end."""
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the server's folder in it is private
ROOM: Final = 2 << 30
"""Bytes that a session's server never needs all of; a container's usual 64 MB are too few."""


class OneCity(LoadScopeScheduling):  # type: ignore[misc]
    """Module by module to whoever is free, so that what a module shares is made once; `CITY` is one module.

    xdist's own `loadgroup` writes its groups where pytest 9.2 does not read them any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(CITY):
            return "city"
        return nodeid if nodeid.startswith(FAULTS) else nodeid.partition("::")[0]

    def _reschedule(self, node: Any) -> None:
        """Fill a worker up: it begins a test only when it knows the next, and xdist may send one alone."""
        while self.workqueue and not node.shutting_down and self._pending_of(self.assigned_work[node]) <= 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()

    def remove_node(self, node: Any) -> str | None:
        """Return the test that a worker died of, and give the others of its tests away.

        xdist would give that test to the next worker, and hand out what had passed already as work.
        """
        left = {scope: unit for scope, unit in self.assigned_work[node].items() if not all(unit.values())}
        self.assigned_work[node] = {}
        super().remove_node(node)
        died = next((name for unit in left.values() for name, done in unit.items() if not done), None)
        if died is not None:
            left[self._split_scope(died)][died] = True
        self.workqueue.update({scope: unit for scope, unit in left.items() if not all(unit.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return died


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneCity:
    """Let xdist spread the tests our way, in the order in which they were collected."""
    config.option.loadscopereorder = False
    return OneCity(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: (not item.nodeid.startswith(CITY), not item.nodeid.startswith(FAULTS)))


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests on the loop that gateways and centre run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collect without the garbage collector, which afterwards never looks at what was imported.

    Nothing of it is garbage: looking for some in vain took a third of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _memory() -> Path | None:
    """A folder in memory with room for a server, if there is one.

    A database is three hundred files: to make one costs a disk's file system ten times as much processor.
    """
    return SHARED_MEMORY if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > ROOM else None


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start the session's server. Not below pytest's own folder, which PostgreSQL's account cannot enter."""
    folder = Path(tempfile.mkdtemp(prefix="citynerve-test-", dir=_memory()))
    folder.chmod(0o755)
    stack = AsyncExitStack()
    settings = {
        "fsync": "off",
        "shared_buffers": "64MB",
        "max_connections": "200",
        "max_wal_size": "256MB",
        "min_wal_size": "64MB",
    }

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
        connection.execute(f"CREATE DATABASE {name} TEMPLATE citynerve STRATEGY file_copy".encode())
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
