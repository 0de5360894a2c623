"""The broker and its devices, seen by aiomqtt (paho)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
import pytest

from sim_devices.faults import parse_fault
from sim_devices.servers.base import PortBusyError
from sim_devices.servers.mqtt import MqttServer
from sim_devices.world import Endpoint
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board, profile

TELEMETRY = "lj/lamps/{device}/telemetry"
STATE = "lj/lamps/{device}/state"
LAMP = profile(
    "mqtt",
    [
        {"key": "online", "type": "bool", "mqtt": {"topic": STATE, "json_path": "online"}},
        {"key": "power", "type": "f32",
         "mqtt": {"topic": TELEMETRY, "json_path": "e.power", "time_path": "ts"}},
        {"key": "volt", "type": "u16", "scale": 0.1, "mqtt": {"topic": TELEMETRY, "json_path": "e.v"}},
        {"key": "on", "type": "bool", "writable": True,
         "mqtt": {"topic": TELEMETRY, "json_path": "on", "command_topic": "lj/lamps/{device}/set",
                  "command_template": '{"on": {value}}'}},
        {"key": "dim", "type": "u16", "writable": True, "write_min": 0, "write_max": 100,
         "mqtt": {"topic": TELEMETRY, "json_path": "dim", "command_topic": "lj/lamps/{device}/set",
                  "command_template": '{"dim": {value}}'}},
        {"key": "text", "type": "text", "writable": True,
         "mqtt": {"topic": "lj/lamps/{device}/text", "command_topic": "lj/lamps/{device}/text/set"}},
    ],
)  # fmt: skip


class Stage:
    """A broker, its lamp, and a wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time_us = 1_763_800_000_000_000
        self.lamp = FakeDevice(
            "lamp-01", LAMP, {"device": "L1"}, {"power": 61.5, "volt": 229.9, "text": "晴"}
        )
        self.endpoint = Endpoint("broker", "mqtt", 0, ("lamp-01",))
        self.world = FakeWorld([self.lamp], [self.endpoint])
        self.faults = board(self.world)
        self.server = MqttServer(self.endpoint, self.world, self.faults, clock=lambda: self.time_us)
        self.faults.on_change(self.server.follow_faults)

    async def tick(self, seconds: float = 0.0) -> None:
        self.time_us += int(seconds * 1_000_000)
        await self.server.tick()

    def client(self, **more: Any) -> aiomqtt.Client:
        return aiomqtt.Client("127.0.0.1", self.server.port, **more)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    await made.server.start()
    try:
        yield made
    finally:
        await made.server.stop()


async def next_on(client: aiomqtt.Client, suffix: str) -> tuple[Any, bool]:
    """Return the next payload of a topic, decoded, and whether it was retained."""
    async with asyncio.timeout(5):
        async for message in client.messages:
            if str(message.topic).endswith(suffix):
                assert isinstance(message.payload, bytes)
                return json.loads(message.payload), bool(message.retain)
    raise AssertionError("the stream of messages ended")


async def test_documents_hold_the_worlds_values() -> None:
    async with stage() as s, s.client() as client:
        await client.subscribe("lj/lamps/#", qos=1)
        state, retained = await next_on(client, "/state")
        assert (state, retained) == ({"online": True}, True)
        await s.tick()
        telemetry, retained = await next_on(client, "/telemetry")
        assert telemetry == {
            "e": {"power": 61.5, "v": 2299}, "on": False, "dim": 0, "ts": "2025-11-22T08:26:40Z"
        }  # fmt: skip
        assert not retained
        assert (await next_on(client, "/text"))[0] == "晴"
        s.lamp.values["power"] = None
        await s.tick(5)
        assert (await next_on(client, "/telemetry"))[0]["e"]["power"] is None


