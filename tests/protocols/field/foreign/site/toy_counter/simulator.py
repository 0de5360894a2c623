"""The station."""

from __future__ import annotations

import asyncio

from protocols.model.device import PointProfile
from sim_devices.servers.base import DeviceView, SimServer, listen

from .address import CounterAddress


class CounterServer(SimServer):
    """Answers a line with a line."""

    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where a client connects."""
        return f"counter://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen."""
        sock = listen(self.host, self.port, "counters")
        self.port = sock.getsockname()[1]
        self._slots: dict[str, tuple[DeviceView, PointProfile]] = {
            f"{view.device.params['name']}/{CounterAddress.of(point).slot}": (view, point)
            for view in self.views
            for point in view.profile.points
        }
        self._lines: set[asyncio.StreamWriter] = set()
        self._server = await asyncio.start_server(self._serve, sock=sock)

    async def tick(self) -> None:
        """Values are read when they are asked for."""

    def cut_connections(self) -> None:
        """Hang up."""
        for line in list(self._lines):
            line.transport.abort()

    async def stop(self) -> None:
        """Close."""
        await self.stop_cutting()
        if self._server is not None:
            self._server.close()
            self.cut_connections()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            while line := (await reader.readline()).decode().strip():
                writer.write(self._answer(line).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self._lines.discard(writer)
            writer.close()

    def _answer(self, line: str) -> str:
        asked, _, order = line.partition("=")
        if asked not in self._slots:
            return f"{asked}!no such slot"
        view, point = self._slots[asked]
        try:
            if order:
                view.write(point, float(order) * point.scale + point.offset)
        except ValueError as error:
            return f"{asked}!{error}"
        golden = view.golden(point)
        if golden is not None:
            return f"{asked}={golden.raw!r}"
        value = view.read(point)
        if not isinstance(value, float | int):
            return f"{asked}!failed"
        return f"{asked}={(value - point.offset) / point.scale!r}"
