"""The shelf: whatever happens in whatever order, there is a version to run and every trial ends once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.updates.shelf import MAX_STARTS, Shelf, State, Trial
from protocols.errors import Rejected


def trial(version: str, order: str = "o1") -> Trial:
    """A trial of a version."""
    return Trial(version=version, order=order, devices=(), seconds=10)


def laid(shelf: Shelf, version: str) -> None:
    """Lay a version there, as unpacking does."""
    shelf.place(version).mkdir(parents=True, exist_ok=True)


def test_a_version_that_dies_three_times_is_taken_back(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    laid(shelf, "1.1")
    shelf.begin(trial("1.1"))
    assert [shelf.started().current for _ in range(MAX_STARTS)] == ["1.1"] * MAX_STARTS
    after = shelf.started()
    assert (after.current, after.trial) == ("", None)
    assert after.ended is not None
    assert (after.ended.order, after.ended.good) == ("o1", False)


def test_one_update_at_a_time(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    laid(shelf, "1.1")
    shelf.begin(trial("1.1"))
    with pytest.raises(Rejected, match=r"1\.1"):
        shelf.begin(trial("1.2"))
    shelf.confirm()
    with pytest.raises(Rejected, match="not ended"):
        shelf.begin(trial("1.2"))
    shelf.told()
    laid(shelf, "1.2")
    assert shelf.begin(trial("1.2")).previous == "1.1"


def test_old_versions_are_cleared_away(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for version in ("1.1", "1.2", "1.3"):
        laid(shelf, version)
        shelf.begin(trial(version))
        shelf.confirm()
        shelf.told()
    assert sorted(place.name for place in (shelf.folder / "versions").iterdir()) == ["1.2", "1.3"]
    assert (tmp_path / "software" / "state.json").stat().st_mode & 0o777 == 0o600


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_the_installation(tmp_path: Path, content: bytes) -> None:
    shelf = Shelf(tmp_path)
    shelf.folder.mkdir(exist_ok=True)
    (shelf.folder / "state.json").write_bytes(content)
    assert shelf.read().current == ""


def test_a_version_whose_folder_is_gone_is_the_installation(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    laid(shelf, "1.1")
    shelf.begin(trial("1.1"))
    shelf.place("1.1").rmdir()
    assert shelf.read() == State()


class Life(RuleBasedStateMachine):
    """Any order of what the launcher and the gateway do."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile  # noqa: PLC0415 - a machine has no fixtures

        self._folder = tempfile.TemporaryDirectory()
        self.shelf = Shelf(Path(self._folder.name))
        self.begun: list[str] = []
        self.told: list[tuple[str, bool]] = []
        self.good = ""

    def teardown(self) -> None:
        self._folder.cleanup()

    @precondition(lambda self: self.shelf.read().trial is None and self.shelf.read().ended is None)
    @rule()
    def begin(self) -> None:
        version = f"1.{len(self.begun)}"
        laid(self.shelf, version)
        self.shelf.begin(trial(version, version))
        self.begun.append(version)

    @rule()
    def start(self) -> None:
        self.shelf.started()

    @rule()
    def confirm(self) -> None:
        before = self.shelf.read().trial
        self.shelf.confirm()
        if before is not None:
            self.good = before.version

    @rule()
    def back(self) -> None:
        self.shelf.back("why")

    @rule()
    def tell(self) -> None:
        ended = self.shelf.read().ended
        if ended is not None:
            self.told.append((ended.order, ended.good))
        self.shelf.told()

    @invariant()
    def there_is_something_to_run(self) -> None:
        state = self.shelf.read()
        assert state.current == "" or self.shelf.place(state.current).is_dir()

    @invariant()
    def without_a_trial_the_last_good_one_runs(self) -> None:
        state = self.shelf.read()
        if state.trial is None:
            assert state.current == self.good

    @invariant()
    def every_trial_is_told_at_most_once_and_in_order(self) -> None:
        orders = [order for order, _ in self.told]
        assert orders == self.begun[: len(orders)]


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
