"""What is in hand: closed in its order, bounded without losing an alarm, and moved with the clock."""

from __future__ import annotations

import numpy as np

from edge.buffer.hand import InHand
from protocols.model.alarm import AlarmEvent, AlarmTransition
from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings

START_US = 1_780_000_000 * SECOND_US
HOUR_US = 3600 * SECOND_US


def readings(n: int, time_us: int = START_US) -> Readings:
    return Readings.at(np.arange(n, dtype=np.int32), time_us, np.zeros(n))


def raised(number: int = 1) -> AlarmTransition:
    return AlarmTransition(
        occurrence="o1",
        rule="pump1.high",
        point="pump1.level",
        number=number,
        event=AlarmEvent.ACT,
        event_us=START_US,
        sample_us=START_US,
        value=21.0,
        quality=0,
        declaration="d1",
    )


def test_a_storm_of_alarms_is_closed_in_batches_before_the_readings() -> None:
    hand = InHand(lambda: None)
    hand.add(readings(5), START_US)
    hand.judged([raised(number) for number in range(450)])
    assert hand.urgent
    assert len(hand.close("d1", START_US, rows=3)) == 450
    assert [(entry.stream, len(entry.payload)) for entry in hand.closed] == [
        ("alarms", 200), ("alarms", 200), ("alarms", 50), ("readings", 3), ("readings", 2),
    ]  # fmt: skip
    assert hand.rows == 0


def test_what_is_held_comes_in_order_with_its_declaration() -> None:
    hand = InHand(lambda: None)
    hand.add(readings(2), START_US)
    hand.close("before", START_US, rows=10)
    hand.add(readings(3), START_US)
    assert [(name, len(part)) for name, part in hand.held("now")] == [("before", 2), ("now", 3)]


def test_the_oldest_readings_are_dropped_and_no_alarm() -> None:
    hand = InHand(lambda: None)
    hand.judged([raised()])
    hand.add(readings(10), START_US)
    hand.close("d1", START_US, rows=4)
    assert hand.drop(most=6) == 4
    assert [(entry.stream, len(entry.payload)) for entry in hand.closed] == [
        ("alarms", 1), ("readings", 4), ("readings", 2),
    ]  # fmt: skip
    assert hand.drop(most=6) == 0


def test_a_batch_is_ripe_when_it_is_old_or_the_clock_was_set_back() -> None:
    hand = InHand(lambda: None)
    assert not hand.ripe(START_US, 10)
    hand.add(readings(1), START_US)
    assert not hand.ripe(START_US + 9, 10)
    assert hand.ripe(START_US + 10, 10)
    assert hand.ripe(START_US - 1, 10)


def test_what_a_thread_writes_follows_the_clock_afterwards() -> None:
    hand = InHand(lambda: None)
    hand.add(readings(1), START_US)
    hand.close("d1", START_US, rows=10)
    (written,) = hand.closed
    with hand.writing(lambda: SECOND_US):
        hand.follow(HOUR_US, START_US + HOUR_US, SECOND_US)
        assert hand.closed == [written]
    (moved,) = hand.closed
    assert moved.made_us == START_US + HOUR_US
    assert isinstance(moved.payload, Readings)
    assert moved.payload.time_us.tolist() == [START_US + HOUR_US]


def test_only_what_is_on_the_disk_is_let_go() -> None:
    hand = InHand(lambda: None)
    hand.judged([raised()])
    hand.add(readings(1), START_US)
    hand.close("d1", START_US, rows=10)
    alarm, reading = hand.closed
    hand.kept([alarm])
    assert hand.closed == [reading]