async def test_commands_act_and_the_answer_comes_at_once() -> None:
    async with stage() as s, s.client() as client:
        await client.subscribe("lj/lamps/L1/telemetry")
        await client.publish("lj/lamps/L1/set", '{"on": true, "dim": 40}', qos=1)
        telemetry, _ = await next_on(client, "/telemetry")
        assert (telemetry["on"], telemetry["dim"]) == (True, 40)
        assert s.lamp.written == [("on", 1.0), ("dim", 40.0)]
        await client.publish("lj/lamps/L1/text/set", '"注意积水"', qos=1)
        await next_on(client, "/telemetry")
        assert s.lamp.values["text"] == "注意积水"
        for junk in ('{"dim": 400}', "{", '{"on": "yes"}', '{"other": 1}'):
            await client.publish("lj/lamps/L1/set", junk, qos=1)
            await next_on(client, "/telemetry")
        assert len(s.lamp.written) == 3
        assert s.server.devices["lamp-01"].ignored == 4


async def test_a_dead_device_leaves_its_will_and_comes_back() -> None:
    async with stage() as s, s.client() as client:
        await client.subscribe("lj/lamps/L1/state")
        assert (await next_on(client, "/state"))[0] == {"online": True}
        s.faults.set(parse_fault("dead:lamp-01"))
        await s.tick()
        assert (await next_on(client, "/state"))[0] == {"online": False}
        async with s.client() as late:
            await late.subscribe("lj/lamps/#")
            assert await next_on(late, "/state") == ({"online": False}, True)
        await client.subscribe("lj/lamps/L1/set")
        await client.publish("lj/lamps/L1/set", '{"on": true}', qos=1)
        # Acknowledged is not yet delivered: whoever hears it comes after the device.
        assert await next_on(client, "/set") == ({"on": True}, False)
        s.faults.clear_all()
        await s.tick()
        assert (await next_on(client, "/state"))[0] == {"online": True}
        assert s.lamp.written == []


async def test_slow_broken_and_dropped() -> None:
    async with stage() as s:
        async with s.client() as client:
            await client.subscribe("lj/lamps/L1/telemetry")
            s.faults.set(parse_fault("slow:lamp-01:0.2"))
            before = asyncio.get_running_loop().time()
            await s.tick()
            assert (await next_on(client, "/telemetry"))[0]["e"]["power"] == 61.5
            assert asyncio.get_running_loop().time() - before >= 0.19
            s.faults.clear_all()
            s.faults.set(parse_fault("broken:lamp-01"))
            await s.tick(5)
            assert (await next_on(client, "/telemetry"))[0]["e"]["power"] is None
        s.faults.set(parse_fault("drop:broker"))
        with pytest.raises(aiomqtt.MqttError):
            async with s.client(timeout=1) as client:
                await client.subscribe("x")
        s.faults.clear_all()
        async with s.client() as client:
            await client.subscribe("lj/lamps/L1/telemetry")
            s.server.cut_connections()
            with pytest.raises(aiomqtt.MqttError):
                await next_on(client, "/never")


async def test_two_ordinary_clients_talk_and_a_will_is_kept() -> None:
    async with stage() as s:
        will = aiomqtt.Will("house/state", b'"gone"', qos=1, retain=True)
        async with s.client(will=will) as speaker:
            async with s.client() as listener:
                await listener.subscribe("house/#", qos=1)
                await speaker.publish("house/hello", "1", qos=1)
                assert (await next_on(listener, "/hello"))[0] == 1
            s.server.cut_connections()
        async with s.client() as late:
            await late.subscribe("house/#")
            assert (await next_on(late, "/state"))[0] == "gone"


async def test_a_busy_port_is_named() -> None:
    async with stage() as s:
        endpoint = Endpoint("other", "mqtt", s.server.port, ())
        world = FakeWorld([], [endpoint])
        server = MqttServer(endpoint, world, board(world))
        with pytest.raises(PortBusyError, match=f"other: port {s.server.port}"):
            await server.start()
        await server.stop()
