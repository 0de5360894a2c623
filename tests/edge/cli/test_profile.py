"""`citynerve-edge profile`, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.config.load import SHIPPED_PROFILES, read_profile
from edge.tools.profile_template import PROTOCOLS
from edge.tools.profiles import known_profiles


def typed(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["profile", *map(str, words)], env={"COLUMNS": "200", "TERM": "dumb"})
    return result.exit_code, result.output


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_template_is_whole_and_proved(protocol: str, tmp_path: Path) -> None:
    path = tmp_path / "my.meter.yaml"
    assert typed("template", path, "--protocol", protocol)[0] == 0
    code, said = typed("check", path, "--json")
    (told,) = json.loads(said)
    assert code == 0
    assert (told["profile"], told["wrong"], told["unproved"]) == ("my.meter", [], [])
    assert typed("template", path)[0] == 1, "a person's file is never written over"


def test_a_vector_that_does_not_come_true_is_shown_with_what_came(tmp_path: Path) -> None:
    path = tmp_path / "my.meter.yaml"
    typed("template", path)
    path.write_text(path.read_text().replace("scale: 0.1", "scale: 0.01"))
    code, said = typed("check", path)
    assert code == 1
    assert "2 of 4 golden vectors come true" in said
    assert "temperature: raw 00D6 becomes 2.1 Good, expected 21.4 Good" in said


def test_every_shipped_profile_proves_itself() -> None:
    folder = SHIPPED_PROFILES
    code, said = typed("check", *sorted(folder.glob("*.yaml")), "--json")
    told = json.loads(said)
    assert (code, [one["wrong"] for one in told]) == (0, [[]] * len(told))
    assert [one["profile"] for one in told if one["unproved"]] == []


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_points_through_a_spreadsheet(encoding: str, tmp_path: Path) -> None:
    table, back = tmp_path / "points.csv", tmp_path / "xy_md02.yaml"
    assert typed("export", "xy_md02", table, "--encoding", encoding)[0] == 0
    assert table.read_bytes().startswith(b"\xef\xbb\xbf") == (encoding == "utf-8")
    assert typed("import", table, back)[0] == 0
    assert read_profile(back)[0] == known_profiles()["xy_md02"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["export", "xy_md03", "p.csv"], 1, "profile list names them all"),
        (["export", "xy_md02", "p.csv", "--encoding", "latin"], 1, "none of utf-8, gb18030"),
        (["template", "x.yaml", "--protocol", "snmp"], 1, "there are templates for"),
        (["import", "absent.csv", "x.yaml"], 2, "cannot be read"),
        (["check", "absent.yaml"], 2, "check that absent.yaml exists"),
    ],
)
def test_mistakes_are_answered_with_the_way_out(
    words: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answered, said = typed(*words)
    assert (answered, says in " ".join(said.split())) == (code, True), said
