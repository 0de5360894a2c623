"""What strangers wrote comes to a technician's terminal as text, never as something that it obeys."""

from __future__ import annotations

from pathlib import Path

from edge.audit import Audit
from edge.cli import words
from tests.edge.cli.conftest import asked
from tests.edge.house import gateway_file

HOSTILE = "x\n     2 2026-01-01T00:00:00+00:00 local:root page-password page: set\r\x1b]0;owned\x07\x9b2J"


def test_an_entry_of_the_audit_trail_is_one_line_whatever_its_reason_says(tmp_path: Path) -> None:
    file = gateway_file(tmp_path, 1)
    Audit(tmp_path / "state").note("page:192.0.2.1", "manual-on", "*", HOSTILE)
    shown = asked("audit", "show", file.name, folder=tmp_path).stdout
    assert shown.count("\n") == 1
    assert shown.rstrip("\n").isprintable()
    assert "page:192.0.2.1 manual-on *: x?" in shown


def test_values_and_tables_obey_no_device() -> None:
    assert words.value({"text": HOSTILE, "value": None}).isprintable()
    assert all(line.isprintable() for line in words.table([("A", "B"), ("水泵", HOSTILE)]))
    assert words.plain("水泵 1\n", keep="\n") == "水泵 1\n"
