"""A gateway file with mistakes is answered with all of them; one without becomes a plan."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from edge.config.document import read
from edge.opening import open_plan
from protocols.errors import ConfigError, Mistake
from protocols.model.manifest import Manifest, declaration_hash
from tests.edge.house import PROFILE, gateway_file

_GOOD = """\
gateway: {id: gw-test, name: {zh: 网关, en: Gateway}}
state_dir: state
profiles: profiles
sites:
  - {key: site-a, name: {zh: 甲, en: A}, kind: station, lon: 121.4, lat: 31.2}
connections:
  - {key: line1, protocol: modbus, settings: {host: 127.0.0.1, port: 5020}}
devices:
  - key: pump1
    site: site-a
    name: {zh: 泵, en: Pump}
    connection: line1
    profile: test.pump
    params: {unit: 1}
"""


def _mistakes(folder: Path, text: str) -> list[Mistake]:
    path = gateway_file(folder, 5020)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        open_plan(path)
    return caught.value.mistakes


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "repair"),
    [
        ("state_dir: state", "state_dri: state", 2, "state_dri", "state_dir"),
        ("id: gw-test", "id: GW Test", 1, "gateway.id", "gw-test"),
        ("lon: 121.4", "lon: 221.4", 5, "sites[0].lon", "180"),
        ("lon: 121.4", "lon: east", 5, "sites[0].lon", "a number"),
        ("site: site-a", "site: site-b", 10, "devices[0].site", "site-a"),
        ("connection: line1", "connection: line2", 12, "devices[0].connection", "line1"),
        ("profile: test.pump", "profile: test.pmup", 13, "devices[0].profile", "test.pump"),
        ("protocol: modbus", "protocol: modbuss", 7, "connections[0].protocol", "modbus"),
        ("port: 5020", "prot: 5020", 7, "connections[0].settings.prot", "port"),
        ("unit: 1", "unit: 1, unit: 2", 14, "devices[0].params.unit", "delete one"),
        ("unit: 1", "unit: 999", 14, "devices[0].params.unit", "255"),
        ("unit: 1}", "unit: 1", 15, "", "bracket"),
        ("    params", "    periods: {level: 7}\n    params", 14, "devices[0].periods.level", "periods"),
        ("    params", "    periods: {levle: 1}\n    params", 14, "devices[0].periods.levle", "level"),
        (
            "    params",
            "    alarms: [{key: level-high, point: levl}]\n    params",
            14,
            "devices[0].alarms[0].point",
            "level",
        ),
        (
            "    params",
            "    alarms: [{key: level-hgih, disabled: true}]\n    params",
            14,
            "devices[0].alarms[0].key",
            "level-high",
        ),
        (
            "    params",
            "    alarms: [{key: level-high, limit: 300}]\n    params",
            14,
            "devices[0].alarms[0].limit",
            "range",
        ),
        (
            "    params",
            "    alarms: [{key: level-high, deadband: 100}]\n    params",
            14,
            "devices[0].alarms[0].deadband",
            "%",
        ),
        (
            "    params",
            "    alarms: [{key: very-high, point: level, kind: hihi, limit: 20, priority: P1,"
            " name: {zh: 高, en: High}}]\n    params",
            14,
            "devices[0].alarms[0].limit",
            "limits",
        ),
    ],
)
def test_a_mistake_says_where_and_how_to_repair(
    tmp_path: Path, *, old: str, new: str, line: int, path: str, repair: str
) -> None:
    assert old in _GOOD
    mistakes = _mistakes(tmp_path, _GOOD.replace(old, new, 1))
    found = [mistake for mistake in mistakes if mistake.path == path]
    assert found, [str(mistake) for mistake in mistakes]
    assert (found[0].file, found[0].line) == (str(tmp_path / "gateway.yaml"), line)
    assert repair in found[0].repair


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = _GOOD.replace("lon: 121.4", "lon: x").replace("host:", "hots:").replace("site: site-a", "site: b")
    text = text.replace("unit: 1", "unti: 1").replace("gateway: {", "gatway: {")
    paths = {mistake.path for mistake in _mistakes(tmp_path, text)}
    assert paths == {
        "gatway",
        "gateway",
        "sites[0].lon",
        "connections[0].settings.host",
        "connections[0].settings.hots",
        "devices[0].site",
        "devices[0].params.unit",
        "devices[0].params.unti",
    }


def test_a_profile_s_mistakes_name_the_profile(tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020)
    profile = dict(PROFILE, points=[dict(PROFILE["points"][0], scale="big", colour="red")])
    file = tmp_path / "profiles" / "test.pump.yaml"
    file.write_text(yaml.safe_dump(profile, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        open_plan(path)
    assert {(m.file, m.path) for m in caught.value.mistakes} == {
        (str(file), "points[0].scale"),
        (str(file), "points[0].colour"),
    }
    assert all(mistake.line > 1 for mistake in caught.value.mistakes)


def test_a_secret_is_not_repeated_in_a_message(tmp_path: Path) -> None:
    text = _GOOD.replace("port: 5020", "port: 5020, password: hunter2")
    assert "hunter2" not in "\n".join(map(str, _mistakes(tmp_path, text)))


def test_a_missing_file_is_one_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        open_plan(tmp_path / "nothing.yaml")


def test_words_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(
        "a: on\nb: 12:30\nc: 2026-01-01\nd: 0x1F\ne: 1e3\nf: no\ng: ~\nh: 1.5\n", encoding="utf-8"
    )
    document = read(path)
    assert document.data == {
        "a": "on",
        "b": "12:30",
        "c": "2026-01-01",
        "d": 31,
        "e": 1000.0,
        "f": "no",
        "g": None,
        "h": 1.5,
    }
    assert document.place(("d",)) == (4, 4)


def test_the_plan_numbers_points_as_the_manifest_does(tmp_path: Path) -> None:
    plan = open_plan(gateway_file(tmp_path, 5020, units=2))
    manifest = msgspec.json.decode(plan.declared, type=Manifest)
    assert plan.declaration == declaration_hash(plan.declared)
    assert [f"{point.device}.{point.key}" for point in manifest.points] == list(plan.indexes)
    assert [point.index for point in plan.points] == list(range(len(plan.points)))
    assert {"pump1.level", "pump2._online", "_gateway.cpu"} <= plan.indexes.keys()
    rules = {rule.id: rule for rule in manifest.rules}
    assert rules["pump2.level-high"].point == "pump2.level"
    assert "_gateway.dropped" in rules
    level = manifest.points[plan.indexes["pump1.level"]]
    assert (level.unit, level.decimals, level.period_s) == ("m", 2, 0.05)
    assert open_plan(tmp_path / "gateway.yaml").declaration == plan.declaration


def test_the_gateway_file_changes_adds_and_disables_rules(tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020, units=2)
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["devices"][0]["alarms"] = [
        {"key": "level-high", "limit": 25, "priority": "P1"},
        {
            "key": "silent",
            "point": "count",
            "kind": "no_data",
            "limit": 30,
            "priority": "P3",
            "name": {"zh": "无数据", "en": "Silent"},
        },
    ]
    data["devices"][0]["periods"] = {"count": "fast", "speed": 0.2}
    data["devices"][1]["alarms"] = [{"key": "level-high", "disabled": True}]
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    plan = open_plan(path)
    rules = {rule.id: rule for rule in plan.rules if rule.id.startswith("pump")}
    heard = {"pump1.communication", "pump2.communication"}
    assert rules.keys() == {"pump1.level-high", "pump1.silent"} | heard
    assert rules["pump1.silent"].parent == "pump1.communication", "one alarm for a device that is silent"
    changed = rules["pump1.level-high"]
    assert (changed.limit, changed.priority, changed.deadband) == (25, "P1", 2)
    periods = {
        f"{p.device}.{p.profile.key}": p.profile.period for p in plan.points if p.device.startswith("pump")
    }
    assert (periods["pump1.count"], periods["pump1.speed"]) == ("fast", "slow")
    assert periods["pump2.count"] == "slow"


def test_a_number_of_too_many_digits_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("sites: " + "9" * 5_000, encoding="utf-8")
    assert "5000 digits" in str(read(path).mistakes[0])
