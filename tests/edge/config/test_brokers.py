"""What can be wrong with a broker's line and its devices: each mistake with its line and repair."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.opening import open_plan
from protocols.errors import ConfigError, Mistake
from protocols.field.registry import driver_class

_FILE = """\
gateway: {id: gw-test, name: {zh: 网关, en: Gateway}}
state_dir: state
profiles: profiles
sites:
  - {key: site-a, name: {zh: 甲, en: A}, kind: station, lon: 121.4, lat: 31.2}
connections:
  - {key: b1, protocol: mqtt, settings: {host: h, client_id: gw}}
  - {key: s1, protocol: sparkplug, settings: {host: h, host_id: city}}
devices:
  - {key: d1, site: site-a, name: {zh: 一, en: One}, connection: b1, profile: test.mqtt, params: {device: D}}
  - {key: d2, site: site-a, name: {zh: 二, en: Two}, connection: s1, profile: city.booster_station,
     params: {group: g, node: n, device: d}}
"""
_PROFILE = """\
id: test.mqtt
vendor: test
model: test
name: {zh: 测, en: Test}
version: 1
kind: pump
protocol: mqtt
points:
  - key: level
    name: {zh: 水位, en: Level}
    type: f64
    mqtt: {topic: "p/{device}/v", json_path: v}
"""


def mistakes(folder: Path, file: str, profile: str = _PROFILE) -> list[Mistake]:
    """Return what is wrong with a gateway file and its profile."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "test.mqtt.yaml").write_text(profile, encoding="utf-8")
    path = folder / "gateway.yaml"
    path.write_text(file, encoding="utf-8")
    try:
        plan = open_plan(path)
    except ConfigError as error:
        return error.mistakes
    for connection in plan.connections:
        driver_class(connection.driver.protocol)(connection.settings, connection.devices)
    return []


def test_the_file_itself_is_right(tmp_path: Path) -> None:
    assert mistakes(tmp_path, _FILE) == []


def test_gateways_of_one_file_sign_in_under_ids_of_their_own(tmp_path: Path) -> None:
    unnamed = _FILE.replace(", client_id: gw", "")
    assert mistakes(tmp_path, unnamed) == []
    path = tmp_path / "gateway.yaml"
    settings = open_plan(path).loaded.settings
    assert [getattr(settings[key], "client_id", "") for key in ("b1", "s1")] == [
        "gw-gw-test-b1",
        "gw-gw-test-s1",
    ]
    path.write_text(unnamed.replace("id: gw-test", "id: gw-two"), encoding="utf-8")
    assert getattr(open_plan(path).loaded.settings["b1"], "client_id", "") == "gw-gw-two-b1"
    path.write_text(_FILE.replace("client_id: gw", "client_id: "), encoding="utf-8")
    assert getattr(open_plan(path).loaded.settings["b1"], "client_id", "") is None


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "repair"),
    [
        ("client_id: gw", "ca_file: ca.pem", 7, "connections[0].settings", "tls: true"),
        ("client_id: gw", "tls: true, cert_file: a.pem", 7, "connections[0].settings", "key_file"),
        ("client_id: gw", "tls: true, key_password_file: x", 7, "connections[0].settings", "key_file"),
        ("client_id: gw", "tls: true, check_name: false", 7, "connections[0].settings", "ca_file"),
        ("client_id: gw", "tls: true, ca_file: no.pem", 7, "connections[0].settings.ca_file", "copy it"),
        ("client_id: gw", "password_env: X", 7, "connections[0].settings", "username"),
        ("client_id: gw", "username: u, password_env: X, password_file: y", 7, "connections[0].settings",
         "keep"),
        ("client_id: gw", "client_id: , session_s: 60", 7, "connections[0].settings", "client_id"),
        ("client_id: gw", "version: 4", 7, "connections[0].settings.version", "3.1.1"),
        ("client_id: gw", "keep_alive_s: 1", 7, "connections[0].settings.keep_alive_s", "5"),
        ("client_id: gw", "share: a/b", 7, "connections[0].settings.share", "correct"),
        ("host_id: city", "host_id: a/b", 8, "connections[1].settings.host_id", "without"),
        ("host_id: city", "reorder_s: -1", 8, "connections[1].settings.reorder_s", "0"),
        ("host_id: city", "rebirth_s: 0", 8, "connections[1].settings.rebirth_s", "1"),
        ("host_id: city", "client_id: gw", 8, "connections[1].settings.client_id", "gw-2"),
        ("group: g, ", "", 12, "devices[1].params.group", "group"),
        ("node: n", "node: n/m", 12, "devices[1].params.node", "without"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_its_place_and_repair(
    tmp_path: Path, old: str, new: str, line: int, path: str, repair: str
) -> None:
    found = mistakes(tmp_path, _FILE.replace(old, new, 1))
    assert [(one.line, one.path) for one in found] == [(line, path)]
    assert repair in found[0].repair


@pytest.mark.parametrize(
    ("old", "new", "repair"),
    [
        ("json_path: v", "format: csv", "json_path"), ("json_path: v", "format: bytes", "bytes"),
        ("json_path: v", "time_zone: Nowhere", "Asia/Shanghai"), ("json_path: v", "format: xml", "json"),
        ("json_path: v", "response_topic: r", "command_topic"),
    ],
)  # fmt: skip
def test_a_wrong_address_is_told_with_its_place_and_repair(
    tmp_path: Path, old: str, new: str, repair: str
) -> None:
    found = mistakes(tmp_path, _FILE, _PROFILE.replace(old, new, 1))
    assert [one.line for one in found] == [12]
    assert found[0].path.startswith("points[0].mqtt")
    assert repair in found[0].repair
