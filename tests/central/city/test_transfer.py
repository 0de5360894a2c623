"""Files of the registry: what is exported changes nothing when it comes back; mistakes are told by place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.city import cells, tablefile
from central.city.fields import FIELDS, Fault, Kind, Known
from central.city.layers import State, blank
from central.city.transfer import Plan, plan
from protocols.errors import Rejected

KNOWN = Known(frozenset({"ps-1", "ps-2"}), frozenset({"water", "roads"}))
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30).map(str.strip)
NAMES = WORDS.filter(bool)
MARKED = WORDS.filter(lambda text: not set(text) & set(";；|\n") and text != "")
DEGREES = st.floats(-90, 90)
SAMPLES: dict[str, st.SearchStrategy[Any]] = {
    "name_zh": NAMES,
    "name_en": NAMES,
    "kind": st.sampled_from(["pump", "pumping_station"]),
    "site": st.sampled_from(["ps-1", "ps-2"]),
    "department": st.sampled_from(["", "water"]),
    "grid_cell": st.sampled_from(["", "310101001001001"]),
    "note": st.text("a=+\n'\",;北", max_size=20).map(str.strip),
    "lon": DEGREES,
    "lat": DEGREES,
    "tags": st.lists(MARKED, max_size=4, unique=True),
    "contacts": st.lists(
        st.fixed_dictionaries(
            {
                "name": MARKED,
                "role": MARKED | st.just(""),
                "phone": st.sampled_from(["", "+86 138 0000 0000", "110"]),
                "email": st.sampled_from(["", "a@city.example"]),
            }
        ),
        max_size=3,
    ),
}


@st.composite
def states(draw: st.DrawFn, kind: Kind) -> State:
    state = blank(kind) | {
        "id": draw(st.sampled_from(["gw.a", "gw.b-1"]) if kind == "device" else st.just("ps-1"))
    }
    for item in FIELDS[kind]:
        state[item.name] = item.clean(draw(SAMPLES.get(item.name, WORDS)), KNOWN)
    if kind in {"device", "gateway"} and draw(st.booleans()):
        state |= {"lon": None, "lat": None}
    state["declared"] = draw(st.none() | st.just({"name_zh": "申报"}))
    return state | {"lifecycle": draw(st.sampled_from(["planned", "active", "retired"]))}


def come_back(kind: Kind, state: State, shape: tablefile.Format) -> Plan:
    if shape == "csv":
        text = "".join(tablefile.write_csv(kind, [state]))
    else:
        text = "".join(tablefile.write_geojson(kind, [state], {"ps-1": (1, 2), "ps-2": (3, 4)}))
    return plan(kind, tablefile.read(kind, shape, text.encode()), {state["id"]: state}, KNOWN)


@pytest.mark.parametrize("shape", ["csv", "geojson"])
@pytest.mark.parametrize("kind", ["site", "gateway", "device"])
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_exported_changes_nothing(kind: Kind, shape: tablefile.Format, data: st.DataObject) -> None:
    made = come_back(kind, data.draw(states(kind)), shape)
    assert (made.mistakes, made.steps, made.unchanged) == ([], [], 1)


@settings(max_examples=25)
@given(states("point"))
def test_what_is_exported_of_points_changes_nothing(state: State) -> None:
    made = come_back("point", state, "csv")
    assert (made.mistakes, made.steps, made.unchanged) == ([], [], 1)


@given(states("site"))
@settings(max_examples=5)
def test_a_file_of_some_columns_changes_nothing_either(state: State) -> None:
    chosen = ["district", "id", "tags"]
    text = "".join(tablefile.write_csv("site", [state], chosen))
    assert text.splitlines()[0] == "\ufeffid,district,tags"
    made = plan("site", tablefile.read("site", "csv", text.encode()), {state["id"]: state}, KNOWN)
    assert (made.mistakes, made.steps, made.unchanged) == ([], [], 1)
    (feature,) = json.loads("".join(tablefile.write_geojson("site", [state], {}, chosen)))["features"]
    assert [*feature["properties"]] == ["id", "district", "tags", "own_place"]
    with pytest.raises(Rejected, match="owner: no such column of a site; there are id, name_zh"):
        tablefile.columns("site", ["owner"])


@given(st.text())
def test_a_cell_comes_back_and_never_acts(text: str) -> None:
    assert cells.unguard(cells.guard(text)) == text
    assert cells.guard(text)[:1] not in set("=+-@\t\r")


def told(made: Plan) -> list[tuple[int, str]]:
    return [(mistake.line, mistake.column) for mistake in made.mistakes]


def sites(text: str | bytes) -> Plan:
    data = text if isinstance(text, bytes) else text.encode()
    there = blank("site") | {
        "id": "ps-1", "name_zh": "一号", "name_en": "One", "kind": "pump", "lon": 121.0, "lat": 31.0,
        "lifecycle": "active", "tags": ["a"],
    }  # fmt: skip
    return plan("site", tablefile.read("site", "csv", data), {"ps-1": there}, KNOWN)


def test_each_mistake_is_told_by_line_and_column() -> None:
    made = sites(
        "id,name_zh,kind,lon,lat,department,grid_cell,lifecycle\n"
        "ps-1,新名,pump,121.0,31.0,,,planned\n"
        'ps-2,"两行\n的名",pump,200,31.0,nobody,12,\n'
        "\n"
        "PS 3,,pump,1,2,,,\n"
        "ps-1,again,pump,1,1,,,\n"
        "ps-4,a,b,1,2,,,,,too many\n"
    )
    assert told(made) == [
        (2, "lifecycle"),
        (3, "name_zh"),
        (3, "department"),
        (3, "lon"),
        (3, "grid_cell"),
        (6, "id"),
        (7, "id"),
        (8, ""),
    ]
    assert all(mistake.zh and mistake.en for mistake in made.mistakes)


def test_what_would_change_is_told_and_missing_columns_stay() -> None:
    made = sites("id;name_zh;name_en;kind;lon;lat\nps-1;甲;;;;\nps-2;乙;Two;pump;121.5;31.5\n")
    assert [(mistake.column, mistake.line) for mistake in made.mistakes] == [
        ("name_en", 2), ("kind", 2), ("lon", 2), ("lat", 2),
    ]  # fmt: skip
    made = sites("id,name_zh,tags\nps-1,甲,a；b\nps-2,乙,\n")
    assert [mistake.column for mistake in made.mistakes] == ["kind", "lon", "lat"]
    made = sites("id,name_zh,tags\nps-1,甲,a；b\n")
    assert [(step.outcome, step.before, step.after) for step in made.steps] == [
        ("changed", {"name_zh": "一号", "tags": ["a"]}, {"name_zh": "甲", "tags": ["a", "b"]})
    ]


def test_excel_in_china_and_marks_at_the_beginning_are_read() -> None:
    text = "id,name_zh\nps-1,滨江排涝站\n"
    for data, encoding in ((text.encode("gbk"), "gb18030"), (b"\xef\xbb\xbf" + text.encode(), "utf-8")):
        made = sites(data)
        assert (made.encoding, made.steps[0].after) == (encoding, {"name_zh": "滨江排涝站"})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xff\xff", "neither UTF-8 nor GBK"),
        (b"name\nx\n", "line 1 names"),
        (b"id,colour\n", "no such column"),
        (b"id,id\n", "more than once"),
        (b'id,name_zh\nps-1,"open\n', "no CSV"),
        (b"", "line 1 names"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, words: str) -> None:
    assert words in sites(data).mistakes[0].en


def test_a_file_that_is_too_large_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tablefile, "MOST_BYTES", 10)
    assert "split it" in sites(b"id,name_zh\n").mistakes[0].en
    monkeypatch.undo()
    monkeypatch.setattr(tablefile, "MOST_ROWS", 1)
    assert "split the file" in sites(b"id\na\nb\nc\n").mistakes[0].en


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"type": "Feature"}, "FeatureCollection is expected"),
        ({"type": "FeatureCollection", "features": [], "crs": {"name": "EPSG:4490"}}, "knows no crs"),
        ({"type": "FeatureCollection", "features": [1]}, "with properties"),
        ({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}}]}, "id is missing"),
        (
            {
                "type": "FeatureCollection",
                "features": [
                    {
                        "type": "Feature",
                        "properties": {"id": "ps-1"},
                        "geometry": {"type": "Polygon", "coordinates": [[]]},
                    }
                ],
            },
            "a Point or null",
        ),
    ],
)
def test_geojson_of_another_shape_says_what_is_expected(document: object, words: str) -> None:
    found = tablefile.read("site", "geojson", json.dumps(document).encode())
    assert words in found.mistakes[0].en


def test_json_with_a_mistake_tells_its_line() -> None:
    (mistake,) = tablefile.read("site", "geojson", b'{\n"type": x}').mistakes
    assert (mistake.line, "line 2, column 9" in mistake.en) == (2, True)
    (mistake,) = tablefile.read("site", "geojson", b'{"type": NaN}').mistakes
    assert "NaN" in mistake.en


def test_a_contact_in_a_cell_has_four_parts_at_most() -> None:
    field = next(item for item in FIELDS["site"] if item.name == "contacts")
    with pytest.raises(Fault, match="5 parts"):
        cells.parse(field, "a|b|c|d|e")
