"""A small file is replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.durable import replace_file


def test_a_file_is_replaced_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "token.json"
    for data in (b"first", b"second, longer", b""):
        replace_file(path, data)
        assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["token.json"]


def test_what_a_power_cut_left_beside_it_is_in_nobodys_way(tmp_path: Path) -> None:
    left = tmp_path / ".token.json.new"
    left.write_bytes(b"hal")
    left.chmod(0o644)
    replace_file(tmp_path / "token.json", b"whole")
    assert (tmp_path / "token.json").read_bytes() == b"whole"
    assert not left.exists()
    assert (tmp_path / "token.json").stat().st_mode & 0o777 == 0o600


def test_the_old_file_stays_where_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    path = tmp_path / "token.json"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError, match=r"token\.json"):
        replace_file(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
