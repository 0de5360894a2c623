"""A support bundle with secrets planted everywhere holds none of them, and all that a helper needs."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import yaml

from edge.console.password import set_password
from tests.edge.cli.conftest import asked
from tests.edge.house import PROFILE, gateway_file

TOKEN, PAGE, MQTT, URL, NOTE, KEY = (
    "tok-5Ge8Qa41", "page-Pw77rrT", "mqtt-Pw19xyZ", "urlPw-8812Ab", "notePw-4410", "MHcCAQEEIKsecretkey"
)  # fmt: skip
SECRETS = (TOKEN, PAGE, MQTT, URL, NOTE, KEY)


def planted(folder: Path) -> Path:
    """A gateway file, a state folder and profiles with secrets wherever people put them."""
    (folder / "mqtt.secret").write_text(MQTT + "\n")
    (folder / "page.key").write_text(f"-----BEGIN EC PRIVATE KEY-----\n{KEY}\n-----END EC PRIVATE KEY-----\n")
    path = gateway_file(
        folder,
        5020,
        page={"cert_file": "page.key", "key_file": "page.key"},
        centre=f"https://duty:{URL}@centre.example.city",
        connections=[
            {"key": "line1", "protocol": "modbus", "settings": {"host": "127.0.0.1", "port": 5020}},
            {
                "key": "broker",
                "protocol": "mqtt",
                "settings": {"host": "127.0.0.1", "username": "gw", "password_file": "mqtt.secret"},
            },
        ],
    )
    path.write_text(path.read_text() + f"\n# password: {NOTE}\n# the broker's is {MQTT}, token={TOKEN}\n")
    state = folder / "state"
    state.mkdir(mode=0o700)
    (state / "credentials.json").write_text(f'{{"gateway": "gw-test", "token": "{TOKEN}"}}')
    set_password(state, PAGE)
    (state / f"seen-{TOKEN}.txt").write_text("a name that tells")
    profile = {**PROFILE, "source": f"from https://x/y?token={URL} with {TOKEN}"}
    text = yaml.safe_dump(profile, allow_unicode=True)
    (folder / "profiles" / "test.pump.yaml").write_text(text + f"# page.key: {KEY}\n")
    return path


def unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }


@pytest.mark.parametrize("broken", [False, True], ids=["good", "broken"])
def test_no_planted_secret_is_in_the_bundle(tmp_path: Path, broken: bool) -> None:
    path = planted(tmp_path)
    if broken:
        path.write_text(path.read_text().replace("state_dir:", "colour: red\nstate_dir:"))
    answer = asked("bundle", path, "--out", "bundle.tar.gz", folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "bundle.tar.gz").stat().st_mode & 0o777 == 0o600
    parts = unpacked(tmp_path / "bundle.tar.gz")
    hashes = [word for word in (tmp_path / "state" / "page.json").read_text().split('"') if len(word) > 16]
    assert hashes, "page.json has no hash to look for"
    found = [
        (name, secret) for name, text in parts.items() for secret in (*SECRETS, *hashes) if secret in text
    ]
    assert not found
    assert "host: 127.0.0.1" in parts["gateway.yaml"]
    assert "page.json" in parts["files.txt"]
    assert {"README.txt", "versions.txt", "system.txt", "queue.json", "check.txt"} <= parts.keys()
    assert ("colour" in parts["check.txt"]) == broken


def test_a_running_gateway_tells_more(station: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle.tar.gz"
    answer = asked("bundle", "sim.yaml", "--out", out, folder=station)
    assert answer.returncode == 0, answer.stderr
    parts = unpacked(out)
    assert '"pump1"' in parts["devices.json"]
    assert "gateway starts" in parts["log.json"]
    assert '"batches"' in parts["queue.json"]
    assert '"table": "readings"' in parts["tables.json"]
