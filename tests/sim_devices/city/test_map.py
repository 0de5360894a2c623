"""The map: valid GeoJSON inside its frame, with what a console draws, and sites where they belong."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from sim_devices.city import MAP_FOLDER
from sim_devices.city.draw_map import city_record, districts, parks, sketched_road
from sim_devices.city.geometry import inside, to_degrees
from sim_devices.city.spec import load_city

MARGIN = 0.03


def features(name: str) -> list[dict[str, Any]]:
    collection = json.loads((MAP_FOLDER / f"{name}.geojson").read_text(encoding="utf-8"))
    assert collection["type"] == "FeatureCollection"
    found: list[dict[str, Any]] = collection["features"]
    return found


def vertices(feature: dict[str, Any]) -> list[tuple[float, float]]:
    geometry = feature["geometry"]
    lines = geometry["coordinates"] if geometry["type"] == "Polygon" else [geometry["coordinates"]]
    return [(x, y) for line in lines for x, y in line]


def ring_of(feature: dict[str, Any]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in feature["geometry"]["coordinates"][0]]


def test_there_is_a_city_on_it() -> None:
    classes = Counter(feature["properties"]["class"] for feature in features("roads"))
    assert classes["bridge"] >= 5
    assert classes["railway"] >= 1
    assert classes["expressway"] >= 3
    assert 10 <= classes["arterial"] <= 60
    assert classes["secondary"] >= 20
    assert classes["local"] >= 200
    assert len(features("districts")) == 6
    assert {feature["properties"]["class"] for feature in features("water")} >= {"river", "creek", "lake"}
    assert len(features("parks")) >= 8


@pytest.mark.parametrize("name", ["districts", "roads", "water", "parks"])
def test_features_are_valid_and_near_the_frame(name: str) -> None:
    west, south, east, north = city_record()["bounds"]
    for feature in features(name):
        points = vertices(feature)
        assert len(points) >= 2
        assert all(
            west - MARGIN <= x <= east + MARGIN and south - MARGIN <= y <= north + MARGIN for x, y in points
        )
        if feature["geometry"]["type"] == "Polygon":
            ring = ring_of(feature)
            assert ring[0] == ring[-1]
            assert sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairwise(ring)) > 0
        if "name" in feature["properties"]:
            assert set(feature["properties"]["name"]) == {"zh", "en"}


def test_the_drawn_part_is_fresh() -> None:
    """Side streets follow a chaotic field, whose last digit differs between machines; these do not."""
    record = json.loads((MAP_FOLDER / "city.json").read_text(encoding="utf-8"))
    assert record == city_record()
    keys = [
        (feature["properties"]["key"], feature["properties"]["name"]["zh"])
        for feature in features("districts")
    ]
    assert keys == [(key, zh) for key, zh, _, _ in districts()]
    assert [feature["properties"]["name"]["zh"] for feature in features("parks")] == [
        zh for zh, _, _ in parks()
    ]
    drawn = {feature["properties"].get("name", {}).get("zh"): feature for feature in features("roads")}
    for _, zh, _, line in sketched_road():
        assert vertices(drawn[zh])[0] == pytest.approx(to_degrees(line[0]), abs=2e-5), "run draw_map again"


def test_sites_lie_in_their_district_and_not_in_the_river() -> None:
    outlines = {feature["properties"]["key"]: ring_of(feature) for feature in features("districts")}
    river = next(
        ring_of(feature) for feature in features("water") if feature["properties"]["class"] == "river"
    )
    wrong = [site.key for site in load_city().sites if not inside(site.at, outlines[site.district])]
    assert not wrong
    assert not [site.key for site in load_city().sites if inside(site.at, river)]
