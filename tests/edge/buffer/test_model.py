"""The log against a model of it: any order of appends, acknowledgements, shortages and power cuts."""

from __future__ import annotations

import shutil

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.buffer.base import Entry
from edge.buffer.sqlite import SqliteBuffer
from edge.config.keeping import StorageEntry
from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings
from protocols.wire.batch import decode
from tests.edge.buffer.contract import BEGAN_US, DECLARATION, transition
from tests.edge.buffer.memory import in_memory

POINTS = 1_500
LIMIT = 1 << 20

acts = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "append", "acknowledge", "aside", "alarm", "cut", "restart"]),
        st.integers(0, 20),
    ),
    max_size=25,
)


def second(number: int) -> Entry:
    """Return a batch whose readings nothing can compress, so that a megabyte is soon full."""
    random = np.random.default_rng(number)
    made_us = BEGAN_US + number * SECOND_US
    return Entry(
        "readings",
        DECLARATION,
        made_us,
        Readings.at(np.arange(POINTS, dtype=np.int32), made_us, random.random(POINTS)),
    )


class Model:
    """What must be there: the numbers of each stream that wait, and what was appended under them."""

    def __init__(self) -> None:
        self.waiting: dict[int, set[float]] = {}
        self.alarms = 0
        self.asides = 0
        self.last = 0
        self.appended = 0
        self.left = 0

    def check(self, buffer: SqliteBuffer) -> None:
        """Compare with a log that may have thinned and dropped, and must have counted it."""
        stored = buffer.pending("readings", limit=10_000)
        seqs = [batch.seq for batch in stored]
        status = buffer.forecast()
        assert seqs == sorted(set(seqs))
        assert set(seqs) <= self.waiting.keys()
        gone = self.waiting.keys() - set(seqs)
        assert not gone or (status.dropped > 0 and max(gone) < min([*seqs, self.last + 1])), (
            "only the oldest go"
        )
        for batch in stored:
            payload = decode(batch.data).payload
            assert isinstance(payload, Readings)
            assert set(payload.value.tolist()) <= self.waiting[batch.seq]
        depth = buffer.depth()
        assert (depth["readings"].batches, depth["readings"].rows) == (len(stored), sum(b.n for b in stored))
        assert sum(batch.n for batch in stored) + status.thinned + status.dropped + self.left == self.appended
        assert [batch.seq for batch in buffer.pending("alarms", limit=1_000)] == list(
            range(1, self.alarms + 1)
        )
        assert len(buffer.asides()) == self.asides
        self.waiting = {seq: self.waiting[seq] for seq in seqs}


@settings(max_examples=15, deadline=None)
@given(acts)
def test_it_behaves_as_its_model(steps: list[tuple[str, int]]) -> None:
    with in_memory() as root:
        keeping = StorageEntry(min_free_bytes=0, max_bytes=LIMIT)
        folder = root / "0"
        buffer = SqliteBuffer(folder, lambda: BEGAN_US, keeping)
        model = Model()
        for number, (act, amount) in enumerate(steps):
            match act:
                case "append":
                    for _ in range(amount):
                        made = second(model.last)
                        model.last += 1
                        assert isinstance(made.payload, Readings)
                        assert buffer.append([made]) == [model.last]
                        model.waiting[model.last] = set(made.payload.value.tolist())
                        model.appended += POINTS
                case "acknowledge":
                    chosen = buffer.pending("readings", newest=bool(amount % 2), limit=amount)
                    buffer.acknowledge("readings", [batch.place for batch in chosen])
                    model.left += sum(batch.n for batch in chosen)
                    for batch in chosen:
                        del model.waiting[batch.seq]
                case "aside":
                    for batch in buffer.pending("readings", limit=1):
                        buffer.set_aside("readings", batch.place, "test")
                        model.left += batch.n
                        model.asides += 1
                        del model.waiting[batch.seq]
                case "alarm":
                    model.alarms += 1
                    assert buffer.append([Entry("alarms", DECLARATION, 1, (transition(1),))]) == [
                        model.alarms
                    ]
                case "cut":
                    # What lies in the files at this moment is what a killed process leaves behind.
                    before, folder = folder, root / str(number + 1)
                    shutil.copytree(before, folder)
                    buffer.close()
                    buffer = SqliteBuffer(folder, lambda: BEGAN_US, keeping)
                case _:
                    buffer.close()
                    buffer = SqliteBuffer(folder, lambda: BEGAN_US, keeping)
            model.check(buffer)
        assert buffer.condition() in {"good", "short"}
        buffer.close()
