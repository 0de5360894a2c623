"""Draws the map of Linjiang: `python -m sim_devices.city.draw_map` writes map/*.geojson and city.json.

Water and districts are drawn by hand below, roads and parks in sketch.yaml, in kilometres from the
centre; side streets grow by `streets`. The same script gives the same city.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from sim_devices.city.geometry import (
    Line,
    Point,
    band,
    blob,
    inside,
    nearest,
    offset,
    simplify,
    spline,
    to_degrees,
)
from sim_devices.city.spec import MAP_FOLDER
from sim_devices.city.streets import Field, Quarter, Streets

EAST, NORTH = 12.0, 6.75
"""Half width and half height of the picture in km: 16 to 9."""
FRAME = (-EAST - 1.2, -NORTH - 0.35, EAST + 1.2, NORTH + 0.35)

RIVER = spline(
    [(-14.5, -3.6), (-11.4, -2.9), (-9.0, -1.1), (-7.0, 0.9), (-4.6, 1.55), (-2.2, 0.45), (-0.2, -1.45),
     (2.4, -2.2), (4.9, -1.35), (6.7, 0.55), (8.8, 1.75), (11.2, 1.35), (14.5, 2.3)],
    0.1,
)  # fmt: skip
CREEK = spline(
    [(2.9, 7.4), (3.5, 6.2), (2.9, 5.0), (3.6, 3.9), (3.1, 2.6), (3.9, 1.4), (3.5, 0.2), (4.3, -1.5)]
)
CANAL = spline([(5.75, -3.75), (5.3, -3.2), (5.1, -2.7), (5.2, -2.1), (4.95, -1.35)], 0.05)
LAKE = blob((6.75, -4.05), (1.45, 1.0), 7, rough=0.2, turn=0.25)
NORTH_LAKE = blob((-2.35, 4.55), (0.52, 0.34), 12, rough=0.18, turn=0.5)
ISLAND = spline(
    [(-4.05, 1.36), (-3.3, 1.13), (-2.75, 0.86), (-2.95, 0.74), (-3.55, 0.93), (-4.0, 1.2)], 0.05, closed=True
)
RAILWAY = spline(
    [(-14, 5.9), (-9.5, 4.6), (-5.5, 3.65), (-0.5, 3.3), (3.2, 3.55), (7.2, 4.95), (14, 5.9)], 0.12
)

Drawn = tuple[str, str, str, Line]
"""Class, name in Chinese, name in English, course."""
SKETCH: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("sketch.yaml").read_text(encoding="utf-8"))


def parks() -> list[tuple[str, str, Line]]:
    """Return the green of the city."""
    grown = [
        (
            park["name"]["zh"],
            park["name"]["en"],
            blob(
                tuple(park["centre"]),
                tuple(park["radii"]),
                park["seed"],
                rough=park["rough"],
                turn=park.get("turn", 0.0),
            ),
        )
        for park in SKETCH["parks"]
    ]
    return [*grown, ("芦洲湿地", "Reed Island Wetland", ISLAND)]


def sketched_road(zh: str | None = None) -> list[Drawn]:
    """Return the roads drawn by hand, smoothed, in drawing order; or the one of that name."""
    return [
        (
            road["class"],
            road["name"]["zh"],
            road["name"]["en"],
            spline([(x, y) for x, y in road["knots"]], closed=road.get("closed", False)),
        )
        for road in SKETCH["roads"]
        if zh in (None, road["name"]["zh"])
    ]


def river_widths() -> list[float]:
    """Return the river's width at each point of its course, in km: wider in the bends."""
    widths = []
    for i, (x, _) in enumerate(RIVER):
        around = RIVER[max(0, i - 6)], RIVER[i], RIVER[min(len(RIVER) - 1, i + 6)]
        (ax, ay), (bx, by), (cx, cy) = around
        bend = abs((bx - ax) * (cy - by) - (by - ay) * (cx - bx))
        widths.append(
            0.52 + 0.014 * (x + 12.0) * 0.5 + min(0.22, 0.9 * bend) + (0.16 if -4.6 < x < -2.4 else 0.0)
        )
    reach = 9
    return [
        sum(widths[max(0, i - reach) : i + reach + 1]) / len(widths[max(0, i - reach) : i + reach + 1])
        for i in range(len(widths))
    ]


