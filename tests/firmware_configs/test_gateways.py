"""The committed gateway files: fresh, and accepted by the gateway that will read them."""

from __future__ import annotations

from pathlib import Path

import pytest

import firmware_configs
from edge.config.load import load
from sim_devices.city import open_city, write_gateways

FOLDER = Path(firmware_configs.__file__).parent / "gateways"
FILES = sorted(FOLDER.glob("*.yaml"))


def test_the_committed_files_are_fresh(tmp_path: Path) -> None:
    written = write_gateways(tmp_path)
    assert {path.name for path in written} == {path.name for path in FILES}
    stale = [path.name for path in FILES if path.read_bytes() != (tmp_path / path.name).read_bytes()]
    assert not stale, f"{stale}: run `python -m sim_devices.city` and commit what it writes"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_gateway_accepts_its_file(path: Path) -> None:
    loaded = load(path)
    assert loaded.entry.gateway.id == path.stem
    assert loaded.entry.devices


def test_other_ports_folders_and_no_centre_are_written_and_accepted(tmp_path: Path) -> None:
    city = open_city()
    ports = {endpoint.key: 40_000 + place for place, endpoint in enumerate(city.listeners())}
    state = tmp_path / "state"
    for path in city.write_gateways(tmp_path / "files", ports, host="127.0.0.2", state_root=state):
        loaded = load(path)
        assert loaded.entry.centre is None
        assert loaded.state_dir == state / path.stem
        text = path.read_text(encoding="utf-8")
        assert "127.0.0.2" in text
        assert "15000" not in text


def test_together_they_read_every_device_of_the_city() -> None:
    read = [device.key for path in FILES for device in load(path).entry.devices]
    assert sorted(read) == sorted(open_city().devices())
