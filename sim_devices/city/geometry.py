"""Plane geometry of the map: kilometres east (x) and north (y) of the city's centre."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

Point = tuple[float, float]
Line = list[Point]

CENTRE_LON, CENTRE_LAT = 118.30, 30.95
KM_PER_LAT = 110.9
KM_PER_LON = 111.32 * math.cos(math.radians(CENTRE_LAT))


def to_degrees(point: Point) -> list[float]:
    """Return [longitude, latitude], WGS 84, to about a metre."""
    return [round(CENTRE_LON + point[0] / KM_PER_LON, 5), round(CENTRE_LAT + point[1] / KM_PER_LAT, 5)]


def spline(knots: Sequence[Point], step_km: float = 0.08, *, closed: bool = False) -> Line:
    """Return a centripetal-looking Catmull-Rom course through the knots (uniform parameter)."""
    n = len(knots)
    spans = n if closed else n - 1
    line: Line = []
    for i in range(spans):
        p1, p2 = knots[i], knots[(i + 1) % n]
        p0 = knots[i - 1] if closed or i > 0 else (2 * p1[0] - p2[0], 2 * p1[1] - p2[1])
        p3 = knots[(i + 2) % n] if closed or i + 2 < n else (2 * p2[0] - p1[0], 2 * p2[1] - p1[1])
        pieces = max(1, round(math.dist(p1, p2) / step_km))
        line.extend(_between(p0, p1, p2, p3, k / pieces) for k in range(pieces))
    line.append(knots[0] if closed else knots[-1])
    return line


def _between(p0: Point, p1: Point, p2: Point, p3: Point, t: float) -> Point:
    def along(axis: int) -> float:
        a, b, c, d = p0[axis], p1[axis], p2[axis], p3[axis]
        return 0.5 * (
            2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t
        )

    return along(0), along(1)


def offset(line: Sequence[Point], distance: float | Sequence[float]) -> Line:
    """Return the course at so many km to the left of the line (negative: right)."""
    moved: Line = []
    last = len(line) - 1
    for i, (x, y) in enumerate(line):
        (ax, ay), (bx, by) = line[max(0, i - 1)], line[min(last, i + 1)]
        length = math.hypot(bx - ax, by - ay) or 1.0
        d = distance if isinstance(distance, float) else distance[i]
        moved.append((x - (by - ay) / length * d, y + (bx - ax) / length * d))
    return moved


def band(line: Sequence[Point], widths: Sequence[float]) -> Line:
    """Return the closed outline of a band along the line; widths in km, one per point."""
    left = offset(line, [width / 2 for width in widths])
    right = offset(line, [-width / 2 for width in widths])
    return [*left, *reversed(right), left[0]]


def blob(centre: Point, radii: Point, seed: int, *, rough: float, turn: float = 0.0) -> Line:
    """Return a closed natural outline around a centre."""
    source = random.Random(seed)  # noqa: S311 - a shape, not a secret
    knots: Line = []
    phase, third = source.uniform(0.0, math.tau), source.uniform(0.0, math.tau)
    for i in range(14):
        angle = math.tau * i / 14
        lobes = 0.55 * math.sin(2 * angle + phase) + 0.35 * math.sin(3 * angle + third)
        grow = 1.0 + rough * (lobes + 0.25 * source.uniform(-1.0, 1.0))
        x, y = radii[0] * grow * math.cos(angle), radii[1] * grow * math.sin(angle)
        knots.append(
            (
                centre[0] + x * math.cos(turn) - y * math.sin(turn),
                centre[1] + x * math.sin(turn) + y * math.cos(turn),
            )
        )
    return spline(knots, 0.06, closed=True)


def nearest(line: Sequence[Point], point: Point) -> int:
    """Return the index of the line's point that is nearest."""
    return min(range(len(line)), key=lambda i: (line[i][0] - point[0]) ** 2 + (line[i][1] - point[1]) ** 2)


def simplify(line: Sequence[Point], tolerance_km: float) -> Line:
    """Return the line without points that lie within the tolerance of it (Douglas and Peucker, 1973)."""
    keep = [False] * len(line)
    keep[0] = keep[-1] = True
    stack = [(0, len(line) - 1)]
    while stack:
        first, last = stack.pop()
        (ax, ay), (bx, by) = line[first], line[last]
        length = math.hypot(bx - ax, by - ay)
        worst, at = tolerance_km, -1
        for i in range(first + 1, last):
            x, y = line[i]
            if length < 1e-9:
                away = math.hypot(x - ax, y - ay)
            else:
                away = abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length
            if away > worst:
                worst, at = away, i
        if at >= 0:
            keep[at] = True
            stack += [(first, at), (at, last)]
    return [point for point, kept in zip(line, keep, strict=True) if kept]


def inside(point: Point, ring: Sequence[Point]) -> bool:
    """Say whether the point lies in the closed ring (even-odd rule)."""
    x, y = point
    within = False
    ax, ay = ring[-1]
    for bx, by in ring:
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            within = not within
        ax, ay = bx, by
    return within
