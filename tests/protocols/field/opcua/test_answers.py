"""A server that answers wrongly: too few results, none, another answer, a value that nobody can read."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.server.internal_session import InternalSession
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_to_binary

from protocols.errors import BadFrame, ConnectionLost, DeviceRefused
from protocols.field.opcua import OpcUaSettings
from protocols.field.opcua.answers import FieldSession, Unreadable, sound
from protocols.field.opcua.scan import browse
from protocols.field.opcua.subscribing import Subscription, create
from protocols.model.quality import Quality
from tests.protocols.field.devices import Listening, bind, driver, listening, profile
from tests.protocols.field.opcua.harness import OpcUaServer

PATIENCE_S = 60.0


def answering(response: Any) -> FieldSession:
    """Return a session whose server says this, whatever it is asked."""

    async def send(*_: Any, **__: Any) -> Buffer:
        return Buffer(struct_to_binary(response))

    client: Any = SimpleNamespace(_send_request=send)
    return FieldSession(client)


def wrote(results: list[Any] | None) -> ua.WriteResponse:
    response = ua.WriteResponse()
    response.Results = results  # type: ignore[assignment]
    return response


@pytest.mark.parametrize(
    "response",
    [
        wrote(None),
        wrote([]),
        wrote([ua.StatusCode()] * 2),
        ua.CreateSubscriptionResponse(),
        ua.CallResponse(),
    ],
    ids=["null", "none", "too many", "another answer", "another list"],
)
async def test_an_answer_that_does_not_fit_the_question_is_none(response: Any) -> None:
    asked = ua.WriteParameters()
    asked.NodesToWrite = [ua.WriteValue()]
    with pytest.raises(Unreadable):
        await answering(response).write(asked)
    assert len(await answering(wrote([ua.StatusCode()])).write(asked)) == 1


def test_a_message_has_lists_or_is_none() -> None:
    nulls: Any = ua.DataChangeNotification()
    nulls.MonitoredItems = None
    message = ua.NotificationMessage(NotificationData=[nulls])
    assert sound(message).NotificationData[0].MonitoredItems == []
    with pytest.raises(Unreadable, match="Range"):
        sound(ua.NotificationMessage(NotificationData=[ua.Range(0.0, 1.0)]))


@pytest.mark.parametrize("interval", [float("nan"), float("inf"), -1.0, 0.0, 1e300])
async def test_an_interval_that_is_none_is_as_it_was_wished(interval: float) -> None:
    response = ua.CreateSubscriptionResponse()
    response.Parameters.RevisedPublishingInterval = interval
    response.Parameters.RevisedMaxKeepAliveCount = ua.UInt32(2**32 - 1)
    client: Any = SimpleNamespace(uaclient=SimpleNamespace(session=answering(response)))
    made: Subscription = await create(client, 250.0)
    assert made.publishing_ms == 250.0
    assert 0 < made.silence_s < 1000, "silence is seen whatever the server wishes"
    assert made.delay_us(0) == 250_000


def points(*names: str) -> list[dict[str, Any]]:
    return [
        {"key": name.lower(), "period": "fast", "writable": True,
         "opcua": {"namespace": OpcUaServer.NAMESPACE, "node": f"s=X.{name}"}}
        for name in names
    ]  # fmt: skip


async def on(server: OpcUaServer, work: Any) -> Any:
    return await asyncio.to_thread(server.run, work)


@pytest.mark.parametrize("polling", [True, False], ids=["polled", "watched"])
async def test_a_value_that_cannot_be_read_costs_its_own_point(
    opcua_server: OpcUaServer, polling: bool
) -> None:
    """It says that it is a Range, and its body is one byte."""
    kind = ua.NodeId(ua.Int32(ObjectIds.Range_Encoding_DefaultBinary))
    await on(opcua_server, opcua_server.variable("X.A", 1.0, ua.VariantType.Double, writable=True))
    name = f"Broken{polling}"
    broken = ua.Variant(
        ua.ExtensionObject(TypeId=kind, Body=ua.ByteString(b"\1")), ua.VariantType.ExtensionObject
    )
    structure = ua.NodeId(ua.Int32(ObjectIds.Structure))
    objects, node = opcua_server.server.nodes.objects, opcua_server.node_id(f"X.{name}")
    await on(opcua_server, objects.add_variable(node, name, broken, datatype=structure))
    url = f"opc.tcp://127.0.0.1:{opcua_server.port}/"
    settings = {"url": url, "publishing_ms": 50, "polling": polling}
    one = driver("opcua", settings, bind(profile("opcua", points("A", name)), {}))
    async with listening(one) as heard:
        await heard.until(lambda h: h.last().get(1, (0, 0))[1] == Quality.BAD_DECODING_ERROR, PATIENCE_S)
        await heard.until(lambda h: h.last()[0] == (1.0, Quality.GOOD), PATIENCE_S)
        await on(opcua_server, opcua_server.variable("X.A", 2.0, ua.VariantType.Double))
        await heard.until(lambda h: h.last()[0] == (2.0, Quality.GOOD), PATIENCE_S)


async def test_wrong_answers_of_a_real_server_are_told_and_end_nothing_else(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await on(opcua_server, opcua_server.variable("X.A", 1.0, ua.VariantType.Double, writable=True))
    url = f"opc.tcp://127.0.0.1:{opcua_server.port}/"
    one = driver("opcua", {"url": url, "publishing_ms": 50}, bind(profile("opcua", points("A")), {}))
    point = one.devices[0].points[0]

    async def nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    try:
        await one.open()
        with monkeypatch.context() as wrong:
            wrong.setattr(InternalSession, "write", nothing)
            with pytest.raises(BadFrame, match="0 results for 1"):
                await one.write(point, 2.0)
            wrong.setattr(InternalSession, "read", nothing)
            with pytest.raises(DeviceRefused, match="nothing was written"):
                await one.write(point, 2.0)
        with monkeypatch.context() as wrong:
            wrong.setattr(InternalSession, "create_monitored_items", nothing)
            heard = Listening(one)
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(ConnectionLost, match="0 results for 1"):
                    await heard.task
        with monkeypatch.context() as wrong:
            wrong.setattr(InternalSession, "browse", nothing)
            with pytest.raises(ConnectionLost, match="0 results"):
                _ = [found async for found in browse(OpcUaSettings(url=url))]
        assert await one.write(point, 3.0) == 3.0
    finally:
        await one.close()
