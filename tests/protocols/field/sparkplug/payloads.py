"""Short ways to Sparkplug payloads, and an edge node without a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from protocols.field.sparkplug.latest import Latest
from protocols.field.sparkplug.node import EdgeNode, Slot
from protocols.model.sparkplug import BD_SEQ, DataType
from protocols.model.sparkplug.payload_pb2 import Payload
from tests.protocols.field.devices import bind, profile, rows

T0_MS = 1_790_000_000_000
T0_US = T0_MS * 1000


def metric(name: str = "", value: Any = None, *, alias: int | None = None, **fields: Any) -> Payload.Metric:
    """Return a metric whose value field follows from the Python value; None is a null."""
    made = Payload.Metric(**fields)
    if name:
        made.name = name
    if alias is not None:
        made.alias = alias
    if isinstance(value, bool):
        made.boolean_value = value
    elif isinstance(value, int):
        made.int_value = value
    elif isinstance(value, float):
        made.double_value = value
    elif isinstance(value, str):
        made.string_value = value
    elif isinstance(value, bytes):
        made.bytes_value = value
    elif value is None:
        made.is_null = True
    return made


def payload(metrics: Iterable[Payload.Metric] = (), seq: int | None = None, at_ms: int = T0_MS) -> Payload:
    """Return a payload; without `seq` it has none."""
    made = Payload(timestamp=at_ms, metrics=metrics)
    if seq is not None:
        made.seq = seq
    return made


def bd_seq(number: int) -> Payload.Metric:
    """Return the metric that joins a birth to its death."""
    return Payload.Metric(name=BD_SEQ, datatype=DataType.INT64, long_value=number)


class Desk:
    """An EdgeNode with a clock of its own. `points` map point key → (device, metric, type[, path])."""

    def __init__(self, points: dict[str, tuple[str, ...]], reorder_s: float = 2.0) -> None:
        bound = bind(
            profile(
                "sparkplug",
                [
                    {"key": key, "type": spec[2], "sparkplug": {"metric": spec[1]}}
                    for key, spec in points.items()
                ],
            ),
            {},
        ).points
        wanted: dict[str, dict[str, tuple[Slot, ...]]] = {}
        for row, (device, name, kind, *path) in enumerate(points.values()):
            slots = wanted.setdefault(device, {})
            steps: tuple[str | int, ...] = tuple(int(p) if p.isdecimal() else p for p in path)
            slots[name] = (*slots.get(name, ()), Slot(row, kind, steps))  # type: ignore[arg-type]
        self.keys = list(points)
        self.latest = Latest(bound)
        self.node = EdgeNode("N", wanted, self.latest, reorder_s)
        self.now = 100.0

    def take(self, verb: str, made: Payload, device: str = "", mark: int | None = None) -> None:
        """Let the node take a message now."""
        raw = made.SerializeToString()
        number = hash(raw) if mark is None else mark
        self.node.take(verb, device, made, number, self.now, self.now_us)

    @property
    def now_us(self) -> int:
        """The wall clock, which goes along with `now`."""
        return T0_US + round((self.now - 100.0) * 1e6)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.node.tick(self.now, self.now_us)

    def drawn(self) -> list[tuple[str, int, float | str, int]]:
        """Return what was said since the last call: key, time, value or text, quality."""
        said = self.latest.draw()
        return [
            (self.keys[index], int(said.time_us[row]), said.text.get(row, float(said.value[row])), int(code))
            for row, (index, code) in enumerate(zip(said.point.tolist(), said.quality.tolist(), strict=True))
        ]

    def last(self) -> dict[str, tuple[float | str, int]]:
        """Return each point's newest value and quality of what was said since the last draw."""
        return {self.keys[index]: told for index, told in rows(self.latest.draw()).items()}
