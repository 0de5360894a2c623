"""Schedule and breaker, on a clock that the test moves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from edge.poller import SOON_S, Schedule, Turns
from edge.session import FAILED_CYCLES, PAUSES_S, Breaker
from protocols.field.base import ReadTask
from protocols.model.device import PeriodClass

PERIODS: dict[PeriodClass, float] = {"fast": 1.0, "normal": 5.0, "slow": 60.0}


def task(device: str, period: PeriodClass = "fast") -> ReadTask:
    return ReadTask(device, period, np.zeros(1, np.int32), 1, None)


def test_devices_are_spread_over_their_period() -> None:
    schedule = Schedule([task(f"d{i}") for i in range(4)], PERIODS, 100.0)
    starts = []
    for _ in range(4):
        due = schedule.due()
        assert due is not None
        starts.append(due)
        schedule.take(due)
    assert starts == [100.0, 100.25, 100.5, 100.75]
    assert schedule.due() == 101.0


def test_cycles_that_cannot_be_kept_are_skipped_and_counted() -> None:
    schedule = Schedule([task("d")], PERIODS, 0.0)
    assert schedule.take(0.0) == 0
    assert schedule.due() == 1.0
    schedule.take(4.5)
    assert schedule.overruns == 3
    assert schedule.due() == 5.0, "never queued: the next is in the future, on the old grid"


def test_a_fast_task_does_not_starve_a_slow_one() -> None:
    schedule = Schedule([task("a"), task("a", "slow")], PERIODS, 0.0)
    now, taken = 0.0, []
    for _ in range(6):
        taken.append(schedule.take(now))
        now += 0.4
    assert 1 in taken[:2]


def test_nothing_to_poll() -> None:
    assert Schedule([], PERIODS, 0.0).due() is None


def test_after_a_silence_the_device_s_other_tasks_are_skipped() -> None:
    breaker = Breaker(lambda: 0.5)
    assert not breaker.failed(10.0, 1.0)
    assert not breaker.allows(10.5, probe=False)
    assert breaker.allows(11.0, probe=False)


def test_the_breaker_opens_probes_and_pauses_longer_each_time() -> None:
    breaker = Breaker(lambda: 0.5)
    now = 0.0
    for cycle in range(FAILED_CYCLES):
        assert breaker.allows(now, probe=False)
        assert breaker.failed(now, 1.0) == (cycle == FAILED_CYCLES - 1)
        now += 1.0
    opened = now - 1.0
    for pause in PAUSES_S:
        assert not breaker.allows(opened + pause - 0.01, probe=True)
        assert not breaker.allows(opened + pause + 0.01, probe=False), "only the probe goes out"
        assert breaker.allows(opened + pause + 0.01, probe=True)
        opened += pause + 0.01
        assert not breaker.failed(opened, 1.0), "it was open already"
    assert not breaker.allows(opened + PAUSES_S[-1] - 0.1, probe=True), "the longest pause stays"
    assert breaker.succeeded()
    assert breaker.allows(opened, probe=False)
    assert not breaker.succeeded()


def test_a_slow_point_is_read_soon_and_then_in_its_turn() -> None:
    schedule = Schedule([task(f"d{i}", "slow") for i in range(4)], PERIODS, 100.0)
    first = []
    for _ in range(4):
        due = schedule.due()
        assert due is not None
        first.append((due, schedule.take(due)))
    assert [due for due, _ in first] == [100 + SOON_S / 4 * i for i in range(4)]
    then = []
    for _ in range(4):
        due = schedule.due()
        assert due is not None
        then.append((due, schedule.take(due)))
    assert then == [(115.0, 1), (130.0, 2), (145.0, 3), (160.0, 0)], "spread over the period, none missed"
    assert schedule.overruns == 0


def test_tasks_that_stay_keep_their_turns() -> None:
    schedule = Schedule([task("a"), task("b"), task("b", "normal")], PERIODS, 0.0)
    while (schedule.due() or 0) < 0.9:
        schedule.take(schedule.due() or 0)
    turns = schedule.turns()
    again = Schedule([task("b"), task("new"), task("a")], PERIODS, 0.9, turns)
    assert again.turns()["b", "fast", 0] == turns["b", "fast", 0]
    assert again.turns()["a", "fast", 0] == turns["a", "fast", 0]
    assert set(again.turns()) == {("b", "fast", 0), ("new", "fast", 0), ("a", "fast", 0)}


def test_a_turn_that_was_far_away_is_no_longer_off_than_a_period() -> None:
    turns: Turns = {("a", "fast", 0): 1000.0}
    schedule = Schedule([task("a")], PERIODS, 10.0, turns)
    assert schedule.due() == 10.0, "read once at once: whoever changes something waits for it"
    schedule.take(10.0)
    assert schedule.due() == 11.0


def test_an_open_breaker_says_when_it_is_tried() -> None:
    breaker = Breaker(lambda: 0.5)
    assert breaker.retry_in_s(0.0) == 0.0
    for _ in range(FAILED_CYCLES):
        breaker.failed(10.0, 1.0)
    assert breaker.retry_in_s(12.0) == PAUSES_S[0] - 2.0
    breaker.succeeded()
    assert breaker.retry_in_s(12.0) == 0.0


def test_fast_points_keep_their_pace_while_slow_ones_share_the_rest() -> None:
    """A hundred slow tasks come due at once on a line that needs 0.3 s for each."""
    tasks = [task("f"), *(task(f"s{i}", "slow") for i in range(100))]
    turns: Turns = {(f"s{i}", "slow", 0): 10.0 for i in range(100)} | {("f", "fast", 0): 0.0}
    schedule = Schedule(tasks, PERIODS, 0.0, turns)
    for _ in range(101):  # everything once, as after a start
        schedule.take(schedule.due() or 0.0)
    now, taken, fast = 10.0, 0, []
    while now < 60.0:
        due = schedule.due()
        assert due is not None
        now = max(now, due)
        place = schedule.take(now)
        fast += [now] if place == 0 else []
        taken += place != 0
        now += 0.3
    waits = [after - before for before, after in pairwise(fast)]
    assert max(waits) <= 1.0 + 0.3 + 1e-9, "at most one request late"
    assert taken >= 100, "and the slow ones have all had their turn"
