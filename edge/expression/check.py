"""Whether an expression can be judged: its points exist, truths and numbers are not mixed, units agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from edge.expression.nodes import (
    Calculated,
    Compared,
    ExpressionError,
    Joined,
    Magnitude,
    Minus,
    Negated,
    Node,
    Number,
    Place,
    Point,
    Rated,
    Truth,
    Windowed,
)
from protocols.model.device import PointProfile

ANY_UNIT: Final = ""
"""Unit of a written number: it takes that of what it meets."""
_TEXT: Final = frozenset({"ascii", "text"})


class Type(NamedTuple):
    """What a part of an expression is. unit: UCUM code, `ANY_UNIT` where none can be told."""

    kind: Literal["truth", "number", "unknown"]
    unit: str = ANY_UNIT


_UNKNOWN: Final = Type("unknown")
_TRUTH: Final = Type("truth")


class Checker:
    """Checks one expression; what is wrong is in `mistakes`, from left to right.

    nearest: says which of the known points a wrong name may mean.
    """

    def __init__(
        self, points: Mapping[str, PointProfile], nearest: Callable[[object, Iterable[str]], str]
    ) -> None:
        self.mistakes: list[ExpressionError] = []
        self._points = points
        self._nearest = nearest

    def condition(self, node: Node) -> None:
        """Check that the whole is a truth."""
        self._truth(node)

    def _type(self, node: Node) -> Type:
        match node:
            case Number():
                return Type("number")
            case Truth():
                return _TRUTH
            case Point():
                return self._point(node)
            case Windowed():
                found = self._point(node.point)
                if found.kind == "truth":
                    # The mean of a state is the share of the time in which it was on.
                    return Type("number", "1")
                return found
            case Rated():
                self._point(node.point, text=True)
                return _TRUTH
            case Magnitude() | Minus():
                return self._number(node.of)
            case Calculated():
                return self._calculated(node)
            case Compared():
                self._compared(node)
                return _TRUTH
            case Negated():
                self._truth(node.of)
                return _TRUTH
            case Joined():
                for part in node.parts:
                    self._truth(part)
                return _TRUTH

    def _point(self, node: Point, *, text: bool = False) -> Type:
        profile = self._points.get(node.name)
        if profile is None:
            device, _, _ = node.name.partition(".")
            same = [name for name in self._points if name.partition(".")[0] == device]
            self._mistake(
                node.at,
                f"point {node.name!r} does not exist",
                "device.point",
                self._nearest(node.name, same or self._points),
            )
            return _UNKNOWN
        if profile.type in _TEXT and not text:
            self._mistake(
                node.at, f"point {node.name!r} is text", "a number or a state", "choose another point"
            )
            return _UNKNOWN
        return _TRUTH if profile.type == "bool" else Type("number", profile.unit)

    def _truth(self, node: Node) -> None:
        found = self._type(node)
        if found.kind == "number":
            self._mistake(
                node.at,
                f"{_shown(node)} is a number and no condition",
                "something that is true or false",
                f"compare it, such as {_shown(node)} > 0",
            )

    def _number(self, node: Node) -> Type:
        found = self._type(node)
        if found.kind == "truth":
            self._mistake(
                node.at,
                f"{_shown(node)} is true or false and no number",
                "a number",
                "calculate with numbers only; a state is asked by itself, or compared with 0 or 1",
            )
            return _UNKNOWN
        return found

    def _calculated(self, node: Calculated) -> Type:
        left, right = self._number(node.left), self._number(node.right)
        if node.operator in {"+", "-"}:
            self._same(node.at, left, right)
            return left if left.unit else right
        # A factor may convert the unit, and a unit times a unit is one that nobody declared.
        return Type("number")

    def _compared(self, node: Compared) -> None:
        left, right = self._type(node.left), self._type(node.right)
        kinds = {left.kind, right.kind}
        if kinds == {"truth", "number"}:
            number = node.left if left.kind == "number" else node.right
            if isinstance(number, Number) and number.value in {0.0, 1.0} and node.operator in {"==", "!="}:
                return
            self._mistake(
                node.at,
                f"{_shown(node.left)} {node.operator} {_shown(node.right)} compares a state with a number",
                "two numbers or two states",
                "compare a state with == 1, == 0, true or false",
            )
        elif kinds == {"truth"} and node.operator not in {"==", "!="}:
            self._mistake(node.at, f"states have no order for {node.operator}", "== or !=", "use == or !=")
        elif kinds == {"number"}:
            self._same(node.at, left, right)

    def _same(self, at: Place, left: Type, right: Type) -> None:
        if left.unit and right.unit and left.unit != right.unit:
            self._mistake(
                at,
                f"one side is in {left.unit!r}, the other in {right.unit!r}",
                "the same unit on both sides",
                "multiply one side by the factor between the two",
            )

    def _mistake(self, at: Place, problem: str, expected: str, repair: str) -> None:
        self.mistakes.append(ExpressionError(at, problem, expected, repair))


def windows(node: Node) -> Iterator[Windowed]:
    """Yield the figures over a window, which need a memory."""
    match node:
        case Windowed():
            yield node
        case Magnitude() | Minus() | Negated():
            yield from windows(node.of)
        case Calculated() | Compared():
            yield from windows(node.left)
            yield from windows(node.right)
        case Joined():
            for part in node.parts:
                yield from windows(part)
        case _:
            return


def _shown(node: Node) -> str:
    match node:
        case Point():
            return node.name
        case Windowed():
            return f"{node.function}({node.point.name}, {node.seconds:g} s)"
        case Number():
            return f"{node.value:g}"
        case Truth():
            return "true" if node.value else "false"
        case _:
            return "this part"
