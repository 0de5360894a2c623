"""Chattering and floods: rolling counts on the gateway's clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.alarms.engine import AlarmEngine
from edge.alarms.rates import (
    CHATTER_CHANGES,
    CHATTER_US,
    FLOOD_BEGINS,
    FLOOD_ENDS,
    FLOOD_MINUTES,
    Rates,
)
from tests.edge.alarms.tank import S, act, at, engine, rule, take

MINUTE = 60 * S


def since(alarms: AlarmEngine) -> int | None:
    return alarms.rates.flood_since_us


def test_more_than_five_changes_in_five_minutes_chatter() -> None:
    alarms = engine()
    take(alarms, *[(10 * i, 11 if i % 2 == 0 else 1) for i in range(5)])
    assert not alarms.views(at(50))[0].chattering
    take(alarms, (50, 1))
    assert alarms.views(at(51))[0].chattering
    assert alarms.rates.chatterers(at(51)) == 1
    assert not alarms.views(at(301))[0].chattering, "the first of them is older than five minutes"
    alarms.tick(at(900))
    assert alarms.rates._changes == {}, "and nothing of it is kept"


def test_a_flood_begins_with_the_eleventh_call_and_ends_below_five() -> None:
    alarms = engine(*(rule(id=f"tank.r{i}", limit=float(i + 1)) for i in range(12)))
    take(alarms, (0, 0), (5, 10))
    assert since(alarms) is None
    take(alarms, (6, 11))
    assert since(alarms) == at(6)
    for minute in range(1, 10):
        alarms.tick(at(60 * minute))
        assert since(alarms) == at(6)
    alarms.tick(at(599))
    assert since(alarms) == at(6)
    alarms.tick(at(600))
    assert since(alarms) is None


def test_what_nobody_hears_is_no_flood() -> None:
    alarms = engine(*(rule(id=f"tank.r{i}", limit=float(i + 1)) for i in range(20)))
    for i in range(10):
        act(alarms, "shelve", 0, f"tank.r{i}", until_us=at(3000))
    take(alarms, (1, 100))
    assert since(alarms) is None
    for i in range(10):
        act(alarms, "unshelve", 2, f"tank.r{i}")
    assert since(alarms) == at(2), "now they call"


def test_a_clock_set_back_neither_keeps_a_flood_nor_a_chatter() -> None:
    rates = Rates()
    for _ in range(20):
        rates.annunciated(at(7200))
        rates.changed(1, at(7200))
    rates.step_back(7200 * S)
    assert rates.chattering(1, at(0))
    assert not rates.chattering(1, at(301))
    rates.tick(at(60))
    assert rates.flood_since_us is None


@given(st.lists(st.integers(0, 90), max_size=80))
def test_the_flood_is_that_of_a_slow_count(gaps: list[int]) -> None:
    """Held against every annunciation kept, over whole minutes."""
    rates, now, flood = Rates(), 0, False
    calls: list[int] = []
    for gap in gaps:
        for second in range(now + 1, now + gap + 1):
            if second % 60 == 0:
                rates.tick(at(second))
                flood = flood and _count(calls, at(second)) >= FLOOD_ENDS
        now += gap
        rates.annunciated(at(now))
        calls.append(at(now))
        flood = flood or _count(calls, at(now)) > FLOOD_BEGINS
        assert (rates.flood_since_us is not None) is flood


def _count(calls: list[int], now_us: int) -> int:
    first = now_us // MINUTE - FLOOD_MINUTES
    return sum(first < call // MINUTE for call in calls)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=40))
def test_chattering_is_that_of_a_slow_count(gaps: list[int]) -> None:
    rates, now = Rates(), 0
    times: list[int] = []
    for gap in gaps:
        now += gap
        rates.changed(7, at(now))
        times.append(at(now))
        recent = [time for time in times if at(now) - time <= CHATTER_US]
        assert rates.chattering(7, at(now)) is (len(recent) > CHATTER_CHANGES)
