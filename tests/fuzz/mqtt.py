"""MQTT payloads: JSON, CSV, bytes, plain values; and Sparkplug B messages with the state that they change.

A payload has no checksum: what it says counts. Oracle: Python's json and struct, and a grammar of
numbers in text: a good value is what these read at the same place, and there is none where they read nothing.
"""

from __future__ import annotations

import json
import math
import random
import re
import struct
from typing import Any, ClassVar, Final

from google.protobuf.message import DecodeError

from protocols.field.mqtt.routes import Routes
from protocols.model.address.mqtt import MqttAddress
from protocols.model.reading import Readings
from protocols.model.sparkplug import DataType
from protocols.model.sparkplug.payload_pb2 import Payload
from tests.fuzz.door import Door, expect
from tests.protocols.field.devices import bind, profile
from tests.protocols.field.sparkplug.payloads import T0_MS, Desk, bd_seq, metric, payload

NOW_US: Final = 1_790_000_000_000_000
TOPIC: Final = "city/d1"
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WORDS: Final = {"true": 1.0, "on": 1.0, "yes": 1.0, "false": 0.0, "off": 0.0, "no": 0.0}


class RoutesDoor(Door):
    """Points fed by one topic; `points`: key → (type, address)."""

    points: ClassVar[dict[str, tuple[str, dict[str, Any]]]]

    def __init__(self) -> None:
        entries = [
            {"key": key, "type": kind, "mqtt": {"topic": TOPIC, **address}}
            for key, (kind, address) in self.points.items()
        ]
        self._bound = bind(profile("mqtt", entries), {})
        self.routes = Routes()
        for point in self._bound.points:
            address = MqttAddress.of(point.profile)
            self.routes.add(point, TOPIC, address)

    def take(self, data: bytes, rng: random.Random) -> bool:
        """Route one message."""
        readings = Readings.of(self.routes.rows(TOPIC, data, rng.randrange(8) == 0, NOW_US))
        return judge(readings, list(self.points), lambda key: self.said(data, key))

    def said(self, data: bytes, key: str) -> float | str | None:
        """Return what the payload says of a point, read by other code; None where it says nothing."""
        raise NotImplementedError


def judge(readings: Readings, keys: list[str], said: Any) -> bool:
    """Return whether any value is good. Raises Wrong where a good one is not what is said."""
    any_good = False
    for row, index in enumerate(readings.point.tolist()):
        got: float | str = readings.text.get(row, float(readings.value[row]))
        quality = int(readings.quality[row])
        if quality >= 0x8000_0000:
            expect(not isinstance(got, float) or math.isnan(got), f"{keys[index]} is bad and has {got}")
            continue
        any_good |= quality == 0
        true = said(keys[index])
        expect(got == true, f"{keys[index]} is {got!r} with {quality:08X}, the payload says {true!r}")
    return any_good


def in_text(text: str) -> float | None:
    """Return the number or the word that a text is."""
    word = text.strip().lower()
    if word in WORDS:
        return WORDS[word]
    return float(word) if NUMBER.fullmatch(word) else None


def scalar(found: Any, kind: str) -> float | str | None:
    """Return a JSON scalar as a value of a type."""
    if kind == "text":
        return found if isinstance(found, str) else None
    if isinstance(found, str):
        return in_text(found)
    try:
        return float(found) if isinstance(found, bool | int | float) else None
    except OverflowError:
        return None


