"""Sequence numbers: whatever a broker does to the order, nothing is doubled, and nothing lost unseen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.field.sparkplug.order import MOST_HELD, RANGE, Order

STARTS = st.integers(0, RANGE - 1)


def offered(order: Order[int], start: int, places: list[int], now: float = 0.0) -> list[int]:
    """Offer messages by their place after the birth; return what was handed on."""
    return [item for place in places for item in order.offer((start + 1 + place) % RANGE, place, place, now)]


@given(STARTS, st.integers(1, 600))
def test_in_order_everything_passes_round_and_round(start: int, n: int) -> None:
    order: Order[int] = Order(2.0)
    order.begin(start)
    assert offered(order, start, list(range(n))) == list(range(n))
    assert not order.overdue(1e9)


@given(
    STARTS, st.lists(st.floats(0, 12), min_size=1, max_size=400), st.lists(st.integers(0, 399), max_size=30)
)
def test_reordered_and_doubled_messages_come_out_in_order(
    start: int, delays: list[float], twice: list[int]
) -> None:
    arrivals = [(place + delay, place) for place, delay in enumerate(delays)]
    arrivals += [(place + delays[place] + 0.5, place) for place in twice if place < len(delays)]
    order: Order[int] = Order(2.0)
    order.begin(start)
    assert offered(order, start, [place for _, place in sorted(arrivals)]) == list(range(len(delays)))
    assert order.gaps == 0


@given(STARTS, st.integers(0, 40), st.integers(1, 20), st.integers(1, 40))
def test_a_lost_run_is_a_gap_after_the_timeout_and_the_rest_goes_on(
    start: int, before: int, lost: int, after: int
) -> None:
    order: Order[int] = Order(2.0)
    order.begin(start)
    places = [*range(before), *range(before + lost, before + lost + after)]
    assert offered(order, start, places, now=10.0) == places[:before]
    assert not order.overdue(11.9)
    assert order.overdue(12.0)
    assert order.give_up() == places[before:]
    assert order.gaps == 1
    follow = places[-1] + 1
    assert offered(order, start, [follow, follow + 1], now=13.0) == [follow, follow + 1]


def test_too_many_held_messages_are_a_gap_at_once() -> None:
    order: Order[int] = Order(60.0)
    order.begin(0)
    offered(order, 0, list(range(1, MOST_HELD + 1)))
    assert not order.overdue(0.0)
    offered(order, 0, [MOST_HELD + 1])
    assert order.overdue(0.0)


def test_after_255_comes_0() -> None:
    order: Order[str] = Order(2.0)
    order.begin(254)
    assert order.offer(0, 2, "zero", 0.0) == []
    assert order.offer(255, 1, "last", 0.1) == ["last", "zero"]
    assert order.offer(255, 1, "last", 0.2) == []
    assert order.repeats == 1
