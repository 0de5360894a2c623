"""Ranges of places against a plain set."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.buffer.places import Places

ranges = st.lists(st.tuples(st.integers(-30, 30), st.integers(0, 6)), max_size=20)


@given(ranges, st.integers(-40, 40), st.integers(-40, 40))
def test_it_is_a_set(added: list[tuple[int, int]], low: int, high: int) -> None:
    places, model = Places(), set()
    for first, more in added:
        places.add(first, first + more)
        model |= set(range(first, first + more + 1))
    assert {n for n in range(-50, 50) if n in places} == model
    told = places.ranges()
    assert all(before[1] + 1 < after[0] for before, after in pairwise(told))
    gaps = [n for first, last in places.gaps(low, high) for n in range(first, last + 1)]
    assert gaps == [n for n in range(low, high + 1) if n not in model]
    assert Places(told).ranges() == told
