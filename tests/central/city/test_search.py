"""Ranks, words and sight of the search, and how fast it answers in a city of many points."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.city.records import City, Department, DeviceRecord, PointRecord, SiteRecord, Version
from central.city.search import EXACT, INHERITED, PREFIX, SUBSTRING, WORD, Index, Texts

NAMES = (("液位", "Level"), ("流量", "Flow"), ("压力", "Pressure"), ("温度", "Temperature"))


def large(sites: int, devices: int, points: int) -> City:
    """So many sites, devices at each, points at each device."""
    city = City(
        Version(()), {}, {}, {}, {}, {}, departments={"water": Department("water", "水务局", "Water bureau")}
    )
    for s in range(sites):
        site = f"ps-{s:04}"
        city.sites[site] = SiteRecord(
            site, f"{s}号泵站", f"Station {s}", "pumping_station", "城北区", 121, 31, "water", f"滨江路{s}号"
        )
        for d in range(devices):
            device = f"gw-{s % 20}.dev{s:04}-{d:02}"
            city.devices[device] = DeviceRecord(
                device, f"gw-{s % 20}", f"dev{s:04}-{d:02}", site, f"{d}号水泵", f"Pump {d}", "pump", "p",
                "modbus", "格兰富", "NK 80", False,
            )  # fmt: skip
            for p in range(points):
                zh, en = NAMES[p % 4]
                key = f"{en.lower()}{p}"
                name = f"{zh}{s}-{d}" if p == 0 else zh
                city.points[f"{device}.{key}"] = PointRecord(
                    len(city.points), f"{device}.{key}", f"gw-{s % 20}", device, key, name, f"{en} {p}", "m",
                    "number", 5, None, None, None, False, None, None, {}, False,
                )  # fmt: skip
    return city


@pytest.fixture(scope="module")
def small() -> Index:
    return Index(large(12, 2, 5))


def found(index: Index, query: str, sites: frozenset[str] | None = None) -> list[tuple[str, str, int]]:
    groups = index.search(query, sites=sites)
    return [(hit.kind, hit.id, hit.rank) for group in groups for hit in group.hits]


def test_the_best_match_comes_first(small: Index) -> None:
    assert found(small, "ps-0003")[0] == ("site", "ps-0003", EXACT)
    assert found(small, "STATION 1")[0] == ("site", "ps-0001", PREFIX)
    assert [rank for _, _, rank in found(small, "station")] == [PREFIX] * 8 + [INHERITED] * 16
    assert found(small, "泵站")[0][2] == SUBSTRING
    assert found(small, "gw-3.dev0003-01.flow1")[0] == ("point", "gw-3.dev0003-01.flow1", EXACT)
    assert found(small, "3-01.fl")[0] == ("point", "gw-3.dev0003-01.flow1", SUBSTRING)


def test_every_word_must_be_found_in_a_thing_or_where_it_is(small: Index) -> None:
    assert [key for kind, key, _ in found(small, "滨江路7号 流量") if kind == "point"] == [
        "gw-7.dev0007-00.flow1", "gw-7.dev0007-01.flow1",
    ]  # fmt: skip
    assert {kind for kind, _, _ in found(small, "水务局")} == {"site", "device", "point"}
    assert found(small, "水务局 nowhere") == []
    assert found(small, "  ") == []


def test_nothing_out_of_sight_is_found_or_counted(small: Index) -> None:
    (group,) = small.search("level", kinds=("point",), sites=frozenset({"ps-0002"}))
    assert (group.total, {hit.id.split("-")[1][:2] for hit in group.hits}) == (4, {"2."})
    assert found(small, "ps-0003", sites=frozenset({"ps-0002"})) == []


def test_an_empty_city_is_searched_too() -> None:
    assert Index(large(0, 0, 0)).search("x") == []


@settings(max_examples=60)
@given(
    st.lists(st.text("ab-北 ", max_size=8), min_size=1, max_size=8), st.text("ab-北", min_size=1, max_size=3)
)
def test_a_text_is_ranked_as_reading_it_would(entries: list[str], word: str) -> None:
    def read(text: str) -> int:
        if text.startswith(word):
            return PREFIX
        if any(text[n] in " -" and text.startswith(word, n + 1) for n in range(len(text))):
            return WORD
        return SUBSTRING if word in text else 0

    ranks = Texts([entry] for entry in entries).rank(word.encode())
    assert ranks.tolist() == [read(entry) for entry in entries]


def test_twenty_thousand_points_are_searched_in_a_fifth_of_the_time() -> None:
    """100,000 points have 50 ms (p99). Processor time, with room for a busy machine, is asked here."""
    index = Index(large(200, 10, 10))
    spent = []
    for query in (
        "ps-0042",
        "液位",
        "1",
        "水务局 水泵 温度",
        "滨江路17号",
        "gw-3.dev0123-01.level0",
        "e",
    ) * 5:
        before = time.process_time()
        assert index.search(query)
        spent.append(time.process_time() - before)
    assert float(np.percentile(spent, 99)) < 0.03
