"""pymodbus's server on every other transport, and the ways in which those lines are cut and mended."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import shutil
import ssl
import tempfile
import tty
from pathlib import Path
from typing import Any, ClassVar

from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer, ModbusTlsServer, ModbusUdpServer
from pymodbus.simulator import SimDevice

from sim_devices.servers.modbus_tls import make
from tests.ports import free_port
from tests.protocols.field.modbus.access_server import AccessServer
from tests.protocols.field.modbus.harness import ModbusHarness
from tests.protocols.field.udp import UdpProxy


@functools.cache
def folder() -> Path:
    """Return a folder that goes when the tests end."""
    made = Path(tempfile.mkdtemp(prefix="citynerve-test-modbus-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@functools.cache
def certificates() -> Path:
    """Return a folder with `ca.pem`, `device.*` and `gateway.*` for 127.0.0.1, the same for all tests."""
    make(folder() / "tls", "127.0.0.1")
    return folder() / "tls"


class RtuOverTcp(ModbusHarness):
    """A serial server: RTU frames in a TCP stream."""

    def server(self, units: list[SimDevice]) -> Any:
        return ModbusTcpServer(units, framer=FramerType.RTU, address=("127.0.0.1", 0))

    def settings(self, port: int) -> dict[str, Any]:
        return {"transport": "rtu-over-tcp", "host": "127.0.0.1", "port": port}


class Tls(ModbusHarness):
    """Modbus/TCP Security: the device asks the gateway for its certificate."""

    def files(self) -> Path:
        """Return where the device has its certificate and key."""
        return certificates()

    def server(self, units: list[SimDevice]) -> Any:
        files = self.files()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files / "device.pem", files / "device.key")
        context.load_verify_locations(files / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return ModbusTlsServer(units, framer=FramerType.SOCKET, address=("127.0.0.1", 0), sslctx=context)

    def settings(self, port: int) -> dict[str, Any]:
        files = certificates()
        return {
            "transport": "tls", "host": "127.0.0.1", "port": port, "ca_file": files / "ca.pem",
            "certificate": files / "gateway.pem", "key": files / "gateway.key",
        }  # fmt: skip


class Udp(ModbusHarness):
    """Datagrams; that nobody is there shows by silence."""

    connects = False
    limits: ClassVar = {"timeout_ms": 300, "retries": 0}

    def server(self, units: list[SimDevice]) -> Any:
        return ModbusUdpServer(units, address=("127.0.0.1", 0))

    def line(self, port: int) -> Any:
        return UdpProxy(port)

    def settings(self, port: int) -> dict[str, Any]:
        return {"transport": "udp", "host": "127.0.0.1", "port": port}


class Serial(RtuOverTcp):
    """A serial port: one end of a pseudo-terminal, the other at the server."""

    def line(self, port: int) -> Any:
        return SerialCable(port)

    def place(self, port: int) -> str:
        return f"no-tty-{port}"

    def settings(self, port: int) -> dict[str, Any]:
        cable = getattr(self, "proxy", None)
        path = str(cable.path) if cable is not None and port == cable.port else f"/dev/no-tty-{port}"
        return {"transport": "rtu", "device": path, "baud": 115_200, "parity": "even"}


class Ascii(Serial):
    """The same with frames of text."""

    def server(self, units: list[SimDevice]) -> Any:
        return ModbusTcpServer(units, framer=FramerType.ASCII, address=("127.0.0.1", 0))

    def settings(self, port: int) -> dict[str, Any]:
        return {**super().settings(port), "transport": "ascii", "data_bits": 7}


class Rfc2217(RtuOverTcp):
    """The port of a serial server, by RFC 2217."""

    def line(self, port: int) -> Any:
        return AccessServer(port)

    def settings(self, port: int) -> dict[str, Any]:
        return {"transport": "rtu", "device": f"rfc2217://127.0.0.1:{port}", "baud": 19_200, "parity": "even"}


class DialIn(RtuOverTcp):
    """A DTU that calls the gateway and registers."""

    def line(self, port: int) -> Any:
        return Dtu(port, b"DTU-7")

    def settings(self, port: int) -> dict[str, Any]:
        mine = hasattr(self, "proxy") and port == self.proxy.port
        return {
            "transport": "dial-in", "host": "127.0.0.1", "port": port, "registration": "DTU-7",
            "wait_s": 20 if mine else 0.2,
        }  # fmt: skip


TRANSPORTS = (RtuOverTcp, Tls, Udp, Serial, Ascii, Rfc2217, DialIn)


class SerialCable:
    """A pseudo-terminal under a path that stays the same, joined to an RTU server's port."""

    def __init__(self, upstream: int) -> None:
        self.port = 1
        self.path = folder() / f"usb-adapter-{upstream}"
        self._upstream = upstream
        self._ends: tuple[int, int] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Plug in."""
        ours, theirs = self._ends = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self.path.symlink_to(os.ttyname(theirs))
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        asyncio.get_running_loop().add_reader(ours, lambda: writer.write(_read(ours)))
        self._task = asyncio.create_task(self._pump(reader, writer, ours))

    async def cut(self) -> None:
        """Pull the plug."""
        if self._ends is None:
            return
        ours, theirs = self._ends
        self._ends = None
        asyncio.get_running_loop().remove_reader(ours)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.path.unlink()
        os.close(theirs)
        os.close(ours)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ours: int) -> None:
        try:
            while data := await reader.read(4096):
                os.write(ours, data)
        finally:
            writer.transport.abort()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


class Dtu:
    """Dials `port`, says its registration, and carries bytes to and from an RTU server."""

    def __init__(self, upstream: int, registration: bytes, port: int = 0, beat: bytes = b"") -> None:
        self.port = port or free_port()
        self.calls = 0
        self._upstream, self._registration, self._beat = upstream, registration, beat
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to dial, again and again."""
        self._task = asyncio.create_task(self._dial())

    async def cut(self) -> None:
        """Lose the network."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _dial(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                await self._call()
            await asyncio.sleep(0.02)

    async def _call(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            self.calls += 1
            writer.write(self._registration)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            try:
                pumps = [
                    asyncio.create_task(_pump(reader, far_writer)),
                    asyncio.create_task(_pump(far_reader, writer, self._beat)),
                ]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)
            finally:
                far_writer.transport.abort()
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, before: bytes = b"") -> None:
    while data := await reader.read(4096):
        writer.write(before + data)
        await writer.drain()
