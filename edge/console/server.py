"""The two doors of the local API: a Unix socket for the command line, and TCP for a technician's browser.

    control.sock (0600)  whoever may open it is the gateway's own user: no password
    page.host:page.port  password, session, CSRF; loopback unless the gateway file says otherwise

Whatever goes wrong here is logged, and the gateway goes on without its page.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
import uvicorn

from edge.config.serving import PageEntry
from edge.console.app import LocalApi
from edge.console.connections import BACKLOG, MOST, Gate, Protocol
from edge.console.guard import Door
from edge.console.sockets import SOCKET_NAME, control_socket, is_loopback, page_url, tcp_socket
from edge.house import House
from protocols.errors import Rejected

_GRACE_S: Final = 1
_LOOK_S: Final = 1.0
RETRY_S: Final = 10.0
"""Pause before a port that was taken is tried again."""


class _Wanted(NamedTuple):
    """How the page is to be served: the section of the gateway file, and its files with their last change."""

    page: PageEntry
    cert_file: Path | None
    key_file: Path | None
    changed: tuple[int, ...]

    @classmethod
    def of(cls, house: House) -> _Wanted:
        """Return what is wanted now."""
        loaded = house.plan.loaded
        page, folder = loaded.entry.page, loaded.file.resolve().parent
        files = [folder / name if name else None for name in (page.cert_file, page.key_file)]
        return cls(page, files[0], files[1], tuple(_changed(file) for file in files if file))


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


class _Log(logging.Handler):
    """Says what uvicorn says in the gateway's own log; what strangers send is no warning."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one line on."""
        level = logging.WARNING if record.levelno >= logging.ERROR else logging.DEBUG
        said = record.getMessage().strip()
        structlog.get_logger("edge.console").log(level, "web server", said=said, exc_info=record.exc_info)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the gateway stops it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def cut(self) -> None:
        """Reset the connections that did not end by themselves."""
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()


async def serve(house: House) -> None:
    """Keep both doors open until cancelled; then nothing of them is left within two seconds.

    Never raises but when cancelled: a page that fails is logged, and the gateway goes on.
    """
    log = structlog.get_logger("edge.console")
    try:
        await _doors(house)
    except Exception:
        log.exception("the local page has failed; the gateway goes on without it")


async def _doors(house: House) -> None:
    server_log = logging.getLogger("uvicorn")
    server_log.handlers, server_log.propagate = [_Log()], False
    api = LocalApi(house)
    folder = house.plan.loaded.state_dir
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_local(api, folder), name="page:local")
            group.create_task(_page(api, house), name="page:tcp")
    finally:
        await api.jobs.close()
        api.worker.close()
        with contextlib.suppress(OSError):
            (folder / SOCKET_NAME).unlink()


async def _local(api: LocalApi, folder: Path) -> None:
    try:
        sock = control_socket(folder)
    except Rejected as error:
        structlog.get_logger("edge.console").error("no control socket", reason=str(error))
        return
    door = Door(api.guarded, "local")
    await _run(uvicorn.Config(door, **_SETTINGS), sock, door)


async def _page(api: LocalApi, house: House) -> None:
    """Serve the page as the gateway file says; anew when that or a certificate changes, or a port is free."""
    log = structlog.get_logger("edge.console")
    told = ""
    while True:
        wanted = _Wanted.of(house)
        door = asyncio.create_task(_listen(api, wanted))
        try:
            await _until_other(house, wanted, door)
            if door.done() and (reason := door.result()):
                if reason != told:
                    log.error("the page is not served", reason=reason)
                told = reason
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await _until_other(house, wanted)
            else:
                told = ""
        finally:
            door.cancel()
            await asyncio.wait([door])


async def _until_other(house: House, wanted: _Wanted, door: asyncio.Task[str] | None = None) -> None:
    """Return when the page is wanted otherwise, or its door has been closed by a failure."""
    while not (door and door.done() and door.result()) and _Wanted.of(house) == wanted:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_S)


async def _listen(api: LocalApi, wanted: _Wanted) -> str:
    """Serve the page until cancelled; return why it cannot be, nothing where it is switched off."""
    log = structlog.get_logger("edge.console")
    page = wanted.page
    if not page.enabled:
        return ""
    files: dict[str, Any] = {}
    if wanted.cert_file and wanted.key_file:
        files = {"ssl_certfile": wanted.cert_file, "ssl_keyfile": wanted.key_file}
        # A key that asks for a passphrase is refused: OpenSSL would ask the gateway's terminal, and wait.
        files["ssl_keyfile_password"] = "-"  # noqa: S105
    door = Door(api.guarded, "page", page.host)
    config = uvicorn.Config(door, **_SETTINGS, **files)
    try:
        config.load()
        sock = tcp_socket(page.host, page.port, Gate)
    except Rejected as error:
        return str(error)
    except OSError as error:  # ssl.SSLError is one
        return f"{page.cert_file}, {page.key_file}: {error}; give a certificate and its key as PEM files"
    api.url = page_url(page, sock.getsockname()[1])
    if not files and not is_loopback(page.host):
        log.warning(
            "the page is open to the network without TLS: whoever listens there reads the password; "
            "give `page: {cert_file, key_file}`, or listen on 127.0.0.1 and use an SSH tunnel",
            url=api.url,
        )
    if not api.keeper.has_password:
        log.warning("the page has no password and lets nobody in", repair="citynerve-edge page password FILE")
    log.info("page is served", url=api.url)
    try:
        await _run(config, sock, door)
    finally:
        api.url = None
    return "its server has ended by itself"


async def _run(config: uvicorn.Config, sock: socket.socket, door: Door) -> None:
    """Serve one socket until cancelled, then end what is open: streams first, requests within a second."""
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        door.closing.set()
        server.should_exit = True
        await asyncio.wait([running], timeout=_GRACE_S + 0.5)
        raise
    finally:
        server.cut()
        sock.close()


_SETTINGS: Final[dict[str, Any]] = {
    "http": Protocol,
    "ws": "none",
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "limit_concurrency": MOST + 1,
    "backlog": BACKLOG,
    "timeout_graceful_shutdown": _GRACE_S,
    "timeout_keep_alive": 30,
}
