"""Methods and parts of values as commands, against servers that carry them out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.methods import uamethod

from protocols.errors import ConfigError, DeviceRefused, DeviceTimeout
from protocols.field.base import Answer, BoundPoint, Driver
from protocols.model.quality import Quality
from tests.protocols.field.devices import bind, driver, profile
from tests.protocols.field.opcua.harness import OpcUaServer

CALLED: list[tuple[Any, ...]] = []


def called(key: str, method: str, inputs: list[dict[str, Any]], **rest: Any) -> dict[str, Any]:
    """Return a point that calls a method of the doser."""
    kind = rest.pop("type", "f64")
    address = {
        "namespace": OpcUaServer.NAMESPACE,
        "node": "s=Doser",
        "method": {"node": f"s=Doser.{method}", "inputs": inputs, **rest},
    }
    return {"key": key, "type": kind, "writable": True, "readable": False, "opcua": address}


def part(key: str, name: str, which: str, **rest: Any) -> dict[str, Any]:
    address = {"namespace": OpcUaServer.NAMESPACE, "node": f"s={name}", "part": which, **rest}
    return {"key": key, "writable": True, "opcua": address}


@asynccontextmanager
async def opened(
    server: OpcUaServer, *points: dict[str, Any]
) -> AsyncIterator[tuple[Driver, dict[str, BoundPoint]]]:
    device = bind(profile("opcua", points, limits={"timeout_ms": 3000}), {})
    one = driver("opcua", {"url": f"opc.tcp://127.0.0.1:{server.port}/"}, device)
    try:
        await one.open()
        yield one, {point.profile.key: point for point in device.points}
    finally:
        await one.close()


@pytest.fixture(scope="module")
def doser(opcua_server: OpcUaServer) -> OpcUaServer:
    """The server with an object that has methods, an array and a structure."""

    @uamethod
    async def dose(_: ua.NodeId, amount: float, speed: int) -> tuple[ua.Variant, ua.Variant]:
        CALLED.append((amount, speed))
        status = 0 if speed <= 5 else 3
        return ua.Variant(status, ua.VariantType.Int32), ua.Variant("J-17", ua.VariantType.String)

    @uamethod
    async def stop(_: ua.NodeId) -> ua.StatusCode:
        CALLED.append(())
        return ua.StatusCode(ua.UInt32(Quality.BAD_OUT_OF_SERVICE))

    @uamethod
    async def dawdle(_: ua.NodeId, __: float) -> list[ua.Variant]:
        await asyncio.sleep(2)
        return []

    async def build() -> None:
        nodes = opcua_server.server.nodes
        name = opcua_server.node_id
        owner = await nodes.objects.add_object(name("Doser"), "Doser")
        double, whole = ua.VariantType.Double, ua.VariantType.Int16
        await owner.add_method(
            name("Doser.Dose"), "Dose", dose, [double, whole], [ua.VariantType.Int32, ua.VariantType.String]
        )
        await owner.add_method(name("Doser.Stop"), "Stop", stop, [], [])
        await owner.add_method(name("Doser.Dawdle"), "Dawdle", dawdle, [double], [])
        array = await owner.add_variable(name("Steps"), "Steps", [1, 2, 3], ua.VariantType.Int16)
        span = await owner.add_variable(
            name("Span"), "Span", ua.Variant(ua.Range(0.0, 10.0), ua.VariantType.ExtensionObject)
        )
        await array.set_writable()
        await span.set_writable()

    opcua_server.run(build())
    return opcua_server


async def test_a_command_calls_a_method_and_its_outputs_are_the_answer(doser: OpcUaServer) -> None:
    CALLED.clear()
    async with opened(
        doser,
        called("dose", "Dose", [{"min": 0, "max": 20}, {"value": 2}], ok=[0]),
        called("both", "Dose", [{"min": 0, "max": 20}, {"max": 9}], ok=[0], type="text"),
        called("stop", "Stop", []),
        called("short", "Dose", [{"min": 0}]),
    ) as (one, points):
        answer = await one.write(points["dose"], 12.5)
        assert isinstance(answer, Answer)
        assert "= 0, " in answer.text
        assert "J-17" in answer.text
        assert isinstance(await one.write(points["both"], "[7.5, 3]"), Answer)
        assert CALLED == [(12.5, 2), (7.5, 3)]
        for key, value, said in (
            ("dose", 20.5, "outside its limits 0 to 20"),
            ("both", "[7.5, 9.5]", "outside its limits"),
            ("both", "[7.5, 8.5]", "whole number"),
            ("both", "7.5", "list of 2"),
            ("stop", 0.0, "called by 1"),
            ("short", 1.0, "takes 2 arguments"),
        ):
            with pytest.raises(DeviceRefused, match=said):
                await one.write(points[key], value)
        assert len(CALLED) == 2, "what does not fit is not sent"
        # The method itself says no: by its output, and by its status.
        with pytest.raises(DeviceRefused, match=r"= 3, .*done would be 0 as output 0"):
            await one.write(points["both"], "[7.5, 8]")
        with pytest.raises(DeviceRefused, match="BadOutOfService") as refused:
            await one.write(points["stop"], 1.0)
        assert refused.value.quality == Quality.BAD_OUT_OF_SERVICE
        assert len(CALLED) == 4


async def test_a_method_that_does_not_answer_has_an_unknown_outcome(doser: OpcUaServer) -> None:
    slow = called("slow", "Dawdle", [{}])
    device = bind(profile("opcua", [slow], limits={"timeout_ms": 1000}), {})
    one = driver("opcua", {"url": f"opc.tcp://127.0.0.1:{doser.port}/"}, device)
    try:
        await one.open()
        with pytest.raises(DeviceTimeout):
            await one.write(device.points[0], 1.0)
    finally:
        await one.close()


async def test_a_part_is_written_with_the_whole_where_a_person_allows_it(doser: OpcUaServer) -> None:
    async def held(name: str) -> Any:
        return await doser.server.get_node(doser.node_id(name)).read_value()

    async with opened(
        doser,
        part("alone", "Steps", "[1]"),
        part("second", "Steps", "[1]", rewrite=True),
        part("tenth", "Steps", "[9]", rewrite=True),
        part("high", "Span", "High", rewrite=True),
    ) as (one, points):
        # This server ignores index ranges: it would take one element for the whole array.
        with pytest.raises(DeviceRefused, match="rewrite: true"):
            await one.write(points["alone"], 20.0)
        assert await asyncio.to_thread(doser.run, held("Steps")) == [1, 2, 3]
        assert await one.write(points["second"], 20.0) == 20.0
        assert await asyncio.to_thread(doser.run, held("Steps")) == [1, 20, 3]
        with pytest.raises(DeviceRefused, match="no such part"):
            await one.write(points["tenth"], 1.0)
        with pytest.raises(DeviceRefused, match="whole number"):
            await one.write(points["second"], 40_000.0)
        assert await one.write(points["high"], 12.5) == 12.5
        assert await asyncio.to_thread(doser.run, held("Span")) == ua.Range(0.0, 12.5)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        (called("p", "Dose", [{}, {}]), "type: text"),
        ({**called("p", "Dose", []), "readable": True}, "readable: false"),
        (called("p", "Dose", []) | {"writable": False}, "writable: true"),
    ],
)
def test_a_method_that_cannot_be_called_is_a_mistake(point: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        driver("opcua", {"url": "opc.tcp://127.0.0.1:1/"}, bind(profile("opcua", [point]), {}))
