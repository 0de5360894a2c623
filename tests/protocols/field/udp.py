"""A relay of datagrams between driver and server, on which they are lost, doubled, delayed and altered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any


class UdpProxy:
    """Relays the datagrams of one client. `alter` turns an answer into those that arrive in its place."""

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self.alter: Callable[[bytes], list[bytes]] | None = None
        self.asked = 0
        self._upstream = upstream
        self._near: asyncio.DatagramTransport | None = None
        self._far: asyncio.DatagramTransport | None = None
        self.client: Any = None
        """Where the newest datagram of the client came from."""

    async def start(self) -> None:
        """Bind; a second start keeps the port."""
        loop = asyncio.get_running_loop()
        relay = self

        class Near(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                relay.client = addr
                relay.asked += 1
                if relay._far is not None:
                    relay._far.sendto(data)

        class Far(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                for one in relay.alter(data) if relay.alter is not None else [data]:
                    relay.send(one)

        self._far, _ = await loop.create_datagram_endpoint(Far, remote_addr=("127.0.0.1", self._upstream))
        self._near, _ = await loop.create_datagram_endpoint(Near, local_addr=("127.0.0.1", self.port))
        sock: socket.socket = self._near.get_extra_info("socket")
        self.port = sock.getsockname()[1]

    def send(self, data: bytes) -> None:
        """Give the client a datagram as if the server had sent it."""
        if self._near is not None:
            self._near.sendto(data, self.client)

    async def cut(self) -> None:
        """Let nothing through."""
        for end in (self._near, self._far):
            if end is not None:
                end.close()
        self._near = self._far = None


def free_udp_port() -> int:
    """Return a UDP port on which nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
