"""docs/first-gateway.md and docs/profiles.md, typed line by line: both are true, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.reference import ROOT
from tests.edge.cli.pages import Block, blocks, typed_through

PAGES = {"first-gateway": 5020, "profiles": 5021}


def page(name: str) -> Path:
    return ROOT / "docs" / f"{name}.md"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_true_as_written(name: str, tmp_path: Path) -> None:
    typed_through(page(name), tmp_path, PAGES[name])


@pytest.mark.parametrize(("name", "least"), [("first-gateway", 8), ("profiles", 5)])
def test_every_block_shows_what_comes(name: str, least: int) -> None:
    found = blocks(page(name))
    assert len(found) >= least
    assert all(block.shown for block in found)
    # Behind a parser that finds too little, everything would be true.
    assert page(name).read_text().count("```sh") == len(found)


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_type_the_same(name: str) -> None:
    assert blocks(page(f"{name}.zh")) == blocks(page(name))
    inline = [
        re.findall(r"`(citynerve-[^`\n]+)`", each.read_text(encoding="utf-8"))
        for each in (page(name), page(f"{name}.zh"))
    ]
    assert inline[0] == inline[1]


@pytest.mark.parametrize(
    ("output", "matches"), [("a 1 b\nx\nc", True), ("c\na 1 b", False), ("a 1 c\nc", False)]
)
def test_the_patterns_are_strict_about_order(output: str, matches: bool) -> None:
    block = Block(False, "", ("a … b", "c"))
    assert bool(block.pattern.search(output)) == matches
