"""An expression at work: a tree of small functions over what is known of its points.

Kleene's logic: what is not known stays unknown, unless the rest decides (`false and …` is false). A value of
bad quality is unknown, an uncertain one is used. A window is unknown until its samples span half of it; a
division by zero is unknown.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from edge.expression.nodes import (
    Calculated,
    Compared,
    Joined,
    Magnitude,
    Minus,
    Negated,
    Node,
    Number,
    Point,
    QualityFunction,
    Rated,
    Truth,
    Windowed,
)

Value = float | None
Get = Callable[[], Value]
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CALCULATE: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


class Known(Protocol):
    """What is known of points at this moment."""

    def number(self, point: str) -> Value:
        """Return the present value; None where it is not known or of bad quality."""
        ...

    def rated(self, function: QualityFunction, point: str) -> Value:
        """Return 1 or 0: whether the quality is of that class."""
        ...

    def figure(self, windowed: Windowed) -> Value:
        """Return the figure of a window; None where its samples do not span half of it."""
        ...


def build(node: Node, known: Known) -> Get:
    """Return a function that judges the expression: 1 true, 0 false, None unknown."""
    match node:
        case Number():
            return lambda: node.value
        case Truth():
            return lambda: float(node.value)
        case Point():
            return lambda: known.number(node.name)
        case Windowed():
            return lambda: known.figure(node)
        case Rated():
            return lambda: known.rated(node.function, node.point.name)
        case Magnitude():
            return _each(abs, build(node.of, known))
        case Minus():
            return _each(operator.neg, build(node.of, known))
        case Negated():
            return _each(lambda value: float(not value), build(node.of, known))
        case Calculated():
            return _pair(_CALCULATE[node.operator], build(node.left, known), build(node.right, known))
        case Compared():
            return _pair(_COMPARE[node.operator], build(node.left, known), build(node.right, known))
        case Joined():
            parts = [build(part, known) for part in node.parts]
            return _joined(parts, decides=node.operator == "or")


def _each(of: Callable[[float], float], get: Get) -> Get:
    def value() -> Value:
        found = get()
        return None if found is None else of(found)

    return value


def _pair(of: Callable[[float, float], float], left: Get, right: Get) -> Get:
    def value() -> Value:
        a, b = left(), right()
        if a is None or b is None:
            return None
        try:
            found = float(of(a, b))
        except (ZeroDivisionError, OverflowError):
            return None
        return found if math.isfinite(found) else None

    return value


def _joined(parts: list[Get], *, decides: bool) -> Get:
    def value() -> Value:
        unknown = False
        for part in parts:
            found = part()
            if found is None:
                unknown = True
            elif bool(found) is decides:
                return float(decides)
        return None if unknown else float(not decides)

    return value
