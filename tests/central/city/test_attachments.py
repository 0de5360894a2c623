"""What a sender calls a file leads to no folder and ends no header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.city.attachments import file_name, sniff


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\photos\\泵站 1.jpg", "泵站 1.jpg"),
        ('a"\r\nSet-Cookie: x=1;.pdf', "aSet-Cookie x=1.pdf"),
        ("..", "file"),
        ("/", "file"),
        ("", "file"),
        (".htaccess", "htaccess"),
    ],
)
def test_a_name_is_a_name_and_nothing_else(sent: str, kept: str) -> None:
    assert file_name(sent) == kept


@given(st.text(max_size=300))
def test_no_name_leads_anywhere(sent: str) -> None:
    name = file_name(sent)
    assert name
    assert len(name) <= 150
    assert name.isprintable()
    assert not set(name) & set('/\\"<>|:*?;')
    assert not name.startswith(".")


@pytest.mark.parametrize(
    "body",
    [b"<svg onload=alert(1)>", b" \n<!doctype html>", "\ufeff<html>".encode(), b"MZ\x90", b"PK\x03\x04x"],
)
def test_what_could_act_in_a_browser_is_not_kept(body: bytes) -> None:
    assert sniff(body) is None
