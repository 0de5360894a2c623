"""Readings as files for other tools: CSV, Arrow, Parquet, streamed piece by piece.

    raw:        time, point, value, unit, quality, quality_name, text
    rolled up:  time, point, n, bad, min, avg, max, last, unit

One row per reading or bucket, point after point, each in time order. Whatever the span, no more than
`ROWS` rows are in memory, and the database is not held between two pieces.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from central.city.registry import PointRecord
from central.kernel.problem import Problem
from central.store.history import BUCKET_US, History, Resolution
from protocols.model.quality import quality_name

Format = Literal["csv", "arrow", "parquet"]
MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
ROWS: Final = 50_000
BOM: Final = b"\xef\xbb\xbf"
"""What Excel needs to read UTF-8."""

_RAW: Final = {
    "time": pa.timestamp("us", tz="UTC"), "point": pa.string(), "value": pa.float64(), "unit": pa.string(),
    "quality": pa.uint32(), "quality_name": pa.string(), "text": pa.string(),
}  # fmt: skip
_ROLLED: Final = {
    "time": pa.timestamp("us", tz="UTC"), "point": pa.string(), "n": pa.int64(), "bad": pa.int64(),
    "min": pa.float64(), "avg": pa.float64(), "max": pa.float64(), "last": pa.float64(),
    "unit": pa.string(),
}  # fmt: skip
_MEASURED: Final = frozenset({"value", "min", "avg", "max", "last"})
_SAID: Final = frozenset({"unit", "text"})
"""Columns that hold what a gateway wrote."""
_ACTS: Final = r"(?s)^[=+\-@\t\r]."
"""How a formula begins (CSV injection, OWASP); a unit `-` is none."""


class Encoder(Protocol):
    """Turns tables into bytes of one format, piece by piece."""

    def begin(self) -> bytes:
        """Return what comes before the first row."""
        ...

    def piece(self, batch: pa.RecordBatch) -> bytes:
        """Return the bytes of some rows."""
        ...

    def end(self) -> bytes:
        """Return what comes after the last row."""
        ...


class Export:
    """One export. `schema` is what a reader finds; a field's metadata says the unit where all have one."""

    def __init__(
        self,
        history: History,
        points: Sequence[PointRecord],
        *,
        span: tuple[int, int],
        resolution: Resolution,
        fields: Sequence[str] | None,
    ) -> None:
        """fields: columns in the order wanted, None: all. Problem 422 `bad-field` for one there is not."""
        self._history = history
        self._points = points
        self._span = span
        self._resolution = resolution
        known = _RAW if resolution == "raw" else _ROLLED
        chosen = list(known) if fields is None else list(fields)
        if unknown := [name for name in chosen if name not in known]:
            detail = f"{', '.join(unknown)}: no such column at `{resolution}`. There are {', '.join(known)}."
            raise Problem(422, "bad-field", "Unknown column", detail)
        units = {point.unit for point in points}
        unit = units.pop() if len(units) == 1 else None
        self.schema = pa.schema(
            [
                pa.field(
                    name, known[name],
                    metadata={"unit": unit} if unit is not None and name in _MEASURED else None,
                )
                for name in chosen
            ]
        )  # fmt: skip

    async def stream(self, encoder: Encoder) -> AsyncIterator[bytes]:
        """Yield the file; it ends early, and its reader sees that, when the database goes away meanwhile."""
        yield encoder.begin()
        for point in self._points:
            async for batch in self._batches(point):
                yield await asyncio.to_thread(encoder.piece, batch)
        yield encoder.end()

    async def _batches(self, point: PointRecord) -> AsyncIterator[pa.RecordBatch]:
        start, end = self._span
        while start < end:
            columns, last_us, more = await self._columns(point, start, end)
            if last_us is not None:
                yield pa.record_batch([columns[name] for name in self.schema.names], schema=self.schema)
            if not more or last_us is None:
                return
            start = last_us + (1 if self._resolution == "raw" else BUCKET_US[self._resolution])

    async def _columns(
        self, point: PointRecord, start: int, end: int
    ) -> tuple[dict[str, pa.Array], int | None, bool]:
        """Return the next rows by column, the time of the last, and whether there are more."""
        columns: dict[str, pa.Array]
        if self._resolution == "raw":
            raw = await self._history.raw(point.series, start, end, ROWS)
            times, more, n = raw.time_us, raw.truncated, len(raw.time_us)
            codes, rows = np.unique(raw.quality, return_inverse=True)
            names = np.array([quality_name(code) for code in codes.tolist()], object)
            columns = {
                "value": pa.array(raw.value, from_pandas=True),
                "quality": pa.array(raw.quality),
                "quality_name": pa.array(names[rows], pa.string()),
                "text": pa.array([raw.text.get(row) for row in range(n)], pa.string())
                if raw.text
                else pa.nulls(n, pa.string()),
            }
        else:
            rolled = await self._history.rolled(point.series, self._resolution, start, end, ROWS)
            times, more, n = rolled.time_us, rolled.truncated, len(rolled.time_us)
            columns = {
                name: pa.array(column, from_pandas=True)
                for name, column in (
                    ("n", rolled.n), ("bad", rolled.bad), ("min", rolled.min), ("avg", rolled.avg),
                    ("max", rolled.max), ("last", rolled.last),
                )
            }  # fmt: skip
        columns["time"] = pa.array(times, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
        columns["point"] = pa.repeat(point.id, n)
        columns["unit"] = pa.repeat(point.unit, n)
        return columns, int(times[-1]) if n else None, more


class Csv:
    """RFC 4180 with a header; times ISO 8601 UTC; no number is an empty cell; `value [m]` where one unit.

    A device may say anything: a text that a spreadsheet would take for a formula has an apostrophe before it.
    """

    def __init__(self, schema: pa.Schema, *, bom: bool) -> None:
        self._schema = schema
        self._bom = bom

    def begin(self) -> bytes:
        names = []
        for field in self._schema:
            unit = (field.metadata or {}).get(b"unit", b"").decode()
            names.append(f"{field.name} [{unit}]" if unit and unit != "1" else field.name)
        return (BOM if self._bom else b"") + (",".join(map(_cell, names)) + "\r\n").encode()

    def piece(self, batch: pa.RecordBatch) -> bytes:
        if "time" in batch.schema.names:
            place = batch.schema.get_field_index("time")
            times = batch.column(place).cast(pa.int64()).to_numpy().astype("datetime64[us]")
            fine = (times.astype(np.int64) % 1000).any()
            words = np.datetime_as_string(times, unit="us" if fine else "ms", timezone="UTC")
            batch = batch.set_column(place, "time", pa.array(words.astype(object), pa.string()))
        for place, name in enumerate(batch.schema.names):
            if name in _SAID:
                harmless = pc.replace_substring_regex(batch.column(place), _ACTS, r"'\0")
                batch = batch.set_column(place, name, harmless)
        sink = io.BytesIO()
        pa_csv.write_csv(batch, sink, pa_csv.WriteOptions(include_header=False, quoting_style="needed"))
        return sink.getvalue()

    def end(self) -> bytes:
        return b""


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text


class _Sink(io.RawIOBase):
    """A file that only grows; `taken` returns and forgets what was written since."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # RawIOBase says Buffer
        self._parts.append(bytes(data))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class Arrow:
    """Arrow IPC stream, zstd."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, mode="w"), schema, options=options)

    def begin(self) -> bytes:
        return self._sink.taken()

    def piece(self, batch: pa.RecordBatch) -> bytes:
        self._writer.write_batch(batch)
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


class Parquet:
    """Parquet, zstd, a row group per piece."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, mode="w"), schema, compression="zstd")

    def begin(self) -> bytes:
        return self._sink.taken()

    def piece(self, batch: pa.RecordBatch) -> bytes:
        self._writer.write_batch(batch)
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


def encoder(kind: Format, schema: pa.Schema, *, bom: bool) -> Encoder:
    """Return the encoder of a format; bom: begin a CSV with the mark that Excel wants."""
    makers: dict[Format, Callable[[], Encoder]] = {
        "csv": lambda: Csv(schema, bom=bom),
        "arrow": lambda: Arrow(schema),
        "parquet": lambda: Parquet(schema),
    }
    return makers[kind]()
