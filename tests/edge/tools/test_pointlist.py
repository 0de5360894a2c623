"""Profiles through a spreadsheet and back; other people's tables; mistakes by line and column."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.document import parse as parse_yaml
from edge.config.load import check_profile
from edge.tools import pointlist
from edge.tools.profile_files import render
from edge.tools.profiles import known_profiles
from protocols.errors import ConfigError
from protocols.model.address.modbus import ModbusAddress
from protocols.model.device import Profile

PROFILES = known_profiles()
FILE = Path("points.csv")
# Control characters cannot be written in YAML or CSV as they are; nobody's name has them.
words = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"),
    min_size=1,
    max_size=12,
)
awkward = ["=1+1", "-", "'", " a ", "1e3", "on", "0x1F", "a;b|c=d", '"', "a,b", "#x", "null", "12:30", ""]
texts = st.one_of(words, st.sampled_from(awkward))
names = st.builds(lambda zh, en: {"zh": zh, "en": en}, texts.filter(bool), texts.filter(bool))
numbers = st.floats(-1e9, 1e9).filter(lambda x: x != 0)
packed = {"topic": "t", "format": "bytes", "bytes": {"offset": 3, "order": "DCBA"}}
places = {
    "modbus": st.fixed_dictionaries(
        {"fc": st.sampled_from([3, 4]), "address": st.integers(0, 65_535)},
        optional={"order": st.sampled_from(["CDAB", "DCBA"]), "counter": st.booleans()},
    ),
    "opcua": st.fixed_dictionaries(
        {"namespace": texts, "node": words.map("s={}".format)}, optional={"sampling_ms": st.floats(0, 1e6)}
    ),
    "mqtt": st.one_of(st.fixed_dictionaries({"topic": words, "json_path": texts}), st.just(packed)),
    "sparkplug": st.fixed_dictionaries({"metric": words, "path": texts}),
}
alarm = st.fixed_dictionaries(
    {"kind": st.sampled_from(["hi", "lo"]), "limit": numbers, "priority": st.just("P3"), "name": names}
)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    protocol = draw(st.sampled_from(sorted(places)))
    points = []
    for n in range(draw(st.integers(1, 4))):
        more: dict[str, Any] = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "unit": texts, "scale": numbers, "offset": numbers, "decimals": st.integers(0, 9),
                    "sentinels": st.lists(numbers, min_size=1, max_size=3),
                    "labels": st.dictionaries(st.integers(0, 9), names, min_size=1, max_size=3),
                    "doc_ref": texts, "verified": st.booleans(), "alarms": st.lists(alarm, max_size=1),
                },
            )
        )  # fmt: skip
        for entry in more.get("alarms", []):
            entry["key"] = f"a{n}"
        points.append(
            {"key": f"p{n}", "name": draw(names), "type": "f32", protocol: draw(places[protocol]), **more}
        )
    record = {
        "id": "my.meter", "vendor": draw(texts), "model": draw(texts), "name": draw(names), "version": 3,
        "kind": draw(texts), "protocol": protocol, "source": draw(texts), "points": points,
        "probe": [{"point": "p0", "low": -1, "high": 1}],
    }  # fmt: skip
    return Profile.model_validate(record)


@settings(max_examples=60, deadline=None)
@given(profiles(), st.sampled_from(["utf-8-sig", "gb18030", "utf-16"]))
def test_a_table_gives_the_same_profile_back(profile: Profile, encoding: str) -> None:
    data = pointlist.write(profile).encode(encoding)
    assert pointlist.parse(FILE, pointlist.text_of(FILE, data)) == profile


@settings(max_examples=40, deadline=None)
@given(profiles())
def test_a_written_file_is_the_same_profile(profile: Profile) -> None:
    document = parse_yaml(Path("my.meter.yaml"), render(profile))
    assert check_profile(document) == profile, document.mistakes


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_shipped_profile_survives_both(name: str) -> None:
    profile = PROFILES[name]
    assert pointlist.parse(FILE, pointlist.write(profile)) == profile
    assert check_profile(parse_yaml(Path(f"{name}.yaml"), render(profile))) == profile


def test_no_cell_is_a_formula() -> None:
    profile = PROFILES["xy_md02"].model_copy(update={"source": "=HYPERLINK(1)", "vendor": "@x"})
    for row in csv.reader(io.StringIO(pointlist.write(profile))):
        assert not [cell for cell in row if cell.startswith(("=", "@", "+", "\t"))]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_list_of_somebody_elses(separator: str, tmp_path: Path) -> None:
    rows = [
        ["名称", "标识", "类型", "单位", "系数", "功能码", "地址", "字序"],
        ["A相电压", "ua", "f32", "V", "", "4", "0x0000", "CDAB"],
        [],
        ["总电量", "ep", "u32", "kW.h", "0.01", "3", "40", ""],
    ]
    path = tmp_path / "点表.csv"
    path.write_bytes("\r\n".join(separator.join(row) for row in rows).encode("gb18030"))
    profile = pointlist.read(path, id="my.meter")
    first, second = profile.points
    assert (first.name.zh, first.name.en, first.unit) == ("A相电压", "A相电压", "V")
    address = ModbusAddress.of(first)
    assert (address.fc, address.address, address.order) == (4, 0, "CDAB")
    assert (second.scale, ModbusAddress.of(second).address) == (0.01, 40)


def test_manuals_numbers_are_taken() -> None:
    profile = pointlist.parse(FILE, "key,name,type,register\nu,Voltage,u16,40011\n", id="my.meter")
    address = ModbusAddress.of(profile.points[0])
    assert (address.fc, address.address) == (3, 10)


HEAD = "#id,my.meter\nkey,name.en,type,fc,address,scale,labels,alarms\n"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        (HEAD + "u,U,f32,4,0x0000,zero,,\n", (3, 6), "'zero' is no value for 'scale'; expected a number"),
        (HEAD + "u,U,f32,4,0,,,\nu,U,f32,4,2,,,\n", (1, 1), "point 'u' is listed twice"),
        (HEAD + "u,U,f32,4,70000,,,\n", (3, 5), "70000 cannot be used for 'address'"),
        (HEAD + "u,U,f33,4,0,,,\n", (3, 3), "'f33' is not known here"),
        (HEAD + "U 1,U,f32,4,0,,,\n", (3, 1), "write 'u-1'"),
        (HEAD + "u,U,f32,,0,,,\n", (3, 1), "'fc' is missing"),
        (HEAD + "u,U,f32,4,0,0,,\n", (3, 6), "scale 0 loses the value"),
        (HEAD + "u,U,f32,4,0,,on/off,\n", (3, 7), "is no label; expected words for values"),
        (HEAD + "u,U,f32,4,0,,,[{]\n", (3, 8), "this is no JSON"),
        (HEAD + "u,U,f32,4,0,,,,more\n", (3, 9), "'more' stands under no title"),
        (HEAD + '"u\nv",U,f32,4,0,,,\nw,W,f32,4,0,x,,\n', (5, 6), "'x' is no value"),
        ("#id,my.meter\nkey,nmae.en,type\n", (2, 2), "there is no column 'nmae.en'"),
        ("#id,my.meter\nkey,type,type\n", (2, 3), "this column is here twice"),
        ("#id,my.meter\nname,type\n", (2, 1), "there is no column `key`"),
        ("#idd,my.meter\nkey\n", (1, 1), "'idd' is no part of a profile"),
        ("key,name.en,type,fc,address\nu,U,f32,4,0\n", (1, 1), "nobody says the id"),
        ('#id,my.meter\nkey,name.en\nu,"U', (3, 1), "this is no CSV"),
        ("#id,my.meter\n#golden,{]\nkey\n", (2, 2), "this is no JSON"),
        ("", (1, 1), "there is no line of column titles"),
    ],
)
def test_a_mistake_has_its_line_and_column(text: str, place: tuple[int, int], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        pointlist.parse(FILE, text)
    assert [m for m in refused.value.mistakes if (m.line, m.column) == place and says in str(m)], str(
        refused.value
    )
    assert all(mistake.repair for mistake in refused.value.mistakes)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        pointlist.parse(FILE, HEAD + "u,U,f32,4,0,x,,\nv,V,f99,4,0,,,\nw,W,f32,9,0,,,\n")
    assert [mistake.line for mistake in refused.value.mistakes] == [3, 4, 5]


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"#id,my.meter\n\xff\xff\xff")
    with pytest.raises(ConfigError, match=r"x\.csv:2:1: byte 0xFF"):
        pointlist.read(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        pointlist.read(tmp_path / "none.csv")
