"""A bad node, alone on its line or among good ones, costs its own point and nothing else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.internal_session import InternalSession
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from protocols.errors import ConnectionLost
from protocols.field.base import Driver
from protocols.field.opcua import client
from protocols.model.quality import Quality
from sim_devices.servers.opcua import OpcUaServer as Simulator
from sim_devices.world import Endpoint
from tests.protocols.field.devices import Listening, bind, driver, listening, profile
from tests.protocols.field.opcua.harness import OpcUaServer
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board

PATIENCE_S = 60.0
WAYS = pytest.mark.parametrize("polling", [True, False], ids=["polled", "watched"])
refused: Any = UaStatusCodeError
STATE = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))


def made(
    url: str, *names: str, namespace: str = OpcUaServer.NAMESPACE, part: str = "", **settings: Any
) -> Driver:
    points = [
        {
            "key": name.lower(),
            "period": "fast",
            "opcua": {"namespace": namespace, "node": f"s=B.{name}", "part": part},
        }
        for name in names
    ]
    return driver("opcua", {"url": url, "publishing_ms": 50, **settings}, bind(profile("opcua", points), {}))


def url(server: OpcUaServer) -> str:
    return f"opc.tcp://127.0.0.1:{server.port}/"


async def put(server: OpcUaServer, name: str, value: float) -> None:
    work = server.variable(f"B.{name}", value, ua.VariantType.Double)
    await asyncio.to_thread(server.run, work)


async def spoil(server: OpcUaServer, name: str) -> None:
    """Add a variable that says that it is a Range, and whose body is one byte."""
    kind = ua.NodeId(ua.Int32(ObjectIds.Range_Encoding_DefaultBinary))
    broken = ua.Variant(
        ua.ExtensionObject(TypeId=kind, Body=ua.ByteString(b"\1")), ua.VariantType.ExtensionObject
    )
    structure, node = ua.NodeId(ua.Int32(ObjectIds.Structure)), server.node_id(f"B.{name}")
    work = server.server.nodes.objects.add_variable(node, name, broken, datatype=structure)
    await asyncio.to_thread(server.run, work)


async def shows(heard: Listening, index: int, quality: int, value: float | None = None) -> None:
    def so(heard: Listening) -> bool:
        told, code = heard.last().get(index, (0.0, -1))
        return code == quality and (value is None or told == value)

    await heard.until(so, PATIENCE_S)


async def goes_on(heard: Listening) -> None:
    """Wait for one more word of the driver, which proves that it still listens."""
    count = len(heard.seen)
    await heard.until(lambda h: len(h.seen) > count, PATIENCE_S)


def refusing(
    server: OpcUaServer, code: int, monkeypatch: pytest.MonkeyPatch, names: Sequence[str] | None
) -> None:
    """Refuse whole calls that name one of these nodes (None: whatever they name), as some servers do."""
    bad = None if names is None else {server.node_id(f"B.{name}") for name in names}

    def wrong(params: Any) -> bool:
        asked = [one.NodeId for one in getattr(params, "NodesToRead", ())]
        asked += [one.ItemToMonitor.NodeId for one in getattr(params, "ItemsToCreate", ())]
        return bad is None or any(node in bad for node in asked)

    for name in ("read", "create_monitored_items"):
        real = getattr(InternalSession, name)

        async def judged(self: Any, params: Any, *rest: Any, real: Any = real, **more: Any) -> Any:
            if self.external and wrong(params):
                raise refused(code)
            return await real(self, params, *rest, **more)

        monkeypatch.setattr(InternalSession, name, judged)


@WAYS
async def test_an_unknown_node_alone_on_its_line(opcua_server: OpcUaServer, polling: bool) -> None:
    async with listening(made(url(opcua_server), "Nowhere", polling=polling)) as heard:
        await shows(heard, 0, Quality.BAD_NODE_ID_UNKNOWN)
        assert not heard.task.done()


@WAYS
async def test_an_unknown_node_alone_at_the_simulator(polling: bool) -> None:
    there = [{"key": "here", "opcua": {"namespace": "urn:sim", "node": "s=B.Here"}}]
    device = FakeDevice("d", profile("opcua", there))
    endpoint = Endpoint("plc", "opcua", 0, ("d",))
    world = FakeWorld([device], [endpoint])
    server = Simulator(endpoint, world, board(world))
    await server.start()
    try:
        one = made(server.url, "Nowhere", namespace="urn:sim", polling=polling)
        async with listening(one) as heard:
            await shows(heard, 0, Quality.BAD_NODE_ID_UNKNOWN)
            assert not heard.task.done()
    finally:
        await server.stop()


@WAYS
async def test_a_value_that_cannot_be_read_alone_on_its_line(
    opcua_server: OpcUaServer, polling: bool
) -> None:
    name = f"Spoilt{polling}"
    await spoil(opcua_server, name)
    one = made(url(opcua_server), name, part="Low", polling=polling)
    async with listening(one) as heard:
        await shows(heard, 0, Quality.BAD_DECODING_ERROR)
        assert math.isnan(float(heard.last()[0][0]))
        await goes_on(heard)
        if not polling:
            await heard.until(
                lambda _: any(f"device1.{name.lower()}" in s for s in one.remarks()), PATIENCE_S
            )
        # It is asked for again at its period, and comes back by itself.
        sound = ua.Variant(ua.Range(7.0, 8.0), ua.VariantType.ExtensionObject)
        mended = ua.DataValue(sound, SourceTimestamp=ua.DateTime.now(UTC))
        await asyncio.to_thread(opcua_server.run, opcua_server.write(f"B.{name}", mended))
        await shows(heard, 0, Quality.GOOD, 7.0)


async def test_a_spoilt_value_among_good_ones_is_taken_out_of_the_messages(opcua_server: OpcUaServer) -> None:
    await put(opcua_server, "A", 1.0)
    await spoil(opcua_server, "Among")
    one = made(url(opcua_server), "A", "Among")
    async with listening(one) as heard:
        await shows(heard, 1, Quality.BAD_DECODING_ERROR)
        await heard.until(lambda _: any("cannot be read" in said for said in one.remarks()), PATIENCE_S)
        await shows(heard, 0, Quality.GOOD, 1.0)
        from_here = len(heard.seen)
        for value in (2.0, 3.0, 4.0):
            await put(opcua_server, "A", value)
            await spoil_again(opcua_server, "Among", bytes(int(value)))
            await shows(heard, 0, Quality.GOOD, value)
        told = [row for one in heard.seen[from_here:] for row in zip(one.point, one.quality, strict=True)]
        assert {int(quality) for point, quality in told if point == 0} == {int(Quality.GOOD)}


async def spoil_again(server: OpcUaServer, name: str, body: bytes) -> None:
    """Change the value that cannot be read into another one that cannot be read."""
    kind = ua.NodeId(ua.Int32(ObjectIds.Range_Encoding_DefaultBinary))
    held = ua.ExtensionObject(TypeId=kind, Body=ua.ByteString(body))
    broken = ua.Variant(held, ua.VariantType.ExtensionObject)
    await asyncio.to_thread(server.run, server.write(f"B.{name}", ua.DataValue(broken)))


@WAYS
@pytest.mark.parametrize("names", [("Bad",), ("A", "Bad", "C")], ids=["alone", "among good ones"])
async def test_a_server_that_refuses_whole_calls_for_one_node(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch, polling: bool, names: tuple[str, ...]
) -> None:
    for name in ("A", "Bad", "C"):
        await put(opcua_server, name, 1.0)
    refusing(opcua_server, StatusCodes.BadUserAccessDenied, monkeypatch, ["Bad"])
    one = made(url(opcua_server), *names, polling=polling)
    async with listening(one) as heard:
        await shows(heard, names.index("Bad"), StatusCodes.BadUserAccessDenied)
        for name in set(names) - {"Bad"}:
            await shows(heard, names.index(name), Quality.GOOD, 1.0)
            await put(opcua_server, name, 5.0)
            await shows(heard, names.index(name), Quality.GOOD, 5.0)
        if not polling:
            assert any("BadUserAccessDenied" in said and "device1.bad" in said for said in one.remarks())
        await goes_on(heard)


@pytest.mark.parametrize("code", [StatusCodes.BadSessionIdInvalid, StatusCodes.BadInternalError])
async def test_a_server_that_refuses_every_call_ends_the_connection(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    await put(opcua_server, "A", 1.0)
    one = made(url(opcua_server), "A", polling=True)
    async with listening(one) as heard:
        await shows(heard, 0, Quality.GOOD, 1.0)
        refusing(opcua_server, code, monkeypatch, None)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ConnectionLost, match=ua.StatusCode(ua.UInt32(code)).name):
                await heard.task
        assert heard.last()[0] == (1.0, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
        monkeypatch.undo()


async def test_a_server_that_does_not_tell_its_state_is_alive(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncua's own watchdog took a status for death, and ended the connection every five seconds."""
    monkeypatch.setattr(client, "WATCHDOG_S", 0.3)
    await put(opcua_server, "A", 1.0)
    real, asked = InternalSession.read, 0

    async def hidden(self: Any, params: Any, *rest: Any, **more: Any) -> Any:
        nonlocal asked
        results = await real(self, params, *rest, **more)
        for at, one in enumerate(params.NodesToRead):
            if one.NodeId == STATE:
                asked += 1
                results[at] = ua.DataValue(
                    StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadUserAccessDenied))
                )
        return results

    monkeypatch.setattr(InternalSession, "read", hidden)
    async with listening(made(url(opcua_server), "A")) as heard:
        async with asyncio.timeout(PATIENCE_S):
            while asked < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await put(opcua_server, "A", 2.0)
        await shows(heard, 0, Quality.GOOD, 2.0)
