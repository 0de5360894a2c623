"""Faults: how they are written, which targets they take, and the schedule file."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.errors import ConfigError, Rejected
from sim_devices.fault_board import FaultBoard
from sim_devices.faults import (
    Black,
    Broken,
    Dead,
    Drift,
    Drop,
    Exceptional,
    Fault,
    Frozen,
    Sentinel,
    Slow,
    Spike,
    parse_fault,
)
from sim_devices.schedule import Entry, load_schedule


def made() -> FaultBoard:
    return FaultBoard({"pump1": ["level", "power"], "cam1": ["online"]}, ["line1"])


@pytest.mark.parametrize(
    "fault",
    [
        Dead("pump1"), Broken("pump1"), Slow("pump1", 0.5), Drop("line1"), Drop("line1", 10), Black("cam1"),
        Drift("pump1", "level", -4.5), Frozen("cam1"), Frozen("pump1", "level"), Spike("pump1", "level", 4),
        Sentinel("pump1"), Sentinel("pump1", "level"), Exceptional("pump1", 2),
    ],
)  # fmt: skip
def test_written_and_read_back(fault: Fault) -> None:
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ded:pump1", "did you mean dead"), ("dead", "write it as dead:DEVICE"),
        ("dead:pump1:3", "dead:DEVICE"), ("slow:pump1:0", "above 0"),
        ("slow:pump1:x", r"slow:DEVICE\[:SECONDS\]"), ("drop:line1:-1", "0 or more"),
        ("drift:pump1:3", "UNITS_PER_HOUR"), ("drift:pump1.level", "UNITS_PER_HOUR"),
        ("drift:pump1.level:nan", "finite"), ("dead:pump1.level", "dead:DEVICE"),
        ("spike:pump1", r"spike:DEVICE\.POINT"), ("spike:pump1.level:1", "2 or more"),
        ("sentinel:pump1.level:3", r"sentinel:DEVICE\[\.POINT\]"), ("exception:pump1:12", "from 1 to 11"),
        ("exception:pump1.level", "exception:DEVICE"),
    ],
)  # fmt: skip
def test_a_wrong_fault_is_answered_with_its_form(text: str, says: str) -> None:
    with pytest.raises(Rejected, match=says) as refused:
        parse_fault(text)
    assert refused.value.reason == "fault-syntax"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dead:pump2", "did you mean pump1"), ("drop:lane1", "did you mean line1"),
        ("drift:pump1.levle:1", "pump1 has no point 'levle'; did you mean level"),
        ("frozen:xyz", "known are: cam1"),
    ],
)  # fmt: skip
def test_an_unknown_target_is_answered_with_the_near_ones(text: str, says: str) -> None:
    board = made()
    with pytest.raises(Rejected, match=says):
        board.set(parse_fault(text))
    assert board.active() == ()


def test_offline_is_another_word_for_dead() -> None:
    assert parse_fault("offline:pump1") == Dead("pump1")


def test_a_spike_lasts_a_second_of_each_period() -> None:
    board = made()
    board.set(parse_fault("spike:pump1.level:5"))
    seen = []
    for second in range(10):
        board.now_us = second * 1_000_000 + 500_000
        seen.append(board.spikes("pump1", "level"))
    assert seen == [False] * 4 + [True] + [False] * 4 + [True]
    assert not board.spikes("pump1", "power")


def test_a_failed_sensor_is_one_or_all_of_a_device() -> None:
    board = made()
    board.set(Sentinel("pump1", "level"))
    assert (board.failed("pump1", "level"), board.failed("pump1", "power")) == (True, False)
    board.set(Sentinel("pump1"))
    assert board.failed("pump1", "power")


def test_the_board() -> None:
    board = made()
    changes: list[int] = []
    board.on_change(lambda: changes.append(len(board.active())))
    board.set(parse_fault("slow:pump1:1"))
    board.set(parse_fault("slow:pump1:3"))
    assert board.delay_s("pump1") == 3
    board.set(parse_fault("drift:pump1.level:6"))
    board.set(parse_fault("drift:pump1.power:-6"))
    board.now_us += 600_000_000
    assert (board.drift("pump1", "level"), board.drift("pump1", "power")) == (1.0, -1.0)
    assert board.drift("cam1", "online") == 0.0
    board.set(parse_fault("frozen:pump1.level"))
    assert board.frozen("pump1", "level")
    assert not board.frozen("pump1", "power")
    board.clear(parse_fault("slow:pump1"))
    with pytest.raises(Rejected, match=r"slow:pump1:2 is not active; active are: drift:pump1\.level:6"):
        board.clear(parse_fault("slow:pump1"))
    board.clear_all()
    assert board.active() == ()
    assert changes == [1, 1, 2, 3, 4, 3, 0]


def test_schedule(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text('- {at_s: 9, fault: "drop:line1"}\n- {at_s: 2, fault: "dead:pump1", for_s: 3}\n')
    assert load_schedule(file) == (Entry(2, Dead("pump1"), 3), Entry(9, Drop("line1")))


def test_a_wrong_schedule_lists_every_mistake_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text('- {at_s: 9, fault: "dorp:line1"}\n- {at_s: soon, fault: "dead:pump1"}\n- 4\n')
    with pytest.raises(ConfigError) as refused:
        load_schedule(file)
    assert [mistake.line for mistake in refused.value.mistakes] == [1, 2, 3]
    for text in ("[broken", "a: 1", ""):
        file.write_text(text)
        with pytest.raises(ConfigError):
            load_schedule(file)
    with pytest.raises(ConfigError, match="check the path"):
        load_schedule(tmp_path / "absent.yaml")
