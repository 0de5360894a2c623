"""The time of a line before it runs: against figures by hand, and with a line that is too slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.opening import open_plan, read_tasks
from edge.tools.budget import budgets, request_s
from tests.edge.house import gateway_file


@pytest.mark.parametrize(
    ("registers", "baud", "seconds"),
    [(125, 9600, 0.33), (125, 2400, 1.26), (2, 9600, 0.047), (1, 115_200, 0.025)],
)
def test_a_request_on_a_serial_line(registers: int, baud: int, seconds: float) -> None:
    """`../shared/domain/field_protocols.md` 1.4 gives 0.32 s and 1.2 s for the first two, rounded."""
    assert request_s(registers, baud) == pytest.approx(seconds, rel=0.06)


def test_a_line_that_cannot_keep_up_is_warned_about(tmp_path: Path) -> None:
    plan = open_plan(gateway_file(tmp_path, 5020, units=8, periods={"fast": 0.2, "normal": 1, "slow": 60}))
    tasks = read_tasks(plan)
    (slow,) = budgets(plan, tasks, baud=2400)
    assert slow.busy_s["fast"] > 0.2
    assert any("s of reads in a 0.2 s cycle (fast)" in warning for warning in slow.warnings)
    (tcp,) = budgets(plan, tasks)
    assert tcp.busy_s["fast"] == pytest.approx(8 * 0.03)


def test_measured_latencies_count_more_than_estimates(tmp_path: Path) -> None:
    plan = open_plan(gateway_file(tmp_path, 5020, units=2, periods={"fast": 1, "normal": 5, "slow": 60}))
    (line,) = budgets(plan, read_tasks(plan), {"pump1": 400.0, "pump2": 300.0}, baud=300)
    assert line.measured == 2
    assert line.busy_s["fast"] == pytest.approx(0.7)
    assert line.share == pytest.approx(0.7 + 0.7 / 60, abs=0.001)
    assert "the line is busy 71% of the time" in line.warnings[0]


def test_a_line_of_devices_that_speak_by_themselves_has_no_budget(tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020, connections=[], devices=[])
    plan = open_plan(path)
    assert budgets(plan, read_tasks(plan)) == []
