"""`init` asks on a terminal, takes every answer as an option too, and what it writes passes `check`."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.template import Answers, render
from edge.opening import open_plan
from edge.tools.profiles import known_profiles
from tests.edge.cli.conftest import PROGRAMS, asked

ADDRESSES = {
    "modbus": ("192.0.2.10:5020", "7"),
    "opcua": ("opc.tcp://192.0.2.10:4840", "gate1"),
    "mqtt": ("192.0.2.10", "aq-1"),
    "snmp": ("192.0.2.30", "1"),
    "camera": ("192.0.2.64", "/cam/01/snapshot.jpg"),
}


@pytest.mark.parametrize(
    "profile", ["eastron.sdm630", "city.sluice_gate", "city.air_station", "city.camera", "ietf.ups"]
)
def test_options_alone_make_a_file_that_passes_check(profile: str, tmp_path: Path) -> None:
    address, identity = ADDRESSES[known_profiles()[profile].protocol]
    made = asked(
        "init", "--yes", "--profile", profile, "--address", address, "--identity", identity,
        "--centre", "https://centre.example.city", "--name-zh", "北岸“一号”: #网关",
        "--name-en", 'North "1": # {x}', folder=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "gateway.yaml").stat().st_mode & 0o777 == 0o600
    assert asked("check", "gateway.yaml", folder=tmp_path).returncode == 0
    plan = open_plan(tmp_path / "gateway.yaml")
    assert plan.loaded.entry.gateway.name.en == 'North "1": # {x}'
    assert plan.loaded.entry.devices[0].profile == profile


def test_questions_on_a_terminal(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [str(PROGRAMS / "citynerve-edge"), "init", "mine.yaml", "--profile", ""],
        cwd=tmp_path, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    os.close(terminal)
    # Id, then everything as proposed.
    os.write(controller, b"gw-asked\n" + b"\n" * 10)
    told, _ = process.communicate(timeout=60)
    os.close(controller)
    assert process.returncode == 0, told
    assert "id of this gateway" in told
    plan = open_plan(tmp_path / "mine.yaml")
    assert (plan.gateway, plan.loaded.entry.devices) == ("gw-asked", ())


def test_a_mistake_in_an_answer_is_told_with_its_line(tmp_path: Path) -> None:
    made = asked("init", "--yes", "--gateway", "GW North", folder=tmp_path)
    assert made.returncode == 2
    assert "gateway.yaml:5" in made.stderr
    assert "gw-north" in made.stderr


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)


@given(words, words, words)
@settings(max_examples=60, deadline=None)
def test_any_name_survives_being_written(zh: str, en: str, kind: str) -> None:
    text = render(Answers("gw", zh, en, "site-1", zh, en, kind, 118.0, 30.0))
    data = yaml.safe_load(text)
    assert data["gateway"]["name"] == {"zh": zh, "en": en}
    assert data["sites"][0]["kind"] == kind
