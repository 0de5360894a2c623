"""Where a simulated Modbus line is met: a port, a pseudo-terminal, or a call that it makes itself.

tcp, rtu-over-tcp, tls    PortDoor       listens
udp                       DatagramDoor   listens
rtu, ascii                SerialDoor     a pseudo-terminal under a path of its own
dial-in                   DialDoor       calls the gateway, says its registration, calls again when cut
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import tempfile
import tty
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sim_devices.servers.base import PortBusyError, listen
from sim_devices.servers.modbus_frames import AsciiFrames, Asked, Frames, MbapFrames, NotModbus, RtuFrames

Send = Callable[[bytes], None]
Serve = Callable[[Frames, Asked, Send], None]
"""Answers a request some time, by the function it is given."""
REDIAL_S = 0.5


class Door(ABC):
    """One way in. `welcome` says whether a connection may stay that begins now."""

    def __init__(self, serve: Serve, welcome: Callable[[], bool]) -> None:
        self.serve, self.welcome = serve, welcome

    @abstractmethod
    async def open(self) -> int:
        """Open it; return the port, 0 where there is none. Raises PortBusyError."""

    @abstractmethod
    async def close(self) -> None:
        """Close it for good."""

    @abstractmethod
    def cut(self) -> None:
        """Cut what is connected now."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where a client connects."""


class _Talk(asyncio.Protocol):
    """One connection: requests in, answers out, each in its own time."""

    def __init__(self, door: PortDoor | DialDoor, frames: Frames) -> None:
        self._door, self._frames = door, frames
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._door.talks.add(self)
        if not self._door.welcome():
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.talks.discard(self)
        self._transport = None
        if not self.ended.done():
            self.ended.set_result(None)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            for asked in self._frames.cut(self._buffer):
                self._door.serve(self._frames, asked, self.send)
        except NotModbus:
            self.abort()


class PortDoor(Door):
    """A TCP port, with or without TLS, for MBAP or RTU frames."""

    def __init__(
        self,
        serve: Serve,
        welcome: Callable[[], bool],
        host: str,
        port: int,
        what: str,
        *,
        scheme: str = "modbus",
        frames: type[MbapFrames] | type[RtuFrames] = MbapFrames,
        secure: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        super().__init__(serve, welcome)
        self._host, self._port, self._what = host, port, what
        self._scheme, self._frames, self._secure = scheme, frames, secure
        self._server: asyncio.Server | None = None
        self.talks: set[_Talk] = set()

    @property
    def url(self) -> str:
        """`modbus://host:port`, or the scheme of its transport."""
        return f"{self._scheme}://{self._host}:{self._port}"

    async def open(self) -> int:
        """Listen."""
        sock = listen(self._host, self._port, self._what)
        self._port = sock.getsockname()[1]
        context = self._secure() if self._secure else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Talk(self, self._frames()), sock=sock, ssl=context)
        return self._port

    def cut(self) -> None:
        """Reset what is connected now."""
        for talk in tuple(self.talks):
            talk.abort()

    async def close(self) -> None:
        """Close the port and every connection."""
        if self._server is None:
            return
        self._server.close()
        self.cut()
        await self._server.wait_closed()
        self._server = None


