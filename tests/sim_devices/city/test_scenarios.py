"""What an operator sees, and when: the storm is a story, the calm day is quiet."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from sim_devices.city import open_city
from tests.sim_devices.city.watch import Watch

WAVE_S = 210


@pytest.fixture(scope="module")
def storm() -> Watch:
    """Return what happened in the first two waves of the storm."""
    watch = Watch(open_city(scenario="rainstorm"))
    watch.run(2 * WAVE_S)
    return watch


def test_the_first_important_alarms_come_in_time(storm: Watch) -> None:
    assert storm.first("P2") <= 40
    assert storm.first("P1", "flood.impassable") <= 90


def test_it_begins_with_small_things_and_grows(storm: Watch) -> None:
    order = [level for _, level, rule in storm.raised if "up-station-flood" in rule][:3]
    assert order == ["P3", "P2", "P1"]
    assert storm.first("P3") > 10


def test_the_cascade_can_be_read(storm: Watch) -> None:
    first = Counter(level for time, level, _ in storm.raised if time <= WAVE_S)
    assert 10 <= sum(first.values()) <= 25
    assert 1 <= first["P1"] <= 3
    assert 3 <= first["P2"] <= 8
    for minute in range(0, 2 * WAVE_S, 60):
        assert sum(minute <= time < minute + 60 for time, _, _ in storm.raised) <= 14


def test_no_rule_chatters(storm: Watch) -> None:
    often = {rule: n for rule, n in Counter(rule for _, _, rule in storm.raised).items() if n > 2}
    assert not often, "each rule rises at most once in each wave"


def test_it_calms_down_and_comes_again(storm: Watch) -> None:
    for name in ("up-station-flood.impassable", "ps-riverside-well.level-overflow"):
        rises = [time for time, _, rule in storm.raised if rule == name]
        clears = [time for time, _, rule in storm.cleared if rule == name]
        assert len(rises) == 2, name
        assert rises[0] < clears[0] < rises[1], name


def test_something_is_always_happening(storm: Watch) -> None:
    times = sorted(time for time, _, _ in (*storm.raised, *storm.cleared))
    assert max(later - earlier for earlier, later in pairwise(times)) < 60


def test_an_operator_who_starts_the_pumps_keeps_the_station_dry() -> None:
    watch = Watch(open_city(scenario="rainstorm"))
    watch.run(watch_until := 41)
    assert watch.first("P2", "ps-riverside-well.level-high") <= watch_until
    for pump in ("ps-riverside-pump1", "ps-riverside-pump2"):
        watch.city.devices()[pump].write("run-command", 1.0)
    watch.run(60)
    assert watch.first("P1", "ps-riverside") == float("inf")
    assert any(rule == "ps-riverside-well.level-high" for _, _, rule in watch.cleared)


def test_the_calm_day_is_quiet() -> None:
    watch = Watch(open_city(scenario="calm"))
    watch.run(240, every_s=4.0)
    assert watch.raised == []
