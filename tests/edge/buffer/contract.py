"""What every store-and-forward log promises; a class that inherits this proves one implementation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.buffer.base import Buffer, Entry
from protocols.model.alarm import AlarmEvent, AlarmTransition
from protocols.model.clock import SECOND_US, now_us
from protocols.model.command import Command, CommandOutcome, CommandState
from protocols.model.reading import Readings
from protocols.wire.batch import decode

DECLARATION = "d" * 32
BEGAN_US = now_us() - 600 * SECOND_US


def readings(*values: float) -> Readings:
    return Readings.at(np.arange(len(values), dtype=np.int32), 1_000_000, np.array(values))


def entry(*values: float) -> Entry:
    return Entry("readings", DECLARATION, 5_000_000, readings(*values))


def at(second: int) -> Entry:
    """Return a batch that was closed so many seconds after a moment not long ago."""
    made_us = BEGAN_US + second * SECOND_US
    return Entry("readings", DECLARATION, made_us, readings(float(second)))


def transition(number: int) -> AlarmTransition:
    return AlarmTransition(
        occurrence="o", rule="r", point="p", number=number, event=AlarmEvent.ACT, event_us=number,
        sample_us=number, value=1.0, quality=0, declaration=DECLARATION,
    )  # fmt: skip


def command(name: str) -> Command:
    return Command(id=name, point="p", value=1.0, issued_us=1, expires_us=2, issued_by="operator")


class BufferContract(ABC):
    """Inherit, and give `fresh` and `again`."""

    @abstractmethod
    def fresh(self) -> Buffer:
        """Return an empty log."""

    @abstractmethod
    def again(self, buffer: Buffer) -> Buffer:
        """Return the same log as a restarted process would find it."""

    def test_what_was_appended_is_found_again_as_the_same_bytes(self) -> None:
        buffer = self.fresh()
        assert buffer.append([entry(1.5, 2.5), entry(3.5)]) == [1, 2]
        before = buffer.pending("readings")
        buffer = self.again(buffer)
        assert buffer.pending("readings") == before
        first = decode(before[0].data)
        assert (first.boot, first.seq, first.declaration, first.made_us) == (
            buffer.boot, 1, DECLARATION, 5_000_000,
        )  # fmt: skip
        assert isinstance(first.payload, Readings)
        assert first.payload.value.tolist() == [1.5, 2.5]
        buffer.close()

    def test_streams_have_their_own_numbers(self) -> None:
        buffer = self.fresh()
        rows = (transition(1), transition(2))
        assert buffer.append([entry(1.0), Entry("alarms", DECLARATION, 1, rows), entry(2.0)]) == [1, 1, 2]
        stored = buffer.pending("alarms")[0]
        assert stored.n == 2
        assert decode(stored.data).payload == rows
        buffer.close()

    def test_a_number_is_never_given_twice(self) -> None:
        buffer = self.fresh()
        buffer.append([entry(1.0), entry(2.0)])
        buffer.acknowledge("readings", [1, 2])
        buffer = self.again(buffer)
        assert buffer.append([entry(3.0)]) == [3]
        buffer.close()

    def test_newest_and_oldest_and_those_in_flight(self) -> None:
        buffer = self.fresh()
        buffer.append([entry(float(n)) for n in range(5)])
        assert [stored.seq for stored in buffer.pending("readings", limit=2)] == [1, 2]
        assert [stored.seq for stored in buffer.pending("readings", newest=True, limit=2)] == [5, 4]
        assert [stored.seq for stored in buffer.pending("readings", exclude={1, 3})] == [2, 4, 5]
        buffer.close()

    def test_depth_counts_what_waits(self) -> None:
        buffer = self.fresh()
        assert buffer.depth()["readings"].batches == 0
        assert buffer.depth()["readings"].oldest_us is None
        buffer.append([entry(1.0, 2.0), entry(3.0)])
        buffer.acknowledge("readings", [1, 99])
        for _ in range(2):
            depth = buffer.depth()["readings"]
            assert (depth.batches, depth.rows, depth.oldest_us) == (1, 1, 5_000_000)
            assert depth.bytes == len(buffer.pending("readings")[0].data)
            buffer = self.again(buffer)
        buffer.close()

    def test_what_is_acknowledged_stays_for_those_who_look_back(self) -> None:
        buffer = self.fresh()
        for second in range(200):
            buffer.append([at(second)])
        buffer.acknowledge("readings", range(1, 151))
        buffer = self.again(buffer)
        found = [
            (decode(stored.data).made_us - BEGAN_US) // SECOND_US
            for stored in buffer.recent(at(40).made_us, at(60).made_us)
        ]
        assert set(range(40, 61)) <= set(found)
        assert found == sorted(found)
        assert found[0] == 40
        assert list(buffer.recent(at(5000).made_us, at(6000).made_us)) == []
        assert buffer.depth()["readings"].batches == 50
        buffer.close()

    def test_places_of_what_is_done_are_not_given_again_or_shown(self) -> None:
        buffer = self.fresh()
        buffer.append([entry(float(n)) for n in range(6)])
        places = [stored.place for stored in buffer.pending("readings")]
        buffer.acknowledge("readings", places[1:3])
        buffer.acknowledge("readings", [places[0], places[1]])
        buffer = self.again(buffer)
        assert [stored.seq for stored in buffer.pending("readings")] == [4, 5, 6]
        assert [stored.seq for stored in buffer.pending("readings", newest=True, limit=2)] == [6, 5]
        assert all(stored.boot == buffer.boot for stored in buffer.pending("readings"))
        buffer.close()

    def test_the_forecast_knows_the_rate(self) -> None:
        buffer = self.fresh()
        assert buffer.forecast().left_s is None
        buffer.append([entry(1.0)])
        status = buffer.forecast()
        assert (status.thinned, status.dropped) == (0, 0)
        assert status.free_bytes > 0
        buffer.close()

    def test_what_is_sent_is_counted(self) -> None:
        buffer = self.fresh()
        assert buffer.sent(500) == 0.0
        assert buffer.sent(250) == 0.0
        buffer.append([entry(1.0)])
        assert buffer.forecast().sent_today == 750
        buffer = self.again(buffer)
        assert buffer.forecast().sent_today == 750
        buffer.close()

    def test_nothing_in_doubt_is_nothing_to_settle(self) -> None:
        buffer = self.fresh()
        buffer.append([entry(1.0)])
        before = buffer.pending("readings")
        assert buffer.settle(lambda _: 5) == 0
        assert buffer.pending("readings") == before
        assert buffer.condition() == "good"
        buffer.close()

    def test_what_is_set_aside_leaves_the_queue_and_keeps_its_reason(self) -> None:
        buffer = self.fresh()
        buffer.append([entry(1.0), entry(2.0)])
        buffer.set_aside("readings", 1, "shape")
        buffer.set_aside("readings", 1, "shape")
        buffer = self.again(buffer)
        assert [stored.seq for stored in buffer.pending("readings")] == [2]
        (aside,) = buffer.asides()
        assert (aside.stream, aside.seq, aside.n, aside.reason) == ("readings", 1, 1, "shape")
        assert buffer.depth()["readings"].batches == 1
        buffer.close()

    def test_declarations_and_states_are_remembered(self) -> None:
        buffer = self.fresh()
        assert buffer.declaration(DECLARATION) is None
        assert buffer.load_state("alarms") is None
        buffer.remember(DECLARATION, b"one")
        buffer.remember(DECLARATION, b"one")
        buffer.save_state("alarms", b"1")
        buffer.save_state("alarms", b"2")
        buffer = self.again(buffer)
        assert buffer.declaration(DECLARATION) == b"one"
        assert buffer.load_state("alarms") == b"2"
        buffer.close()

    def test_a_command_begins_once_and_an_interrupted_one_is_known(self) -> None:
        buffer = self.fresh()
        assert buffer.inbox_cursor() == 0
        assert buffer.begin(command("a"), 7)
        buffer = self.again(buffer)
        assert not buffer.begin(command("a"), 8)
        assert not buffer.begin(command("a"), 3)
        assert buffer.inbox_cursor() == 8
        assert [order.id for order in buffer.interrupted()] == ["a"]
        outcome = CommandOutcome(
            command="a", state=CommandState.UNKNOWN, reason="interrupted", detail="", finished_us=1
        )
        assert buffer.finish(outcome, DECLARATION, 9) == 1
        buffer = self.again(buffer)
        assert buffer.interrupted() == []
        assert decode(buffer.pending("outcomes")[0].data).payload == (outcome,)
        buffer.close()

    def test_all_entries_or_none(self) -> None:
        buffer = self.fresh()
        try:
            buffer.append([entry(1.0), Entry("alarms", DECLARATION, 1, ())])
        except ValueError:
            pass
        else:
            raise AssertionError("an empty batch was taken")
        assert buffer.depth()["readings"].batches == 0
        assert buffer.append([entry(1.0)]) == [1]
        buffer.close()

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.sampled_from(["append", "acknowledge", "newest", "aside", "again"]), max_size=25))
    def test_it_behaves_as_a_dictionary_would(self, steps: list[str]) -> None:
        buffer, model, last = self.fresh(), {}, 0
        for number, action in enumerate(steps):
            if action == "append":
                last += 1
                assert buffer.append([entry(float(number))]) == [last]
                model[last] = float(number)
            elif action == "again":
                buffer = self.again(buffer)
            elif model:
                seq = max(model) if action == "newest" else min(model)
                assert buffer.pending("readings", newest=action == "newest", limit=1)[0].seq == seq
                if action == "aside":
                    buffer.set_aside("readings", seq, "test")
                else:
                    buffer.acknowledge("readings", [seq])
                del model[seq]
            assert buffer.depth()["readings"].batches == len(model)
        found = {}
        for stored in buffer.pending("readings", limit=100):
            payload = decode(stored.data).payload
            assert isinstance(payload, Readings)
            found[stored.seq] = float(payload.value[0])
        buffer.close()
        assert found == model
