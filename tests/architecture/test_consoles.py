"""What hatch_build.py builds: the right consoles, anew when a source changed, and a page that stays light."""

from __future__ import annotations

import gzip
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "edge" / "console" / "static"
LIGHT_BYTES = 150_000
"""Of gzipped scripts: what a phone loads over a weak radio link beside a cabinet, and a small board sends."""


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    """hatch_build.py, which is a program beside the packages and not one of them."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("asked", "built"),
    [("", ("central", "edge")), ("1", ("central", "edge")), ("edge", ("edge",)), ("0", ())],
)
def test_a_wheel_holds_the_consoles_that_were_asked_for(
    builder: ModuleType, asked: str, built: tuple[str, ...]
) -> None:
    assert builder.wanted(asked) == built


def test_a_wrong_wish_is_refused_with_the_right_ones(builder: ModuleType) -> None:
    with pytest.raises(builder.ConsoleError, match="say 0, central or edge"):
        builder.wanted("gateway")


def test_the_fingerprint_follows_sources_and_nothing_else(builder: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.ts").write_text("let a = 1\n")
    (tmp_path / "node_modules").mkdir()
    first = builder.fingerprint(tmp_path)
    (tmp_path / "node_modules" / "vue.js").write_text("installed\n")
    assert builder.fingerprint(tmp_path) == first
    (tmp_path / "src" / "main.ts").write_text("let a = 2\n")
    assert builder.fingerprint(tmp_path) != first


def built_page() -> Path:
    """The folder of the gateway's page; `make test` has built it."""
    assert (PAGE / "index.html").is_file(), "the page is not built; run `python hatch_build.py`"
    return PAGE


def test_the_page_is_light() -> None:
    scripts = sorted((built_page() / "assets").glob("*.js"))
    assert scripts
    assert sum(len(gzip.compress(script.read_bytes(), 9)) for script in scripts) < LIGHT_BYTES


def test_what_is_sent_packed_is_what_lies_beside_it() -> None:
    packed = sorted(built_page().rglob("*.gz"))
    assert packed
    for file in packed:
        assert gzip.decompress(file.read_bytes()) == file.with_suffix("").read_bytes(), file.name


def test_the_page_asks_no_other_host_for_anything() -> None:
    for file in [built_page() / "index.html", *built_page().rglob("*.css")]:
        assert not re.search(
            r"""(?:url\(|src=|href=|@import)\s*["']?(?:https?:)?//""", file.read_text("utf-8")
        )