def districts() -> list[Drawn]:
    """Return the six districts, whose borders are the river, the creek and the railway."""
    w, s, e, n = FRAME
    cut = nearest(RIVER, (-3.7, 1.3))
    mouth = nearest(RIVER, CREEK[-1])
    south = nearest(RIVER, (1.3, -2.1))
    west, mid, east = (nearest(RAILWAY, p) for p in ((-4.0, 3.5), (3.4, 3.6), (7.4, 5.0)))
    creek = CREEK[nearest(CREEK, RAILWAY[mid]) :]
    border = [RAILWAY[west], (-3.8, 2.4), RIVER[cut]]
    zhongshan = sketched_road("中山南路")[0][3]
    zhongshan = zhongshan[nearest(zhongshan, RIVER[south]) :]
    xishan = [*RIVER[: cut + 1], *reversed(border), (-4.2, n), (w, n)]
    gulou = [*RIVER[cut : mouth + 1], *reversed(creek), *reversed(RAILWAY[west : mid + 1]), *border]
    chengbei = [*RAILWAY[west : east + 1], (7.7, n), (-4.2, n)]
    donggang = [*RIVER[mouth:], (e, n), (7.7, n), *reversed(RAILWAY[mid : east + 1]), *creek]
    binjiang = [*RIVER[: south + 1], *zhongshan, (0.7, s), (w, s)]
    jinghu = [*RIVER[south:], (e, s), (0.7, s), *reversed(zhongshan)]
    return [
        ("xishan", "西山区", "Xishan", xishan),
        ("gulou", "鼓楼区", "Gulou", gulou),
        ("chengbei", "城北区", "Chengbei", chengbei),
        ("donggang", "东港区", "Donggang", donggang),
        ("binjiang", "滨江新区", "Binjiang New Area", binjiang),
        ("jinghu", "镜湖区", "Jinghu", jinghu),
    ]


def bank_roads() -> list[Drawn]:
    """Return the roads along both banks."""
    north = offset(RIVER, 0.58)
    south = offset(RIVER, -0.58)

    def part(line: Line, west: Point, east: Point) -> Line:
        return line[nearest(line, west) : nearest(line, east) + 1]

    return [
        ("arterial", "滨江路", "Riverside Road", part(north, (-7.4, 1.6), (3.6, -1.1))),
        ("arterial", "滨江东路", "East Riverside Road", part(north, (4.4, -0.6), (12.6, 2.4))),
        ("arterial", "江南大道", "Jiangnan Avenue", part(south, (-8.6, -1.9), (4.6, -2.2))),
        ("arterial", "东岸大道", "East Bank Avenue", part(south, (5.4, -1.7), (12.8, 0.9))),
    ]


def bridges(roads: Iterable[Drawn], river: Line) -> list[tuple[str, str, Line]]:
    """Return the parts of main roads that lie over the river."""
    found = []
    for _, zh, _, line in roads:
        names = iter(SKETCH["bridges"].get(zh, ()))
        fine = [point for a, b in pairwise(line) for point in _fine(a, b)]
        over: Line = []
        for point in [*fine, (99.0, 99.0)]:
            if inside(point, river):
                over.append(point)
            elif over:
                if (name := next(names, None)) is not None:
                    found.append((name["zh"], name["en"], [over[0], over[-1]]))
                over = []
    return found


def _fine(a: Point, b: Point) -> Line:
    return [(a[0] + (b[0] - a[0]) * k / 8, a[1] + (b[1] - a[1]) * k / 8) for k in range(8)]


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    """Return a GeoJSON feature (RFC 7946)."""
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def named(zh: str, en: str) -> dict[str, str]:
    """Return a name in both languages."""
    return {"zh": zh, "en": en}


def degrees(line: Sequence[Point], tolerance_km: float = 0.006) -> list[list[float]]:
    """Return a simplified line in degrees."""
    return [to_degrees(point) for point in simplify(line, tolerance_km)]


def ring(line: Line) -> list[list[list[float]]]:
    """Return a polygon's one ring, closed and counter-clockwise."""
    closed = line if line[0] == line[-1] else [*line, line[0]]
    area = sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairwise(closed))
    half = len(closed) // 2
    turned = closed if area > 0 else closed[::-1]
    # Simplified in two halves: Douglas and Peucker need two different ends.
    return [degrees(turned[: half + 1])[:-1] + degrees(turned[half:])]


