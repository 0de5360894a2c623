"""Two neighbouring UDP ports for a camera that sends its video by datagrams: RTP on the even one, RTCP
after it.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from protocols.field.camera.ladder import Cause, Fallen, Level

_TRIES: Final = 20
_MOST: Final = 2048


class Datagrams(asyncio.DatagramProtocol):
    """Keeps the packets of one camera until they are taken; what nobody takes in time is lost, as UDP is."""

    def __init__(self, sender: str) -> None:
        self.port = 0
        self._sender = sender
        self._packets: asyncio.Queue[bytes] = asyncio.Queue(_MOST)
        self._transports: list[asyncio.DatagramTransport] = []

    @classmethod
    async def open(cls, host: str) -> Datagrams:
        """Take a free even port and the next. Raises Fallen where this machine has none."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        family, sender = found[0][0], found[0][4][0]
        made = cls(str(sender))
        anywhere = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - its route is not known yet
        for _ in range(_TRIES):
            try:
                first, _ = await loop.create_datagram_endpoint(lambda: made, (anywhere, 0), family=family)
                port: int = first.get_extra_info("sockname")[1]
                if port % 2:
                    first.close()
                    continue
                try:
                    second, _ = await loop.create_datagram_endpoint(
                        asyncio.DatagramProtocol, (anywhere, port + 1), family=family
                    )
                except OSError:
                    first.close()
                    continue
            except OSError:
                break
            made.port, made._transports = port, [first, second]
            return made
        raise Fallen(
            Level.DESCRIBES, Cause.TRANSPORT, "this machine has no two free UDP ports for a camera's video"
        )

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep a packet of the camera; strangers' are not looked at."""
        if addr[0] == self._sender and not self._packets.full():
            self._packets.put_nowait(data)

    async def packet(self) -> bytes:
        """Return the next packet."""
        return await self._packets.get()

    def close(self) -> None:
        """Give the ports back."""
        for transport in self._transports:
            transport.close()
