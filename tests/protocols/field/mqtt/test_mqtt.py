"""Against a broker: wildcards, reports of writes, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiomqtt
import pytest

from protocols.errors import ConnectionLost
from protocols.model.quality import Quality
from tests.protocols.field.devices import Listening, bind, driver, profile
from tests.protocols.field.mqtt.harness import MqttHarness, encode_json


@pytest.fixture
async def broker() -> AsyncIterator[MqttHarness]:
    harness = MqttHarness()
    await harness.start()
    try:
        yield harness
    finally:
        await harness.stop()


async def test_wildcards_and_order(broker: MqttHarness) -> None:
    device = bind(profile("mqtt", [{"key": "w", "mqtt": {"topic": "w/+/v"}}]), {})
    made = driver("mqtt", {"host": "127.0.0.1", "port": broker.port}, device)
    await made.open()
    heard = Listening(made)
    try:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish("w/x/v", b"0", qos=1, retain=True)
            await heard.until(lambda h: h.seen)
            for value in range(1, 101):
                await client.publish(f"w/{value % 3}/v", str(value).encode(), qos=1)
        await heard.until(lambda h: h.last()[0][0] == 100.0)
        values = heard.all().value.tolist()
        assert values == [float(value) for value in range(101)]
    finally:
        await heard.stop()
        await made.close()


async def test_a_device_that_reports_another_value_is_told_as_it_is(broker: MqttHarness) -> None:
    """The device ignores what it does not know: it reports its state, unchanged."""
    mqtt = {
        "topic": "plant/{device}/state", "json_path": "level",
        "command_topic": "plant/{device}/set", "command_template": '{"unknown": {value}}',
    }  # fmt: skip
    limits = {"timeout_ms": 10}
    made_profile = profile("mqtt", [{"key": "level", "writable": True, "mqtt": mqtt}], limits=limits)
    device = bind(made_profile, {"device": "P1"})
    made = driver("mqtt", {"host": "127.0.0.1", "port": broker.port}, device)
    made._report_s = {"device1": 0.3}  # type: ignore[attr-defined]
    await made.open()
    heard = Listening(made)
    try:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish("plant/P1/state", encode_json(broker.state), qos=1, retain=True)
        await heard.until(lambda h: h.seen)
        assert await made.write(device.points[0], 9.0) == 2.5
    finally:
        await heard.stop()
        await made.close()


async def test_a_write_while_nobody_listens_has_no_report(broker: MqttHarness) -> None:
    device = broker.devices()[0]
    made = driver("mqtt", {"host": "127.0.0.1", "port": broker.port}, device)
    await made.open()
    try:
        async with asyncio.timeout(3):
            assert await made.write(device.points[0], 9.0) is None
        async with asyncio.timeout(3):
            await broker.obeyed.wait()
        assert broker.state["level"] == 9.0
    finally:
        await made.close()


async def test_the_broker_itself_stopping_is_a_lost_connection(broker: MqttHarness) -> None:
    device = broker.devices()[0]
    made = driver("mqtt", {"host": "127.0.0.1", "port": broker.port}, device)
    await made.open()
    heard = Listening(made)
    await broker.hear(heard)
    await broker.stop()
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionLost):
            await heard.task
    assert all(code >= Quality.UNCERTAIN for _, code in heard.last().values())
    await made.close()
