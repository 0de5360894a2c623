"""How many data changes a second our OPC UA driver takes, beside a bare asyncua client that counts them.

One server in a process of its own changes every one of its nodes as often as it can; both clients ask it for
the same sampling, publishing and queue. Where the server is what limits, the processor time tells them apart.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
import time
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.client.client import Client
from asyncua.server.server import Server

from protocols.model.reading import Readings
from tests.bench.figure import Figure
from tests.bench.processes import port_process
from tests.protocols.field.devices import bind, driver, profile

SECONDS = 8.0
NODES = 500
PUBLISHING_MS = 100.0
NAMESPACE = "urn:bench:device"


class Pace(NamedTuple):
    """Data changes a second, and processor time, s, for 100,000 of them."""

    per_s: float
    cpu: float


def measure() -> list[Figure]:
    """Count data changes for some seconds, bare and by the driver."""
    with port_process(__name__) as port:
        bare = asyncio.run(_bare(port))
        ours = asyncio.run(_ours(port))
    return [
        Figure("opcua: data changes taken", ours.per_s, "1/s", bare.per_s, "bare asyncua client", "≥ 0.8"),
        Figure("opcua: CPU of that", ours.cpu, "s/100k", bare.cpu, "bare asyncua client"),
    ]


class _Count:
    def __init__(self) -> None:
        self.changes = 0
        self.begun = asyncio.Event()

    def datachange_notification(self, _node: Any, _value: Any, _data: Any) -> None:
        """Count one."""
        self.changes += 1
        self.begun.set()

    def take(self, readings: Readings) -> None:
        """Count readings."""
        self.changes += len(readings)
        self.begun.set()

    async def pace(self) -> Pace:
        """Wait for the first, then count for a while."""
        await self.begun.wait()
        await asyncio.sleep(1)
        before, began, cpu = self.changes, time.perf_counter(), _cpu()
        await asyncio.sleep(SECONDS)
        changes, spent, busy = self.changes - before, time.perf_counter() - began, _cpu() - cpu
        return Pace(changes / spent, busy / changes * 1e5)


async def _bare(port: int) -> Pace:
    count = _Count()
    async with Client(f"opc.tcp://127.0.0.1:{port}/") as client:
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [client.get_node(ua.NodeId.from_string(f"ns={index};s=P1.V{n}")) for n in range(NODES)]
        subscription = await client.create_subscription(PUBLISHING_MS, count)
        await subscription.subscribe_data_change(
            nodes, queuesize=1, sampling_interval=ua.Double(PUBLISHING_MS)
        )
        return await count.pace()


async def _ours(port: int) -> Pace:
    points = [
        {"key": f"v{n}", "opcua": {"namespace": NAMESPACE, "node": f"s={{device}}.V{n}"}}
        for n in range(NODES)
    ]
    device = bind(profile("opcua", points), {"device": "P1"})
    settings = {"url": f"opc.tcp://127.0.0.1:{port}/", "publishing_ms": PUBLISHING_MS}
    line = driver("opcua", settings, device)
    count = _Count()
    await line.open()
    task = asyncio.create_task(line.listen(count.take))
    try:
        return await count.pace()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await line.close()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _serve() -> None:
    logging.disable(logging.ERROR)
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/")
    index = await server.register_namespace(NAMESPACE)
    ids = [ua.NodeId.from_string(f"ns={index};s=P1.V{n}") for n in range(NODES)]
    for node in ids:
        await server.nodes.objects.add_variable(node, str(node.Identifier), 0.0)
    async with server:
        listener: Any = server.bserver
        sys.stdout.write(f"{listener.port}\n")
        sys.stdout.flush()
        value = 0.0
        while True:
            value += 1.0
            for node in ids:
                await server.write_attribute_value(
                    node, ua.DataValue(ua.Variant(value, ua.VariantType.Double))
                )
            await asyncio.sleep(PUBLISHING_MS / 2000)


if __name__ == "__main__":
    asyncio.run(_serve())
