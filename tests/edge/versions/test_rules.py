"""What an apply may not change, and how texts get to their files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edge.config.texts import Texts, gather
from edge.versions.rules import MAX_TEXT, check_apply, check_text, named, publish
from edge.versions.store import Source
from protocols.errors import ConfigError, Rejected

OLD = (
    "gateway: {id: gw}\nstate_dir: state\nprofiles: own\nupdates: {key: abc}\n"
    "devices:\n- {key: a, profile: p}\n"
)


def problems(new: str, source: Source = "page", profiles: dict[str, str] | None = None) -> list[str]:
    try:
        check_apply(Path("/etc/gw/gateway.yaml"), Texts(OLD), Texts(new, profiles or {}), source)
    except ConfigError as error:
        return [f"{mistake.line} {mistake.path}" for mistake in error.mistakes]
    return []


def test_identity_and_trust_stay() -> None:
    assert problems(OLD) == []
    assert problems(OLD.replace("gw}", "other}")) == ["1 gateway.id"]
    assert problems(OLD.replace(": state", ": /tmp")) == ["2 state_dir"]
    assert problems(OLD.replace("abc", "xyz")) == [], "a person at the gateway may"
    assert problems(OLD.replace("abc", "xyz"), "centre") == ["4 updates"]


@pytest.mark.parametrize("folder", ["/etc/cron.d", "../elsewhere", "own/../../x"])
def test_profiles_are_written_beside_the_file_only(folder: str) -> None:
    assert problems(OLD.replace("own", folder), profiles={"p": "x"}) == ["3 profiles"]
    assert problems(OLD.replace("own", folder)) == [], "where nothing is written, nothing is refused"


def test_own_profiles_need_a_folder() -> None:
    (found,) = problems(OLD.replace("profiles: own\n", ""), profiles={"p": "x"})
    assert found.startswith(("0", "1"))


def test_given_profiles_take_the_place_of_those_on_disk(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "p.yaml").write_text("old", encoding="utf-8")
    file.write_text(OLD, encoding="utf-8")
    texts = gather(file)
    assert texts.profiles == {"p": "old"}
    assert named(texts, file, {"p.yaml": "new", "stranger": "x"}).profiles == {"p": "new"}
    assert named(texts, file, {}).digest == texts.digest


def test_what_no_file_can_hold_is_refused() -> None:
    check_text(["gateway", "中文"])
    with pytest.raises(Rejected, match="UTF-8"):
        check_text(["gateway", "\ud800"])
    with pytest.raises(Rejected, match="million"):
        check_text(["x" * (MAX_TEXT // 2)] * 3)


def test_texts_are_written_with_their_mode_kept(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("x", encoding="utf-8")
    file.chmod(0o640)
    publish(file, Texts(OLD, {"p": "version: 1\n"}))
    assert file.read_text(encoding="utf-8") == OLD
    assert (tmp_path / "own" / "p.yaml").read_text(encoding="utf-8") == "version: 1\n"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_replaced_is_rewritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("a much longer text than the one that comes\n" * 20, encoding="utf-8")
    inode = file.stat().st_ino

    def busy(self: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(target))

    monkeypatch.setattr(Path, "replace", busy)
    publish(file, Texts(OLD))
    assert file.read_text(encoding="utf-8") == OLD
    assert file.stat().st_ino == inode
