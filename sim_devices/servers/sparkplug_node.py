"""A simulated Sparkplug B edge node: its births, deaths and reports by exception, as payload bytes.

Pure: says what is to be published and knows no broker. One node stands for all devices that name its group
and node; a device without a `device` parameter is the node's own metrics. Source: Sparkplug B 3.0.0,
chapters 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocols.model.address.sparkplug import SparkplugAddress
from protocols.model.device import PointProfile
from protocols.model.sparkplug import BD_SEQ, NAMESPACE, QUALITY, REBIRTH
from protocols.model.sparkplug import DataType as Type
from protocols.model.sparkplug.payload_pb2 import Payload
from sim_devices.servers.base import DeviceView
from sim_devices.servers.registers import to_raw, to_value

_TYPES = {
    "bool": Type.BOOLEAN, "i16": Type.INT16, "u16": Type.UINT16, "i32": Type.INT32, "u32": Type.UINT32,
    "i64": Type.INT64, "u64": Type.UINT64, "f32": Type.FLOAT, "f64": Type.DOUBLE, "bcd16": Type.UINT16,
    "bcd32": Type.UINT32, "ascii": Type.STRING, "text": Type.STRING,
}  # fmt: skip
_BITS = {
    Type.INT16: 16, Type.UINT16: 16, Type.INT32: 32, Type.UINT32: 32, Type.INT64: 64, Type.UINT64: 64,
}  # fmt: skip
_BAD = 0


class Out(NamedTuple):
    """A message to be published; `device` is the simulated device's key, by which faults know it."""

    device: str
    topic: str
    payload: bytes
    qos: int = 0


class Member:
    """One device behind the node, or the node's own metrics (`name` is then "")."""

    def __init__(self, view: DeviceView, name: str, first_alias: int) -> None:
        self.view = view
        self.name = name
        self.alive = False
        self.points: dict[int, tuple[str, PointProfile]] = {}
        """Alias → metric name and point."""
        for alias, point in enumerate(view.profile.points, first_alias):
            address = SparkplugAddress.of(point)
            if address.path:
                raise ValueError(
                    f"{view.key}: point {point.key} of {view.profile.id} is no metric of its own; "
                    "the simulator serves whole metrics only"
                )
            self.points[alias] = address.metric, point
        self._sent: dict[int, object] = {}

    def birth(self, payload: Payload, time_ms: int, *, broken: bool) -> None:
        """Add every metric with name, alias, type and value."""
        self._sent.clear()
        for alias, (name, point) in self.points.items():
            metric = payload.metrics.add(
                name=name, alias=alias, timestamp=time_ms, datatype=_TYPES[point.type]
            )
            self._fill(metric, alias, point, broken=broken)

    def changes(self, payload: Payload, time_ms: int, *, broken: bool) -> None:
        """Add the metrics that differ from what was sent last, by alias."""
        for alias, (_, point) in self.points.items():
            before = self._sent.get(alias)
            metric = Payload.Metric(alias=alias, timestamp=time_ms)
            self._fill(metric, alias, point, broken=broken)
            if self._sent[alias] != before:
                payload.metrics.append(metric)

    def command(self, metric: Payload.Metric) -> bool:
        """Act on a command; what it cannot do it ignores, as devices do."""
        for alias, (name, point) in self.points.items():
            if metric.alias == alias if metric.HasField("alias") else metric.name == name:
                try:
                    self.view.write(point, to_value(point, _told(metric, _TYPES[point.type])))
                except (ValueError, TypeError):
                    return False
                return True
        return False

    def _fill(self, metric: Payload.Metric, alias: int, point: PointProfile, *, broken: bool) -> None:
        golden = None if broken else self.view.golden(point)
        value = None if broken or golden is not None else self.view.read(point)
        raw = golden.raw if golden is not None else None if value is None else to_raw(point, value)
        self._sent[alias] = raw
        if raw is None:
            metric.is_null = True
            metric.properties.keys.append(QUALITY)
            metric.properties.values.add(type=Type.INT32, int_value=_BAD)
            return
        kind = _TYPES[point.type]
        if isinstance(raw, str):
            metric.string_value = raw
        elif kind is Type.BOOLEAN:
            metric.boolean_value = bool(raw)
        elif kind is Type.FLOAT:
            metric.float_value = raw
        elif kind is Type.DOUBLE:
            metric.double_value = raw
        else:
            whole = round(raw) & ((1 << _BITS[kind]) - 1)
            if _BITS[kind] == 64:
                metric.long_value = whole
            else:
                metric.int_value = whole
            self._sent[alias] = whole


