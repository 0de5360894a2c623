"""One edge node as its host sees it: births, deaths, aliases, and what each metric is worth.

                 NBIRTH                        NDEATH with the bdSeq of the birth
    unknown ───────────────► online ◄──────────────────────────────► offline
                             │  DBIRTH / DDEATH: the same for each device behind it
                             │  gap in seq, unknown metric: doubted, until the rebirth
                             ▼
                        values, at the time of each metric

Sparkplug B 3.0.0, chapter 5. `now` is monotonic seconds; `now_us` the wall clock of this host.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from protocols.field.mqtt.payload import MISSING, UNREADABLE, Path, Value, find, interpret
from protocols.field.sparkplug.latest import Latest
from protocols.field.sparkplug.order import RANGE, Order
from protocols.field.sparkplug.values import content, quality_of
from protocols.model.clock import LATEST_US
from protocols.model.datatypes import DataType
from protocols.model.quality import Quality
from protocols.model.sparkplug import BD_SEQ
from protocols.model.sparkplug.payload_pb2 import Payload

MOST_METRICS: Final = 100_000
"""Metrics of one edge node; a birth with more is not believed."""
CONFIRM_S: Final = 5.0
"""After a node's birth each device has so long to be born, else it is held for dead."""
_LOST: Final = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE


class Slot(NamedTuple):
    """A point that a metric feeds: its row in Latest, and where in a composite metric it lies."""

    row: int
    kind: DataType
    path: Path


class Known(NamedTuple):
    """What a birth says of a metric."""

    name: str
    datatype: int
    alias: int | None


@dataclass(slots=True)
class Source:
    """The edge node itself (device ""), or a device of it. `wanted`: metric name → points that it feeds."""

    device: str
    wanted: Mapping[str, tuple[Slot, ...]]
    online: bool = False
    metrics: dict[str, Known] = field(default_factory=dict)
    confirm_by: float | None = None

    def rows(self) -> list[int]:
        """Return the rows of all its points."""
        return [slot.row for slots in self.wanted.values() for slot in slots]


class _Message(NamedTuple):
    verb: str
    device: str
    payload: Payload
    now_us: int


