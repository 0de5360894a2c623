"""Whole columns out of one statement: arrays in PostgreSQL's binary form, read by numpy without a loop.

array:    dimensions:int32 (0 where it is empty) nulls:int32 element_oid:int32 { size:int32 lower:int32 }
          { length:int32 bytes } …, all big endian (PostgreSQL sources, `array_send`; timestamptz counts
          µs from 2000-01-01 UTC). The statement must leave no NULL in an array.

Eighty thousand rows as tuples are a quarter of a million Python objects; as arrays they are three.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection

from central.store.readings import POSTGRES_EPOCH_US

_HEAD: Final = struct.Struct("!iiiii")
_LONG: Final = np.dtype([("length", ">i4"), ("item", ">i8")])
_DOUBLE: Final = np.dtype([("length", ">i4"), ("item", ">f8")])
_SHORT: Final = np.dtype([("length", ">i4"), ("item", ">u4")])


class Columns:
    """The one row of an answer; `time` of timestamptz[], `number` of float8[], and so on, by place."""

    def __init__(self, row: list[bytes | None]) -> None:
        self._row = row

    def time(self, place: int) -> NDArray[np.int64]:
        """Return a timestamptz[] as µs since 1970 UTC."""
        return self._items(place, _LONG).astype(np.int64) + POSTGRES_EPOCH_US

    def count(self, place: int) -> NDArray[np.int64]:
        """Return an int8[]."""
        return self._items(place, _LONG).astype(np.int64)

    def number(self, place: int) -> NDArray[np.float64]:
        """Return a float8[]."""
        return self._items(place, _DOUBLE).astype(np.float64)

    def bits(self, place: int) -> NDArray[np.uint32]:
        """Return an int4[] as the 32 bits of each item."""
        return self._items(place, _SHORT).astype(np.uint32)

    def words(self, place: int) -> dict[str, str]:
        """Return a json object of texts; empty for NULL."""
        value = self._row[place]
        return {} if value is None else {str(key): str(text) for key, text in json.loads(value).items()}

    def _items(self, place: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        value = self._row[place]
        if value is None or len(value) < _HEAD.size:
            return np.empty(0, dtype)["item"]
        _, nulls, _, size, _ = _HEAD.unpack_from(value)
        if nulls or len(value) != _HEAD.size + size * dtype.itemsize:
            raise ValueError(f"column {place} of the answer is not an array of {size} items without NULL")
        items: NDArray[Any] = np.frombuffer(value, dtype, size, _HEAD.size)["item"]
        return items


async def fetch_columns(
    connection: AsyncConnection[Any], statement: str, values: dict[str, object]
) -> Columns:
    """Run a statement that gives one row of arrays. It is made of constants; values travel as parameters."""
    cursor = await connection.execute(statement.encode(), values, binary=True)
    result = cursor.pgresult
    if result is None or result.ntuples != 1:
        raise ValueError("the statement gave no row, or several")
    return Columns([result.get_value(0, place) for place in range(result.nfields)])
