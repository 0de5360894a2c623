"""One Modbus TCP connection: a request in, its own answer out, or an error that says what happened.

pymodbus reconnects, repeats and counts silence by itself if it is let; here the session decides, so
all three are switched off. Every attempt has its own transaction id, and an answer with any other
id, function code or length is dropped or refused: a late answer is never taken for the next.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from protocols.errors import BadFrame, ConnectionLost, DeviceTimeout, FieldError
from protocols.field.modbus.answers import ANSWERS, BUSY
from protocols.model.device import Limits
from protocols.model.quality import Quality

# pymodbus logs each silence with its last frames; the session logs it once, from what is raised here.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

CONNECT_TIMEOUT_S: Final = 5.0
SILENT_REQUESTS: Final = 12
"""So many requests in a row without any answer, and the connection counts as dead, open or not."""
BUSY_PAUSE_S: Final = 0.1
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 15_000}
"""Seconds (user timeout: milliseconds) until the kernel gives up a peer that vanished without a word."""
_BURST_BYTES: Final = 4096
_NO_LIMIT: Final = 1 << 30


class Line:
    """The connection to one host and port; requests go one after the other, `pause_s` apart."""

    def __init__(self, host: str, port: int, pause_s: float) -> None:
        self.name = f"Modbus TCP {host}:{port}"
        self._host, self._port, self._pause_s = host, port, pause_s
        self._client: AsyncModbusTcpClient | None = None
        self._lost = ""
        self._asking = False
        self._silent = 0

    async def open(self) -> None:
        """Connect. Raises ConnectionLost with the reason in words."""
        client = AsyncModbusTcpClient(
            self._host, port=self._port, retries=0, reconnect_delay=0, trace_connect=self._on_link
        )
        for answer in ANSWERS:
            client.register(answer)
        client.set_max_no_responses(_NO_LIMIT)
        # Late answers may arrive together with the right one; the default drops all of such a burst.
        client.ctx.max_buffer_size = _BURST_BYTES
        self._client = client
        try:
            # Not client.connect(): that turns the reason into a log line and returns False.
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await client.ctx.call_create()
        except (OSError, TimeoutError) as error:
            raise ConnectionLost(
                f"{self.name} cannot be reached: {str(error) or 'no answer'}; check host, port, cable and "
                "that the device's Modbus server is enabled",
                Quality.BAD_NO_COMMUNICATION,
            ) from error
        _keep_alive(client.ctx.transport.get_extra_info("socket"))

    async def close(self) -> None:
        """Close the socket; safe at any time."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
            # The transport closes its socket in the loop's next round, not in this call.
            await asyncio.sleep(0)

    async def ask(self, request: ModbusPDU, limits: Limits, retries: int) -> ModbusPDU:
        """Return the answer to this very request, which may be an exception of the device.

        Raises DeviceTimeout or BadFrame, after `retries` further attempts, or ConnectionLost.
        """
        attempt = 0
        while True:
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
            try:
                answer = await self._exchange(request, limits)
            except (DeviceTimeout, BadFrame):
                if attempt == retries:
                    raise
            else:
                busy = isinstance(answer, ExceptionResponse) and answer.exception_code in BUSY
                if not busy or attempt == retries:
                    return answer
                await asyncio.sleep(BUSY_PAUSE_S * 2**attempt)
            attempt += 1

    async def probe(self, request: ModbusPDU, limits: Limits) -> ModbusPDU | None:
        """Ask once somebody who may not be there; None for silence, which says nothing about the line.

        Raises ConnectionLost, and BadFrame where something came that cannot be read.
        """
        before, self._silent = self._silent, 0
        try:
            return await self._exchange(request, limits)
        except DeviceTimeout:
            self._silent = before
            return None

    async def _exchange(self, request: ModbusPDU, limits: Limits) -> ModbusPDU:
        client = self._client
        if client is None or not client.connected:
            raise ConnectionLost(f"{self.name}: {self._lost or 'not open'}", Quality.BAD_NO_COMMUNICATION)
        client.ctx.comm_params.timeout_connect = limits.timeout_ms / 1000
        self._asking = True
        try:
            answer: ModbusPDU = await client.execute(False, request)
        except ConnectionException as error:
            raise ConnectionLost(f"{self.name}: {error.string}", Quality.BAD_NO_COMMUNICATION) from error
        except ModbusException as error:
            raise self._unanswered(client, request, limits, error) from error
        finally:
            self._asking = False
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # Before Python 3.12 the wait_for inside pymodbus lets an answer swallow a cancellation.
            raise asyncio.CancelledError
        self._silent = 0
        own = answer.transaction_id == request.transaction_id
        if not own or answer.function_code & 0x7F != request.function_code:
            raise BadFrame(
                f"{self.name} unit {request.dev_id}: an answer to another question "
                f"(transaction {answer.transaction_id}, function {answer.function_code}) was dropped",
                Quality.BAD_COMMUNICATION_ERROR,
            )
        return answer

    def _unanswered(
        self, client: AsyncModbusTcpClient, request: ModbusPDU, limits: Limits, error: ModbusException
    ) -> FieldError:
        unit = f"{self.name} unit {request.dev_id}"
        if not client.ctx.response_future.cancelled():
            return BadFrame(f"{unit}: {error.string}", Quality.BAD_COMMUNICATION_ERROR)
        self._silent += 1
        if self._silent >= SILENT_REQUESTS:
            return ConnectionLost(
                f"{self.name}: {self._silent} requests in a row without any answer", Quality.BAD_TIMEOUT
            )
        return DeviceTimeout(f"{unit}: no answer within {limits.timeout_ms} ms", Quality.BAD_TIMEOUT)

    def _on_link(self, connected: bool) -> None:
        """Wake the request under way when the socket dies; pymodbus would let it wait for its timeout."""
        if connected:
            return
        self._lost = "the connection was closed by the other end"
        if self._client is not None and self._asking and not self._client.ctx.response_future.done():
            self._client.ctx.response_future.set_exception(ConnectionException(self._lost))


def _keep_alive(sock: socket.socket) -> None:
    """Let the kernel notice a peer that lost power; options that a platform lacks are left out."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
