"""Two servers that give one id to types with other fields: no value is read by the fields of the other."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.manage_nodes import create_data_type, create_encoding
from asyncua.common.structures104 import new_struct_field

from protocols.errors import DeviceRefused
from protocols.field.base import Driver
from protocols.model.quality import Quality
from tests.protocols.field.devices import bind, driver, listening, profile
from tests.protocols.field.opcua.harness import OpcUaServer

PATIENCE_S = 60.0


async def declare(server: OpcUaServer, name: str, fields: Sequence[str], values: Sequence[float]) -> None:
    """Add a structure of doubles, and a variable of it, by bytes: the server does not know its type."""
    base = server.server.nodes.base_structure_type
    kind = await create_data_type(base, server.node_id(name), ua.QualifiedName(name, server.index))
    binary = ua.QualifiedName("Default Binary", 0)
    encoding = await create_encoding(kind, server.node_id(f"{name}.Binary"), binary)
    definition = ua.StructureDefinition()
    definition.StructureType = ua.StructureType.Structure
    definition.BaseDataType = base.nodeid
    definition.DefaultEncodingId = encoding.nodeid
    definition.Fields = [new_struct_field(one, ua.VariantType.Double) for one in fields]
    await kind.write_data_type_definition(definition)
    body = ua.ByteString(struct.pack(f"<{len(values)}d", *values))
    held = ua.Variant(ua.ExtensionObject(TypeId=encoding.nodeid, Body=body), ua.VariantType.ExtensionObject)
    node = await server.server.nodes.objects.add_variable(
        server.node_id(f"S.{name}"), name, held, datatype=kind.nodeid
    )
    await node.set_writable()


def made(server: OpcUaServer, name: str) -> Driver:
    where = {"namespace": server.NAMESPACE, "node": f"s=S.{name}", "part": "Speed", "rewrite": True}
    points: list[dict[str, Any]] = [{"key": "speed", "period": "fast", "writable": True, "opcua": where}]
    return driver(
        "opcua",
        {"url": f"opc.tcp://127.0.0.1:{server.port}/", "publishing_ms": 50},
        bind(profile("opcua", points), {}),
    )


@pytest.fixture(scope="module")
def other_server() -> Any:
    with OpcUaServer() as server:
        yield server


async def test_the_same_type_at_two_servers_is_one(
    opcua_server: OpcUaServer, other_server: OpcUaServer
) -> None:
    for server, speed in ((opcua_server, 1.0), (other_server, 10.0)):
        await asyncio.to_thread(server.run, declare(server, "SameMotor", ("Speed", "Amps"), (speed, 2.0)))
    async with (
        listening(made(opcua_server, "SameMotor")) as one,
        listening(made(other_server, "SameMotor")) as other,
    ):
        await one.until(lambda h: h.last().get(0) == (1.0, Quality.GOOD), PATIENCE_S)
        await other.until(lambda h: h.last().get(0) == (10.0, Quality.GOOD), PATIENCE_S)


async def test_another_type_of_the_same_id_is_refused_and_named(
    opcua_server: OpcUaServer, other_server: OpcUaServer
) -> None:
    await asyncio.to_thread(opcua_server.run, declare(opcua_server, "Drive", ("Speed", "Amps"), (1.0, 2.0)))
    await asyncio.to_thread(other_server.run, declare(other_server, "Drive", ("Amps", "Speed"), (20.0, 10.0)))
    first, second = made(opcua_server, "Drive"), made(other_server, "Drive")
    async with listening(first) as one, listening(second) as other:
        await one.until(lambda h: h.last().get(0) == (1.0, Quality.GOOD), PATIENCE_S)
        await other.until(lambda h: h.last().get(0, (0, 0))[1] == Quality.BAD_TYPE_MISMATCH, PATIENCE_S)
        assert not any(value == 20.0 for value in other.all().value.tolist()), "no other field's value"
        assert any("Drive" in said and str(opcua_server.port) in said for said in second.remarks())
        assert first.remarks() == ()
        with pytest.raises(DeviceRefused, match="no such part"):
            await second.write(second.devices[0].points[0], 5.0)
