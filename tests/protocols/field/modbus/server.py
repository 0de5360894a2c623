"""A Modbus TCP server that does exactly what a test tells it, right or wrong, byte by byte."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One frame: [ tid | pid | length ] unit fc data, and how to answer it."""

    number: int
    tid: int
    unit: int
    fc: int
    data: bytes
    writer: asyncio.StreamWriter

    @property
    def words(self) -> tuple[int, int]:
        """First two words of the data: address, and quantity or value."""
        first: tuple[int, int] = struct.unpack(">HH", self.data[:4])
        return first

    def frame(self, pdu: bytes, tid: int | None = None) -> bytes:
        """Return an answer as it goes onto the wire."""
        chosen = self.tid if tid is None else tid
        return struct.pack(">HHHB", chosen, 0, len(pdu) + 1, self.unit) + pdu

    def registers(self, *values: int, tid: int | None = None) -> bytes:
        """Return the answer to a read of registers."""
        pdu = struct.pack(f">BB{len(values)}H", self.fc, 2 * len(values), *values)
        return self.frame(pdu, tid)

    def exception(self, code: int) -> bytes:
        """Return an exception."""
        return self.frame(bytes([self.fc | 0x80, code]))

    def echo(self) -> bytes:
        """Return the answer to a write: what was asked, in its first four bytes."""
        return self.frame(bytes([self.fc]) + self.data[:4])


Script = Callable[[Request], Awaitable[bytes | None]]


@dataclass
class ScriptedServer:
    """Answers each request with what `script` returns; None is silence."""

    script: Script
    port: int = 0
    seen: list[Request] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                tid, _, length = struct.unpack(">HHH", await reader.readexactly(6))
                unit, fc, *rest = await reader.readexactly(length)
                request = Request(len(self.seen), tid, unit, fc, bytes(rest), writer)
                self.seen.append(request)
                answer = await self.script(request)
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)


def memory(registers: dict[int, int]) -> Script:
    """Return a script of a device with these holding registers: a read over anything else is refused."""

    async def answer(request: Request) -> bytes | None:
        address, count = request.words
        if request.fc == 6:
            registers[address] = count
            return request.echo()
        if request.fc == 22:
            return request.exception(1)
        wanted = range(address, address + count)
        if request.fc != 3 or any(at not in registers for at in wanted):
            return request.exception(2)
        return request.registers(*(registers[at] for at in wanted))

    return answer
