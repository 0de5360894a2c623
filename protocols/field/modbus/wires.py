"""Wires: where the bytes of a line go. Each opens, sends and closes; what comes is told to an Ear.

    TcpWire      tcp, rtu-over-tcp, tls        SerialWire   rtu, ascii
    UdpWire      udp                           Rfc2217Wire  rtu, ascii at a serial server, see `rfc2217`
                                               DialInWire   dial-in, see `dial_in`

A wire knows nothing of questions: order, pauses and time limits are the line's (`line`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from protocols.errors import ConnectionLost
from protocols.field.modbus.frames import Ascii, Framing, Mbap, Rtu
from protocols.field.modbus.settings import ModbusSettings
from protocols.model.quality import Quality

if TYPE_CHECKING:
    import serialx

CONNECT_TIMEOUT_S: Final = 5.0
CHARACTER_BITS: Final = 11
"""Start, eight data bits, parity or a second stop bit, stop (Serial Line V1.02, 2.5.1)."""
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 15_000}
"""Seconds (user timeout: milliseconds) until the kernel gives up a peer that vanished without a word."""


_AT_THIS_MACHINE: Final = (
    "check the cable, `ls -l /dev/serial/by-id`, that no other program has it, "
    "and that the gateway's user is in the group `dialout`"
)


class Ear(asyncio.Protocol, asyncio.DatagramProtocol):
    """Hands on what one opening of a wire brings: bytes, and once its end in words."""

    def __init__(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        self._heard, self._ended = heard, ended

    def data_received(self, data: bytes) -> None:
        """Stream bytes."""
        self._heard(data)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One datagram; the socket is connected, so it comes from the device."""
        self._heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say why the wire ended."""
        self.ends(f"the connection was closed by the other end{f' ({exc})' if exc is not None else ''}")

    def ends(self, why: str) -> None:
        """Say that the wire is of no more use; `why` ends with the repair where there is one."""
        self._ended(why)


class Wire(ABC):
    """One way to the devices; `name` is how people know it."""

    gap_s = 0.0
    """Silence that must lie between two frames."""

    def __init__(self, name: str, framing: Framing) -> None:
        self.name = name
        self.framing = framing

    @abstractmethod
    async def open(self, ear: Ear) -> None:
        """Connect. Raises ConnectionLost with the reason and the repair in words."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send a frame; an error shows by the ear."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; safe at any time."""

    async def closed(self) -> None:
        """Wait until it is let go of: a transport closes in the loop's next round, not in the call."""
        await asyncio.sleep(0)

    def seconds(self, count: int) -> float:
        """Return how long `count` bytes are on their way."""
        del count
        return 0.0

    def lost(self, error: object, repair: str) -> ConnectionLost:
        """Return the error of an opening that failed."""
        return ConnectionLost(
            f"{self.name} cannot be reached: {str(error) or 'no answer'}; {repair}",
            Quality.BAD_NO_COMMUNICATION,
        )


class TcpWire(Wire):
    """A TCP connection, encrypted or not."""

    def __init__(
        self,
        name: str,
        framing: Framing,
        host: str,
        port: int,
        secure: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(name, framing)
        self._host, self._port, self._secure = host, port, secure
        self._transport: asyncio.Transport | None = None

    async def open(self, ear: Ear) -> None:
        """Connect, and with TLS let each side prove who it is."""
        how = self._secure() if self._secure else {}
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                transport, _ = await loop.create_connection(lambda: ear, self._host, self._port, **how)
        except ssl.SSLError as error:
            raise ConnectionLost(
                f"{self.name}: the other end is not trusted, or does not trust the gateway "
                f"({_tls_words(error)}); check `ca_file`, `certificate`, `server_name` and the clocks",
                Quality.BAD_NO_COMMUNICATION,
            ) from error
        except (OSError, TimeoutError) as error:
            raise self.lost(
                error, "check host, port, cable and that the device's Modbus server is enabled"
            ) from error
        self._transport = transport
        keep_alive(transport.get_extra_info("socket"))

    def send(self, data: bytes) -> None:
        """Write to the socket."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Close the socket at once: what was not sent yet nobody waits for any more."""
        if self._transport is not None:
            self._transport.abort()
        self._transport = None


class UdpWire(Wire):
    """Datagrams, one frame each. There is no connection: a missing device is one that stays silent."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__(name, Mbap())
        self._host, self._port = host, port
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, ear: Ear) -> None:
        """Look up the host and take a socket for it; nothing is sent."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._transport, _ = await loop.create_datagram_endpoint(
                    lambda: ear, remote_addr=(self._host, self._port)
                )
        except (OSError, TimeoutError) as error:
            raise self.lost(error, "check host and port") from error

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        if self._transport is not None:
            self._transport.sendto(data)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.abort()
        self._transport = None


