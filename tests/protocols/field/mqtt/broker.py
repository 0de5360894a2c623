"""amqtt's broker for tests: it serves on loopback, can vanish, and comes back on its port."""

from __future__ import annotations

import asyncio
import ssl

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import AMQTTError, MQTTError


class AmqttBroker:
    """A broker of another project (MQTT 3.1.1). `port` stays the same over restarts."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._tls = tls
        self._broker: Broker | None = None
        self._server: asyncio.Server | None = None
        self._served: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> int:
        """Serve; return the port."""
        self._broker = Broker(
            BrokerConfig(
                listeners={"default": ListenerConfig(type=ListenerType.EXTERNAL)},
                plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            )
        )
        await self._broker.start()
        # amqtt leaves sockets open when it stops; connections that we accept, we can close.
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert self._broker is not None
        self._served[task] = writer
        try:
            pair = StreamReaderAdapter(reader), StreamWriterAdapter(writer)
            await self._broker.external_connected(*pair, "default")
        except (OSError, AMQTTError, MQTTError, asyncio.CancelledError):
            # A client that leaves as it likes is daily life for a broker.
            return
        finally:
            writer.transport.abort()
            del self._served[task]

    async def stop(self) -> None:
        """Vanish, with every connection."""
        if self._server is not None:
            self._server.close()
        for writer in self._served.values():
            writer.transport.abort()
        if self._served:
            await asyncio.wait(self._served, timeout=2)
        if self._broker is not None:
            await self._broker.shutdown()
            self._broker = None
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
