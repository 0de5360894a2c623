"""amqtt's broker under the contract, and a device that speaks through it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

import aiomqtt

from protocols.field.base import BoundDevice
from tests.protocols.field.contract import Harness
from tests.protocols.field.devices import bind, profile
from tests.protocols.field.mqtt.broker import AmqttBroker


class MqttHarness(Harness):
    """amqtt's broker, and a device that publishes by aiomqtt and obeys commands."""

    protocol = "mqtt"
    polled = False
    expected: ClassVar = {"level": 2.5, "count": -205.0, "running": 1.0, "label": "PUMP-1", "bare": 9.0}
    ghosts: ClassVar = {"ghost"}
    writes: ClassVar = (("level", 1.5), ("running", 0.0), ("label", "P2"))
    refused: ClassVar = (("bare", 1.0), ("level", float("nan")))

    def __init__(self) -> None:
        self.broker = AmqttBroker()
        self._device: asyncio.Task[None] | None = None
        self.port = 0
        self.state: dict[str, Any] = {}
        self.obeyed = asyncio.Event()

    def begin(self) -> None:
        """Give the device its first state."""
        self.state = {"level": 2.5, "deep": [{"count": -205}], "on": True, "text": "PUMP-1"}

    async def start(self) -> int:
        self.begin()
        self.port = await self.broker.start()
        await self.attend()
        return self.port

    async def attend(self) -> None:
        """Let the device listen to its commands."""
        ready = asyncio.Event()
        self._device = asyncio.create_task(self._obey(ready))
        await ready.wait()

    async def _obey(self, ready: asyncio.Event) -> None:
        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            await client.subscribe("plant/P1/set", qos=1)
            ready.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                self.state.update(decode_json(message.payload))
                await client.publish("plant/P1/state", encode_json(self.state), qos=1)
                self.obeyed.set()

    async def speak(self, *, retained: bool) -> None:
        """Publish the state, a bare value and junk."""
        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            await client.publish("plant/P1/state", encode_json(self.state), qos=1, retain=retained)
            await client.publish("plant/P1/bare", b"9.0", qos=1, retain=retained)
            await client.publish("plant/P1/junk", b"{{", qos=1, retain=retained)

    async def leave(self) -> None:
        """Let the device leave."""
        if self._device is not None:
            self._device.cancel()
            await asyncio.gather(self._device, return_exceptions=True)
            self._device = None

    async def stop(self) -> None:
        await self.leave()
        await self.broker.stop()

    def devices(self) -> tuple[BoundDevice, ...]:
        def state(path: str, template: str = "") -> dict[str, str]:
            topics = {"topic": "plant/{device}/state", "json_path": path}
            command = {"command_topic": "plant/{device}/set", "command_template": template}
            return {**topics, **(command if template else {})}

        pump = profile(
            "mqtt",
            [
                {
                    "key": "level",
                    "scale": 0.1,
                    "writable": True,
                    "mqtt": state("level", '{"level": {value}}'),
                },
                {"key": "count", "type": "i16", "mqtt": state("deep[0].count")},
                {"key": "running", "type": "bool", "writable": True, "mqtt": state("on", '{"on": {value}}')},
                {
                    "key": "label",
                    "type": "text",
                    "writable": True,
                    "mqtt": state("text", '{"text": {value}}'),
                },
                {"key": "bare", "mqtt": {"topic": "plant/+/bare"}},
                {"key": "ghost", "mqtt": {"topic": "plant/{device}/junk", "json_path": "x"}},
            ],
        )
        return (bind(pump, {"device": "P1"}),)

    def settings(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port}


def encode_json(document: Any) -> bytes:
    """Return JSON, as a device of another make writes it."""
    return json.dumps(document).encode()


def decode_json(payload: bytes) -> dict[str, Any]:
    """Read JSON, as a device of another make does."""
    document: dict[str, Any] = json.loads(payload)
    return document
