"""Conditions, groups and references of rules: what is bound, what is refused, the manual's example."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.config.bind import Plan
from edge.opening import open_plan
from protocols.errors import ConfigError, Mistake
from tests.edge.house import gateway_file

NAME = {"zh": "甲", "en": "A"}
MANUAL = Path(__file__).parents[3] / "docs" / "alarms.md"


def alarm(key: str, **fields: Any) -> dict[str, Any]:
    """Return an entry of a device's `alarms:`."""
    known = {"key": key, "point": "level", "kind": "hi", "limit": 30, "priority": "P3", "name": NAME}
    return {**known, **fields}


def condition(when: str, **fields: Any) -> dict[str, Any]:
    """Return an entry of `conditions:`."""
    return {"key": "both", "when": when, "priority": "P1", "name": NAME, **fields}


def plan(folder: Path, alarms: list[dict[str, Any]] | None = None, **sections: Any) -> Plan:
    """Open a gateway with two pumps; `alarms` are the first one's."""
    path = gateway_file(folder, 5020, units=2)
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["devices"][0]["alarms"] = alarms or []
    path.write_text(yaml.safe_dump({**data, **sections}, allow_unicode=True), encoding="utf-8")
    return open_plan(path)


def mistakes(
    folder: Path, alarms: list[dict[str, Any]] | None = None, **sections: Any
) -> list[tuple[str, Mistake]]:
    """Return what is said of a gateway file, with its path."""
    with pytest.raises(ConfigError) as error:
        plan(folder, alarms, **sections)
    return [(mistake.path, mistake) for mistake in error.value.mistakes]


def test_a_condition_is_an_alarm_of_the_device_it_mentions_first(tmp_path: Path) -> None:
    when = "pump2.speed > 10 and avg(pump1.level, 60 s) > 3.2"
    found = {rule.id: rule for rule in plan(tmp_path, conditions=[condition(when, latching=True)]).rules}
    both = found["pump2.both"]
    assert (both.point, both.kind, both.expression) == ("pump2.speed", "condition", when)
    assert (both.latching, both.priority) == (True, "P1")


def test_a_condition_is_shown_where_it_says(tmp_path: Path) -> None:
    shown = condition("pump2.speed > 10", point="pump1.level")
    assert "pump1.both" in {rule.id for rule in plan(tmp_path, conditions=[shown]).rules}


def test_groups_and_references_are_bound_by_their_whole_names(tmp_path: Path) -> None:
    rules = plan(
        tmp_path,
        [
            alarm("apart", point="speed", kind="deviation", limit=5, reference="pump2.speed"),
            alarm("child", parent="apart", suppress_when="this.speed < 1 or pump2.speed < 1"),
            alarm("bad", kind="bad_quality", limit=None),
        ],
        conditions=[condition("pump1.level > 3", parent="pump1.apart")],
        groups=[{"key": "trip", "alarms": ["pump1.apart", "pump1.both"]}],
    ).rules
    found = {rule.id: rule for rule in rules}
    assert found["pump1.apart"].reference == "pump2.speed"
    assert found["pump1.child"].parent == "pump1.apart"
    assert found["pump1.child"].suppress_when == "pump1.speed < 1 or pump2.speed < 1"
    assert {rule.id for rule in rules if rule.group == "trip"} == {"pump1.apart", "pump1.both"}
    assert found["pump1.bad"].parent == "pump1.communication"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("pump1.level = 3", "write == to compare"),
        ("pump1.levle > 3", "pump1.level"),
        ("pump1.level > pump2.speed", "'Hz'"),
        ("pump1.level", "is a number"),
        ("1 < 2", "looks at no point"),
        ("avg(pump1.level) > 3", "60 s"),
    ],
)
def test_a_mistake_in_an_expression_has_its_line_and_column(tmp_path: Path, when: str, said: str) -> None:
    ((path, mistake),) = mistakes(tmp_path, conditions=[condition(when)])
    assert path == "conditions[0].when"
    assert mistake.line > 0
    assert said in str(mistake)
    assert "column" in mistake.problem or when == "1 < 2"


