"""Times that were recorded in doubt: put right once, in every stream, also when that is cut short."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.buffer.base import Entry
from edge.buffer.sqlite import SqliteBuffer
from edge.timekeeping import Stamp
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import SECOND_US
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.reading import Readings
from protocols.wire.batch import decode
from tests.edge.buffer.contract import DECLARATION, entry, transition

STAMP = Stamp("run-1", 1_000)
BATCHES = 200


class Doubtful:
    """What a timekeeper says; `stamp` None is a time that is sure."""

    stamp: Stamp | None = STAMP

    def __call__(self) -> Stamp | None:
        return self.stamp


def recorded(folder: Path, doubt: Doubtful) -> SqliteBuffer:
    """Return a log with readings, an alarm and an outcome in doubt, and readings that are sure."""
    buffer = SqliteBuffer(folder, stamp=doubt)
    for number in range(BATCHES):
        buffer.append([entry(float(number))])
    buffer.append([Entry("alarms", DECLARATION, 7, (transition(1),))])
    buffer.finish(CommandOutcome(
        command="c", state=CommandState.WRITTEN, reason="r", detail="", finished_us=3
    ), DECLARATION, 9)  # fmt: skip
    doubt.stamp = None
    buffer.append([entry(1.0)])
    return buffer


def times(buffer: SqliteBuffer) -> list[int]:
    """Return the first source time of each waiting batch of readings."""
    found = []
    for stored in buffer.pending("readings", limit=1000):
        payload = decode(stored.data).payload
        assert isinstance(payload, Readings)
        found.append(int(payload.time_us[0]))
    return found


def test_what_is_in_doubt_is_shifted_and_what_is_sure_is_not(tmp_path: Path) -> None:
    buffer = recorded(tmp_path, Doubtful())
    before = [(stored.seq, stored.n) for stored in buffer.pending("readings", limit=1000)]
    assert buffer.settle(lambda stamp: 60 * SECOND_US if stamp == STAMP else None) == BATCHES + 2
    assert times(buffer) == [61 * SECOND_US] * BATCHES + [SECOND_US]
    assert [(stored.seq, stored.n) for stored in buffer.pending("readings", limit=1000)] == before
    first = decode(buffer.pending("readings", limit=1)[0].data)
    assert (first.made_us, first.doubt) == (5_000_000 + 60 * SECOND_US, None)
    steps = decode(buffer.pending("alarms")[0].data).payload
    assert isinstance(steps, tuple)
    (step,) = steps
    assert isinstance(step, AlarmTransition)
    assert (step.event_us, step.sample_us) == (60 * SECOND_US + 1, 60 * SECOND_US + 1)
    outcomes = decode(buffer.pending("outcomes")[0].data).payload
    assert isinstance(outcomes, tuple)
    (outcome,) = outcomes
    assert isinstance(outcome, CommandOutcome)
    assert outcome.finished_us == 60 * SECOND_US + 3
    assert buffer.settle(lambda _: 60 * SECOND_US) == 0
    buffer.close()


def test_what_another_run_of_the_kernel_recorded_goes_marked(tmp_path: Path) -> None:
    recorded(tmp_path, Doubtful()).close()
    buffer = SqliteBuffer(tmp_path)
    assert buffer.settle(lambda _: None) == BATCHES + 2
    marked = decode(buffer.pending("readings", limit=1)[0].data)
    assert marked.doubt == STAMP
    assert isinstance(marked.payload, Readings)
    assert (marked.payload.quality >= 0x4000_0000).all()
    assert times(buffer) == [SECOND_US] * (BATCHES + 1)
    sure = decode(buffer.pending("readings", newest=True, limit=1)[0].data)
    assert sure.doubt is None
    buffer.close()


@pytest.mark.parametrize("asked", range(1, 6))
def test_cut_short_it_goes_on_and_shifts_nothing_twice(tmp_path: Path, asked: int) -> None:
    buffer = recorded(tmp_path, Doubtful())
    left = asked

    def correct(_: Stamp) -> int:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return 60 * SECOND_US

    with pytest.raises(KeyboardInterrupt):
        buffer.settle(correct)
    buffer.close()
    again = SqliteBuffer(tmp_path)
    again.settle(lambda _: 60 * SECOND_US)
    assert times(again) == [61 * SECOND_US] * BATCHES + [SECOND_US]
    again.close()


def test_a_time_that_was_right_all_along_is_not_written_again(tmp_path: Path) -> None:
    buffer = recorded(tmp_path, Doubtful())
    before = buffer.pending("readings", limit=1000)
    assert buffer.settle(lambda _: 500_000) == 0
    assert buffer.pending("readings", limit=1000) == before
    buffer.close()
