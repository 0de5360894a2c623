"""The log in memory: bounded, in order, and without secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from edge.console.ring import LINES, MASK, MAX_CHARACTERS, Ring, installed, masked


def _say(ring: Ring, event: str, level: str = "info", **fields: Any) -> None:
    ring(None, level, {"event": event, "level": level, **fields})


def test_lines_are_numbered_bounded_and_asked_for_by_number() -> None:
    ring = Ring(clock=lambda: 42)
    for i in range(LINES + 10):
        _say(ring, f"line {i}", "info" if i % 2 else "warning", i=i)
    newest, lines = ring.after(0)
    assert (newest, len(lines), lines[0].n, lines[0].time_us) == (LINES + 10, LINES, 11, 42)
    newest, lines = ring.after(newest - 3, "warning")
    assert [(line.event, line.fields["i"]) for line in lines] == [("line 1008", 1008)]
    assert ring.after(newest)[1] == []


@pytest.mark.parametrize(
    "said",
    [
        {"password": "hunter22"},
        {"page_password": "hunter22"},
        {"Authorization": "Bearer hunter22hunter22"},
        {"token": "hunter22"},
        {"settings": {"host": "10.0.0.1", "password": "hunter22"}},
        {"url": "mqtt://user:hunter22@10.0.0.1:1883"},
        {"reason": "401 for Bearer hunter22hunter22"},
        {"reason": "GET /x?token=hunter22&y=1"},
        {"reason": "password='hunter22'"},
        {"code": "hunter22"},
        {"cookie": "page-gw=hunter22"},
    ],
)
def test_secrets_are_masked_by_name_and_by_form(said: dict[str, Any]) -> None:
    ring = Ring()
    _say(ring, "something", **said)
    _say(ring, f"in the text: {said}")
    for line in ring.after(0)[1][:1]:
        assert "hunter22" not in str(line)
        assert MASK in str(line)


def test_what_is_no_secret_stays_readable() -> None:
    ring = Ring()
    _say(ring, "connection is open", connection="line1", devices=3, ok=True, left=None, rate=0.5)
    line = ring.after(0)[1][0]
    assert line.fields == {"connection": "line1", "devices": 3, "ok": True, "left": None, "rate": 0.5}
    assert masked("http://10.0.0.5:8600/x?after=3") == "http://10.0.0.5:8600/x?after=3"


def test_a_traceback_is_kept_as_text_and_the_line_is_left_as_it_was() -> None:
    ring = Ring()
    try:
        int("broken here")
    except ValueError as error:
        said = {"event": "failed", "level": "error", "exc_info": error}
        assert ring(None, "error", said) is said
        assert said["exc_info"] is error
    line = ring.after(0)[1][0]
    assert "broken here" in str(line.fields["exception"])


@given(st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.binary(), st.floats(), st.none())))
def test_whatever_is_logged_is_bounded_plain_data(fields: dict[str, Any]) -> None:
    ring = Ring()
    ring(None, "info", {**fields, "event": "x" * 10_000, "level": "info"})
    line = ring.after(0)[1][0]
    assert len(line.event) <= MAX_CHARACTERS
    assert all(isinstance(value, str | int | float | bool | None) for value in line.fields.values())


def test_it_is_found_in_the_configured_processors() -> None:
    before = structlog.get_config()
    ring = Ring()
    try:
        structlog.configure(
            processors=[structlog.processors.add_log_level, ring, structlog.dev.ConsoleRenderer()]
        )
        assert installed() is ring
        structlog.get_logger("test").warning("seen", by="me")
        assert ring.after(0)[1][0].event == "seen"
    finally:
        structlog.configure(**before)
    assert installed() is not ring


def test_the_journal_gets_no_secret_either() -> None:
    """A real process: the lines go to standard error, also that of a traceback."""
    program = """if True:
        import structlog
        from edge.cli.terminal import logs
        logs()
        log = structlog.get_logger()
        try:
            raise OSError("opc.tcp://user:hunter22@10.0.0.1:4840 cannot be used")
        except OSError as error:
            log.warning("lost", reason=str(error), seconds=3, exc_info=error)
    """
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr
    assert "hunter22" not in said
    line = json.loads(said)
    assert line["reason"] == f"opc.tcp://user:{MASK}@10.0.0.1:4840 cannot be used"
    assert line["seconds"] == 3
    assert "Traceback" in line["exception"]