@pytest.mark.parametrize(
    ("alarms", "sections", "path", "said"),
    [
        ([alarm("a", parent="none")], {}, "devices[0].alarms[0].parent", "there is no alarm"),
        ([alarm("a", parent="a")], {}, "devices[0].alarms[0].parent", "hide itself"),
        ([alarm("a", suppress_when="this.speeed > 1")], {}, "devices[0].alarms[0].suppress_when", "speed"),
        ([alarm("a", reference="speed")], {}, "devices[0].alarms[0].reference", "no other point"),
        ([alarm("a", kind="discrepancy")], {}, "devices[0].alarms[0].reference", "no command"),
        (
            [alarm("a", kind="deviation", reference="speed")],
            {},
            "devices[0].alarms[0].reference",
            "'Hz'",
        ),
        (
            [alarm("a", kind="deviation", reference="lvl")],
            {},
            "devices[0].alarms[0].reference",
            "does not exist",
        ),
        ([alarm("a", kind="condition")], {}, "devices[0].alarms[0].kind", "`conditions:`"),
        ([alarm("a", kind="rate", deadband=30)], {}, "devices[0].alarms[0].limit", "never clears"),
        ([alarm("a", kind="flatline", limit=0)], {}, "devices[0].alarms[0].limit", "1800"),
        ([alarm("a", limit=None)], {}, "devices[0].alarms[0]", "no `limit`"),
        ([], {"conditions": [condition("pump1.level > 3", point="pump1.x")]}, "conditions[0].point", "exist"),
        (
            [],
            {"conditions": [condition("pump1.level > 3", key="level-high")]},
            "conditions[0].key",
            "exists already at its device",
        ),
        (
            [],
            {"conditions": [condition("pump1.level > 3"), condition("pump1.level > 4")]},
            "conditions[1].key",
            "as condition 1",
        ),
        (
            [],
            {"groups": [{"key": "g", "alarms": ["pump1.level-high", "pump2.level-hi"]}]},
            "groups[0].alarms[1]",
            "pump2.level-high",
        ),
        (
            [],
            {
                "groups": [
                    {"key": "g", "alarms": ["pump1.level-high", "pump2.level-high"]},
                    {"key": "h", "alarms": ["pump1.level-high", "pump2.communication"]},
                ]
            },
            "groups[1].alarms[0]",
            "in group 'g' already",
        ),
    ],
)
def test_what_leads_nowhere_is_refused(
    tmp_path: Path, alarms: list[dict[str, Any]], sections: dict[str, Any], path: str, said: str
) -> None:
    found = mistakes(tmp_path, alarms, **sections)
    assert [place for place, _ in found] == [path]
    assert said in str(found[0][1])


def test_alarms_that_hide_one_another_are_refused_once(tmp_path: Path) -> None:
    circle = [alarm("a", parent="b"), alarm("b", parent="c", limit=40), alarm("c", parent="a", limit=50)]
    ((_, mistake),) = mistakes(tmp_path, circle)
    assert "pump1.a → pump1.b → pump1.c → pump1.a" in mistake.problem


def test_the_example_of_the_manual(tmp_path: Path) -> None:
    """docs/alarms.md is loaded as it is printed, between the lines that it leaves out."""
    (example,) = re.findall(r"```yaml\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    head = """\
gateway: {id: gw-test, name: {zh: 网关, en: Gateway}}
state_dir: state
sites:
  - {key: ps-riverside, name: {zh: 甲, en: A}, kind: pumping_station, lon: 118.3, lat: 30.9}
connections:
  - {key: line1, protocol: modbus, settings: {host: 127.0.0.1}}
"""
    path = tmp_path / "gateway.yaml"
    path.write_text(head + example, encoding="utf-8")
    rules = {rule.id: rule for rule in open_plan(path).rules}
    assert rules["pump1.runs-dry"].group == "pump1-trip"
    assert rules["pump1.winding-jump"].per == "min"
    assert rules["pump1.winding-stuck"].suppress_when == "not pump1.running"
    assert rules["pump1.winding-silent"].parent == "pump1.communication"
