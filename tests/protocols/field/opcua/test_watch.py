"""A subscription that falls silent while its session lives, and everything else that ends messages.

A real server is made silent, full, or ignorant; the assertion is always about values and their quality.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from asyncua import ua

from protocols.errors import ConnectionLost
from protocols.field.base import Driver
from protocols.field.opcua import pauses, subscribing, watch
from protocols.model.clock import SECOND_US, now_us
from protocols.model.quality import Quality
from tests.protocols.field.devices import Listening, bind, driver, listening, profile, rows
from tests.protocols.field.opcua.harness import OpcUaServer
from tests.protocols.field.proxy import Proxy

PATIENCE_S = 60.0
LOST = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE


def made(server: OpcUaServer, *names: str, port: int | None = None, **settings: Any) -> Driver:
    points = [
        {
            "key": name.lower(),
            "period": "fast",
            "opcua": {
                "namespace": "urn:test:later" if name == "Later" else server.NAMESPACE,
                "node": f"s=W.{name}",
            },
        }
        for name in names
    ]
    url = f"opc.tcp://127.0.0.1:{port or server.port}/"
    return driver("opcua", {"url": url, "publishing_ms": 50, **settings}, bind(profile("opcua", points), {}))


async def on(server: OpcUaServer, work: Any) -> Any:
    return await asyncio.to_thread(server.run, work)


async def put(server: OpcUaServer, name: str, value: float) -> None:
    await on(server, server.variable(f"W.{name}", value, ua.VariantType.Double))


async def shows(heard: Listening, index: int, value: float) -> None:
    await heard.until(lambda h: h.last().get(index) == (value, Quality.GOOD), PATIENCE_S)


def subscriptions(server: OpcUaServer) -> dict[int, Any]:
    return server.server.iserver.subscription_service.subscriptions


async def silenced(server: OpcUaServer) -> None:
    """Stop the publish loops of all subscriptions; the server knows them, and they say nothing more."""
    for one in subscriptions(server).values():
        await one.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds less of margin: the machine's patience is in the waits of these tests."""
    monkeypatch.setattr("protocols.field.opcua.subscribing.MARGIN_S", 0.5)


async def test_a_silent_subscription_costs_freshness_and_never_data(opcua_server: OpcUaServer) -> None:
    await put(opcua_server, "A", 1.0)
    one = made(opcua_server, "A")
    async with listening(one) as heard:
        await shows(heard, 0, 1.0)
        assert one.remarks() == ()
        before = set(subscriptions(opcua_server))
        await on(opcua_server, silenced(opcua_server))
        await put(opcua_server, "A", 2.0)
        await shows(heard, 0, 2.0)
        seen = heard.all()
        marks = [row for row in range(len(seen)) if seen.quality[row] == LOST]
        assert marks, "the gap is marked"
        assert seen.value[marks[0]] == 1.0, "with the last value that was usable"
        two = seen.value.tolist().index(2.0)
        assert seen.time_us[marks[0]] < seen.time_us[two]
        # At the latest a new one speaks again; the remark is gone then, and changes come as before.
        await heard.until(lambda _: one.remarks() == (), PATIENCE_S)
        assert set(subscriptions(opcua_server)) - before, "there is another subscription"
        await put(opcua_server, "A", 3.0)
        await shows(heard, 0, 3.0)


async def test_a_subscription_that_the_server_forgot_is_made_anew(opcua_server: OpcUaServer) -> None:
    await put(opcua_server, "A", 1.0)
    one = made(opcua_server, "A")
    async with listening(one) as heard:
        await shows(heard, 0, 1.0)
        (known,) = subscriptions(opcua_server)
        await on(opcua_server, opcua_server.server.iserver.subscription_service.delete_subscriptions([known]))
        await put(opcua_server, "A", 2.0)
        await shows(heard, 0, 2.0)
        await heard.until(lambda _: one.remarks() == () and subscriptions(opcua_server), PATIENCE_S)


