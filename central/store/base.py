"""The declarative base of every table, and the handle through which the centre reaches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import ClassVar

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import DateTime, MetaData, Text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

Pool = AsyncConnectionPool[AsyncConnection[tuple[object, ...]]]

ENGINE_POOL = 8
RAW_POOL = 6
CONNECT_TIMEOUT_S = 5
POOL_WAIT_S = 5.0

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of the centre. Times are timestamptz, always aware UTC in Python."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True), str: Text()}


class Database:
    """An open database: SQLAlchemy sessions for tables, raw psycopg connections for columns.

    url: libpq form, `postgresql://…`; several hosts and a Unix socket folder as host are allowed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=ENGINE_POOL,
            max_overflow=ENGINE_POOL,
            pool_timeout=POOL_WAIT_S,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": "-c timezone=UTC"},
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        conninfo = make_conninfo(url, connect_timeout=CONNECT_TIMEOUT_S, options="-c timezone=UTC")
        self.pool: Pool = AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=RAW_POOL,
            timeout=POOL_WAIT_S,
            open=False,
            check=AsyncConnectionPool.check_connection,
            kwargs={"autocommit": True},
        )

    async def open(self) -> None:
        """Open the raw pool; the engine connects when it is first used."""
        await self.pool.open()

    async def close(self) -> None:
        """Close every connection. The database itself stays as it is."""
        await self.pool.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        async with self.sessions() as session, session.begin():
            yield session


def sqlalchemy_url(url: str) -> str:
    """Return a libpq URL as SQLAlchemy's, with the psycopg 3 driver named."""
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    raise ValueError(f"{url.split('://', maxsplit=1)[0]}:// is not postgresql://")
