"""A TCP proxy between driver and server, on which a line fails as lines do."""

from __future__ import annotations

import asyncio
import contextlib
import socket


class Proxy:
    """Forwards bytes to `upstream` until it is told to cut, to refuse or to hold them back."""

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def start(self) -> None:
        """Listen; a second start keeps the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Close every connection and refuse new ones, until started again."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None

    def hold(self) -> None:
        """Keep connections open and let no byte through, as a peer without power does."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let bytes through again."""
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            self._writers.add(far_writer)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._forth(reader, far_writer, writer))
                    group.create_task(self._back(far_reader, writer))
            finally:
                await self._drop(far_writer)
        except (OSError, asyncio.CancelledError):
            return
        finally:
            await self._drop(writer)
            self._tasks.discard(task)

    async def _forth(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, near: asyncio.StreamWriter
    ) -> None:
        """Carry what the driver sends; `near` is for answers of one's own."""
        del near
        await self._pump(reader, far)

    async def _back(self, far: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        """Carry what the server answers."""
        await self._pump(far, near)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()


async def free_port() -> int:
    """Return a port on which nobody listens."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


def ports(n: int) -> list[int]:
    """Return n different ports on which nobody listens."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    found: list[int] = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return found
