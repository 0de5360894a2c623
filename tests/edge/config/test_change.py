"""From one plan to the next: what is kept, and how numbers are translated, against the plain meaning."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.bind import Plan
from edge.config.change import GONE, Inlet, compare
from edge.opening import open_plan
from protocols.model.reading import Readings
from tests.edge.house import gateway_file

KEYS = ("p0", "p1", "p2", "p3")
lines = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["line1", "line2"])), unique_by=lambda d: d[0]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("change")


def plan_of(folder: Path, devices: Sequence[tuple[str, str]], port: int = 5020, **sections: Any) -> Plan:
    path = gateway_file(folder, port, **sections)
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    line, device = data["connections"][0], data["devices"][0]
    data["connections"] = [line, {**line, "key": "line2", "settings": {"host": "127.0.0.2"}}]
    data["devices"] = [
        {**device, "key": key, "connection": on, "params": {"unit": KEYS.index(key) + 1}}
        for key, on in devices
    ]
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return open_plan(path)


def names(plan: Plan) -> list[str]:
    return [f"{point.device}.{point.profile.key}" for point in plan.points]


@settings(max_examples=25, deadline=None)
@given(lines, lines)
def test_a_number_leads_to_the_same_point_or_nowhere(
    folder: Path, before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    old, new = plan_of(folder, before), plan_of(folder, after)
    change = compare(old, new)
    stays = {key for key, line in before if (key, line) in after}
    assert change.devices == stays
    for name, place in zip(names(old), change.table.tolist(), strict=True):
        device, point = name.split(".")
        lives = device in stays or device == "_gateway" or point.startswith("_")
        if place == GONE:
            assert name not in names(new) or not lives
        else:
            assert names(new)[place] == name
            assert lives
    for key in ("line1", "line2"):
        same = [d for d, line in before if line == key] == [d for d, line in after if line == key]
        assert (key in change.kept) == same
        assert (key in change.turned) != same
    assert not change.link


@settings(max_examples=25, deadline=None)
@given(st.lists(lines, min_size=2, max_size=4), st.data())
def test_an_inlet_renumbers_through_any_number_of_plans(
    folder: Path, steps: list[list[tuple[str, str]]], data: st.DataObject
) -> None:
    plans = [plan_of(folder, step) for step in steps]
    came: list[Readings] = []
    inlet = Inlet(came.append)
    for old, new in pairwise(plans):
        inlet.renumber(compare(old, new).table)
    first, last = names(plans[0]), names(plans[-1])
    asked = data.draw(st.lists(st.sampled_from(range(len(first))), min_size=1, max_size=20))
    inlet(Readings.at(np.array(asked, np.int32), 1, np.arange(len(asked), dtype=float), 0, {0: "words"}))
    readings = Readings.concat(came)
    for value, place in zip(readings.value.tolist(), readings.point.tolist(), strict=True):
        assert last[place] == first[asked[int(value)]]
        assert inlet.before(place) in {i for i, name in enumerate(first) if name == last[place]}
    if len(readings) and readings.value[0] == 0:
        assert readings.text == {0: "words"}
    inlet.fresh()
    assert inlet.before(3) == 3


def test_what_turns_a_line(folder: Path) -> None:
    devices = [("p0", "line1"), ("p1", "line2")]
    old = plan_of(folder, devices)
    moved = compare(old, plan_of(folder, devices, port=5021))
    assert moved.turned == {"line1"}
    assert moved.devices == {"p1"}, "behind another port may stand another machine"
    slower = compare(old, plan_of(folder, devices, periods={"fast": 1, "normal": 1, "slow": 1}))
    assert slower.turned == {"line1", "line2"}
    assert slower.devices == {"p0", "p1"}
    other = compare(old, plan_of(folder, devices, centre="http://127.0.0.1:9"))
    assert other.link
    assert other.turned == frozenset()
