"""Interlocks and actions that cannot work are mistakes of the file, each with its place and repair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.opening import open_plan
from protocols.errors import ConfigError, Mistake
from tests.edge.commands.station import station_file

ACTION: dict[str, Any] = {
    "key": "drain",
    "when": {"alarm": "st.high", "on": "raise"},
    "do": [{"point": "st.pump1", "value": 1}],
}


def _mistakes(folder: Path, **sections: Any) -> list[Mistake]:
    with pytest.raises(ConfigError) as caught:
        open_plan(station_file(folder, 5020, **sections))
    return caught.value.mistakes


def test_a_whole_file_has_all_of_it_in_the_plan(tmp_path: Path) -> None:
    plan = open_plan(
        station_file(
            tmp_path,
            5020,
            interlocks=[
                {
                    "point": "st.pump1",
                    "permit": [
                        {"point": "st.level", "op": ">", "value": 0.5},
                        "st.ready == 1 and good(st.level)",
                    ],
                    "excludes": ["st.pump2"],
                    "min_on_s": 10,
                    "min_off_s": 20,
                }
            ],
            actions=[
                ACTION,
                {
                    "key": "warn",
                    "when": {"alarm": "st.high"},
                    "do": [{"point": "st.sign", "value": "FLOOD"}],
                    "force": True,
                },
            ],
        )
    )
    entry = plan.loaded.entry
    assert entry.interlocks[0].min_off_s == 20
    assert [action.when.on for action in entry.actions] == ["raise", "raise"]


def test_an_action_may_wait_for_a_condition_over_points(tmp_path: Path) -> None:
    condition = {
        "key": "both",
        "when": "st.level > 20 and st.ready == 1",
        "priority": "P2",
        "name": {"zh": "都", "en": "Both"},
    }
    waits = {**ACTION, "when": {"alarm": "st.both"}}
    plan = open_plan(station_file(tmp_path, 5020, actions=[waits], conditions=[condition]))
    assert plan.loaded.entry.actions[0].when.alarm == "st.both"


@pytest.mark.parametrize(
    ("interlock", "path", "word"),
    [
        ({"point": "st.pmp1"}, "interlocks[0].point", "st.pump1"),
        ({"point": "st.level"}, "interlocks[0].point", "writable"),
        ({"point": "st.sign", "min_on_s": 5}, "interlocks[0]", "neither on nor off"),
        ({"point": "st.pump1", "excludes": ["st.pump1"]}, "interlocks[0].excludes[0]", "itself"),
        ({"point": "st.pump1", "excludes": ["st.pump9"]}, "interlocks[0].excludes[0]", "st.pump2"),
        ({"point": "st.pump1", "excludes": ["st.sign"]}, "interlocks[0].excludes[0]", "is text"),
        (
            {"point": "st.pump1", "permit": [{"point": "st.sign", "op": "==", "value": 1}]},
            "interlocks[0].permit[0].point",
            "is text",
        ),
        ({"point": "st.pump1", "permit": ["st.levle > 3"]}, "interlocks[0].permit[0]", "st.level"),
        ({"point": "st.pump1", "permit": ["st.level >"]}, "interlocks[0].permit[0]", "expression"),
        ({"point": "st.pump1", "permit": ["avg(st.level, 60 s) > 3"]}, "interlocks[0].permit[0]", "window"),
        (
            {"point": "st.pump1", "permit": [{"point": "st.level", "op": "=", "value": 1}]},
            "interlocks[0].permit[0].op",
            "'=='",
        ),
        ({"point": "st.pump1", "permit": [5]}, "interlocks[0].permit[0]", "a map"),
        ({"point": "st.pump1", "min_on_s": -1}, "interlocks[0].min_on_s", "0"),
    ],
)
def test_an_interlock_that_cannot_work_is_a_mistake(
    tmp_path: Path, interlock: dict[str, Any], path: str, word: str
) -> None:
    (mistake,) = _mistakes(tmp_path, interlocks=[interlock])
    assert mistake.path == path
    assert mistake.line > 0
    assert word in str(mistake)


def test_two_interlocks_on_one_point_are_a_mistake(tmp_path: Path) -> None:
    (mistake,) = _mistakes(tmp_path, interlocks=[{"point": "st.pump1"}, {"point": "st.pump1"}])
    assert "join the two" in mistake.repair


@pytest.mark.parametrize(
    ("change", "path", "word"),
    [
        ({"when": {"alarm": "st.hihg"}}, "actions[0].when.alarm", "st.high"),
        ({"when": {"alarm": "st.high", "on": "rise"}}, "actions[0].when.on", "raise"),
        ({"do": []}, "actions[0].do", "1"),
        ({"do": [{"point": "st.level", "value": 1}]}, "actions[0].do[0].point", "only be read"),
        ({"do": [{"point": "st.pump1", "value": 2}]}, "actions[0].do[0].value", "0 to 1"),
        ({"do": [{"point": "st.pump1", "value": "on"}]}, "actions[0].do[0].value", "quotes"),
        ({"do": [{"point": "st.sign", "value": 5}]}, "actions[0].do[0].value", "quotes"),
        ({"priority": 0}, "actions[0].priority", "1"),
    ],
)
def test_an_action_that_cannot_work_is_a_mistake(
    tmp_path: Path, change: dict[str, Any], path: str, word: str
) -> None:
    (mistake,) = _mistakes(tmp_path, actions=[{**ACTION, **change}])
    assert mistake.path == path
    assert word in str(mistake)


def test_two_actions_that_contradict_one_another_are_a_mistake(tmp_path: Path) -> None:
    other = {**ACTION, "key": "stop", "do": [{"point": "st.pump1", "value": 0}]}
    (mistake,) = _mistakes(tmp_path, actions=[ACTION, other])
    assert "at the same moment" in mistake.problem
    assert open_plan(station_file(tmp_path, 5020, actions=[ACTION, {**other, "priority": 2}]))


def test_a_device_that_is_wrong_itself_does_not_make_its_points_unknown(tmp_path: Path) -> None:
    file = station_file(tmp_path, 5020, actions=[ACTION])
    file.write_text(file.read_text(encoding="utf-8").replace("profile: test.station", "profile: test.x"))
    with pytest.raises(ConfigError) as caught:
        open_plan(file)
    assert [mistake.path for mistake in caught.value.mistakes] == ["devices[0].profile"]