class EdgeNode:
    """All members of one (group, node). Numbers its messages, and its sessions."""

    def __init__(self, group: str, node: str, views: Sequence[tuple[DeviceView, str]]) -> None:
        self.group, self.node = group, node
        self.online = False
        self.members: list[Member] = []
        alias = 1
        for view, name in views:
            member = Member(view, name, alias)
            alias += len(member.points)
            self.members.append(member)
        self._by_name = {member.name: member for member in self.members}
        self._own = self._by_name.get("")
        self._seq = 0
        self._bd_seq = -1

    @property
    def keys(self) -> list[str]:
        """Keys of the simulated devices that it stands for."""
        return [member.view.key for member in self.members]

    def tick(self, time_us: int, dead: set[str], broken: set[str]) -> Iterator[Out]:
        """Yield what is to be said now; `dead` and `broken` hold keys of simulated devices."""
        own_dead = self._own is not None and self._own.view.key in dead
        if self.online and own_dead:
            self.online = False
            payload = Payload(timestamp=time_us // 1000)
            payload.metrics.add(name=BD_SEQ, datatype=Type.INT64, long_value=self._bd_seq)
            yield self._out("NDEATH", "", payload, qos=1)
            return
        if not self.online:
            if not own_dead:
                self._bd_seq = (self._bd_seq + 1) % 256
                yield from self.births(time_us, dead, broken)
            return
        for member in self.members:
            if not member.name:
                yield from self._report(member, time_us, broken)
            elif member.alive and member.view.key in dead:
                member.alive = False
                yield self._out("DDEATH", member.name, self._numbered(time_us))
            elif not member.alive and member.view.key not in dead:
                yield self._birth(member, time_us, broken)
            elif member.alive:
                yield from self._report(member, time_us, broken)

    def births(self, time_us: int, dead: set[str], broken: set[str]) -> Iterator[Out]:
        """Yield the node's birth and those of its living devices; also the answer to a rebirth request."""
        self.online, self._seq = True, 0
        payload = self._numbered(time_us)
        payload.metrics.add(name=BD_SEQ, datatype=Type.INT64, long_value=self._bd_seq)
        payload.metrics.add(name=REBIRTH, datatype=Type.BOOLEAN, boolean_value=False)
        if self._own is not None:
            self._own.birth(payload, time_us // 1000, broken=self._own.view.key in broken)
        yield self._out("NBIRTH", "", payload)
        for member in self.members:
            if member.name:
                member.alive = False
                if member.view.key not in dead:
                    yield self._birth(member, time_us, broken)

    def receive(
        self, topic: str, raw: bytes, time_us: int, dead: set[str], broken: set[str]
    ) -> Iterator[Out]:
        """Yield what a command makes the node say; nothing for a topic that is not its own."""
        levels = topic.split("/")
        own = len(levels) in (4, 5) and levels[:2] == [NAMESPACE, self.group] and levels[3] == self.node
        if not own or levels[2] not in ("NCMD", "DCMD") or not self.online:
            return
        payload = Payload.FromString(raw)
        if levels[2] == "NCMD" and any(m.name == REBIRTH and m.boolean_value for m in payload.metrics):
            yield from self.births(time_us, dead, broken)
            return
        member = self._by_name.get(levels[4] if len(levels) == 5 else "")
        if member is None or member.view.key in dead | broken:
            return
        acted = [member.command(metric) for metric in payload.metrics]
        if any(acted):
            yield from self._report(member, time_us, broken)

    def _birth(self, member: Member, time_us: int, broken: set[str]) -> Out:
        member.alive = True
        payload = self._numbered(time_us)
        member.birth(payload, time_us // 1000, broken=member.view.key in broken)
        return self._out("DBIRTH", member.name, payload)

    def _report(self, member: Member, time_us: int, broken: set[str]) -> Iterator[Out]:
        payload = Payload(timestamp=time_us // 1000)
        member.changes(payload, time_us // 1000, broken=member.view.key in broken)
        if payload.metrics:
            payload.seq = self._next_seq()
            yield self._out("DDATA" if member.name else "NDATA", member.name, payload)

    def _numbered(self, time_us: int) -> Payload:
        return Payload(timestamp=time_us // 1000, seq=self._next_seq())

    def _next_seq(self) -> int:
        seq, self._seq = self._seq, (self._seq + 1) % 256
        return seq

    def _out(self, verb: str, name: str, payload: Payload, qos: int = 0) -> Out:
        topic = f"{NAMESPACE}/{self.group}/{verb}/{self.node}" + (f"/{name}" if name else "")
        member = self._by_name.get(name)
        return Out(member.view.key if member else "", topic, payload.SerializeToString(), qos)


def _told(metric: Payload.Metric, kind: Type) -> float | str:
    which = metric.WhichOneof("value")
    if which is None:
        raise ValueError("a command without a value")
    raw = getattr(metric, which)
    if isinstance(raw, str) != (kind is Type.STRING):
        raise TypeError(f"a command for {kind.name} holds {which}")
    if isinstance(raw, str):
        return raw
    if kind in (Type.INT16, Type.INT32, Type.INT64):
        bits = _BITS[kind]
        low = int(raw) & ((1 << bits) - 1)
        return low - (1 << bits) if low >> (bits - 1) else low
    return float(raw)
