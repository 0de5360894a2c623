"""Against a broker: the host's state, births that were missed, losses, wills, commands."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import aiomqtt
import pytest

from protocols.errors import ConfigError, ConnectionLost, DeviceRefused
from protocols.field.base import Driver
from protocols.field.mqtt.broker import BrokerSettings
from protocols.field.scanning import Found
from protocols.field.sparkplug.scan import listen as scan
from protocols.model.quality import Quality
from tests.protocols.field.devices import Listening, bind, driver, profile
from tests.protocols.field.sparkplug.harness import DEVICE, GROUP, NODE, SparkplugHarness

LOST = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
PATIENCE_S = 60.0


@pytest.fixture
async def world() -> AsyncIterator[SparkplugHarness]:
    """A broker with an edge node, behind a proxy."""
    async with SparkplugHarness().running() as harness:
        yield harness  # type: ignore[misc]


@pytest.fixture
async def host(world: SparkplugHarness) -> AsyncIterator[tuple[Driver, Listening]]:
    """A host application that has read everything."""
    async with world.opened() as made:
        heard = Listening(made)
        await good(world, heard)
        yield made, heard
        await heard.stop()


def index(world: SparkplugHarness, key: str) -> int:
    return world.points()[key].index


async def good(world: SparkplugHarness, heard: Listening, **values: Any) -> None:
    """Wait until every expected point is good."""
    wanted = {index(world, key): value for key, value in {**world.expected, **values}.items()}
    await heard.until(
        lambda h: all(h.last().get(at) == (value, Quality.GOOD) for at, value in wanted.items()), PATIENCE_S
    )


async def quality(world: SparkplugHarness, heard: Listening, key: str, code: int) -> None:
    """Wait until a point has a quality."""
    at = index(world, key)
    await heard.until(lambda h: h.last()[at][1] == code, PATIENCE_S)


async def test_the_host_says_that_it_is_there_and_that_it_leaves(world: SparkplugHarness) -> None:
    states: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def watch(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            states.put_nowait(json.loads(message.payload))

    async with aiomqtt.Client("127.0.0.1", world.edge.port) as client:
        await client.subscribe("spBv1.0/STATE/citynerve", qos=1)
        watching = asyncio.create_task(watch(client))
        async with asyncio.timeout(PATIENCE_S):
            made = world.driver()
            await made.open()
            heard = Listening(made)
            born = await states.get()
            assert born["online"] is True
            # Somebody, such as our own late will, says that we are gone: we say again that we are not.
            await client.publish("spBv1.0/STATE/citynerve", b'{"online": false, "timestamp": 1}', qos=1)
            assert (await states.get())["online"] is False
            assert await states.get() == born
            await heard.stop()
            await made.close()
            left = await states.get()
            assert left["online"] is False
            assert left["timestamp"] >= born["timestamp"]
            # A line that is cut leaves the will, with the time of the birth.
            made = world.driver()
            await made.open()
            heard = Listening(made)
            born = await states.get()
            await world.proxy.cut()
            assert await states.get() == {"online": False, "timestamp": born["timestamp"]}
            await heard.stop()
            await made.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_births_that_were_missed_are_asked_for(world: SparkplugHarness) -> None:
    await world.edge.births()
    async with world.opened() as made:
        heard = Listening(made)
        await good(world, heard)
        await heard.stop()
    assert world.edge.births_sent == 2


async def test_a_lost_message_is_noticed_and_made_good(
    world: SparkplugHarness, host: tuple[Driver, Listening]
) -> None:
    _, heard = host
    world.edge.values["Level"] = 9.0
    await world.edge.say("DDATA", [world.edge.metric("Level")], skip=True)
    await world.edge.say("DDATA", [world.edge.metric("Running")])
    await good(world, heard, level=9.0)
    codes = heard.all().quality[heard.all().point == index(world, "level")].tolist()
    assert Quality.UNCERTAIN_LAST_USABLE_VALUE in codes
    assert world.edge.births_sent == 2


async def test_a_node_that_vanishes_is_stale_by_its_will_and_comes_back(
    world: SparkplugHarness, host: tuple[Driver, Listening]
) -> None:
    _, heard = host
    await world.edge.stop(gone=True)
    await quality(world, heard, "level", LOST)
    await quality(world, heard, "uptime", LOST)
    world.edge.session = 1
    await world.edge.start()
    await world.edge.births()
    await good(world, heard)


async def test_commands_are_refused_for_what_is_not_there(
    world: SparkplugHarness, host: tuple[Driver, Listening]
) -> None:
    made, heard = host
    await world.edge.say("DDEATH", [])
    await quality(world, heard, "level", LOST)
    with pytest.raises(DeviceRefused, match=f"{GROUP}/{NODE}/{DEVICE} is not online"):
        await made.write(world.points()["level"], 1.0)


async def test_a_device_that_keeps_its_value_is_told_as_it_is(
    world: SparkplugHarness, host: tuple[Driver, Listening]
) -> None:
    made, _ = host
    made._report_s = dict.fromkeys(made._report_s, 0.2)  # type: ignore[attr-defined]
    world.edge.ignores = {"Level"}
    assert await made.write(world.points()["level"], 7.0) == 2.5


async def test_a_node_that_never_answers_is_offline_and_asked_more_and_more_seldom(
    world: SparkplugHarness,
) -> None:
    stranger = bind(
        profile("sparkplug", [{"key": "x", "sparkplug": {"metric": "X"}}]), {"group": "g", "node": "no"}
    )
    settings = {"host": "127.0.0.1", "port": world.edge.port, "reorder_s": 0, "rebirth_s": 1}
    asked: list[float] = []
    loop = asyncio.get_running_loop()

    async def watch(client: aiomqtt.Client) -> None:
        async for _ in client.messages:
            asked.append(loop.time())

    async with aiomqtt.Client("127.0.0.1", world.edge.port) as client:
        await client.subscribe("spBv1.0/g/NCMD/no")
        watching = asyncio.create_task(watch(client))
        made = driver("sparkplug", settings, stranger)
        await made.open()
        heard = Listening(made)
        await heard.until(lambda h: h.last() and h.last()[0][1] == Quality.BAD_NO_COMMUNICATION, PATIENCE_S)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await heard.stop()
        await made.close()
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses == sorted(pauses)
    assert len(asked) <= 5


async def test_junk_from_the_line_is_answered_by_a_rebirth(
    world: SparkplugHarness, host: tuple[Driver, Listening]
) -> None:
    made, heard = host
    async with aiomqtt.Client("127.0.0.1", world.edge.port) as client:
        for verb in ("DDATA", "NBIRTH", "XDATA"):
            await client.publish(f"spBv1.0/{GROUP}/{verb}/{NODE}/{DEVICE}", b"\xff\xff\xff", qos=1)
        await client.publish(f"spBv1.0/{GROUP}/NDATA/{NODE}", b"\xff", qos=1, retain=True)
    world.edge.values["Level"] = 4.0
    await world.edge.say("DDATA", [world.edge.metric("Level")])
    await good(world, heard, level=4.0)
    assert world.edge.births_sent <= 3
    assert not made.devices[0].key.startswith("x")


async def test_the_broker_stopping_is_a_lost_connection(
    world: SparkplugHarness, host: tuple[Driver, Listening]
) -> None:
    _, heard = host
    await world.edge.stop()
    await world.broker.stop()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ConnectionLost):
            await heard.task
    assert heard.last()[index(world, "level")] == (2.5, LOST)


async def test_a_scan_lists_nodes_and_asks_for_births_only_when_told_to(world: SparkplugHarness) -> None:
    settings = BrokerSettings(host="127.0.0.1", port=world.edge.port)

    async def found(*, rebirth: bool) -> dict[str, Found]:
        async def speak() -> None:
            while True:
                await asyncio.sleep(0.05)
                await world.edge.say("DDATA", [world.edge.metric("Level")])

        speaking = asyncio.create_task(speak())
        try:
            events = [event async for event in scan(settings, seconds=0.6, rebirth=rebirth)]
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
        return {one.key: one for one in events if isinstance(one, Found)}

    seen = await found(rebirth=False)
    device = f"{GROUP}/{NODE}/{DEVICE}"
    assert seen[device].detail["metrics"] == []
    assert world.edge.births_sent == 0
    seen = await found(rebirth=True)
    names = [one["name"] for one in seen[device].detail["metrics"]]
    assert names == ["Level", "Count", "Running", "Label", "Table", "Speeds"]
    points = seen[device].suggestion["points"]
    assert {"key": "count", "type": "i16", "sparkplug": {"metric": "Count"}} in points
    assert world.edge.births_sent == 1


def test_a_path_that_is_none_is_a_mistake_with_its_place() -> None:
    wrong = profile("sparkplug", [{"key": "x", "sparkplug": {"metric": "X", "path": "a..b"}}])
    with pytest.raises(ConfigError, match=r"points\.x\.sparkplug\.path"):
        driver("sparkplug", {"host": "h"}, bind(wrong, {"group": "g", "node": "n"}))
