"""How long a stranger may keep a connection, and how many there may be, before anybody has signed in.

The gateway's own work needs file descriptors: a flood of connections must take none of them away. So they
are counted as they are accepted, before TLS; and each has to bring its request, and to take its answer.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.console.auth import network
from edge.console.sockets import peer_user

MOST: Final = 63
"""Connections of the page at a time; uvicorn itself would answer 503 from the next one on."""
MOST_OF_ONE: Final = 32
"""Of them from one address, so that nobody alone shuts the others out. A browser opens six."""
BACKLOG: Final = 32
"""Connections that wait to be accepted; asyncio takes so many in one go."""
REQUEST_S: Final = 15.0
"""A connection has so long for its first request, and each later request so long from its first byte."""
STUCK_S: Final = 15.0
LEAST_TAKEN: Final = 16 * 1024
"""A connection that takes fewer bytes of its answer in `STUCK_S` is cut."""
_LINGER_S: Final = 2.0
"""What was answered before it had arrived has so long to end: hanging up at once would lose the answer."""


class Gate(socket.socket):
    """A listening socket that hangs up on whom there is no room for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._inside: dict[socket.socket, str] = {}

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection. Raises ConnectionAbortedError for one that is turned away."""
        connection, address = super().accept()
        # Who has left is seen by his closed descriptor: no end of a connection can go uncounted.
        self._inside = {one: whose for one, whose in self._inside.items() if one.fileno() >= 0}
        whose = network(str(address[0]))
        if len(self._inside) >= MOST or list(self._inside.values()).count(whose) >= MOST_OF_ONE:
            connection.close()
            raise ConnectionAbortedError(errno.ECONNABORTED, "too many connections")
        self._inside[connection] = whose
        return connection, address


class Protocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with an end for every wait; a local connection has a user's name."""

    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the new connection its first deadline."""
        super().connection_made(transport)
        self._await_request()
        sock: socket.socket = transport.get_extra_info("socket")
        if sock.family == socket.AF_UNIX:
            self.client = (peer_user(sock), 0)

    def data_received(self, data: bytes) -> None:
        """Take what came; bytes that do not make a request in time are the end of it."""
        if self.conn.their_state is h11.IDLE:
            self._await_request()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            _cancel(self._late)
            self._late = None

    def on_response_complete(self) -> None:
        """Go on to the next request, but wait for no rest of one that is answered already."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(_LINGER_S, self.transport.abort)

    def pause_writing(self) -> None:
        """Wait for a client that takes its answer slowly, but not for one that takes nothing."""
        super().pause_writing()
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that asks for nothing more; what it has not taken yet may still go out."""
        super().timeout_keep_alive_handler()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        super().connection_lost(exc)
        for timer in (self._late, self._stuck):
            _cancel(timer)

    def _await_request(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _watch(self) -> None:
        """Look from now on whether what is written goes out, until all of it has."""
        _cancel(self._stuck)
        left = self.transport.get_write_buffer_size()
        if left:
            self._stuck = self.loop.call_later(STUCK_S, self._look, left - LEAST_TAKEN)

    def _look(self, most: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left > max(most, 0):
            self.transport.abort()
        else:
            self._watch()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
