"""Cursors and quality as the API shows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from central.kernel.problem import Problem
from central.kernel.shapes import Asked, QualityOut, cut_page, decode_cursor, encode_cursor
from protocols.model.quality import Quality


@dataclass(frozen=True)
class Thing:
    id: str


@given(
    st.integers(1 - (1 << 53), (1 << 53) - 1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
)
def test_a_cursor_comes_back_as_it_was(number: int, text: str) -> None:
    assert decode_cursor(encode_cursor(number, text), int, str) == (number, text)


@given(st.text(max_size=60))
def test_a_foreign_cursor_is_a_bad_request(text: str) -> None:
    try:
        assert len(decode_cursor(text, int, str)) == 2
    except Problem as problem:
        assert (problem.status, problem.code) == (400, "bad-cursor")


def test_a_cursor_of_another_list_is_refused() -> None:
    for cursor in (encode_cursor("id"), encode_cursor(1 << 53, "id"), encode_cursor(1, "a\0b")):
        with pytest.raises(Problem, match="bad-cursor"):
            decode_cursor(cursor, int, str)


@given(st.sets(st.text("abc-.", min_size=1, max_size=4)), st.integers(1, 5))
def test_pages_hold_each_item_once_and_in_order(ids: set[str], limit: int) -> None:
    things = [Thing(item) for item in sorted(ids)]
    seen: list[Thing] = []
    cursor: str | None = None
    while True:
        items, cursor = cut_page(things, limit, cursor)
        assert len(items) <= limit
        seen += items
        if cursor is None:
            break
    assert seen == things


def test_quality_says_class_and_name() -> None:
    shown = QualityOut.of(Quality.BAD_TIMEOUT).model_dump(by_alias=True)
    assert shown == {"code": 0x800A_0000, "class": "bad", "name": "BadTimeout"}


class Body(Asked):
    words: list[str] = Field(default=[])
    more: dict[str, Any] = Field(default={})


@pytest.mark.parametrize(
    "body",
    [{"words": ["a", "b\0"]}, {"more": {"a": [{"b": "\ud800"}]}}, {"more": {"a\0": 1}}, {"w\0": ""}],
)
def test_text_that_no_column_can_hold_is_refused_however_deep_it_lies(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="cannot be stored"):
        Body.model_validate(body)
    assert Body.model_validate({"words": ["\n", "🌊"]}).words == ["\n", "🌊"]


@pytest.mark.parametrize(("open_", "shut"), [('{"a":', "}"), ("[", "]")])
def test_what_lies_too_deep_is_refused_and_never_runs_out_of_stack(open_: str, shut: str) -> None:
    """`json` reads some hundred levels; every walk through them after that would take the stack's."""
    body = {"more": {"deep": json.loads(open_ * 450 + "1" + shut * 450)}}
    with pytest.raises(ValidationError, match="more than 32 levels"):
        Body.model_validate(body)
    body["more"]["deep"] = json.loads(open_ * 30 + "1" + shut * 30)
    Body.model_validate(body)
