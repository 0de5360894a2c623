"""How many messages a second our driver decodes, beside a bare aiomqtt subscriber that only counts them.

The broker is a process that knows just enough of MQTT 3.1.1 to let somebody subscribe, and then sends
messages made before as fast as the socket takes them: the subscriber is what limits, and nothing is dropped.
"""

from __future__ import annotations

import asyncio
import sys
import time

import aiomqtt

from protocols.model.reading import Readings
from tests.bench.figure import Figure
from tests.bench.processes import port_process
from tests.protocols.field.devices import bind, driver, profile

SECONDS = 6.0
TOPIC = "plant/P1/state"
BODY = b'{"level": 2.5, "deep": [{"count": -205}], "on": true, "text": "PUMP-1"}'
POINTS = 4
CONNACK, SUBACK, PINGRESP = b"\x20\x02\x00\x00", b"\x90\x03%b\x00", b"\xd0\x00"
AT_ONCE = 200


def measure() -> list[Figure]:
    """Count messages for some seconds, bare and by the driver, twice in turn."""
    with port_process(__name__) as port:
        bare = max(asyncio.run(_bare(port)) for _ in range(2))
        ours, readings = max(asyncio.run(_ours(port)) for _ in range(2))
    return [
        Figure(
            "mqtt: messages decoded, 4 points by JSON path",
            ours,
            "1/s",
            bare,
            "bare aiomqtt, not decoded",
            "≥ 0.7",
        ),
        Figure("mqtt: readings of that", readings, "1/s"),
    ]


async def _bare(port: int) -> float:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(TOPIC)
        count, began = 0, time.perf_counter()
        async for _message in client.messages:
            count += 1
            if count % AT_ONCE == 0 and time.perf_counter() - began > SECONDS:
                break
        return count / (time.perf_counter() - began)


async def _ours(port: int) -> tuple[float, float]:
    """Return messages and readings a second."""
    topics = {"topic": "plant/{device}/state"}
    points = [
        {"key": "level", "mqtt": {**topics, "json_path": "level"}},
        {"key": "count", "mqtt": {**topics, "json_path": "deep[0].count"}},
        {"key": "on", "type": "bool", "mqtt": {**topics, "json_path": "on"}},
        {"key": "label", "type": "text", "mqtt": {**topics, "json_path": "text"}},
    ]
    device = bind(profile("mqtt", points), {"device": "P1"})
    line = driver("mqtt", {"host": "127.0.0.1", "port": port}, device)
    count, begun = 0, asyncio.Event()

    def take(readings: Readings) -> None:
        nonlocal count
        count += len(readings)
        begun.set()

    await line.open()
    task = asyncio.create_task(line.listen(take))
    try:
        await begun.wait()
        before, began = count, time.perf_counter()
        await asyncio.sleep(SECONDS)
        rate = (count - before) / (time.perf_counter() - began)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await line.close()
    return rate / POINTS, rate


def _publish(topic: str, body: bytes) -> bytes:
    """Return a PUBLISH of QoS 0 (MQTT 3.1.1, 3.3)."""
    rest = len(topic).to_bytes(2, "big") + topic.encode() + body
    assert len(rest) < 128
    return bytes([0x30, len(rest)]) + rest


async def _attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pouring: asyncio.Task[None] | None = None
    try:
        while True:
            kind = (await reader.readexactly(1))[0] >> 4
            size = shift = 0
            while True:
                digit = (await reader.readexactly(1))[0]
                size |= (digit & 127) << shift
                shift += 7
                if digit < 128:
                    break
            rest = await reader.readexactly(size)
            if kind == 1:
                writer.write(CONNACK)
            elif kind == 8:
                writer.write(SUBACK % rest[:2])
                pouring = pouring or asyncio.create_task(_pour(writer))
            elif kind == 12:
                writer.write(PINGRESP)
            elif kind == 14:
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        if pouring is not None:
            pouring.cancel()
        writer.close()


async def _pour(writer: asyncio.StreamWriter) -> None:
    many = _publish(TOPIC, BODY) * AT_ONCE
    while not writer.is_closing():
        writer.write(many)
        await writer.drain()


async def _serve() -> None:
    server = await asyncio.start_server(_attend, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