def quarters() -> list[Quarter]:
    """Return how streets run in each part of the city."""
    return [Quarter(**{**record, "centre": tuple(record["centre"])}) for record in SKETCH["quarters"]]


def draw() -> dict[str, list[dict[str, Any]]]:
    """Return the features of each file, by its name."""
    river = band(RIVER, river_widths())
    creek = band(CREEK, [0.07 + 0.05 * i / len(CREEK) for i in range(len(CREEK))])
    canal = band(CANAL, [0.09] * len(CANAL))
    roads = [*sketched_road(), *bank_roads()]
    greens = parks()
    solid = [river, LAKE, NORTH_LAKE, *(outline for _, _, outline in greens)]
    boxes = [
        (min(x for x, _ in o), min(y for _, y in o), max(x for x, _ in o), max(y for _, y in o))
        for o in solid
    ]

    def allowed(point: Point) -> bool:
        x, y = point
        if not (FRAME[0] < x < FRAME[2] and FRAME[1] < y < FRAME[3]):
            return False
        return not any(
            w <= x <= e and s <= y <= n and inside(point, outline)
            for (w, s, e, n), outline in zip(boxes, solid, strict=True)
        )

    streets = Streets(Field(quarters(), RIVER), allowed, seed=20)
    for _, _, _, line in roads:
        streets.add(line)
    streets.add(RAILWAY)
    streets.add(offset(RIVER, 0.38))
    streets.add(offset(RIVER, -0.38))
    side = [("secondary", line) for line in streets.lay(0.62, 0.3, 0.9, FRAME)]
    side += [("local", line) for line in streets.lay(0.2, 0.42, 0.28, FRAME)]
    road_features = [feature("LineString", degrees(line), **{"class": kind}) for kind, line in reversed(side)]
    road_features += [
        feature("LineString", degrees(line), **{"class": kind, "name": named(zh, en)})
        for kind, zh, en, line in roads
    ]
    road_features.append(
        feature(
            "LineString", degrees(RAILWAY), **{"class": "railway", "name": named("沪临铁路", "Hulin Railway")}
        )
    )
    road_features += [
        feature("LineString", degrees(line), **{"class": "bridge", "name": named(zh, en)})
        for zh, en, line in bridges(roads, river)
    ]
    return {
        "districts": [
            feature("Polygon", ring(line), key=key, name=named(zh, en)) for key, zh, en, line in districts()
        ],
        "water": [
            feature("Polygon", ring(river), **{"class": "river", "name": named("临江", "Lin River")}),
            feature("Polygon", ring(creek), **{"class": "creek", "name": named("青溪", "Qing Creek")}),
            feature("Polygon", ring(canal), **{"class": "canal", "name": named("引湖河", "Lake Canal")}),
            feature("Polygon", ring(LAKE), **{"class": "lake", "name": named("镜湖", "Mirror Lake")}),
            feature("Polygon", ring(NORTH_LAKE), **{"class": "lake", "name": named("北湖", "North Lake")}),
        ],
        "parks": [
            feature("Polygon", ring(line), **{"class": "park", "name": named(zh, en)})
            for zh, en, line in greens
        ],
        "roads": road_features,
    }


def city_record() -> dict[str, Any]:
    """Return what the console asks first: name, frame and clock of the city."""
    west, south = to_degrees((-EAST, -NORTH))
    east, north = to_degrees((EAST, NORTH))
    return {
        "name": named("临江市", "Linjiang"),
        "bounds": [west, south, east, north],
        "center": to_degrees((0.0, 0.0)),
        "time_zone": "Asia/Shanghai",
    }


def write_map(folder: Path) -> list[Path]:
    """Write the GeoJSON files and city.json into the folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, features in draw().items():
        lines = ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in features)
        path = folder / f"{name}.geojson"
        path.write_text(f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n', encoding="utf-8")
        written.append(path)
    path = folder / "city.json"
    path.write_text(json.dumps(city_record(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return [*written, path]


if __name__ == "__main__":
    for each in write_map(MAP_FOLDER):
        sys.stdout.write(f"{each} {each.stat().st_size // 1024} KiB\n")
