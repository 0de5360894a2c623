"""From the bytes of one answer to columns: a few numpy operations per block, none per point.

Compiling a block fixes, for each byte of each value, where on the wire it lies; one gather then puts
all values of the block into little-endian form, grouped by type, and each group is one view.
Types and word orders: `../shared/domain/field_protocols.md` 1.3 (64-bit included).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.field.modbus.dates import DATES, seconds_of
from protocols.field.modbus.planner import Block, Span, is_bits
from protocols.model.datatypes import WordOrder
from protocols.model.quality import Quality
from protocols.model.reading import PointIndexes, Qualities, Readings, Values

Bytes = NDArray[np.uint8]

# Wide values first, so that every view is aligned; floats together, so that one test finds their NaN.
_GROUPS = (
    "i64", "u64", "unix64", "f64", "f32", "i32", "u32", "unix32", "sm32", "bcd32",
    "i16", "u16", "sm16", "bcd16", "bit", "bool", "date6", "date3", "ascii",
)  # fmt: skip
_FLOATS = ("f64", "f32")
_NUMPY = {
    "i64": "<i8", "u64": "<u8", "f64": "<f8", "f32": "<f4", "i32": "<i4", "u32": "<u4", "bcd32": "<u4",
    "i16": "<i2", "u16": "<u2", "bcd16": "<u2", "bit": "<u2", "bool": "<u2",
    "sm16": "<u2", "sm32": "<u4", "unix32": "<u4", "unix64": "<u8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Group:
    """Values of one type: where they lie among the gathered bytes, and in the columns."""

    kind: str
    dtype: np.dtype[np.generic]
    source: slice
    target: slice
    shifts: NDArray[np.uint16]


def wire_positions(start: int, count: int, order: WordOrder) -> list[int]:
    """Return where the bytes of a value of `count` registers lie, the most significant first."""
    words = range(count - 1, -1, -1) if order in ("CDAB", "DCBA") else range(count)
    within = (1, 0) if order in ("BADC", "DCBA") else (0, 1)
    return [start + 2 * word + byte for word in words for byte in within]


class BlockDecoder:
    """The compiled form of one block. `points` is the order in which its columns answer."""

    def __init__(self, block: Block) -> None:
        self._bits = is_bits(block.fc)
        spans = sorted(block.spans, key=lambda span: _GROUPS.index(_kind(span)))
        self.points: PointIndexes = np.array([span.point.index for span in spans], np.int32)
        self.counters: NDArray[np.intp] = np.array(
            [row for row, span in enumerate(spans) if span.address.counter], np.intp
        )
        """Rows that only count up: a jump in them is looked at twice."""
        self.payload_bytes = (block.count + 7) // 8 if self._bits else 2 * block.count
        self._groups: list[_Group] = []
        self._texts: list[tuple[int, list[int]]] = []
        self._dates: list[tuple[int, str, list[int]]] = []
        self._floats: slice | None = None
        self.decode: Callable[[Bytes, int], Readings]
        if self._bits:
            self._gather = np.array([span.start - block.start for span in spans], np.intp)
            self.decode = self._decode_bits
        else:
            self._gather = self._compile(spans, block.start)
            self.decode = self._decode_registers

    def _compile(self, spans: Sequence[Span], origin: int) -> NDArray[np.intp]:
        gather: list[int] = []
        row = 0
        for kind in _GROUPS:
            members = [span for span in spans if _kind(span) == kind]
            if not members:
                continue
            first = len(gather)
            for at, span in enumerate(members, row):
                wire = wire_positions(2 * (span.start - origin), span.count, span.address.order)
                if kind == "ascii":
                    self._texts.append((at, wire))
                elif kind in DATES:
                    self._dates.append((at, kind, wire))
                else:
                    gather.extend(reversed(wire))
            rows = slice(row, row + len(members))
            row = rows.stop
            if kind == "ascii" or kind in DATES:
                continue
            shifts = np.array([span.address.bit or 0 for span in members], np.uint16)
            self._groups.append(_Group(kind, np.dtype(_NUMPY[kind]), slice(first, len(gather)), rows, shifts))
            if kind in _FLOATS:
                self._floats = slice(self._floats.start if self._floats else rows.start, rows.stop)
        return np.array(gather, np.intp)

    def _decode_bits(self, payload: Bytes, time_us: int) -> Readings:
        bits = np.unpackbits(payload, bitorder="little")
        return self._at(time_us, bits[self._gather].astype(np.float64), np.zeros(len(self.points), np.uint32))

    def _decode_registers(self, payload: Bytes, time_us: int) -> Readings:
        n = len(self.points)
        gathered = payload[self._gather]
        values: Values = np.empty(n)
        quality: Qualities = np.zeros(n, np.uint32)
        for group in self._groups:
            raw = gathered[group.source].view(group.dtype)
            if group.kind in ("bcd16", "bcd32"):
                values[group.target], broken = _from_bcd(raw)
                _mark(quality, values, group.target, broken, Quality.BAD_DECODING_ERROR)
            elif group.kind in ("sm16", "sm32"):
                number = raw.astype(np.int64)
                sign = 1 << (8 * group.dtype.itemsize - 1)
                values[group.target] = np.where(number >= sign, sign - number, number)
            elif group.kind == "unix64":
                values[group.target] = raw / 1000
            elif group.kind == "bit":
                values[group.target] = (raw >> group.shifts) & 1
            elif group.kind == "bool":
                values[group.target] = raw != 0
            elif group.kind == "f32":
                # Widening a signalling NaN warns; it is found below, like every other NaN.
                with np.errstate(invalid="ignore"):
                    values[group.target] = raw
            else:
                values[group.target] = raw
        if self._floats is not None:
            finite = np.isfinite(values[self._floats])
            if not np.logical_and.reduce(finite):
                _mark(quality, values, self._floats, ~finite, Quality.BAD_SENSOR_FAILURE)
        for row, kind, wire in self._dates:
            seconds = seconds_of(kind, payload[wire].tobytes())
            values[row] = np.nan if seconds is None else seconds
            quality[row] = Quality.BAD_DECODING_ERROR if seconds is None else Quality.GOOD
        text: dict[int, str] = {}
        for row, wire in self._texts:
            values[row] = np.nan
            text[row] = payload[wire].tobytes().decode("ascii", "replace").split("\0", 1)[0].rstrip()
        return self._at(time_us, values, quality, text)

    def _at(
        self, time_us: int, values: Values, quality: Qualities, text: dict[int, str] | None = None
    ) -> Readings:
        times = np.empty(len(values), np.int64)
        times.fill(time_us)
        return Readings(self.points, times, values, quality, text or {})


def _kind(span: Span) -> str:
    return "bit" if span.address.bit is not None else span.point.profile.type


def _from_bcd(raw: NDArray[np.generic]) -> tuple[Values, NDArray[np.bool_]]:
    """Return the numbers, and which of them hold a nibble above 9 and so are no numbers."""
    digits = 2 * raw.dtype.itemsize
    places = np.arange(digits, dtype=raw.dtype)
    nibbles = (raw[:, None] >> (places * 4)) & 15
    return nibbles @ (10.0 ** np.arange(digits)), (nibbles > 9).any(axis=1)


def _mark(quality: Qualities, values: Values, rows: slice, broken: NDArray[np.bool_], code: Quality) -> None:
    """Take away the number of the broken rows and give them `code`."""
    values[rows][broken] = np.nan
    quality[rows][broken] = code
