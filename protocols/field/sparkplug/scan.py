"""Which edge nodes and devices a broker carries, and which metrics their births name.

Listens only, for some seconds. Births are never retained: a node that was born earlier shows itself by its
data alone, until it is asked for a rebirth. That request is all that a scan ever publishes, and only where
the technician has said so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import aiomqtt
from google.protobuf.message import DecodeError

from protocols.errors import ConnectionLost
from protocols.field.mqtt.broker import BrokerSettings, connect, disconnect, ended, subscribe, where
from protocols.field.scanning import Found, Progress
from protocols.field.sparkplug.driver import rebirth_request
from protocols.field.sparkplug.topics import Place, command_topic, parse
from protocols.field.sparkplug.values import content
from protocols.model.clock import now_us
from protocols.model.quality import Quality
from protocols.model.sparkplug import NAMESPACE, DataType
from protocols.model.sparkplug.payload_pb2 import Payload

KIND: Final = "edge-node"
MOST_SOURCES: Final = 2000
MOST_METRICS: Final = 500
_TICK_S: Final = 0.5
_TYPES: Final = {
    DataType.INT8: "i16", DataType.INT16: "i16", DataType.INT32: "i32", DataType.INT64: "i64",
    DataType.UINT8: "u16", DataType.UINT16: "u16", DataType.UINT32: "u32", DataType.UINT64: "u64",
    DataType.FLOAT: "f32", DataType.DOUBLE: "f64", DataType.BOOLEAN: "bool", DataType.STRING: "text",
    DataType.TEXT: "text", DataType.UUID: "text", DataType.DATETIME: "u64",
}  # fmt: skip
_OWN: Final = ("Node Control/", "Device Control/", "bdSeq")
"""Metrics that steer the protocol itself."""


@dataclass(slots=True)
class Heard:
    """A node (device "") or a device: what it sent, and what its birth names."""

    messages: int = 0
    state: str = "sends data, its birth was not seen"
    metrics: list[dict[str, Any]] = field(default_factory=list)


async def listen(
    settings: BrokerSettings, *, seconds: float = 10.0, rebirth: bool = False
) -> AsyncIterator[Found | Progress]:
    """Yield progress while listening, then each node and device with its metrics. Raises ConnectionLost.

    With `rebirth` every node that is heard without a birth is asked for one, once.
    """
    heard: dict[tuple[str, str, str], Heard] = {}
    loop = asyncio.get_running_loop()
    client = await connect(settings.model_copy(update={"client_id": None}))
    try:
        await subscribe(client, where(settings), {f"{NAMESPACE}/#": 0})
        ends = loop.time() + seconds
        collecting = asyncio.create_task(_collect(client, heard, rebirth))
        try:
            while (left := ends - loop.time()) > 0 and not collecting.done():
                yield Progress(
                    round(10 * (seconds - left)), round(10 * seconds), f"{len(heard)} nodes and devices"
                )
                await asyncio.wait([collecting], timeout=min(_TICK_S, left))
            if collecting.done():
                collecting.result()
        finally:
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
    except aiomqtt.MqttError as error:
        raise ConnectionLost(
            f"{where(settings)}: {ended(settings, error)}", Quality.BAD_NO_COMMUNICATION
        ) from error
    finally:
        await disconnect(client)
    yield Progress(round(10 * seconds), round(10 * seconds), f"{len(heard)} nodes and devices")
    for (group, node, device), one in sorted(heard.items()):
        yield describe(group, node, device, one)


async def _collect(client: aiomqtt.Client, heard: dict[tuple[str, str, str], Heard], rebirth: bool) -> None:
    asked: set[tuple[str, str]] = set()
    async for message in client.messages:
        place = parse(message.topic.value)
        raw = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
        if place is None or message.retain:
            continue
        key = (place.group, place.node, place.device)
        if key not in heard and len(heard) >= MOST_SOURCES:
            continue
        one = heard.setdefault(key, Heard())
        one.messages += 1
        note(one, place, raw)
        silent = place.verb in ("NDATA", "DDATA", "DBIRTH") and (place.group, place.node, "") not in heard
        if rebirth and (silent or not one.metrics) and (place.group, place.node) not in asked:
            asked.add((place.group, place.node))
            request = rebirth_request(now_us())
            await client.publish(command_topic(place.group, place.node), request, qos=0)


def note(heard: Heard, place: Place, raw: bytes) -> None:
    """Take note of one message."""
    if place.verb.endswith("DEATH"):
        heard.state = "offline"
        return
    if not place.verb.endswith("BIRTH"):
        return
    try:
        payload = Payload.FromString(raw)
    except DecodeError:
        heard.state = "its birth cannot be read"
        return
    heard.state = "online"
    heard.metrics = []
    for metric in payload.metrics[:MOST_METRICS]:
        try:
            value = content(metric, metric.datatype)
        except ValueError:
            value = None
        known = metric.datatype in DataType._value2member_map_
        heard.metrics.append(
            {
                "name": metric.name,
                "type": DataType(metric.datatype).name if known else str(metric.datatype),
                "value": value if isinstance(value, bool | int | float | str) else None,
            }
        )


def describe(group: str, node: str, device: str, heard: Heard) -> Found:
    """Return a node or device with a point for each of its metrics."""
    points = []
    taken: set[str] = set()
    for metric in heard.metrics:
        kind = _TYPES.get(DataType[metric["type"]]) if metric["type"] in DataType.__members__ else None
        if kind is None or metric["name"].startswith(_OWN):
            continue
        points.append(
            {"key": _key(metric["name"], taken), "type": kind, "sparkplug": {"metric": metric["name"]}}
        )
    params = {"group": group, "node": node, **({"device": device} if device else {})}
    what = "device" if device else "edge node"
    title = f"{what}, {heard.state}, {len(heard.metrics)} metrics, {heard.messages} messages"
    detail = {"state": heard.state, "messages": heard.messages, "params": params, "metrics": heard.metrics}
    return Found(KIND, "/".join(params.values()), title, detail, {"points": points} if points else {})


def _key(name: str, taken: set[str]) -> str:
    """Return a point key for a metric's name, each once."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")
    key = base = "-".join(part for part in plain.split("-") if part)[:58] or "metric"
    number = 2
    while key in taken:
        key, number = f"{base}-{number}", number + 1
    taken.add(key)
    return key