class Port(Wire):
    """A serial port. Frames are found by length and CRC; silence is only kept before sending.

    Neither user space nor USB adapters can measure 1.5 characters of silence: nothing is judged by it.
    """

    def __init__(self, settings: ModbusSettings) -> None:
        path = settings.device or ""
        text = settings.transport == "ascii"
        name = f"Modbus {settings.transport.upper()} {path} {settings.baud} {_form(settings)}"
        super().__init__(name, Ascii() if text else Rtu())
        self._settings = settings
        # A colon begins a frame of ASCII, whatever was before it.
        self.gap_s = 0.0 if text else gap_s(settings.baud)

    def seconds(self, count: int) -> float:
        """Return the time of `count` characters of 11 bits."""
        return count * CHARACTER_BITS / self._settings.baud


class SerialWire(Port):
    """A serial port of the gateway, held alone."""

    def __init__(self, settings: ModbusSettings) -> None:
        super().__init__(settings)
        self._path = settings.device or ""
        self._transport: serialx.BaseSerialTransport | None = None
        self._closing: serialx.BaseSerialTransport | None = None

    async def open(self, ear: Ear) -> None:
        """Open the port with its speed and form, for this process only."""
        await self.closed()
        import serialx  # noqa: PLC0415 - only who has a serial line carries it

        settings = self._settings
        # A pseudo-terminal has neither parity nor 7 bits, and the C library refuses them there.
        bare = _is_pseudo(self._path)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._transport, _ = await serialx.create_serial_connection(
                    asyncio.get_running_loop(),
                    lambda: ear,
                    self._path,
                    baudrate=settings.baud,
                    parity=serialx.Parity("N" if bare else settings.parity[0].upper()),
                    stopbits=serialx.StopBits(settings.stop_bits),
                    byte_size=8 if bare else settings.data_bits,
                    exclusive=True,
                )
        except (OSError, TimeoutError, ValueError, serialx.SerialException) as error:
            raise self.lost(error, _AT_THIS_MACHINE) from error

    def send(self, data: bytes) -> None:
        """Hand the frame to the port."""
        if self._transport is None:
            return
        try:
            self._transport.write(data)
        except OSError:
            # A port that was pulled out says so here too; its ear has heard it already.
            self._transport.abort()

    def close(self) -> None:
        """Close the port."""
        if self._transport is not None:
            self._transport.abort()
            self._closing = self._transport
        self._transport = None

    async def closed(self) -> None:
        """Wait until the port is free: it is closed by a thread, as the last bytes may still go out."""
        closing, self._closing = self._closing, None
        if closing is not None:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await closing.wait_closed()


def gap_s(baud: int) -> float:
    """Return t3.5 in seconds: 3.5 characters, from 19,200 baud on 1.75 ms (Serial Line V1.02, 2.5.1.1)."""
    return 3.5 * CHARACTER_BITS / baud if baud <= 19_200 else 0.00175


def network_wire(settings: ModbusSettings) -> Wire:
    """Return the wire of the transports that connect over a network."""
    host, port = settings.host or "", settings.real_port
    place = f"{host}:{port}"
    match settings.transport:
        case "udp":
            return UdpWire(f"Modbus UDP {place}", host, port)
        case "rtu-over-tcp":
            return TcpWire(f"Modbus RTU over TCP {place}", Rtu(), host, port)
        case "tls":
            return TcpWire(f"Modbus TLS {place}", Mbap(), host, port, lambda: _secure(settings, host))
        case _:
            return TcpWire(f"Modbus TCP {place}", Mbap(), host, port)


def _secure(settings: ModbusSettings, host: str) -> dict[str, Any]:
    """Return how a connection is encrypted: TLS 1.2 or newer, both sides with certificates (Security v21).

    Read at every opening, so that a renewed certificate is taken up without a restart.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except OSError as error:  # an ssl.SSLError is one too
        raise ConnectionLost(
            f"the certificates for {host} cannot be used ({error.strerror or error}); "
            "check `ca_file`, `certificate` and `key`: PEM files that the gateway's user may read",
            Quality.BAD_CONFIGURATION_ERROR,
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = settings.check_host
    return {"ssl": context, "server_hostname": settings.server_name or host}


def _tls_words(error: ssl.SSLError) -> str:
    return getattr(error, "verify_message", "") or (error.reason or str(error)).lower().replace("_", " ")


def _is_pseudo(path: str) -> bool:
    return os.path.realpath(path).startswith("/dev/pts/")


def _form(settings: ModbusSettings) -> str:
    return f"{settings.data_bits}{settings.parity[0].upper()}{settings.stop_bits}"


def keep_alive(sock: socket.socket) -> None:
    """Let the kernel notice a peer that lost power; options that a platform lacks are left out."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
