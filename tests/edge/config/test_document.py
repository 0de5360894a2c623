"""A file that is no document of ours is answered in a sentence, quickly, whatever is in it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.config.document import read


def aliases(depth: int) -> str:
    """YAML of 9**depth values in a few lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, depth)]
    return "\n".join(lines)


def test_an_alias_bomb_is_refused_quickly(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(aliases(12))
    before = time.process_time()
    document = read(path)
    assert time.process_time() - before < 5
    assert document.data is None
    (mistake,) = document.mistakes
    assert "aliases" in mistake.problem
    assert mistake.line == 1


def test_plain_aliases_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(aliases(3))
    document = read(path)
    assert not document.mistakes
    assert len(document.data["a2"]) == 9


@pytest.mark.parametrize("encoding", ["gbk", "utf-16"])
def test_another_encoding_is_named_with_its_line(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_bytes("state_dir: state\nname: 泵站\n".encode(encoding))
    (mistake,) = read(path).mistakes
    assert mistake.line == (2 if encoding == "gbk" else 1)
    assert "UTF-8" in mistake.repair


def test_a_folder_is_told_from_a_missing_file(tmp_path: Path) -> None:
    (folder,) = read(tmp_path).mistakes
    assert f"name the file, not its folder: {tmp_path / 'gateway.yaml'}" in folder.repair
    (missing,) = read(tmp_path / "none.yaml").mistakes
    assert "check that" in missing.repair


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 200_000,
        "a: " + "[" * 60 + "]" * 60,
        "- " * 3_000 + "x",
        "? " * 3_000 + "x",
        "{a: " * 3_000 + "}" * 3_000,
        "a0: &a0 x\n" + "".join(f"a{i + 1}: &a{i + 1} {'[' * 40}*a{i}{']' * 40}\n" for i in range(30)),
    ],
)
def test_a_file_nested_without_an_end_is_refused_and_kills_nobody(tmp_path: Path, text: str) -> None:
    """Composed, the first of them overran the stack: the whole gateway was gone, without a word."""
    path = tmp_path / "deep.yaml"
    path.write_text(text)
    mistakes = read(path).mistakes
    assert any("inside one another" in mistake.problem for mistake in mistakes), mistakes[:2]
