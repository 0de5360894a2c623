"""What is remembered outlives the process, and a stepped clock neither shortens nor lengthens it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.commands.memory import ALL, ManualHold, Memory, Run

times = st.integers(0, 10**12)


@given(st.dictionaries(st.text(), times), times, times, st.integers(0, 10**9))
def test_ages_are_the_same_after_a_restart(
    commanded: dict[str, int], wall: int, mono: int, away: int
) -> None:
    memory = Memory(None, wall, 0)
    memory.commanded = {point: mono - age for point, age in commanded.items()}
    memory.runs = {point: Run(True, mono - age) for point, age in commanded.items()}
    again = Memory(memory.kept(wall, mono), wall + away, 5)
    for point, age in commanded.items():
        assert 5 - again.commanded[point] == age + away
        assert 5 - again.runs[point].since_us == age + away


def test_a_clock_that_was_set_back_while_it_was_off_starts_the_time_anew() -> None:
    memory = Memory(None, 1_000, 1_000)
    memory.saw({"pump": 0.0}, 900)
    assert Memory(memory.kept(1_000, 1_000), 10, 50).runs["pump"] == Run(False, 50)


def test_only_a_change_between_on_and_off_counts() -> None:
    memory = Memory(None, 0, 0)
    assert memory.saw({"pump": 20.0}, 10)
    assert not memory.saw({"pump": 45.0}, 20)
    assert not memory.saw({"pump": None}, 30)
    assert memory.runs["pump"] == Run(True, 10)
    assert memory.saw({"pump": 0.0}, 40)
    assert memory.runs["pump"] == Run(False, 40)


def test_the_whole_gateway_holds_every_device() -> None:
    memory = Memory(None, 0, 0)
    mine, all_of_it = ManualHold("local:a", "oil", 1), ManualHold("local:b", "storm", 2)
    memory.manual["pump1"] = mine
    assert (memory.held("pump1"), memory.held("pump2")) == (mine, None)
    memory.manual[ALL] = all_of_it
    assert (memory.held("pump1"), memory.held("pump2")) == (mine, all_of_it)
    assert Memory(memory.kept(0, 0), 0, 0).manual == memory.manual
