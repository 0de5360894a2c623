"""MQTT broker (amqtt) on loopback, for devices that live in the same process and publish from inside.

The broker takes any client (paho, aiomqtt, mosquitto_sub) that speaks MQTT 3.1.1. Clients are anonymous;
messages for an absent client are not kept.

We accept connections ourselves and hand them to amqtt (an `external` listener): so a port can be 0 or
busy, and connections can be cut, without reaching into amqtt.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker, BrokerContext
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import AMQTTError, MQTTError
from amqtt.plugins.base import BasePlugin
from amqtt.session import IncomingApplicationMessage

from protocols.model.clock import Clock, now_us
from sim_devices.fault_board import FaultBoard
from sim_devices.servers.base import SimServer, listen
from sim_devices.world import Endpoint, World


class BrokerServer(SimServer):
    """One broker; a subclass says what its devices publish, and what they do with what clients publish."""

    scheme = "mqtt"

    def __init__(
        self,
        endpoint: Endpoint,
        world: World,
        faults: FaultBoard,
        *,
        host: str = "127.0.0.1",
        clock: Clock = now_us,
    ) -> None:
        super().__init__(endpoint, world, faults, host=host, clock=clock)
        self._context: BrokerContext | None = None
        self._broker: Broker | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._served: set[asyncio.Task[Any]] = set()
        self._late: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where a client connects."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @abstractmethod
    async def subscribed(self) -> None:
        """A client has subscribed."""

    @abstractmethod
    async def receive(self, topic: str, payload: bytes) -> None:
        """A client has published."""

    def attach(self, context: BrokerContext) -> None:
        """Take the broker's inside; called by our plugin while the broker is built."""
        self._context = context

    async def start(self) -> None:
        """Listen; raises PortBusyError."""
        # amqtt writes a warning for every client that leaves without DISCONNECT; that is daily life here.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.ERROR)
        sock = listen(self.host, self.endpoint.port, f"MQTT broker {self.endpoint.key}")
        self.port = sock.getsockname()[1]
        self._broker = Broker(
            BrokerConfig(
                listeners={"default": ListenerConfig(type=ListenerType.EXTERNAL)},
                plugins={
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
                    f"{__name__}.DevicePlugin": {"server": self},
                },
            )
        )
        await self._broker.start()
        self._server = await asyncio.start_server(self._accept, sock=sock)
        await self.tick()

    def cut_connections(self) -> None:
        """Reset what is connected now."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        """Close the broker, every connection and the port."""
        await self.stop_cutting()
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        self.cut_connections()
        await self._end_connections()
        if self._broker is not None:
            broker, self._broker, self._context = self._broker, None, None
            await broker.shutdown()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _end_connections(self) -> None:
        if not self._served:
            return
        _, left = await asyncio.wait(self._served, timeout=2)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def publish(
        self, device: str, topic: str, payload: bytes, *, qos: int = 1, retained: bool = False
    ) -> None:
        """Hand a message of a device to every subscriber, late where the device has the fault `delay`."""
        delay_s = self.faults.delay_s(device)
        if delay_s:
            task = asyncio.get_running_loop().create_task(
                self._publish_late(delay_s, topic, payload, qos, retained)
            )
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        else:
            await self._send(topic, payload, qos, retained)

    async def _publish_late(
        self, delay_s: float, topic: str, payload: bytes, qos: int, retained: bool
    ) -> None:
        await asyncio.sleep(delay_s)
        await self._send(topic, payload, qos, retained)

    async def _send(self, topic: str, payload: bytes, qos: int, retained: bool) -> None:
        if self._context is None:
            return
        if self._context.subscriptions:
            await self._context.broadcast_message(topic, payload)
        if retained:
            await self._context.retain_message(topic, payload, qos)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._broker is None or self.refuses():
            writer.transport.abort()
            return
        # A task of our own: asyncio 3.11 logs a traceback for a cancelled one that it made itself.
        task = asyncio.get_running_loop().create_task(self._serve(self._broker, reader, writer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def _serve(
        self, broker: Broker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, EOFError, AMQTTError, MQTTError):
                await broker.external_connected(
                    StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default"
                )
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class DevicePlugin(BasePlugin[BrokerContext]):  # type: ignore[misc] # amqtt has no types
    """Joins the broker to its devices; amqtt builds it by name from `BrokerConfig.plugins`."""

    @dataclass
    class Config:
        """`server` is the BrokerServer."""

        server: Any

    def __init__(self, context: BrokerContext) -> None:
        super().__init__(context)
        self._server: BrokerServer = self.config.server
        self._server.attach(context)

    async def on_broker_client_subscribed(self, *, client_id: str, topic: str, qos: int) -> None:
        """A subscriber has come."""
        await self._server.subscribed()

    async def on_broker_message_broadcast(
        self, *, client_id: str, message: IncomingApplicationMessage
    ) -> None:
        """A client's message is about to be distributed."""
        await self._server.receive(message.topic, bytes(message.data))
