"""Which topics a broker carries, what is in their payloads, and how they would be mapped to points.

Listens only, for some seconds; retained messages come at once. Nothing is published.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import aiomqtt

from protocols.errors import ConnectionLost
from protocols.field.mqtt.broker import (
    BrokerSettings,
    connect,
    disconnect,
    ended,
    refusals,
    where,
)
from protocols.field.mqtt.payload import MISSING, parse, source_time
from protocols.field.scanning import Found, Progress
from protocols.model.quality import Quality

MOST_TOPICS: Final = 2000
MOST_FIELDS: Final = 60
_TICK_S: Final = 0.5
_TIME_WORD: Final = re.compile(r"(^|[._])(ts|time|timestamp|datetime|date)$", re.IGNORECASE)
_SAMPLE_BYTES: Final = 64 * 1024
_DEEPEST: Final = 16
"""Levels of a JSON document that are looked into; a real device's telegram has three or four."""


@dataclass(slots=True)
class Heard:
    """One topic: its messages so far and the newest payload."""

    count: int
    retained: bool
    payload: bytes


async def listen(
    settings: BrokerSettings, *, topic: str = "#", seconds: float = 10.0
) -> AsyncIterator[Found | Progress]:
    """Yield progress while listening, then each topic with its mapping. Raises ConnectionLost."""
    at = where(settings)
    heard: dict[str, Heard] = {}
    loop = asyncio.get_running_loop()
    # A client id of its own: the gateway's may be in use by the gateway.
    client = await connect(settings.model_copy(update={"client_id": None}))
    try:
        if refusals([topic], await client.subscribe(topic, qos=0)):
            raise ConnectionLost(
                f"{at} does not let this user read {topic!r}; name a topic that it may read",
                Quality.BAD_USER_ACCESS_DENIED,
            )
        ends = loop.time() + seconds
        collecting = asyncio.create_task(_collect(client, heard))
        try:
            while (left := ends - loop.time()) > 0 and not collecting.done():
                yield Progress(round(10 * (seconds - left)), round(10 * seconds), f"{len(heard)} topics")
                await asyncio.wait([collecting], timeout=min(_TICK_S, left))
            if collecting.done():
                collecting.result()
        finally:
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
    except (aiomqtt.MqttError, OSError) as error:
        raise ConnectionLost(f"{at}: {ended(settings, error)}", Quality.BAD_NO_COMMUNICATION) from error
    finally:
        await disconnect(client)
    yield Progress(round(10 * seconds), round(10 * seconds), f"{len(heard)} topics")
    for name, one in sorted(heard.items()):
        yield describe(name, one)


async def _collect(client: aiomqtt.Client, heard: dict[str, Heard]) -> None:
    async for message in client.messages:
        name = message.topic.value
        payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
        known = heard.get(name)
        if known is None:
            if len(heard) < MOST_TOPICS:
                heard[name] = Heard(1, bool(message.retain), payload[:_SAMPLE_BYTES])
        else:
            known.count += 1
            known.payload = payload[:_SAMPLE_BYTES]


def describe(topic: str, heard: Heard) -> Found:
    """Return a topic with the kind of its payload and a point for each value in it."""
    document = parse(heard.payload)
    kind, points = "binary", []
    if document is MISSING:
        text = _text(heard.payload)
        if text is not None:
            kind, points = "text", [_point("value", "text", topic, "", "")]
    elif isinstance(document, dict | list):
        kind = "JSON"
        fields = list(_fields(document, ""))[:MOST_FIELDS]
        times = [path for path, value in fields if _TIME_WORD.search(path) and source_time(value) is not None]
        time_path = times[0] if times else ""
        points = [
            _point(_key(path), _type(value), topic, path, time_path)
            for path, value in fields
            if path != time_path and value is not None
        ]
    else:
        kind = {"bool": "true/false", "text": "text"}.get(_type(document), "number")
        points = [_point("value", _type(document), topic, "", "")]
    sample = _text(heard.payload)
    detail = {
        "messages": heard.count, "retained": heard.retained, "payload": kind, "bytes": len(heard.payload),
        "sample": (sample or heard.payload[:40].hex(" "))[:200],
    }  # fmt: skip
    values = f"{len(points)} value{'s' if len(points) != 1 else ''}"
    title = f"{kind}, {values}, {heard.count} messages{', retained' if heard.retained else ''}"
    return Found("topic", topic, title, detail, {"points": points} if points else {})


def _fields(document: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield every scalar of a JSON document with its dotted path, as profiles write it."""
    if depth > _DEEPEST:
        return
    if isinstance(document, dict):
        for key, value in document.items():
            if re.fullmatch(r"[^.\[\]]+", str(key)):
                yield from _fields(value, f"{path}.{key}".lstrip("."), depth + 1)
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from _fields(value, f"{path}[{number}]", depth + 1)
    elif path:
        yield path, document


def _point(key: str, kind: str, topic: str, path: str, time_path: str) -> dict[str, Any]:
    address = {"topic": topic, "json_path": path, "time_path": time_path}
    return {"key": key, "type": kind, "mqtt": {name: value for name, value in address.items() if value}}


def _key(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")[:63] or "value"


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "f64" if isinstance(value, int | float) else "text"


def _text(payload: bytes) -> str | None:
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return " ".join(text.split()) if all(c.isprintable() or c.isspace() for c in text) else None
