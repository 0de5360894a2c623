"""The built page's files: found by name only, packed where there is a packed one, kept by their names."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from edge.console.answers import Problem
from edge.console.files import Files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    static = tmp_path / ".cache" / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>")
    (static / "assets" / "index-3f2a.js").write_text("let a = 1\n" * 100)
    (static / "assets" / "index-3f2a.js.gz").write_bytes(gzip.compress(b"let a = 1\n" * 100))
    (static / ".sources").write_text("a digest")
    (tmp_path / "secret.txt").write_text("not for you")
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    return static


def test_a_file_is_answered_with_its_type_and_for_how_long(folder: Path) -> None:
    script = Files(folder).answer("assets/index-3f2a.js", gzip=False, known="")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    page = Files(folder).answer("index.html", gzip=False, known="")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"


def test_a_phone_gets_the_packed_file_and_not_twice(folder: Path) -> None:
    files = Files(folder)
    packed = files.answer("assets/index-3f2a.js", gzip=True, known="")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(bytes(packed.body)) == b"let a = 1\n" * 100
    again = files.answer("assets/index-3f2a.js", gzip=True, known=packed.headers["etag"])
    assert (again.status_code, bytes(again.body)) == (304, b"")
    assert (
        files.answer("assets/index-3f2a.js", gzip=False, known="").headers["etag"] != packed.headers["etag"]
    )


@pytest.mark.parametrize(
    "name",
    [
        "../../secret.txt",
        "/etc/passwd",
        "assets/../../../secret.txt",
        "assets/..",
        "",
        ".",
        "assets",
        ".sources",
        "link.txt",
        "index.html\0.js",
        "assets//index-3f2a.js",
        "INDEX.HTML",
    ],
)
def test_nothing_else_is_answered(folder: Path, name: str) -> None:
    with pytest.raises(Problem, match="there is no file"):
        Files(folder).answer(name, gzip=True, known="")


def test_what_is_built_while_it_runs_is_found(folder: Path) -> None:
    files = Files(folder)
    files.answer("index.html", gzip=False, known="")
    (folder / "assets" / "index-3f2a.js").rename(folder / "assets" / "index-77b1.js")
    assert files.answer("assets/index-77b1.js", gzip=False, known="").status_code == 200
    with pytest.raises(Problem):
        files.answer("assets/index-3f2a.js", gzip=False, known="")


def test_before_it_is_built_it_says_how(tmp_path: Path) -> None:
    answer = Files(tmp_path / "static").answer("index.html", gzip=True, known="")
    assert answer.status_code == 503
    assert b"hatch_build.py" in bytes(answer.body)