class JsonDoor(RoutesDoor):
    """JSON documents."""

    name, share = "mqtt-json", 120_000
    points: ClassVar = {
        "level": ("f64", {"json_path": "data.level", "time_path": "t"}),
        "count": ("i32", {"json_path": "data.counts[1]"}),
        "running": ("bool", {"json_path": "on"}),
        "label": ("text", {"json_path": "data.label"}),
    }
    paths: ClassVar = {
        "level": ("data", "level"),
        "count": ("data", "counts", 1),
        "running": ("on",),
        "label": ("data", "label"),
    }

    def frame(self, rng: random.Random) -> bytes:
        """Return a document."""
        level: Any = rng.choice(
            (rng.uniform(-1e6, 1e6), f"{rng.uniform(-1e3, 1e3):.3f}", rng.randrange(10**6))
        )
        stamp: Any = rng.choice((NOW_US // 1_000_000, "2026-09-22T10:00:00+08:00", str(NOW_US // 1000)))
        data = {"level": level, "counts": [1, rng.randrange(-(2**31), 2**31)], "label": "泵站 \u00b5 1"}
        return json.dumps(
            {"t": stamp, "on": rng.random() < 0.5, "data": data}, ensure_ascii=rng.random() < 0.5
        ).encode()

    def said(self, data: bytes, key: str) -> float | str | None:
        """By Python's json."""
        try:
            found = json.loads(data.decode("utf-8"))
            for step in self.paths[key]:
                found = found[step]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            return None
        return scalar(found, self.points[key][0])


class PlainDoor(RoutesDoor):
    """Payloads that are the value itself."""

    name, share = "mqtt-plain", 40_000
    points: ClassVar = {"value": ("f64", {})}

    def frame(self, rng: random.Random) -> bytes:
        """Return a number or a word."""
        made = (f"{rng.uniform(-1e6, 1e6):.4f}", f"{rng.gauss(0, 1e9):e}", str(rng.randrange(10**9)), *WORDS)
        return rng.choice(made).encode()

    def said(self, data: bytes, key: str) -> float | str | None:
        """By the grammar."""
        del key
        try:
            return in_text(data.decode("utf-8"))
        except UnicodeDecodeError:
            return None


class CsvDoor(RoutesDoor):
    """Rows of columns, without quotes; what has quotes is only let pass without a crash."""

    name, share = "mqtt-csv", 40_000
    points: ClassVar = {
        "first": ("f64", {"format": "csv", "json_path": "[0]", "separator": ";"}),
        "third": ("u16", {"format": "csv", "json_path": "[2]", "separator": ";"}),
        "name": ("text", {"format": "csv", "json_path": "[1]", "separator": ";"}),
    }
    column: ClassVar = {"first": 0, "name": 1, "third": 2}

    def frame(self, rng: random.Random) -> bytes:
        """Return one row, or a header and a row."""
        head = "level;name;count\r\n" if rng.randrange(3) == 0 else ""
        return f"{head}{rng.uniform(-1e3, 1e3):.2f};泵 {rng.randrange(9)};{rng.randrange(65536)}\r\n".encode()

    def take(self, data: bytes, rng: random.Random) -> bool:
        """Judge where no quote makes the row another language."""
        if b'"' in data:
            self.routes.rows(TOPIC, data, False, NOW_US)
            return False
        return super().take(data, rng)

    def said(self, data: bytes, key: str) -> float | str | None:
        """By splitting."""
        try:
            rows = [row for row in data.decode("utf-8-sig").splitlines() if row.strip()]
            cell = rows[-1].split(";")[self.column[key]].strip()
        except (UnicodeDecodeError, IndexError):
            return None
        return cell if key == "name" else in_text(cell)


class BytesDoor(RoutesDoor):
    """Binary payloads of a fixed layout."""

    name, share = "mqtt-bytes", 40_000
    points: ClassVar = {
        "f": ("f32", {"format": "bytes", "bytes": {"offset": 1}}),
        "i": ("i16", {"format": "bytes", "bytes": {"offset": 5, "order": "DCBA"}}),
        "u": ("u32", {"format": "bytes", "bytes": {"offset": 7, "order": "CDAB"}}),
        "b": ("bool", {"format": "bytes", "bytes": {"offset": 0, "bit": 5}}),
        "d": ("bcd16", {"format": "bytes", "bytes": {"offset": 11}}),
    }

    def frame(self, rng: random.Random) -> bytes:
        """Return thirteen bytes."""
        digits = int(f"{rng.randrange(10000):04d}", 16)
        return (
            rng.randbytes(1)
            + struct.pack(">f", rng.uniform(-1e6, 1e6))
            + rng.randbytes(6)
            + digits.to_bytes(2)
        )

    def said(self, data: bytes, key: str) -> float | str | None:
        """By struct."""
        try:
            match key:
                case "f":
                    return float(struct.unpack_from(">f", data, 1)[0])
                case "i":
                    return float(struct.unpack_from("<h", data, 5)[0])
                case "u":
                    low, high = struct.unpack_from(">HH", data, 7)
                    return float(high << 16 | low)
                case "b":
                    return float(data[0] >> 5 & 1)
                case _:
                    return float(f"{struct.unpack_from('>H', data, 11)[0]:x}")
        except (struct.error, IndexError, ValueError):
            return None


class SparkplugDoor(Door):
    """An edge node that lives on: born, reporting, mutated on the way, born again."""

    name, share = "sparkplug", 60_000
    points: ClassVar = {
        "level": ("", "Level", "f64"), "count": ("", "Count", "i32"), "running": ("", "Running", "bool"),
        "label": ("", "Label", "text"),
    }  # fmt: skip
    aliases: ClassVar = {1: "Level", 2: "Count", 3: "Running", 4: "Label"}

    def __init__(self) -> None:
        self._desk = Desk(self.points)  # type: ignore[arg-type]
        self._seq = 0
        self._sent: list[Payload] = []
        """Of this life: a message may be held back until the one before it has come."""

    def _metrics(self, rng: random.Random, named: bool) -> list[Payload.Metric]:
        values: list[tuple[int, Any, int]] = [
            (1, rng.uniform(-1e6, 1e6), DataType.DOUBLE), (2, rng.randrange(2**32), DataType.INT32),
            (3, rng.random() < 0.5, DataType.BOOLEAN), (4, f"泵 {rng.randrange(99)}", DataType.STRING),
        ]  # fmt: skip
        return [
            metric(self.aliases[alias] if named else "", value, alias=alias, datatype=kind, timestamp=T0_MS)
            for alias, value, kind in values
        ]

    def frame(self, rng: random.Random) -> bytes:
        """Return a birth or a report, which its sequence number tells apart."""
        birth = rng.randrange(3) == 0
        metrics = self._metrics(rng, named=birth) + ([bd_seq(1)] if birth else [])
        self._seq = 0 if birth else (self._seq + 1) % 256
        return payload(metrics, seq=self._seq).SerializeToString()

    def take(self, data: bytes, rng: random.Random) -> bool:
        """Let the node take it as a birth or a report; judge what it hands on."""
        try:
            made = Payload.FromString(data)
        except DecodeError:
            return False
        desk = self._desk
        if rng.randrange(3) == 0:
            # Born anew and whole, so that what follows is believed.
            born = payload([*self._metrics(rng, named=True), bd_seq(1)], seq=0)
            self._sent = [born]
            desk.take("NBIRTH", born, mark=rng.getrandbits(32))
            self._seq = 0
            desk.drawn()
        birth = any(one.name == "bdSeq" for one in made.metrics)
        self._sent.append(made)
        if not birth:
            desk.node.order.begin(made.seq % 256 - 1 if made.HasField("seq") else 0)
        desk.node.take("NBIRTH" if birth else "NDATA", "", made, rng.getrandbits(32), desk.now, desk.now_us)
        any_good = False
        for key, time_us, got, quality in desk.drawn():
            expect(0 < time_us < 2**63, f"{key} has the time {time_us}")
            if quality:
                continue
            any_good = True
            told = [one for sent in reversed(self._sent) for one in self._said(sent)]
            expect(any(_same(got, one) for one in told), f"{key} is {got!r}, the metrics say {told!r}")
        return any_good

    def _said(self, sent: Payload) -> list[Any]:
        """Return what a payload's metrics may mean for a point, whatever they call it."""
        return [meaning for one in sent.metrics for meaning in _meanings(one)]

    def close(self) -> None:
        """Nothing is open."""


def _meanings(one: Payload.Metric) -> list[Any]:
    which = one.WhichOneof("value")
    if which is None or which in ("bytes_value", "dataset_value", "template_value", "extension_value"):
        return []
    raw = getattr(one, which)
    if not isinstance(raw, int) or isinstance(raw, bool):
        return [raw]
    signed = [(raw & (1 << bits) - 1) - (1 << bits) for bits in (8, 16, 32, 64) if raw >> bits - 1 & 1]
    return [raw, *signed]


def _same(got: float | str, said: Any) -> bool:
    if isinstance(got, str):
        return bool(got == said)
    if isinstance(said, bytes):
        return False  # protobuf gives a text that is no UTF-8 like that
    number: float | None = in_text(said) if isinstance(said, str) else float(said)
    return bool(number is not None and got == number)
