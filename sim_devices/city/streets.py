"""Streets that nobody drew by hand: evenly spaced streamlines of a direction field.

The field is a sum of tensors (grid of a quarter, rings and spokes around a square, the river's bank),
whose two eigenvectors cross at right angles, as streets do (Chen, Esch, Wonka, Müller, Zhang:
Interactive Procedural Street Modeling, SIGGRAPH 2008).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sim_devices.city.geometry import Line, Point

STEP_KM = 0.045
_CELL_KM = 0.12


@dataclass(frozen=True, slots=True)
class Quarter:
    """A part of the city with a grid of its own: angle in degrees, size in km; `radial` has spokes."""

    centre: Point
    angle: float
    size: float
    weight: float = 1.0
    radial: bool = False


class Field:
    """Where streets run: quarters, and the river's course."""

    def __init__(self, quarters: Sequence[Quarter], river: Sequence[Point]) -> None:
        self._quarters = quarters
        self._river = river[::4]

    def direction(self, point: Point) -> tuple[Point, float]:
        """Return the unit direction of the first family here, and how urban the place is."""
        x, y = point
        a = b = urban = 0.0
        for quarter in self._quarters:
            dx, dy = x - quarter.centre[0], y - quarter.centre[1]
            weight = quarter.weight * math.exp(-(dx * dx + dy * dy) / (quarter.size * quarter.size))
            urban += weight
            angle = math.atan2(dy, dx) if quarter.radial else math.radians(quarter.angle)
            a += weight * math.cos(2 * angle)
            b += weight * math.sin(2 * angle)
        best, at = 9.0, 1
        for i in range(1, len(self._river)):
            d = (self._river[i][0] - x) ** 2 + (self._river[i][1] - y) ** 2
            if d < best:
                best, at = d, i
        if best < 4.0:
            weight = 2.2 * math.exp(-best / 0.75)
            (px, py), (qx, qy) = self._river[at - 1], self._river[at]
            angle = math.atan2(qy - py, qx - px)
            a += weight * math.cos(2 * angle)
            b += weight * math.sin(2 * angle)
        theta = 0.5 * math.atan2(b, a)
        return (math.cos(theta), math.sin(theta)), urban


class Streets:
    """Lays streets one after another, each at its distance from those that run beside it."""

    def __init__(self, field: Field, allowed: Callable[[Point], bool], seed: int) -> None:
        self._field = field
        self._allowed = allowed
        self._random = random.Random(seed)  # noqa: S311 - a drawing, not a secret
        self._cells: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}

    def add(self, line: Sequence[Point]) -> None:
        """Let a street that exists keep others at their distance."""
        for (ax, ay), (bx, by) in pairwise(line):
            length = math.hypot(bx - ax, by - ay)
            pieces = max(1, math.ceil(length / STEP_KM))
            for k in range(pieces):
                t = k / pieces
                self._mark((ax + (bx - ax) * t, ay + (by - ay) * t), ((bx - ax), (by - ay)), length or 1.0)

    def lay(
        self,
        spacing_km: float,
        least_urban: float,
        shortest_km: float,
        bounds: tuple[float, float, float, float],
    ) -> Iterator[Line]:
        """Yield new streets wherever the city is urban enough, longest seeds of the grid first at random."""
        west, south, east, north = bounds
        seeds = [
            (west + i * spacing_km + self._random.uniform(0, spacing_km), south + j * spacing_km)
            for i in range(int((east - west) / spacing_km))
            for j in range(int((north - south) / spacing_km))
        ]
        self._random.shuffle(seeds)
        for seed in seeds:
            for family in (0, 1):
                line = self._trace(seed, family, spacing_km, least_urban)
                if len(line) * STEP_KM >= shortest_km:
                    self.add(line)
                    yield line

    def _trace(self, seed: Point, family: int, spacing: float, least_urban: float) -> Line:
        backward = self._walk(seed, family, -1.0, spacing, least_urban)
        if not backward:
            return []
        forward = self._walk(seed, family, 1.0, spacing, least_urban)
        return [*reversed(backward[1:]), *forward]

    def _walk(self, seed: Point, family: int, sign: float, spacing: float, least_urban: float) -> Line:
        point, line = seed, []
        previous: Point | None = None
        for _ in range(260):
            (dx, dy), urban = self._field.direction(point)
            if family:
                dx, dy = -dy, dx
            if previous is None:
                dx, dy = dx * sign, dy * sign
            elif dx * previous[0] + dy * previous[1] < 0:
                dx, dy = -dx, -dy
            # Streets stand further apart where the city thins out.
            wide = spacing * (1.0 + 0.9 * max(0.0, 1.0 - urban))
            if urban < least_urban or not self._allowed(point) or self._crowded(point, (dx, dy), wide * 0.72):
                break
            line.append(point)
            previous = (dx, dy)
            point = (point[0] + dx * STEP_KM, point[1] + dy * STEP_KM)
        return line

    def _mark(self, point: Point, direction: Point, length: float) -> None:
        cell = (math.floor(point[0] / _CELL_KM), math.floor(point[1] / _CELL_KM))
        self._cells.setdefault(cell, []).append(
            (point[0], point[1], direction[0] / length, direction[1] / length)
        )

    def _crowded(self, point: Point, direction: Point, distance: float) -> bool:
        reach = math.ceil(distance / _CELL_KM)
        cx, cy = math.floor(point[0] / _CELL_KM), math.floor(point[1] / _CELL_KM)
        limit = distance * distance
        for i in range(cx - reach, cx + reach + 1):
            for j in range(cy - reach, cy + reach + 1):
                for x, y, dx, dy in self._cells.get((i, j), ()):
                    if (x - point[0]) ** 2 + (y - point[1]) ** 2 < limit and (
                        abs(dx * direction[0] + dy * direction[1]) > 0.72
                    ):
                        return True
        return False
