"""Reading the past of a point: raw readings, or rollups that are right although some are not rolled yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection

from central.store.base import Database

Resolution = Literal["raw", "1m", "1h", "1d"]


@dataclass(frozen=True, slots=True)
class RawHistory:
    """Readings of one series in time order, columns of shape (n,). value NaN where there is no number."""

    series: int
    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]
    text: dict[int, str]
    truncated: bool


@dataclass(frozen=True, slots=True)
class RolledHistory:
    """Buckets of one series in time order, columns of shape (n,); time_us is the bucket's start, UTC.

    n counts the good and uncertain numbers; sum, min, max, last are NaN where n is 0; bad counts the
    readings of bad quality.
    """

    series: int
    time_us: NDArray[np.int64]
    n: NDArray[np.int64]
    sum: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    bad: NDArray[np.int64]
    truncated: bool

    @property
    def avg(self) -> NDArray[np.float64]:
        """Return the mean of each bucket; NaN where n is 0."""
        return np.divide(self.sum, self.n, out=np.full(len(self.n), np.nan), where=self.n > 0)


@dataclass(frozen=True, slots=True)
class LastReading:
    """The stored reading of one series with the greatest source time."""

    series: int
    time_us: int
    value: float | None
    quality: int
    text: str | None


class History:
    """Answers history questions. Times are µs UTC, `[from_us, to_us)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def raw(self, series: int, from_us: int, to_us: int, limit: int = 10_000) -> RawHistory:
        """Return at most `limit` readings, the oldest first; `truncated` says that there were more."""
        raise NotImplementedError

    async def rolled(
        self, series: int, resolution: Literal["1m", "1h", "1d"], from_us: int, to_us: int, limit: int = 10_000
    ) -> RolledHistory:
        """Return the buckets that overlap the span, the not yet rolled part computed from raw readings."""
        raise NotImplementedError


def choose_resolution(from_us: int, to_us: int, period_s: float, points: int = 1000) -> Resolution:
    """Return the finest resolution that shows the span in about `points` points."""
    raise NotImplementedError


async def newest_readings(
    connection: AsyncConnection[tuple[object, ...]], series: NDArray[np.int32] | Sequence[int]
) -> list[LastReading]:
    """Return the newest stored reading of each of these series; one without readings is left out."""
    raise NotImplementedError
