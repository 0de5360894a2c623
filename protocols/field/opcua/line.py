"""The connection to a server: one signed-in client at a time, and the news that it is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from asyncua.ua.uaerrors import UaError

from protocols.errors import ConnectionLost
from protocols.field.opcua.client import FieldClient
from protocols.field.opcua.connecting import connect
from protocols.field.opcua.settings import OpcUaSettings
from protocols.model.clock import Clock
from protocols.model.quality import Quality

_FAREWELL_S: Final = 3.0


class Line:
    """`lost` is done, with the reason in words, when the present connection has ended by itself."""

    def __init__(self, settings: OpcUaSettings, clock: Clock) -> None:
        self.settings = settings
        self.lost: asyncio.Future[str]
        self._clock = clock
        self._client: FieldClient | None = None

    @property
    def client(self) -> FieldClient:
        """The present client. Raises ConnectionLost before `open`."""
        if self._client is None:
            raise ConnectionLost(f"OPC UA {self.settings.url} is not open", Quality.BAD_NO_COMMUNICATION)
        return self._client

    async def open(self) -> None:
        """Connect and sign in. Raises ConnectionLost."""
        self.lost = asyncio.get_running_loop().create_future()
        self._take(await connect(self.settings, self._clock))

    async def replace(self) -> FieldClient:
        """Connect and sign in again; return the client before it, still open. Raises ConnectionLost."""
        before = self.client
        fresh = await connect(self.settings, self._clock)
        self._take(fresh)
        return before

    async def close(self) -> None:
        """End session and connection; a dead connection is dropped without a goodbye."""
        client, self._client = self._client, None
        if client is not None:
            await farewell(client, dead=self.lost.done())

    def _take(self, client: FieldClient) -> None:
        async def on_lost(error: Exception) -> None:
            if self._client is client and not self.lost.done():
                self.lost.set_result(str(error) or type(error).__name__)

        self._client = client
        client.connection_lost_callback = on_lost


async def farewell(client: FieldClient, *, dead: bool) -> None:
    """End a client's session and socket; what cannot be said goodbye to is cut off."""
    protocol = client.uaclient.protocol
    transport = protocol.transport if protocol is not None else None
    if transport is not None and dead:
        transport.abort()
        await asyncio.sleep(0)
    # What answers no goodbye is cut off below.
    with suppress(OSError, TimeoutError, UaError):
        async with asyncio.timeout(_FAREWELL_S):
            await client.disconnect()
    if transport is not None and not transport.is_closing():
        transport.abort()
    await asyncio.sleep(0)
