"""An HTTP listener for a simulator: uvicorn on a socket of ours, without its signals, logs or lifespan."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from sim_devices.servers.base import listen


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the runner stops us."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when the port is served."""
        await super().startup(sockets)
        self.ready.set()


class HttpListener:
    """Serves one ASGI application between `start` and `stop`."""

    def __init__(self, app: ASGIApp, host: str, port: int, what: str) -> None:
        """`what` names the listener in the message about a busy port."""
        self.host, self.port = host, port
        self._what = what
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; `port` then holds the real port. Raises PortBusyError."""
        sock = listen(self.host, self.port, self._what)
        self.port = sock.getsockname()[1]
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[sock]))
        await self._server.ready.wait()

    def cut_connections(self) -> None:
        """Reset what is connected now."""
        for connection in tuple(self._server.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()

    async def stop(self) -> None:
        """Close the port; open requests get a second to end."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None
