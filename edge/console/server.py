"""The two doors of the local API: a Unix socket for the command line, and TCP for a technician's browser.

    control.sock (0600)  whoever may open it is the gateway's own user: no password
    page.host:page.port  password, session, CSRF; loopback unless the gateway file says otherwise

Whatever goes wrong here is logged, and the gateway goes on without its page.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import h11
import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.config.serving import PageEntry
from edge.console.app import LocalApi
from edge.console.guard import Door
from edge.house import House
from protocols.errors import Rejected

SOCKET_NAME: Final = "control.sock"
_MAX_SOCKET_PATH: Final = 107
"""Bytes of a Unix socket's path (unix(7))."""
FIRST_REQUEST_S: Final = 15.0
"""A connection that has not asked for anything by then is closed."""
_GRACE_S: Final = 1
_LOOK_S: Final = 1.0
_CONNECTIONS: Final = 64


class _Log(logging.Handler):
    """Says what uvicorn says in the gateway's own log; what strangers send is no warning."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one line on."""
        level = logging.WARNING if record.levelno >= logging.ERROR else logging.DEBUG
        said = record.getMessage().strip()
        structlog.get_logger("edge.console").log(level, "web server", said=said, exc_info=record.exc_info)


class _Protocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; a connection that asks for nothing is closed, a local one has a name."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(FIRST_REQUEST_S, self._idle)
        sock: socket.socket = transport.get_extra_info("socket")
        if sock.family == socket.AF_UNIX:
            self.client = (_peer(sock), 0)

    def _idle(self) -> None:
        if self.conn.their_state is h11.IDLE:
            self.transport.close()


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
    """Serve the page where the gateway file says, and elsewhere when a new configuration says so."""
    while True:
        page = house.plan.loaded.entry.page
        async with asyncio.TaskGroup() as group:
            door = group.create_task(_listen(api, page, house.plan.loaded.file.resolve().parent))
            while house.plan.loaded.entry.page == page:  # noqa: ASYNC110 - the house tells nobody
                await asyncio.sleep(_LOOK_S)
            door.cancel()


async def _listen(api: LocalApi, page: PageEntry, folder: Path) -> None:
    log = structlog.get_logger("edge.console")
    if not page.enabled:
        return
    files: dict[str, Any] = {}
    if page.cert_file and page.key_file:
        files = {"ssl_certfile": folder / page.cert_file, "ssl_keyfile": folder / page.key_file}
    door = Door(api.guarded, "page")
    config = uvicorn.Config(door, **_SETTINGS, **files)
    try:
        config.load()
        sock = tcp_socket(page.host, page.port)
    except (Rejected, OSError) as error:  # ssl.SSLError is an OSError
        log.error("the page is not served", host=page.host, port=page.port, reason=str(error))  # noqa: TRY400
        return
    api.url = page_url(page, sock.getsockname()[1])
    if not files and not _is_loopback(page.host):
        log.warning(
            "the page is open to the network without TLS: whoever listens there reads the password; "
            "give `page: {cert_file, key_file}`, or listen on 127.0.0.1 and use an SSH tunnel",
            url=api.url,
        )
    if api.keeper.password.stamp is None:
        log.warning("the page has no password and lets nobody in", repair="citynerve-edge page password FILE")
    log.info("page is served", url=api.url)
    try:
        await _run(config, sock, door)
    finally:
        api.url = None


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


def control_socket(folder: Path) -> socket.socket:
    """Return a bound Unix socket in `folder` that only its owner may open. Raises Rejected.

    A socket that a killed gateway left is replaced: the lock of the folder says that no other one runs.
    """
    path = folder / SOCKET_NAME
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        raise Rejected(
            "socket-path",
            f"{path} is longer than the {_MAX_SOCKET_PATH} bytes of a socket's path; "
            "give the gateway a shorter `state_dir`",
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        # Before bind, so that it is never open to others for a moment: Linux makes the file with this mode.
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(str(path))
        path.chmod(0o600)
    except OSError as error:
        sock.close()
        raise Rejected(
            "control-socket", f"{path}: {error.strerror}; the gateway must be able to write there"
        ) from error
    return sock


def tcp_socket(host: str, port: int) -> socket.socket:
    """Return a socket bound to `host:port`. Raises Rejected where it is in use or not ours."""
    repair = "choose another `page: {port: …}`, or stop what uses it"
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
    except OSError as error:
        raise Rejected("page-host", f"{host!r} is no address of this machine: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise Rejected("page-port", f"{host}:{port}: {error.strerror}; {repair}") from error
    return sock


def page_url(page: PageEntry, port: int) -> str:
    """Return where a browser on this machine finds the page."""
    scheme = "https" if page.cert_file else "http"
    host = "127.0.0.1" if page.host == "0.0.0.0" else "::1" if page.host == "::" else page.host  # noqa: S104
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _peer(sock: socket.socket) -> str:
    """Return the name of the user at the other end (SO_PEERCRED, unix(7))."""
    _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


_SETTINGS: Final[dict[str, Any]] = {
    "http": _Protocol,
    "ws": "none",
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "limit_concurrency": _CONNECTIONS,
    "timeout_graceful_shutdown": _GRACE_S,
    "timeout_keep_alive": 30,
}
