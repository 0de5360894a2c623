"""Columns of readings, cut and joined."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from protocols.model.reading import Readings


@given(st.integers(0, 30), st.integers(1, 12), st.sets(st.integers(0, 29)))
def test_slices_join_to_the_same_readings(n: int, rows: int, words: set[int]) -> None:
    whole = Readings(
        np.arange(n, dtype=np.int32),
        np.arange(n, dtype=np.int64) * 7,
        np.arange(n, dtype=np.float64) / 3,
        np.arange(n, dtype=np.uint32) % 2,
        {row: f"row {row}" for row in words if row < n},
    )
    parts = list(whole.slices(rows))
    assert all(0 < len(part) <= rows for part in parts) or n == 0
    joined = Readings.concat(parts)
    assert joined.text == whole.text
    for column in ("point", "time_us", "value", "quality"):
        assert np.array_equal(getattr(joined, column), getattr(whole, column))
