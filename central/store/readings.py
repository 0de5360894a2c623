"""Readings on their way into the table: columns become binary COPY bytes, without a loop per reading.

COPY file: "PGCOPY\\n\\xff\\r\\n\\0" flags:int32 extension:int32 { row } -1:int16
row:       fields:int16 { length:int32 bytes } …, all big endian; length -1 is NULL
(PostgreSQL documentation, SQL COPY, "Binary Format"; timestamptz counts µs from 2000-01-01 UTC)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection, sql
from psycopg.errors import UniqueViolation

from central.store.base import Pool
from protocols.model.clock import SECOND_US

DAY_US = 86_400 * SECOND_US
POSTGRES_EPOCH_US = 946_684_800 * SECOND_US
OTHER = "readings_other"
"""Partition of times before 2000: clocks that were never set."""
PARTITION_LOCK = 0x43_4E_5F_50_54
"""Advisory lock of whoever makes partitions: "CN_PT"."""

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
COPY_TRAILER = struct.pack("!h", -1)

_NUMBER = np.dtype(
    [
        ("fields", ">i2"), ("l_series", ">i4"), ("series", ">i4"), ("l_time", ">i4"), ("time", ">i8"),
        ("l_value", ">i4"), ("value", ">f8"), ("l_quality", ">i4"), ("quality", ">i4"),
    ]
)  # fmt: skip
_EMPTY = np.dtype(
    [
        ("fields", ">i2"), ("l_series", ">i4"), ("series", ">i4"), ("l_time", ">i4"), ("time", ">i8"),
        ("l_value", ">i4"), ("l_quality", ">i4"), ("quality", ">i4"),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeriesReadings:
    """n readings as columns of shape (n,), sorted by (series, time), each pair once.

    value is NaN where there is no number; text maps rows to words.
    """

    series: NDArray[np.int32]
    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]
    text: dict[int, str]

    def __len__(self) -> int:
        return len(self.series)

    @classmethod
    def sort(
        cls,
        series: NDArray[np.int32],
        time_us: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint32],
        text: dict[int, str],
    ) -> SeriesReadings:
        """Sort columns; of two readings with one point and source time the first that came is kept."""
        order = np.lexsort((time_us, series))
        series, time_us = series[order], time_us[order]
        again = np.zeros(len(order), bool)
        again[1:] = (series[1:] == series[:-1]) & (time_us[1:] == time_us[:-1])
        if again.any():
            order, series, time_us = order[~again], series[~again], time_us[~again]
        words = {}
        if text:
            words = {new: text[old] for new, old in enumerate(order.tolist()) if old in text}
        return cls(series, time_us, value[order], quality[order], words)

    def rows(self, chosen: NDArray[np.bool_]) -> SeriesReadings:
        """Return the chosen rows."""
        words = {}
        if self.text:
            kept = np.flatnonzero(chosen).tolist()
            words = {new: self.text[old] for new, old in enumerate(kept) if old in self.text}
        return SeriesReadings(
            self.series[chosen], self.time_us[chosen], self.value[chosen], self.quality[chosen], words
        )


def copy_bytes(readings: SeriesReadings) -> bytes:
    """Return the rows that have no text as a binary COPY of (series, time, value, quality)."""
    keep = np.ones(len(readings), bool)
    keep[list(readings.text)] = False
    nulls = np.isnan(readings.value)
    with_number = _filled(readings, keep & ~nulls, _NUMBER)
    with_number["l_value"] = 8
    with_number["value"] = readings.value[keep & ~nulls]
    without = _filled(readings, keep & nulls, _EMPTY)
    without["l_value"] = -1
    return b"".join((COPY_HEADER, with_number.tobytes(), without.tobytes(), COPY_TRAILER))


def _filled(readings: SeriesReadings, chosen: NDArray[np.bool_], dtype: np.dtype[Any]) -> NDArray[Any]:
    rows = np.empty(int(np.count_nonzero(chosen)), dtype)
    rows["fields"] = 4
    rows["l_series"] = 4
    rows["series"] = readings.series[chosen]
    rows["l_time"] = 8
    rows["time"] = readings.time_us[chosen] - POSTGRES_EPOCH_US
    rows["l_quality"] = 4
    rows["quality"] = readings.quality[chosen].view(np.int32)
    return rows


def text_copy_bytes(readings: SeriesReadings) -> bytes:
    """Return the rows with text as a binary COPY of (series, time, value, quality, text)."""
    parts = [COPY_HEADER]
    for row, words in readings.text.items():
        encoded = words.encode()
        value = float(readings.value[row])
        number = struct.pack("!i", -1) if np.isnan(value) else struct.pack("!id", 8, value)
        time = int(readings.time_us[row]) - POSTGRES_EPOCH_US
        parts += (
            struct.pack("!hiiiq", 5, 4, int(readings.series[row]), 8, time),
            number,
            struct.pack("!iIi", 4, int(readings.quality[row]), len(encoded)),
            encoded,
        )
    parts.append(COPY_TRAILER)
    return b"".join(parts)


async def store(connection: AsyncConnection[Any], readings: SeriesReadings) -> None:
    """Put readings into their partitions, inside the caller's transaction.

    A (point, source time) that is there already stays as it is. The partitions must exist.
    """
    if not len(readings):
        return
    days = readings.time_us // DAY_US
    for day in np.unique(days).tolist():
        part = readings if days[0] == days[-1] == day and (days == day).all() else readings.rows(days == day)
        table = partition_name(day)
        try:
            async with connection.transaction():
                await _copy(connection, table, part)
        except UniqueViolation:
            await _merge(connection, table, part)


async def _copy(connection: AsyncConnection[Any], table: str, readings: SeriesReadings) -> None:
    name = sql.Identifier(table)
    if len(readings.text) < len(readings):
        statement = sql.SQL("COPY {} (series, time, value, quality) FROM STDIN (FORMAT binary)").format(name)
        async with connection.cursor() as cursor, cursor.copy(statement) as copy:
            await copy.write(copy_bytes(readings))
    if readings.text:
        statement = sql.SQL("COPY {} (series, time, value, quality, text) FROM STDIN (FORMAT binary)").format(
            name
        )
        async with connection.cursor() as cursor, cursor.copy(statement) as copy:
            await copy.write(text_copy_bytes(readings))


async def _merge(connection: AsyncConnection[Any], table: str, readings: SeriesReadings) -> None:
    """Store what is not there yet: a point spoke twice with one source time, in two batches."""
    await connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE readings) ON COMMIT DROP")
    await connection.execute("TRUNCATE incoming")
    await _copy(connection, "incoming", readings)
    await connection.execute(
        sql.SQL("INSERT INTO {} SELECT * FROM incoming ON CONFLICT DO NOTHING").format(sql.Identifier(table))
    )


def partition_name(day: int) -> str:
    """Return the table of a day, counted from 1970-01-01 UTC."""
    if day * DAY_US < POSTGRES_EPOCH_US:
        return OTHER
    return f"readings_{_date(day):%Y%m%d}"


def _date(day: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)


class Partitions:
    """Makes the daily partitions before they are needed, and remembers which there are."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: set[int] = set()

    async def ensure(self, days: NDArray[np.int64]) -> None:
        """Make the partitions of these days (counted from 1970-01-01 UTC) where they are missing."""
        missing = set(np.unique(days).tolist()) - self._known
        for day in sorted(missing):
            if partition_name(day) != OTHER:
                await self._make(day)
            self._known.add(day)

    def forget(self) -> None:
        """Look again next time; after a failure, and after partitions were dropped."""
        self._known.clear()

    async def _make(self, day: int) -> None:
        name = sql.Identifier(partition_name(day))
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
            attached = await (
                await connection.execute(
                    "SELECT 1 FROM pg_inherits WHERE inhparent = 'readings'::regclass"
                    " AND inhrelid = to_regclass(%s)",
                    (partition_name(day),),
                )
            ).fetchone()
            if attached:
                return
            # Made apart and attached: CREATE … PARTITION OF would lock out every reader meanwhile.
            await connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} (LIKE readings INCLUDING ALL)").format(name)
            )
            await connection.execute(
                sql.SQL("ALTER TABLE readings ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                    name, sql.Literal(f"{_date(day):%Y-%m-%d}T00:00:00Z"),
                    sql.Literal(f"{_date(day + 1):%Y-%m-%d}T00:00:00Z"),
                )
            )  # fmt: skip
