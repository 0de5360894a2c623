"""The versions on disk: what is kept, what a power cut leaves, what a start makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.texts import Texts
from edge.versions.difference import difference
from edge.versions.start import choose, find_state_dir, remember_place
from edge.versions.store import KEPT, Index, Trial, Version, Versions, VersionState
from protocols.errors import Rejected, StorageError


def texts(n: int) -> Texts:
    return Texts(f"# {n}\ngateway: {{id: gw}}\n", {"own.pump": f"version: {n}\n"})


def filled(folder: Path, n: int) -> Versions:
    store = Versions(folder, lambda: 7)
    for i in range(1, n + 1):
        version = store.add(texts(i), "page", "page:me", f"note {i}", "good")
        store.settle(running=version.number, good=2 if i > 2 else version.number)
    return store


def test_a_version_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    again = Versions(tmp_path)
    assert [v.number for v in again.index.versions] == [1, 2, 3]
    assert again.texts(2) == texts(2)
    assert again.version(3).digest == texts(3).digest
    with pytest.raises(Rejected, match="there are: 1, 2, 3"):
        again.version(9)
    for path in (tmp_path / "versions").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "versions").stat().st_mode & 0o777 == 0o700


def test_twenty_are_kept_and_never_the_good_one_lost(tmp_path: Path) -> None:
    store = filled(tmp_path, 30)
    numbers = [version.number for version in store.index.versions]
    assert numbers == [2, *range(12, 31)]
    assert len(numbers) == KEPT
    files = sorted(path.name for path in (tmp_path / "versions").glob("0*.json"))
    assert files == [f"{n:06}.json" for n in numbers]
    assert store.add(texts(31), "page", "a", "", "good").number == 31, "a number is never given twice"


def test_a_version_file_that_nobody_names_is_what_a_power_cut_leaves(tmp_path: Path) -> None:
    store = filled(tmp_path, 2)
    store.add(texts(3), "page", "a", "", "probation")
    again = Versions(tmp_path)
    assert [v.number for v in again.index.versions] == [1, 2]
    assert again.add(texts(4), "page", "a", "", "probation").number == 4


def test_a_damaged_index_keeps_the_versions(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    (tmp_path / "versions" / "index.json").write_bytes(b'{"gateway": ')
    again = Versions(tmp_path, lambda: 5_000_000)
    assert [v.number for v in again.index.versions] == [1, 2, 3]
    assert again.index.running == 0
    assert (tmp_path / "versions" / "index.damaged-5").exists()


def test_a_version_that_was_changed_by_hand_is_not_run(tmp_path: Path) -> None:
    store = filled(tmp_path, 1)
    path = tmp_path / "versions" / "000001.json"
    path.write_text(path.read_text(encoding="utf-8").replace("gw", "xy"), encoding="utf-8")
    with pytest.raises(StorageError, match="was changed after it was kept"):
        store.texts(1)


def version(number: int, digest: str, state: VersionState) -> Version:
    return Version(number=number, digest=digest, made_us=1, source="page", actor="a", state=state)


RUNS = Index(
    versions=(version(1, "one", "good"), version(2, "two", "running"), version(3, "bad", "rolled-back")),
    running=2,
    good=2,
)
TRIAL = Trial(number=3, back=2, seconds=60, devices=(), uplink=True)


@pytest.mark.parametrize(
    ("index", "wanted", "way", "number"),
    [
        (Index(), "one", "first", 0),
        (Index(), None, "none", 0),
        (RUNS, "two", "same", 2),
        (RUNS, "new", "new", 0),
        (RUNS, "one", "new", 0),
        (RUNS, "bad", "taken-back", 2),
        (RUNS, None, "refused", 2),
    ],
)
def test_what_a_start_begins_with(index: Index, wanted: str | None, way: str, number: int) -> None:
    assert choose(index, wanted) == (way, number)


@given(st.integers(0, 5), st.sampled_from([None, "two", "bad", "new"]))
def test_a_trial_outlives_one_start_and_no_second(starts: int, wanted: str | None) -> None:
    trial = Trial(number=3, back=2, seconds=60, devices=(), uplink=True, starts=starts)
    index = Index(versions=RUNS.versions, running=3, good=2, trial=trial)
    assert choose(index, wanted) == (("go-on", 3) if starts == 0 else ("back", 2))


@pytest.mark.parametrize(
    "text",
    [
        "state_dir: state # here\nsites: [\n",
        'gateway: {id: x\nstate_dir: "state"\n',
        "state_dir: state",
    ],
)
def test_the_state_folder_is_found_in_a_broken_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(text, encoding="utf-8")
    assert find_state_dir(file) == tmp_path / "state"


def test_the_state_folder_of_an_empty_or_lost_file_is_noted_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    assert find_state_dir(file) is None
    remember_place(file, tmp_path / "elsewhere")
    assert find_state_dir(file) == tmp_path / "elsewhere"
    file.write_text("", encoding="utf-8")
    assert find_state_dir(file) == tmp_path / "elsewhere"


def test_a_difference_names_lines_and_devices() -> None:
    old = Texts(
        "connections:\n- {key: l1, protocol: modbus}\n- {key: l2, protocol: modbus}\n"
        "devices:\n- {key: a, connection: l1, profile: p}\n- {key: b, connection: l2, profile: q}\n"
        "- {key: c, connection: l1, profile: q}\n",
        {"p": "version: 1\n"},
    )
    new = Texts(
        old.file.replace(
            "{key: l2, protocol: modbus}", "{key: l2, protocol: modbus, settings: {port: 1}}"
        ).replace("- {key: c, connection: l1, profile: q}\n", "- {key: d, connection: l1, profile: q}\n"),
        {"p": "version: 1\n"},
    )
    found = difference(old, new, "gateway.yaml")
    assert found.devices.added == ("d",)
    assert found.devices.removed == ("c",)
    assert found.devices.changed == ("b",), "its line has another port"
    assert found.devices.unchanged == ("a",)
    assert "+- {key: d, connection: l1, profile: q}\n" in found.unified
    assert difference(new, Texts(new.file, {"p": "version: 2\n"}), "x").devices.changed == ("a",)
    assert difference(old, old, "x").unified == ""
    assert difference(Texts("]["), old, "x").devices.added == ("a", "b", "c")


def test_what_a_full_disk_does_not_take_at_the_start_is_written_later(tmp_path: Path) -> None:
    store = Versions(tmp_path)
    store.folder.write_text("a file where the folder should be: nothing can be written")
    with store.patiently():
        version = store.add(texts(1), "start", "start", "", "running")
        store.settle(running=version.number, good=version.number)
    assert store.owes
    assert store.texts(1) == texts(1)
    assert store.version(1).state == "running"
    with pytest.raises(StorageError):
        store.catch_up()
    with pytest.raises(StorageError):
        store.add(texts(2), "page", "a", "", "probation")
    assert store.index.running == 1, "a refusal takes nothing back that runs"
    store.folder.unlink()
    store.catch_up()
    again = Versions(tmp_path)
    assert (again.index.running, again.texts(1)) == (1, texts(1))
