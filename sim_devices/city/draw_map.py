"""Draws the map of Linjiang: `python -m sim_devices.city.draw_map` writes map/*.geojson and city.json.

Rivers, main roads, parks and districts are drawn by hand below, in kilometres from the centre; side
streets grow by `streets`. The same script gives the same city.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

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
LAKE = blob((6.75, -4.05), 1.45, 1.0, 7, 0.2, 0.25)
NORTH_LAKE = blob((-2.35, 4.55), 0.52, 0.34, 12, 0.18, 0.5)
ISLAND = spline(
    [(-4.05, 1.36), (-3.3, 1.13), (-2.75, 0.86), (-2.95, 0.74), (-3.55, 0.93), (-4.0, 1.2)], 0.05, closed=True
)
RAILWAY = spline(
    [(-14, 5.9), (-9.5, 4.6), (-5.5, 3.65), (-0.5, 3.3), (3.2, 3.55), (7.2, 4.95), (14, 5.9)], 0.12
)

Named = tuple[str, str, str, list[Point]]
ROADS: list[Named] = [
    ("expressway", "沪临高速", "Hulin Expressway", [(-14, 6.3), (-7, 5.75), (-1, 6.1), (4.5, 5.9), (14, 6.9)]),
    ("expressway", "沿江高速", "Yanjiang Expressway", [(-14, -5.3), (-7.5, -6.1), (0, -6.35), (7, -6.2), (14, -4.6)]),
    ("arterial", "人民东路", "East Renmin Road", [(0.95, 1.0), (2.8, 1.15), (4.6, 1.75), (6.4, 2.75), (9.0, 3.4), (14, 3.9)]),
    ("arterial", "人民西路", "West Renmin Road", [(0.95, 1.0), (-0.75, 1.25), (-2.6, 2.2), (-4.7, 2.75), (-7.2, 2.75), (-10, 3.6), (-14, 3.9)]),
    ("arterial", "中山北路", "North Zhongshan Road", [(0.95, 1.0), (1.1, 2.7), (0.85, 4.1), (0.9, 5.3), (0.6, 7.2)]),
    ("arterial", "中山南路", "South Zhongshan Road", [(0.95, 1.0), (1.05, -0.8), (1.3, -2.1), (1.15, -3.6), (0.8, -5.6), (0.7, -7.2)]),
    ("arterial", "解放路", "Jiefang Road", [(-0.55, 3.9), (-0.6, 2.4), (-0.65, 0.75), (-1.35, -0.45), (-2.1, -1.5), (-2.9, -2.75), (-3.5, -4.3), (-3.8, -6.2)]),
    ("arterial", "西江路", "Xijiang Road", [(-5.0, 5.1), (-4.75, 2.75), (-4.7, 1.5), (-4.8, 0.0), (-5.1, -2.1), (-5.4, -4.1), (-5.3, -6.1)]),
    ("arterial", "东港路", "Donggang Road", [(4.6, 5.0), (4.55, 3.3), (4.6, 1.75), (5.0, 0.2), (5.55, -0.75), (6.1, -1.7), (6.3, -2.5)]),
    ("arterial", "世纪大道", "Century Avenue", [(-8.0, -1.9), (-5.1, -2.15), (-2.9, -2.75), (0.0, -3.2), (1.15, -3.3), (3.3, -3.15), (4.5, -2.85), (6.3, -2.5), (8.6, -2.2), (11, -2.6), (14, -2.3)]),
    ("arterial", "科技大道", "Keji Avenue", [(-7.4, -3.7), (-5.4, -4.1), (-3.5, -4.3), (0.95, -4.7), (3.6, -4.9), (5.2, -5.6)]),
    ("arterial", "大学路", "University Road", [(-4.75, 2.75), (-6.1, 3.3), (-6.5, 4.3), (-7.6, 5.2), (-9.2, 5.7)]),
    ("arterial", "东湖大道", "Lakeside Avenue", [(8.6, -2.2), (8.75, -3.9), (7.9, -5.3), (5.2, -5.6), (3.6, -4.9), (3.3, -3.15)]),
    ("arterial", "港城路", "Port Road", [(6.4, 2.75), (7.6, 4.1), (8.1, 5.2), (8.4, 7.2)]),
    ("arterial", "城北大道", "Chengbei Avenue", [(-7.0, 4.85), (-4.95, 4.6), (-3.4, 5.2), (-1.0, 4.85), (0.9, 4.75), (2.6, 4.6), (4.6, 4.6), (7.2, 4.25), (9.5, 4.3), (14, 4.9)]),
    ("secondary", "车站路", "Station Road", [(-2.6, 3.05), (-0.6, 2.95), (1.0, 3.0), (2.8, 3.1), (4.55, 3.3)]),
    ("secondary", "建设路", "Jianshe Road", [(2.75, 0.75), (4.0, 0.75), (5.2, 0.95), (6.5, 1.75), (7.9, 2.6), (9.9, 2.55), (14, 3.0)]),
    ("secondary", "新华路", "Xinhua Road", [(-2.6, 2.2), (-2.45, 3.05), (-2.9, 4.0), (-3.4, 5.2)]),
    ("secondary", "和平路", "Heping Road", [(-7.2, -0.4), (-4.85, -0.75), (-2.5, -1.9), (-0.6, -2.65), (1.2, -3.0)]),
    ("secondary", "银河路", "Yinhe Road", [(-1.2, -2.0), (-1.35, -3.0), (-1.55, -4.45), (-1.7, -6.0)]),
    ("secondary", "文昌路", "Wenchang Road", [(2.5, -2.9), (2.4, -4.8), (2.2, -6.1)]),
    ("secondary", "钟鼓路", "Zhonggu Road", [(-0.9, 1.75), (0.9, 1.85), (2.6, 1.7)]),
    ("secondary", "东方路", "Dongfang Road", [(9.9, 2.55), (10.0, 3.45), (10.1, 4.4), (10.3, 6.3)]),
    ("secondary", "学府路", "Xuefu Road", [(-9.4, 3.4), (-8.4, 4.2), (-8.3, 5.5)]),
    ("secondary", "湖滨路", "Hubin Road", [(4.5, -2.85), (4.75, -4.0), (5.2, -5.0), (5.2, -5.6)]),
    ("secondary", "高新路", "Gaoxin Road", [(-7.9, -2.8), (-5.2, -3.1), (-3.1, -3.5), (-1.4, -3.75), (1.1, -4.0), (2.45, -4.1), (4.7, -3.9)]),
]  # fmt: skip
RINGS: list[Named] = [
    ("expressway", "环城快速路", "City Ring Expressway", [
        (-7.75, 0.1), (-7.3, 2.6), (-5.0, 4.75), (-1.2, 5.45), (2.6, 5.3), (5.7, 4.2), (7.25, 2.2), (7.55, 0.1),
        (8.6, -2.0), (9.4, -4.0), (7.6, -5.7), (4.0, -6.0), (0.0, -5.75), (-4.2, -5.6), (-7.3, -4.0), (-8.1, -1.7)]),
    ("arterial", "内环路", "Inner Ring Road", [
        (-0.75, 1.6), (0.0, 2.55), (1.2, 2.78), (2.4, 2.15), (2.8, 0.95), (2.25, -0.35), (1.1, -0.9), (0.05, -0.4), (-0.6, 0.55)]),
]  # fmt: skip
BRIDGE_NAMES = {
    "环城快速路": [("西环大桥", "West Ring Bridge"), ("东环大桥", "East Ring Bridge")],
    "西江路": [("西江大桥", "Xijiang Bridge")],
    "解放路": [("临江大桥", "Linjiang Bridge")],
    "中山南路": [("鼓楼大桥", "Drum Tower Bridge")],
    "东港路": [("东港大桥", "East Port Bridge")],
}
QUARTERS = [
    Quarter((0.95, 1.0), 0, 2.0, 1.5, radial=True),
    Quarter((0.9, 4.3), 2, 2.4, 1.0),
    Quarter((-3.2, 3.3), -20, 2.0, 0.9),
    Quarter((-6.6, 3.6), 32, 1.9, 0.9),
    Quarter((-3.4, -3.0), -12, 3.1, 1.3),
    Quarter((-6.3, -1.6), -6, 2.2, 0.8),
    Quarter((1.6, -4.1), -3, 2.4, 1.0),
    Quarter((5.2, 2.6), 24, 2.0, 0.9),
    Quarter((9.4, 3.7), 4, 2.4, 1.0),
    Quarter((7.0, -1.7), 12, 2.2, 0.7),
    Quarter((10.0, -1.6), 6, 2.0, 0.7),
]


def parks() -> list[tuple[str, str, Line]]:
    """Return the green of the city."""
    return [
        ("西山森林公园", "Xishan Forest Park", blob((-10.4, 1.55), 1.9, 1.5, 3, 0.22, 0.5)),
        ("镜湖公园", "Mirror Lake Park", blob((6.7, -4.05), 1.95, 1.4, 7, 0.16, 0.25)),
        ("人民公园", "People's Park", blob((0.15, 1.95), 0.36, 0.27, 21, 0.1, 0.4)),
        ("北湖公园", "North Lake Park", blob((-2.35, 4.5), 0.9, 0.55, 13, 0.12, 0.4)),
        ("奥体公园", "Olympic Park", blob((-2.5, -4.75), 0.65, 0.5, 31, 0.1)),
        ("植物园", "Botanical Garden", blob((2.9, -5.45), 0.75, 0.42, 41, 0.14, 0.1)),
        ("芦洲湿地", "Reed Island Wetland", ISLAND),
        ("凤凰山公园", "Phoenix Hill Park", blob((11.0, 5.35), 1.0, 0.55, 51, 0.2, 0.1)),
        ("江南生态园", "Jiangnan Ecological Park", blob((-9.4, -3.6), 1.25, 0.95, 61, 0.2, 0.7)),
        ("城东公园", "East Town Park", blob((5.9, 3.55), 0.45, 0.33, 71, 0.12)),
        ("大学城公园", "University Park", blob((-7.35, 4.1), 0.42, 0.32, 81, 0.12)),
        ("东岸湿地", "East Bank Wetland", blob((11.4, 0.15), 1.2, 0.6, 91, 0.2, 0.15)),
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


def districts() -> list[tuple[str, str, str, Line]]:
    """Return the six districts, whose borders are the river, the creek and the railway."""
    w, s, e, n = FRAME
    cut = nearest(RIVER, (-3.7, 1.3))
    mouth = nearest(RIVER, CREEK[-1])
    south = nearest(RIVER, (1.3, -2.1))
    rail_west, rail_creek, rail_east = (nearest(RAILWAY, p) for p in ((-4.0, 3.5), (3.4, 3.6), (7.4, 5.0)))
    creek = CREEK[nearest(CREEK, RAILWAY[rail_creek]) :]
    west_line = [RAILWAY[rail_west], (-3.8, 2.4), RIVER[cut]]
    zhongshan = spline(ROADS[5][3])
    zhongshan = zhongshan[nearest(zhongshan, RIVER[south]) :]
    return [
        ("xishan", "西山区", "Xishan", [*RIVER[: cut + 1], *reversed(west_line), (-4.2, n), (w, n), RIVER[0]]),
        ("gulou", "鼓楼区", "Gulou", [
            *RIVER[cut : mouth + 1], *reversed(creek), *reversed(RAILWAY[rail_west : rail_creek + 1]), *west_line]),
        ("chengbei", "城北区", "Chengbei", [*RAILWAY[rail_west : rail_east + 1], (7.7, n), (-4.2, n), RAILWAY[rail_west]]),
        ("donggang", "东港区", "Donggang", [
            *RIVER[mouth:], (e, n), (7.7, n), *reversed(RAILWAY[rail_creek : rail_east + 1]), *creek, RIVER[mouth]]),
        ("binjiang", "滨江新区", "Binjiang New Area", [*RIVER[: south + 1], *zhongshan, (0.7, s), (w, s), RIVER[0]]),
        ("jinghu", "镜湖区", "Jinghu", [*RIVER[south:], (e, s), (0.7, s), *reversed(zhongshan), RIVER[south]]),
    ]  # fmt: skip


def bank_roads() -> list[tuple[str, str, str, Line]]:
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


def main_roads() -> list[tuple[str, str, str, Line]]:
    """Return every named road, smoothed, in the order in which it is drawn."""
    drawn = [(kind, zh, en, spline(knots)) for kind, zh, en, knots in ROADS]
    drawn += [(kind, zh, en, spline(knots, closed=True)) for kind, zh, en, knots in RINGS]
    return drawn + bank_roads()


def bridges(roads: Iterable[tuple[str, str, str, Line]], river: Line) -> list[tuple[str, str, Line]]:
    """Return the parts of main roads that lie over the river."""
    found = []
    for _, zh, _, line in roads:
        names = iter(BRIDGE_NAMES.get(zh, ()))
        fine = [point for a, b in zip(line, line[1:], strict=False) for point in _fine(a, b)]
        over: Line = []
        for point in [*fine, (99.0, 99.0)]:
            if inside(point, river):
                over.append(point)
            elif over:
                if (name := next(names, None)) is not None:
                    found.append((*name, [over[0], over[-1]]))
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
    area = sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(closed, closed[1:], strict=False))
    half = len(closed) // 2
    turned = closed if area > 0 else closed[::-1]
    # Simplified in two halves: Douglas and Peucker need two different ends.
    return [degrees(turned[: half + 1])[:-1] + degrees(turned[half:])]


def draw() -> dict[str, list[dict[str, Any]]]:
    """Return the features of each file, by its name."""
    river = band(RIVER, river_widths())
    creek = band(CREEK, [0.07 + 0.05 * i / len(CREEK) for i in range(len(CREEK))])
    canal = band(CANAL, [0.09] * len(CANAL))
    roads = main_roads()
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

    streets = Streets(Field(QUARTERS, RIVER), allowed, seed=20)
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
