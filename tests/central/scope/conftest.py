"""One city of two areas for all tests of a file: they only look, but for the acts that must do nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count

import psycopg
import pytest
import pytest_asyncio
import structlog

from tests.central.scope.areas import TwoAreas, two_areas
from tests.central.systems.test_live import served

_numbers = count(1)


@pytest.fixture(scope="package", autouse=True)
def plain_tracebacks() -> Iterator[None]:
    """Log failures in plain text: drawn with every local, one of them takes a minute."""
    before = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before[:-1], plain])
    yield
    structlog.configure(processors=before)


@pytest.fixture(scope="module")
def areas_url(postgres_url: str) -> Iterator[str]:
    """A fresh database for a file of tests."""
    name = f"scope_{next(_numbers)}"
    server = postgres_url.replace("@/citynerve?", "@/postgres?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE citynerve STRATEGY file_copy".encode())
        try:
            yield postgres_url.replace("@/citynerve?", f"@/{name}?")
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(areas_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoAreas]:
    """The city of two areas."""
    async with two_areas(areas_url, tmp_path_factory.mktemp("scope")) as both:
        yield both


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(both: TwoAreas) -> AsyncIterator[str]:
    """Where that city is served over a real socket."""
    async with served(both.city) as address:
        yield address
