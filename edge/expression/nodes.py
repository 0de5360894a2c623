"""The tree of an expression, and the mistake in one. Places are 1-based (line, column) in its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from protocols.errors import CityNerveError

Place = tuple[int, int]
Comparison = Literal["==", "!=", "<", "<=", ">", ">="]
Arithmetic = Literal["+", "-", "*", "/"]
WindowFunction = Literal["avg", "min", "max"]
QualityFunction = Literal["good", "uncertain", "bad"]


class ExpressionError(CityNerveError):
    """An expression that cannot be understood: where, what was expected, how to repair it."""

    def __init__(self, place: Place, problem: str, expected: str, repair: str) -> None:
        self.place, self.problem, self.expected, self.repair = place, problem, expected, repair
        line, column = place
        where = f"column {column}" if line == 1 else f"line {line}, column {column}"
        super().__init__(f"{where}: {problem}; expected {expected}. Repair: {repair}")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    at: Place
    value: float


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false`."""

    at: Place
    value: bool


@dataclass(frozen=True, slots=True)
class Point:
    """The present value of `device.point`."""

    at: Place
    name: str


@dataclass(frozen=True, slots=True)
class Windowed:
    """A figure of the last `seconds` of a point."""

    at: Place
    function: WindowFunction
    point: Point
    seconds: float


@dataclass(frozen=True, slots=True)
class Rated:
    """Whether the quality of a point is of a class; known even where its value is not."""

    at: Place
    function: QualityFunction
    point: Point


@dataclass(frozen=True, slots=True)
class Magnitude:
    """`abs(…)`."""

    at: Place
    of: Node


@dataclass(frozen=True, slots=True)
class Minus:
    """A number negated."""

    at: Place
    of: Node


@dataclass(frozen=True, slots=True)
class Calculated:
    """Two numbers joined by arithmetic."""

    at: Place
    operator: Arithmetic
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compared:
    """Two values compared."""

    at: Place
    operator: Comparison
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Negated:
    """`not …`."""

    at: Place
    of: Node


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions joined by `and` or `or`."""

    at: Place
    operator: Literal["and", "or"]
    parts: tuple[Node, ...]


Node = (
    Number | Truth | Point | Windowed | Rated | Magnitude | Minus | Calculated | Compared | Negated | Joined
)


def points(node: Node) -> Iterator[Point]:
    """Yield every mention of a point, from left to right."""
    match node:
        case Point():
            yield node
        case Windowed() | Rated():
            yield node.point
        case Magnitude() | Minus() | Negated():
            yield from points(node.of)
        case Calculated() | Compared():
            yield from points(node.left)
            yield from points(node.right)
        case Joined():
            for part in node.parts:
                yield from points(part)
        case Number() | Truth():
            pass


def names(node: Node) -> tuple[str, ...]:
    """Return the points that an expression looks at, each once, in the order of their first mention."""
    return tuple(dict.fromkeys(point.name for point in points(node)))