class DatagramDoor(Door, asyncio.DatagramProtocol):
    """A UDP port: a frame in each datagram."""

    def __init__(self, serve: Serve, welcome: Callable[[], bool], host: str, port: int, what: str) -> None:
        super().__init__(serve, welcome)
        self._host, self._port, self._what = host, port, what
        self._frames = MbapFrames()
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def url(self) -> str:
        """`modbus+udp://host:port`."""
        return f"modbus+udp://{self._host}:{self._port}"

    async def open(self) -> int:
        """Bind the port."""
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=(self._host, self._port)
            )
        except OSError as error:
            if error.errno in PortBusyError.HAD_NOT:
                raise PortBusyError(
                    self._host, self._port, self._what, error.errno, datagrams=True
                ) from error
            raise
        self._port = self._transport.get_extra_info("sockname")[1]
        return self._port

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Serve one datagram; what is no frame is dropped."""
        transport = self._transport
        if transport is None or not self.welcome():
            return
        with contextlib.suppress(NotModbus):
            for asked in self._frames.cut(bytearray(data)):
                self.serve(self._frames, asked, lambda answer: transport.sendto(answer, addr))

    def cut(self) -> None:
        """Nothing is connected."""

    async def close(self) -> None:
        """Close the port."""
        if self._transport is not None:
            self._transport.close()
        self._transport = None


class SerialDoor(Door):
    """A serial line: one end of a pseudo-terminal, the other under `path`."""

    def __init__(
        self, serve: Serve, welcome: Callable[[], bool], path: str, what: str, frames: Frames
    ) -> None:
        super().__init__(serve, welcome)
        self._what = what
        self._wanted = path
        self._path = Path(path)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._frames = frames
        self._buffer = bytearray()
        self._ours, self._theirs = -1, -1

    @property
    def url(self) -> str:
        """`serial:` and the path, which a gateway opens as any port."""
        return f"serial:{self._path}"

    async def open(self) -> int:
        """Make the terminal and its path."""
        if not self._wanted:
            self._folder = tempfile.TemporaryDirectory(prefix="citynerve-sim-")
            self._path = Path(self._folder.name) / "tty"
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        if self._path.is_symlink():
            self._path.unlink()
        try:
            self._path.symlink_to(os.ttyname(self._theirs))
        except OSError as error:
            os.close(self._ours)
            os.close(self._theirs)
            self._ours = self._theirs = -1
            raise ValueError(
                f"{self._path} cannot lead to the pseudo-terminal: {error.strerror}; "
                "give --tty a path that is free, in a folder that is yours"
            ) from error
        asyncio.get_running_loop().add_reader(self._ours, self._readable)
        return 0

    def _readable(self) -> None:
        try:
            self._buffer += os.read(self._ours, 4096)
        except OSError:
            return
        if not self.welcome():
            self._buffer.clear()
            return
        for asked in self._frames.cut(self._buffer):
            self.serve(self._frames, asked, self._send)

    def _send(self, data: bytes) -> None:
        if self._ours >= 0:
            with contextlib.suppress(BlockingIOError):  # nobody reads: a serial line forgets
                os.write(self._ours, data)

    def cut(self) -> None:
        """Forget half a request: a cable that was pulled for a moment."""
        self._buffer.clear()

    async def close(self) -> None:
        """Take the terminal away; who holds it notices."""
        if self._ours < 0:
            return
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self._theirs)
        self._ours = self._theirs = -1
        self._path.unlink(missing_ok=True)
        if self._folder is not None:
            self._folder.cleanup()


class DialDoor(Door):
    """A DTU: calls the gateway at host and port, registers, serves, and calls again."""

    def __init__(
        self,
        serve: Serve,
        welcome: Callable[[], bool],
        host: str,
        port: int,
        registration: bytes,
        frames: str,
    ) -> None:
        super().__init__(serve, welcome)
        self._host, self._port, self._registration = host, port, registration
        self._frames: type[MbapFrames] | type[RtuFrames] = MbapFrames if frames == "tcp" else RtuFrames
        self._calling: asyncio.Task[None] | None = None
        self.talks: set[_Talk] = set()

    @property
    def url(self) -> str:
        """`modbus+dial-in://host:port`: where the gateway listens."""
        return f"modbus+dial-in://{self._host}:{self._port}"

    async def open(self) -> int:
        """Begin to call."""
        self._calling = asyncio.get_running_loop().create_task(self._call())
        return self._port

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(OSError):
                _, talk = await loop.create_connection(
                    lambda: _Talk(self, self._frames()), self._host, self._port
                )
                talk.send(self._registration)
                await talk.ended
            await asyncio.sleep(REDIAL_S)

    def cut(self) -> None:
        """Lose the call."""
        for talk in tuple(self.talks):
            talk.abort()

    async def close(self) -> None:
        """Call no more."""
        if self._calling is not None:
            self._calling.cancel()
            await asyncio.gather(self._calling, return_exceptions=True)
        self._calling = None
        self.cut()
        await asyncio.sleep(0)


def door(
    settings: Mapping[str, Any], serve: Serve, welcome: Callable[[], bool], host: str, port: int, what: str
) -> Door:
    """Return the door of a line's settings, as a gateway file has them. Raises ValueError."""
    transport = settings.get("transport", "tcp")
    match transport:
        case "tcp":
            return PortDoor(serve, welcome, host, port, what)
        case "rtu-over-tcp":
            return PortDoor(serve, welcome, host, port, what, scheme="modbus+rtu", frames=RtuFrames)
        case "tls":
            folder = settings.get("tls_folder")
            if not folder:
                raise ValueError("transport tls needs a folder for its certificates: --tls-folder DIR")
            # cryptography is loaded where somebody asks for it.
            from sim_devices.servers.modbus_tls import server_context  # noqa: PLC0415

            return PortDoor(
                serve, welcome, host, port, what,
                scheme="modbus+tls", secure=lambda: server_context(Path(folder), host),
            )  # fmt: skip
        case "udp":
            return DatagramDoor(serve, welcome, host, port, what)
        case "rtu":
            return SerialDoor(serve, welcome, str(settings.get("device") or ""), what, RtuFrames())
        case "ascii":
            return SerialDoor(serve, welcome, str(settings.get("device") or ""), what, AsciiFrames())
        case "dial-in":
            if not port:
                raise ValueError("transport dial-in calls a gateway: say the port it listens on with --port")
            registration = str(settings.get("registration") or "")
            try:
                said = (
                    bytes.fromhex(registration.removeprefix("hex:"))
                    if registration.startswith("hex:")
                    else registration.encode()
                )
            except ValueError as error:
                raise ValueError(
                    f"registration {registration!r} is no text and no hex; write it as hex:01 02 FE"
                ) from error
            return DialDoor(serve, welcome, host, port, said, str(settings.get("frames", "rtu")))
    raise ValueError(
        f"transport {transport!r} is none of tcp, rtu, ascii, rtu-over-tcp, tls, udp, dial-in; "
        "choose one of them"
    )