async def test_one_that_ends_before_its_last_item_is_made_anew(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(opcua_server, "A", 1.0)
    real = subscribing.watch
    ended: list[int] = []

    async def too_late(client: Any, made: Any, *rest: Any) -> Any:
        if not ended:
            ended.append(made.id)
            service = opcua_server.server.iserver.subscription_service
            await on(opcua_server, service.delete_subscriptions([made.id]))
        return await real(client, made, *rest)

    monkeypatch.setattr(subscribing, "watch", too_late)
    one = made(opcua_server, "A")
    async with listening(one) as heard:
        await heard.until(lambda _: one.remarks() == () and subscriptions(opcua_server), PATIENCE_S)
        await put(opcua_server, "A", 2.0)
        await shows(heard, 0, 2.0)
        assert ended[0] not in subscriptions(opcua_server)


async def test_one_that_falls_silent_again_and_again_is_polled(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FALLS", 0)
    await put(opcua_server, "A", 1.0)
    one = made(opcua_server, "A")
    async with listening(one) as heard:
        await shows(heard, 0, 1.0)
        await on(opcua_server, silenced(opcua_server))
        await heard.until(lambda _: any("time in 10 min" in said for said in one.remarks()), PATIENCE_S)
        await put(opcua_server, "A", 2.0)
        await shows(heard, 0, 2.0)
        assert any("polled" in said for said in one.remarks())


async def test_a_server_without_room_is_polled_and_says_so(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = opcua_server.server.iserver
    monkeypatch.setattr(inner, "max_subscriptions", 0)
    monkeypatch.setattr(pauses, "RETRY_S", (1.0, 1.0))
    await put(opcua_server, "A", 1.0)
    one = made(opcua_server, "A", "Ghost")
    async with listening(one) as heard:
        await shows(heard, 0, 1.0)
        assert any("BadTooManySubscriptions" in said for said in one.remarks())
        await put(opcua_server, "A", 2.0)
        await shows(heard, 0, 2.0)
        assert heard.last()[1][1] == Quality.BAD_NODE_ID_UNKNOWN
        assert not subscriptions(opcua_server)
        monkeypatch.setattr(inner, "max_subscriptions", 100)
        await heard.until(lambda _: one.remarks() == () and subscriptions(opcua_server), PATIENCE_S)
        await put(opcua_server, "A", 3.0)
        await shows(heard, 0, 3.0)


async def test_polling_by_a_persons_word_needs_no_subscription(opcua_server: OpcUaServer) -> None:
    await put(opcua_server, "A", 1.0)
    one = made(opcua_server, "A", polling=True)
    async with listening(one) as heard:
        await shows(heard, 0, 1.0)
        await put(opcua_server, "A", 4.0)
        await shows(heard, 0, 4.0)
        assert not subscriptions(opcua_server)
        assert one.remarks() == ()
        # An unchanged value stays fresh: it is valid at the moment of reading.
        newest = int(heard.all().time_us[-1])
        await heard.until(lambda h: h.all().time_us[-1] > newest + SECOND_US, PATIENCE_S)
        assert heard.last()[0] == (4.0, Quality.GOOD)


async def test_a_node_and_a_namespace_that_come_later_are_found(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "RETRY_S", (0.5, 0.5))
    await put(opcua_server, "A", 1.0)
    async with listening(made(opcua_server, "A", "Born", "Later")) as heard:
        await heard.until(lambda h: set(h.last()) == {0, 1, 2}, PATIENCE_S)
        assert {heard.last()[index][1] for index in (1, 2)} == {Quality.BAD_NODE_ID_UNKNOWN}
        assert math.isnan(float(heard.last()[1][0]))
        await put(opcua_server, "Born", 5.0)
        await shows(heard, 1, 5.0)

        async def later() -> None:
            index = await opcua_server.server.register_namespace("urn:test:later")
            name = ua.NodeId.from_string(f"ns={index};s=W.Later")
            await opcua_server.server.nodes.objects.add_variable(name, "Later", 6.0)

        await on(opcua_server, later())
        await shows(heard, 2, 6.0)
        assert heard.last()[0] == (1.0, Quality.GOOD)


async def test_a_half_open_connection_ends_with_the_truth_about_every_value(
    opcua_server: OpcUaServer,
) -> None:
    await put(opcua_server, "A", 1.0)
    proxy = Proxy(opcua_server.port)
    await proxy.start()
    try:
        async with listening(made(opcua_server, "A", port=proxy.port)) as heard:
            await shows(heard, 0, 1.0)
            proxy.hold()
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(ConnectionLost):
                    await heard.task
            assert heard.last()[0] == (1.0, LOST)
    finally:
        await proxy.cut()


async def test_a_stepped_clock_of_ours_is_no_silence(opcua_server: OpcUaServer) -> None:
    await put(opcua_server, "A", 1.0)
    offset = 0
    points = [{"key": "a", "period": "fast", "opcua": {"namespace": opcua_server.NAMESPACE, "node": "s=W.A"}}]
    one = driver(
        "opcua",
        {"url": f"opc.tcp://127.0.0.1:{opcua_server.port}/", "publishing_ms": 50},
        bind(profile("opcua", points), {}),
        clock=lambda: now_us() + offset,
    )
    async with listening(one) as heard:
        await shows(heard, 0, 1.0)
        for offset in (3600 * SECOND_US, -7200 * SECOND_US):
            count = len(heard.all())
            await heard.until(lambda h, count=count: len(h.all()) > count, PATIENCE_S)
            await put(opcua_server, "A", 2.0 + offset)
            await shows(heard, 0, 2.0 + offset)
        assert all(quality == Quality.GOOD for quality in heard.all().quality.tolist())
        assert one.remarks() == ()


def test_a_read_value_is_fresh_without_an_invented_time() -> None:
    from protocols.field.opcua.last_values import LastValues  # noqa: PLC0415

    made_profile = profile(
        "opcua", [{"key": "a", "period": "fast", "opcua": {"namespace": "urn:x", "node": "s=A"}}]
    )
    board = LastValues(bind(made_profile, {}).points, {"fast": 1.0, "normal": 1.0, "slow": 1.0})
    start = 1_800_000_000 * SECOND_US

    def said(value: float, at: int) -> ua.DataValue:
        from protocols.model.clock import to_datetime  # noqa: PLC0415

        stamp = ua.DateTime.fromisoformat(to_datetime(at).isoformat())
        return ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=stamp)

    first = board.read([0], [said(1.0, start)], start + 60 * SECOND_US)
    assert first.time_us.tolist() == [start, start + 60 * SECOND_US]
    same = board.read([0], [said(1.0, start)], start + 61 * SECOND_US)
    assert same.time_us.tolist() == [start + 61 * SECOND_US]
    changed = board.read([0], [said(2.0, start + 61_500_000)], start + 62 * SECOND_US)
    assert (changed.time_us.tolist(), changed.value.tolist()) == ([start + 61_500_000], [2.0])
    back = board.read([0], [said(3.0, start)], start + 63 * SECOND_US)
    assert rows(back) == {0: (3.0, Quality.GOOD)}
    assert back.time_us.tolist() == [start + 63 * SECOND_US], "a source clock that went back hides no change"
