"""The embedded PostgreSQL: starts, survives what it must, and never outlives the centre."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from central.store.account import Account, blocked_at
from central.store.embedded import MAX_SOCKET_PATH, Postmaster, embedded_server
from protocols.errors import ConfigError

FAST = {"fsync": "off", "shared_buffers": "16MB"}

CENTRE = """
import asyncio, sys
from pathlib import Path
from central.store.embedded import embedded_server

async def main():
    async with embedded_server(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"}) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that PostgreSQL's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="citynerve-test-"))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder)


def postmaster(data: Path) -> int:
    """Return the running server's process id."""
    found = Postmaster.read(data / "postgres")
    assert found is not None
    return found.pid


def gone(pid: int, seconds: float = 30.0) -> bool:
    """Wait until a process is no more; one that only waits to be reaped is no more."""
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


async def test_stops_in_order_starts_again_and_is_held_by_one(data: Path) -> None:
    async with embedded_server(data, settings=FAST) as url:
        pid = postmaster(data)
        # A session of its own: Ctrl-C at the terminal must not reach it before the centre has finished.
        assert os.getsid(pid) != os.getsid(0)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        with pytest.raises(ConfigError, match=f"process {os.getpid()}"):
            async with embedded_server(data, settings=FAST):
                pass
        async with embedded_server(data, attach=True) as same:
            assert same == url
        assert not gone(pid, 0)
    assert gone(pid, 0)
    async with embedded_server(data, settings=FAST) as url:
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]
        mode = (data / "run").stat().st_mode & 0o777
        assert mode == 0o700


async def test_comes_back_when_it_is_killed(data: Path) -> None:
    async with embedded_server(data, settings=FAST) as url:
        first = postmaster(data)
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while True:
            await asyncio.sleep(0.1)
            try:
                async with await psycopg.AsyncConnection.connect(url) as connection:
                    await connection.execute("SELECT 1")
                    break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
        second = postmaster(data)
        assert second != first
    assert gone(second, 0)


async def test_a_killed_centre_leaves_no_server_and_the_next_one_starts(data: Path) -> None:
    # Not asyncio's: its transport would wait for the pipe, which this test's first half never closes.
    command = [sys.executable, "-c", CENTRE, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as centre:  # noqa: ASYNC220
        assert centre.stdout is not None
        url = centre.stdout.readline().strip()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
            pid = postmaster(data)
            centre.kill()
            centre.wait()
            # While the old server is still on its way down.
            async with embedded_server(data, settings=FAST) as url:
                assert gone(pid)
                async with await psycopg.AsyncConnection.connect(url) as again:
                    rows = await (await again.execute("SELECT number FROM kept")).fetchall()
                    assert rows == [(7,)]


async def test_a_long_path_gets_a_short_socket(data: Path) -> None:
    long = data / ("a-folder-with-a-rather-long-name-" * 4)
    async with embedded_server(long, settings=FAST) as url:
        found = Postmaster.read(long / "postgres")
        assert found is not None
        assert found.socket_dir is not None
        assert len(str(found.socket_dir)) < MAX_SOCKET_PATH
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW listen_addresses").fetchall() == [("",)]
    shutil.rmtree(found.socket_dir)


def test_folders_that_an_account_cannot_enter_are_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    tmp_path.chmod(0o755)
    closed.chmod(0o700)
    stranger = Account("stranger", 64_000, 64_000)
    assert blocked_at(closed / "data", stranger) is not None
    assert blocked_at(closed / "data", Account(None, os.geteuid(), os.getegid())) is None
