"""One class of one day as a Parquet file, for years: any tool reads it, and it says itself what it holds.

    series: int32, point: dictionary<string>, time: timestamp[us, UTC], value: float64?, quality: uint32,
    text: string?        sorted by (series, time), zstd, about a million rows a group

`point` is the id beside the number, because a restored database may give numbers anew. Rows come from
PostgreSQL as CSV, which Arrow reads faster than any loop here could read tuples.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from central.store.keeping.files import Written, digest
from central.store.readings import SeriesReadings

CHUNK: Final = 48 << 20
"""Bytes of CSV that become one row group: about a million rows."""

SCHEMA: Final = pa.schema(
    [
        pa.field("series", pa.int32(), nullable=False),
        pa.field("point", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("quality", pa.uint32(), nullable=False),
        pa.field("text", pa.string()),
    ]
)

COLUMNS: Final = (
    "series, (extract(epoch FROM time) * 1000000)::bigint, value, quality::bigint & 4294967295, text"
)
"""What `write` wants of each row, in this order, as CSV."""

_CSV: Final = pa_csv.ConvertOptions(
    column_types={
        "series": pa.int32(), "time": pa.int64(), "value": pa.float64(), "quality": pa.uint32(),
        "text": pa.string(),
    },
    strings_can_be_null=True, quoted_strings_can_be_null=False,
)  # fmt: skip
_NAMES: Final = pa_csv.ReadOptions(column_names=["series", "time", "value", "quality", "text"])
_PARSE: Final = pa_csv.ParseOptions(newlines_in_values=True)


def write(path: Path, rows: Iterable[bytes | bytearray | memoryview], ids: Mapping[int, str]) -> Written:
    """Write CSV rows (`COLUMNS`, whole lines in each piece) to `path`; nothing stays of a failure."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    numbers = np.array(sorted(ids), np.int32)
    names = pa.array([ids[number] for number in numbers.tolist()], pa.string())
    count = 0
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
                for piece in _pieces(rows):
                    table = _table(piece, numbers, names)
                    writer.write_table(table)
                    count += table.num_rows
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return Written(count, path.stat().st_size, digest(path))


def read(path: Path, series: Mapping[str, int]) -> Iterator[SeriesReadings]:
    """Yield the rows of a file for the points that `series` knows by their ids, as columns to be stored."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield _columns(file.read_row_group(group), series)


def _pieces(rows: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    waiting = bytearray()
    for row in rows:
        waiting += row
        if len(waiting) >= CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def _table(piece: bytes, numbers: Any, names: Any) -> Any:
    found = pa_csv.read_csv(
        io.BytesIO(piece), read_options=_NAMES, parse_options=_PARSE, convert_options=_CSV
    )
    series = found["series"].to_numpy()
    places = pa.array(np.searchsorted(numbers, series).astype(np.int32))
    columns = [
        found["series"],
        pa.DictionaryArray.from_arrays(places, names),
        found["time"].cast(pa.timestamp("us", tz="UTC")),
        found["value"],
        found["quality"],
        found["text"],
    ]
    return pa.table(columns, schema=SCHEMA)


def _columns(table: Any, series: Mapping[str, int]) -> SeriesReadings:
    points = table["point"].combine_chunks()
    known = np.array([series.get(name, -1) for name in points.dictionary.to_pylist()], np.int32)
    numbers = known[points.indices.to_numpy()]
    kept = numbers >= 0
    words = table["text"].to_pylist()
    rows = np.flatnonzero(kept).tolist()
    return SeriesReadings.sort(
        numbers[kept],
        table["time"].cast(pa.int64()).to_numpy()[kept],
        table["value"].to_numpy()[kept],
        table["quality"].to_numpy()[kept],
        {place: words[row] for place, row in enumerate(rows) if words[row] is not None},
    )
