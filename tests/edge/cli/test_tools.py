"""`scan`, `decode` and `check --ask` as they print: tables for people, JSON for scripts, a bar to watch."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from edge.cli import app
from edge.cli.decode import parse
from edge.cli.findings import address, suggestion
from edge.cli.progress import Bar
from edge.cli.scan import unit_ids
from edge.cli.words import size, span
from protocols.errors import Rejected
from protocols.field.scanning import Found, Progress
from tests.edge.house import gateway_file

runner = CliRunner()


def test_decode_shows_the_likeliest_first() -> None:
    words = runner.invoke(app, ["decode", "0x4248", "0x0000"]).stdout.splitlines()
    assert words[0] == "registers 4248 0000"
    assert words[1].split() == ["SCORE", "AT", "TYPE", "ORDER", "VALUE", "WHY"]
    assert words[2].split()[2:5] == ["f32", "ABCD", "50"]
    answer = json.loads(runner.invoke(app, ["decode", "0x42480000", "--json"]).stdout)
    assert answer["registers"] == [0x4248, 0]
    assert (answer["readings"][0]["type"], answer["readings"][0]["value"]) == ("f32", 50.0)
    known = json.loads(
        runner.invoke(app, ["decode", "0x4366", "0x3333", "--address", "0", "--fc", "4", "--json"]).stdout
    )
    assert "eastron.sdm630" in {fit["profile"] for fit in known["profiles"]}


@pytest.mark.parametrize(
    ("texts", "words"),
    [(["0x4248", "0"], [0x4248, 0]), (["0x42480000"], [0x4248, 0]), (["1,2", "3"], [1, 2, 3])],
)
def test_registers_as_people_write_them(texts: list[str], words: list[int]) -> None:
    assert parse(texts) == words


@pytest.mark.parametrize(
    ("text", "found"),
    [("a", ("a", 502)), ("a:5020", ("a", 5020)), ("[::1]:5020", ("::1", 5020)), ("::1", ("::1", 502)),
     ("[fe80::1]", ("fe80::1", 502))],
)  # fmt: skip
def test_addresses(text: str, found: tuple[str, int]) -> None:
    assert address(text, 502) == found


@pytest.mark.parametrize("text", ["", ":5", "a:x", "a:0", "a:70000"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Rejected, match="is no address"):
        address(text, 502)


def test_unit_ids() -> None:
    assert unit_ids("1-3,7, 2") == (1, 2, 3, 7)
    for wrong in ("", "a", "1-", "5-2", "256", "-1"):
        with pytest.raises(Rejected):
            unit_ids(wrong)


def test_a_suggestion_is_yaml_with_each_line_once() -> None:
    line = {"protocol": "modbus", "settings": {"host": "h", "port": 502}}
    found = [
        Found(
            "unit", str(n), "", {}, {"connections": line, "devices": {"profile": "p", "params": {"unit": n}}}
        )
        for n in (1, 2, 2)
    ]
    data = yaml.safe_load(suggestion(found))
    assert data["connections"] == [{"key": "line1", **line}]
    assert [device["params"]["unit"] for device in data["devices"]] == [1, 2]
    assert suggestion([Found("node", "x", "")]) == ""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal_only_and_wiped() -> None:
    terminal, pipe = _Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        bar = Bar(stream)
        bar.show(Progress(5, 10, "unit 5"))
        bar.show(Progress(3, 0, "no\x1b[2Jdes"))
        bar.clear()
    assert pipe.getvalue() == ""
    assert "50 % unit 5" in terminal.getvalue()
    assert "[3 found] no?[2Jdes" in terminal.getvalue()
    assert terminal.getvalue().rpartition("\r")[2] == ""


def test_check_lists_what_is_asked(tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020)
    record = json.loads(runner.invoke(app, ["check", str(path), "--ask", "--json"]).stdout)
    fast, slow = record["asked"]
    assert (fast["unit"], fast["fc"], fast["address"], fast["count"]) == (1, 3, 0, 2)
    assert (fast["every_s"], sorted(fast["points"])) == (0.05, ["level", "speed"])
    assert (slow["address"], slow["points"]) == (40, ["count"])
    warned = runner.invoke(app, ["check", str(path), "--baud", "2400"])
    assert warned.exit_code == 0
    assert "s of reads in a 0.05 s cycle" in warned.stderr


def test_check_names_topics_that_are_listened_to(tmp_path: Path) -> None:
    path = gateway_file(
        tmp_path, 5020,
        connections=[{"key": "broker", "protocol": "mqtt", "settings": {"host": "127.0.0.1"}}],
        devices=[{"key": "aq", "site": "site-a", "name": {"zh": "气", "en": "Air"}, "connection": "broker",
                  "profile": "city.air_station", "params": {"device": "aq7"}}],
    )  # fmt: skip
    told = runner.invoke(app, ["check", str(path), "--ask"]).stdout
    assert "listens to" in told
    assert "linjiang/air/aq7/state" in told


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (200, "3 min 20 s"), (3600, "1 h"), (792_000 + 59, "9 d 4 h"), (86_400, "1 d")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_sizes_in_words() -> None:
    assert [size(n) for n in (0, 999, 12_500, 3.2e9, 5e13)] == [
        "0 B",
        "999 B",
        "12.5 kB",
        "3.2 GB",
        "50.0 TB",
    ]


@pytest.fixture
def strangers_folder() -> Iterator[Path]:
    """A folder that everybody may enter, with a state folder that only its owner may."""
    folder = Path(tempfile.mkdtemp(prefix="cn-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_is_told_to_be_the_gateways_user(strangers_folder: Path) -> None:
    path = strangers_folder / "gateway.yaml"
    assert runner.invoke(app, ["init", str(path), "--yes"]).exit_code == 0
    (strangers_folder / "state").mkdir(mode=0o700)
    # Once as the owner, so that everything is imported before the rights are gone.
    assert "is not running" in runner.invoke(app, ["health", str(path)]).stderr

    def as_nobody() -> tuple[int, str]:
        os.seteuid(65_534)
        try:
            answer = runner.invoke(app, ["health", str(path)])
        finally:
            os.seteuid(0)
        return answer.exit_code, answer.stderr

    code, told = as_nobody()
    assert code == 2
    assert "run this as the gateway's user" in told
    path.chmod(0o644)
    code, told = as_nobody()
    assert code == 1
    assert "is for the gateway's own user" in told
