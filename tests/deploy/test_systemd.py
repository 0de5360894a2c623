"""The units: hardened, and accepted by systemd's own checker where it is installed."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = ("citynerve.service", "citynerve-backup.service", "citynerve-edge@.service")
HARDENING = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictSUIDSGID": "yes",
    "UMask": "0077",
}
MOST_EXPOSED = 2.0
"""Of systemd's scale from 0 (sealed) to 10."""

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have case
    parser.read(UNITS / name)
    return parser


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as on a machine where the commands stand in this environment's bin folder."""
    for name in SERVICES:
        text = (UNITS / name).read_text().replace("/opt/citynerve/bin", str(Path(sys.executable).parent))
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_hardened_and_not_root(name: str) -> None:
    service = unit(name)["Service"]
    assert {key: service[key] for key in HARDENING} == HARDENING
    assert service["User"] not in {"", "root"}
    assert service["StateDirectoryMode"] == "0700"


@pytest.mark.parametrize("name", SERVICES)
def test_its_account_is_made_by_sysusers(name: str) -> None:
    lines = (UNITS / "citynerve.sysusers.conf").read_text().splitlines()
    accounts = {line.split()[1] for line in lines if line.startswith("u ")}
    assert unit(name)["Service"]["User"] in accounts


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_starts_is_a_command_of_ours(name: str) -> None:
    program, verb = unit(name)["Service"]["ExecStart"].split()[:2]
    help_text = subprocess.run(
        [Path(sys.executable).parent / Path(program).name, verb, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert help_text.returncode == 0, help_text.stderr


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_systemd_accepts_the_unit(installed: Path, name: str) -> None:
    instance = name.replace("@.", "@gw-north.")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", installed / instance],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_systemd_finds_it_little_exposed(installed: Path, name: str) -> None:
    threshold = f"--threshold={int(MOST_EXPOSED * 10)}"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", threshold, installed / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-600:] + done.stderr