class EdgeNode:
    """One edge node. Says its values to `latest`; `ask` holds why a rebirth is wanted, "" where it is not."""

    def __init__(
        self,
        name: str,
        wanted: Mapping[str, Mapping[str, tuple[Slot, ...]]],
        latest: Latest,
        reorder_s: float,
    ) -> None:
        self.name = name
        self.ask = "it has not been born yet"
        self.unreadable = 0
        self.order: Order[_Message] = Order(reorder_s)
        self.sources = {device: Source(device, points) for device, points in wanted.items()}
        self._own = self.sources.setdefault("", Source("", {}))
        self._aliases: dict[int, tuple[str, Known]] = {}
        self._devices: dict[str, dict[str, Known]] = {}
        self._bd_seq: int | None = None
        self._latest = latest

    @property
    def online(self) -> bool:
        """Whether it has been born and not died since."""
        return self._own.online

    def known(self, device: str, metric: str) -> Known | None:
        """Return what the last birth said of a metric; None while its device is not online."""
        source = self.sources.get(device)
        return source.metrics.get(metric) if source is not None and source.online else None

    def take(self, verb: str, device: str, payload: Payload, mark: int, now: float, now_us: int) -> None:
        """Take one message of this node. `mark` is a hash of its bytes, which tells repetitions."""
        message = _Message(verb, device, payload, now_us)
        if verb == "NDEATH":
            self._node_death(payload, now_us)
        elif verb == "NBIRTH":
            self._node_birth(message, now)
        elif not self.online:
            self.ask = f"it sent {verb} before its birth was seen"
        elif not payload.HasField("seq"):
            # The specification wants one; what a sender without it says is true all the same.
            self._apply(message, now)
        elif payload.seq >= RANGE:
            self.garbled(f"{verb} has the sequence number {payload.seq}")
        else:
            for ready in self.order.offer(payload.seq, mark, message, now):
                self._apply(ready, now)
            self.tick(now, now_us)

    def tick(self, now: float, now_us: int) -> None:
        """Let the time pass: a missing message may be lost by now, a device may not have come back."""
        if self.order.overdue(now):
            held = self.order.give_up()
            self.doubted("a message of it was lost", now_us)
            for message in held:
                self._apply(message, now)
        for source in self.sources.values():
            if source.confirm_by is not None and now >= source.confirm_by:
                self._offline(source, now_us)

    def garbled(self, why: str) -> None:
        """Count a message that cannot be read; the next birth puts everything right."""
        self.unreadable += 1
        self.ask = why

    def doubted(self, why: str, now_us: int) -> None:
        """Doubt every value of the node: something may have changed unseen."""
        self.ask = why
        for source in self.sources.values():
            self._latest.doubt(source.rows(), now_us)

    def lost(self, now_us: int) -> None:
        """Hold everything for stale: the connection to the broker has ended."""
        for source in self.sources.values():
            self._offline(source, now_us)

    def _node_death(self, payload: Payload, now_us: int) -> None:
        sequence = _bd_seq(payload)
        if self.online and sequence is not None and self._bd_seq is not None and sequence != self._bd_seq:
            return  # the will of an earlier session, delivered late (tck-id-payloads-ndeath-bdseq)
        self.ask = ""
        self._bd_seq = None
        self.order.begin(0)
        self.lost(now_us)

    def _node_birth(self, message: _Message, now: float) -> None:
        payload = message.payload
        sequence = _bd_seq(payload)
        again = self.online and sequence == self._bd_seq
        self._bd_seq = sequence
        self.order.begin(payload.seq % RANGE)
        self.ask = ""
        self._aliases.clear()
        self._devices.clear()
        for source in self.sources.values():
            if not source.device:
                continue
            if source.online and not again:
                self._offline(source, message.now_us)
            source.confirm_by = now + CONFIRM_S
        self._birth(self._own, message)

    def _apply(self, message: _Message, now: float) -> None:
        verb, device = message.verb, message.device
        if verb == "DBIRTH":
            self._birth(self.sources.get(device) or Source(device, {}), message)
        elif verb == "DDEATH":
            self._devices.pop(device, None)
            source = self.sources.get(device)
            if source is not None:
                stamp = _time_us(message.payload.timestamp) or message.now_us
                self._offline(source, min(stamp, message.now_us))
        elif device in self._devices or not device:
            self._data(device, message)
        else:
            self.ask = f"device {device!r} sent data before its birth was seen"

    def _birth(self, source: Source, message: _Message) -> None:
        known: dict[str, Known] = {}
        metrics = message.payload.metrics
        if len(metrics) + len(self._aliases) > MOST_METRICS:
            self.garbled(f"a birth has more than {MOST_METRICS} metrics")
            return
        for metric in metrics:
            alias = metric.alias if metric.HasField("alias") else None
            one = Known(metric.name, metric.datatype, alias)
            known[metric.name] = one
            if alias is not None:
                self._aliases[alias] = (source.device, one)
        source.online, source.confirm_by, source.metrics = True, None, known
        self._devices[source.device] = known
        self._say(source, ((known[metric.name], metric) for metric in metrics), message)
        missing = [slot.row for name, slots in source.wanted.items() if name not in known for slot in slots]
        self._latest.missing(missing, message.now_us, Quality.BAD_NODE_ID_UNKNOWN)

    def _data(self, device: str, message: _Message) -> None:
        known = self._devices.get(device, {})
        found: list[tuple[Known, Payload.Metric]] = []
        for metric in message.payload.metrics:
            if metric.HasField("alias") and not metric.name:
                owner, one = self._aliases.get(metric.alias, (None, None))
                entry = one if owner == device else None
            else:
                entry = known.get(metric.name)
            if entry is None:
                self.ask = f"it sent a metric that no birth has named ({metric.name or metric.alias})"
            else:
                found.append((entry, metric))
        source = self.sources.get(device)
        if source is not None:
            self._say(source, found, message)

    def _say(
        self, source: Source, metrics: Iterable[tuple[Known, Payload.Metric]], message: _Message
    ) -> None:
        latest, sent = self._latest, message.payload.timestamp
        for known, metric in metrics:
            slots = source.wanted.get(known.name)
            if slots is None:
                continue
            time_us = _time_us(metric.timestamp) or _time_us(sent) or message.now_us
            tell = latest.recall if metric.is_historical else latest.say
            for slot, one in zip(slots, _values(slots, metric, known), strict=True):
                tell(slot.row, time_us, one.value, one.quality, one.text)

    def _offline(self, source: Source, now_us: int) -> None:
        source.online, source.confirm_by, source.metrics = False, None, {}
        self._devices.pop(source.device, None)
        self._latest.stale(source.rows(), now_us, _LOST)


def _values(slots: tuple[Slot, ...], metric: Payload.Metric, known: Known) -> list[Value]:
    """Return what a metric says to each of its points."""
    quality = quality_of(metric)
    if quality >= Quality.BAD:
        return [Value(math.nan, quality, None)] * len(slots)
    try:
        held = content(metric, metric.datatype or known.datatype)
    except (ValueError, RecursionError):
        return [UNREADABLE] * len(slots)
    found = []
    for slot in slots:
        part = find(held, slot.path) if slot.path and held is not None else held
        if part is MISSING:
            one = Value(math.nan, Quality.BAD_NODE_ID_UNKNOWN, None)
        elif isinstance(part, bytes):
            one = interpret(part.hex() if slot.kind in ("text", "ascii") else [], slot.kind)
        else:
            one = interpret(part, slot.kind)
        if quality and one.quality == Quality.GOOD:
            one = one._replace(quality=quality)
        found.append(one)
    return found


def _bd_seq(payload: Payload) -> int | None:
    for metric in payload.metrics:
        if metric.name == BD_SEQ and metric.WhichOneof("value") in ("long_value", "int_value"):
            return metric.long_value or metric.int_value
    return None


def _time_us(time_ms: int) -> int | None:
    """Return a timestamp in microseconds; None where there is none, or none that can be kept."""
    return time_ms * 1000 if 0 < time_ms * 1000 < LATEST_US else None
