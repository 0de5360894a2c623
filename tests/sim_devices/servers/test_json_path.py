"""Paths in JSON documents, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_devices.servers.json_path import find, parse_path, put, template_path


def test_build_and_find() -> None:
    document = put(None, parse_path("data.values[1].v"), 7)
    document = put(document, parse_path("data.time"), "now")
    assert document == {"data": {"values": [None, {"v": 7}], "time": "now"}}
    assert find(document, parse_path("data.values[1].v")) == 7
    with pytest.raises(KeyError):
        find(document, parse_path("data.values[9].v"))
    assert put(None, parse_path(""), 3) == 3


@pytest.mark.parametrize(
    ("template", "path"),
    [('{"on": {value}}', ("on",)), ('{"a":[0,{"text":"{value}"}]}', ("a", 1, "text")), ("{value}", ())],
)
def test_template(template: str, path: tuple[str | int, ...]) -> None:
    assert template_path(template) == path


def test_template_without_value() -> None:
    with pytest.raises(ValueError, match=r"has no \{value\}"):
        template_path('{"on": 1}')


@given(
    st.lists(st.one_of(st.from_regex(r"[a-z]{1,4}", fullmatch=True), st.integers(0, 4)), max_size=6),
    st.integers(),
)
def test_what_is_put_is_found(steps: list[str | int], value: int) -> None:
    assert find(put(None, tuple(steps), value), tuple(steps)) == value
