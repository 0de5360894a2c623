"""Answers that come late: within their time they count, after it they are nobody's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncua import ua

from protocols.errors import ConnectionLost, DeviceTimeout
from protocols.field.base import Answer, Driver
from protocols.model.quality import Quality
from tests.protocols.field.devices import Listening, bind, driver, listening, profile
from tests.protocols.field.opcua.harness import OpcUaServer
from tests.protocols.field.opcua.tardy import Tardy

PATIENCE_S = 60.0
WRITE = bytes((1, 0, 0xA1, 0x02))  # WriteRequest_Encoding_DefaultBinary, i=673
CALL = bytes((1, 0, 0xC8, 0x02))  # CallRequest_Encoding_DefaultBinary, i=712
PUBLISH = bytes((1, 0, 0x3A, 0x03))  # PublishRequest_Encoding_DefaultBinary, i=826
LOST = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE


@asynccontextmanager
async def tardy(server: OpcUaServer) -> AsyncIterator[Tardy]:
    proxy = Tardy(server.port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.cut()


def made(server: OpcUaServer, proxy: Tardy, timeout_ms: int = 1000, **settings: Any) -> Driver:
    def where(name: str, **more: Any) -> dict[str, Any]:
        return {"namespace": server.NAMESPACE, "node": f"s=L.{name}", **more}

    points = [
        {"key": "a", "period": "fast", "writable": True, "opcua": where("A")},
        {"key": "b", "period": "fast", "writable": True, "opcua": where("B")},
        {"key": "echo", "writable": True, "readable": False,
         "opcua": where("Obj", method={"node": "s=L.Echo", "inputs": [{}]})},
    ]  # fmt: skip
    url = f"opc.tcp://127.0.0.1:{proxy.port}/"
    made = profile("opcua", points, limits={"timeout_ms": timeout_ms})
    return driver("opcua", {"url": url, "publishing_ms": 50, **settings}, bind(made, {}))


async def put(server: OpcUaServer, name: str, value: float) -> None:
    work = server.variable(f"L.{name}", value, ua.VariantType.Double, writable=True)
    await asyncio.to_thread(server.run, work)


async def prepared(server: OpcUaServer) -> None:
    """Set both variables, and add the method that answers what it is given."""
    for name in ("A", "B"):
        await put(server, name, 1.0)
    node = server.node_id("L.Obj")
    if node in server.server.iserver.aspace:
        return

    async def echo(_: ua.NodeId, given: ua.Variant) -> list[ua.Variant]:
        return [given]

    async def add() -> None:
        owner = await server.server.nodes.objects.add_object(node, "Obj")
        kind = [ua.VariantType.Double]
        await owner.add_method(server.node_id("L.Echo"), "Echo", echo, kind, kind)

    await asyncio.to_thread(server.run, add())


async def shows(heard: Listening, index: int, value: float) -> None:
    await heard.until(lambda h: h.last().get(index) == (value, Quality.GOOD), PATIENCE_S)


@pytest.mark.parametrize("polling", [True, False], ids=["polled", "watched"])
async def test_answers_within_their_time_cost_freshness_only(
    opcua_server: OpcUaServer, polling: bool
) -> None:
    """Each of them takes three seconds, from the first one on: opening alone takes more than ten."""
    await prepared(opcua_server)
    async with tardy(opcua_server) as proxy:
        proxy.slow[b""] = 3.0
        one = made(opcua_server, proxy, timeout_ms=4000, polling=polling)
        async with listening(one) as heard:
            await shows(heard, 0, 1.0)
            for value in (2.0, 3.0, 4.0):
                await put(opcua_server, "A", value)
                await shows(heard, 0, value)
            assert await one.write(one.devices[0].points[1], 5.0) == 5.0
            assert not heard.task.done()
            assert {int(code) for code in heard.all().quality} == {int(Quality.GOOD)}, "no gap, no silence"
            assert one.remarks() == ()


async def test_a_command_waits_as_long_as_its_profile_says(opcua_server: OpcUaServer) -> None:
    """Four seconds, the connection's own patience, are not the profile's eight."""
    await prepared(opcua_server)
    async with tardy(opcua_server) as proxy:
        one = made(opcua_server, proxy, timeout_ms=8000)
        a, _, echo = one.devices[0].points
        async with listening(one) as heard:
            await shows(heard, 0, 1.0)
            proxy.slow[CALL] = proxy.slow[WRITE] = 5.0
            told, written = await asyncio.gather(one.write(echo, 7.0), one.write(a, 6.0))
            assert isinstance(told, Answer)
            assert told.text.endswith("= 7")
            assert written == 6.0
            assert not heard.task.done()


async def test_an_answer_after_its_time_is_not_taken_for_the_next(opcua_server: OpcUaServer) -> None:
    await prepared(opcua_server)
    async with tardy(opcua_server) as proxy:
        one = made(opcua_server, proxy)
        a, b, echo = one.devices[0].points
        async with listening(one) as heard:
            await shows(heard, 0, 1.0)
            proxy.slow[CALL] = proxy.slow[WRITE] = 2.0
            for point, value in ((echo, 41.0), (a, 42.0)):
                with pytest.raises(DeviceTimeout):
                    await one.write(point, value)
            proxy.slow.clear()
            # The late ones arrive while these are under way, and are neither theirs nor an error.
            async with asyncio.timeout(PATIENCE_S):
                number = 0
                while proxy.late < 2 or number < 20:
                    number += 1
                    told, written = await asyncio.gather(one.write(echo, number), one.write(b, number))
                    assert isinstance(told, Answer)
                    assert told.text.endswith(f"= {number}")
                    assert written == number
                    await asyncio.sleep(0.05)
            await shows(heard, 0, 42.0)
            assert not heard.task.done(), "the connection lives on"
            assert {int(code) for code in heard.all().quality} == {int(Quality.GOOD)}


async def test_a_read_whose_answer_comes_too_late_ends_the_connection_with_the_truth(
    opcua_server: OpcUaServer,
) -> None:
    await prepared(opcua_server)
    async with tardy(opcua_server) as proxy:
        one = made(opcua_server, proxy, polling=True)
        async with listening(one) as heard:
            await shows(heard, 0, 1.0)
            proxy.slow[b"L.A"] = 5.0
            await put(opcua_server, "A", 9.0)
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(ConnectionLost):
                    await heard.task
            assert heard.last()[0] == (1.0, LOST)
            await asyncio.sleep(1.5)
            assert heard.last()[0] == (1.0, LOST), "what came too late says nothing"


async def test_messages_that_come_late_are_taken_in_order(opcua_server: OpcUaServer) -> None:
    """One publish answer overtakes the other: the numbers show it, and nothing is lost or doubled."""
    await prepared(opcua_server)
    async with tardy(opcua_server) as proxy:
        one = made(opcua_server, proxy)
        async with listening(one) as heard:
            await shows(heard, 0, 1.0)
            from_here = len(heard.all())
            proxy.slow[PUBLISH] = 0.4
            for value in range(10, 40):
                if value == 25:
                    proxy.slow.clear()
                await put(opcua_server, "A", float(value))
                await asyncio.sleep(0.06)
            await shows(heard, 0, 39.0)
            seen = heard.all()
            rows = zip(seen.point.tolist(), seen.time_us.tolist(), seen.value.tolist(), strict=True)
            told = sorted({(time, value) for point, time, value in list(rows)[from_here:] if point == 0})
            values = [value for _, value in told]
            assert values == sorted(values), "each value has its own time"
            assert values[-1] == 39.0
            assert all(quality == Quality.GOOD for quality in seen.quality.tolist())
