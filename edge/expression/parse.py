"""Text to tree, by lark's LALR parser; its findings said in a technician's words."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from edge.expression.nodes import (
    Arithmetic,
    Calculated,
    Compared,
    Comparison,
    ExpressionError,
    Joined,
    Magnitude,
    Minus,
    Negated,
    Node,
    Number,
    Place,
    Point,
    QualityFunction,
    Rated,
    Truth,
    Windowed,
    WindowFunction,
)

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

MAX_LENGTH: Final = 2_000
MAX_DEPTH: Final = 60
MAX_WINDOW_S: Final = 86_400.0
_GRAMMAR: Final = r"""
?start: either
?either: both (OR both)*
?both: not (AND not)*
?not: NOT not -> negated
    | comparison
?comparison: sum (COMPARE sum)?
?sum: product ((PLUS | MINUS) product)*
?product: factor ((TIMES | OVER) factor)*
?factor: MINUS factor -> minus
    | atom
?atom: NUMBER
    | TRUE
    | FALSE
    | POINT
    | NAME "(" argument ("," argument)* ")" -> call
    | "(" either ")"
?argument: either
    | DURATION
OR: "or"
AND: "and"
NOT: "not"
TRUE: "true"
FALSE: "false"
COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
PLUS: "+"
MINUS: "-"
TIMES: "*"
OVER: "/"
DURATION.3: /\d+(\.\d+)?\s*(ms|s|min|h)\b/
NUMBER.2: /\d+(\.\d+)?([eE][+-]?\d+)?(?![\w.])/
POINT: /\w[\w-]*\.\w[\w-]*/
NAME: /[^\W\d]\w*/
%ignore /\s+/
"""
_WORDS: Final = {
    "NUMBER": "a number",
    "POINT": "a point (device.point)",
    "NAME": "a function",
    "DURATION": "a time such as 60 s",
    "COMPARE": "a comparison (== != < <= > >=)",
    "PLUS": "an operator (+ - * /)",
    "MINUS": "an operator (+ - * /)",
    "TIMES": "an operator (+ - * /)",
    "OVER": "an operator (+ - * /)",
    "OR": "and, or",
    "AND": "and, or",
    "NOT": "not",
    "TRUE": "true",
    "FALSE": "false",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "the end",
}
_SAID_OTHERWISE: Final = {
    "=": "write == to compare",
    "&": "write and",
    "|": "write or",
    "!": "write not, or != to compare",
    ".": "a point is written device.point; put spaces around a minus between two points",
}
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_WINDOWS: Final = ("avg", "min", "max")
_QUALITIES: Final = ("good", "uncertain", "bad")
FUNCTIONS: Final = (*_WINDOWS, *_QUALITIES, "abs")


def parse(text: str) -> Node:
    """Return the tree of an expression. Raises ExpressionError at the first mistake."""
    from lark import UnexpectedCharacters, UnexpectedToken  # noqa: PLC0415 - only where there are conditions

    if not text.strip():
        raise ExpressionError((1, 1), "nothing is written", "a condition", "write e.g. pump1.running == 1")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            (1, MAX_LENGTH), f"{len(text)} characters", f"at most {MAX_LENGTH}", "make two alarms of it"
        )
    try:
        tree = _parser().parse(text)
    except UnexpectedToken as error:
        before = error.token_history[-1] if error.token_history else None
        raise _token(error.token, before, error.accepts or error.expected) from None
    except UnexpectedCharacters as error:
        place = (error.line, error.column)
        repair = _SAID_OTHERWISE.get(error.char, "remove it")
        raise ExpressionError(
            place, f"{error.char!r} has no meaning here", _expected(error.allowed or ()), repair
        ) from None
    return _node(tree, 0)


@cache
def _parser() -> Lark:
    from lark import Lark  # noqa: PLC0415 - two megabytes that a gateway without conditions does not need

    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _token(token: Token, before: Token | None, expected: Iterable[str]) -> ExpressionError:
    place = (token.line or 1, token.column or 1)
    if before is not None and before.type == "NAME":
        close = difflib.get_close_matches(before, FUNCTIONS, n=1)
        return ExpressionError(
            _place(before),
            f"{str(before)!r} is neither a point nor a function with its brackets",
            "device.point",
            f"did you mean {close[0]}(…)?" if close else "write the device before it, such as pump1.running",
        )
    if token.type == "$END":
        return ExpressionError(place, "it ends too early", _expected(expected), "write the rest of it")
    repair = "remove it, or write what is missing before it"
    if token.type == "NAME":
        close = difflib.get_close_matches(token, [*FUNCTIONS, "and", "or", "not"], n=1)
        repair = f"did you mean {close[0]!r}?" if close else "a point is written device.point"
    elif token.type == "COMPARE":
        repair = "compare two values at a time, joined by and: 1 < a.b and a.b < 5"
    elif token.type == "RPAR":
        repair = "remove it, or open a bracket before it"
    return ExpressionError(place, f"{str(token)!r} does not fit here", _expected(expected), repair)


def _expected(terminals: Iterable[str]) -> str:
    words = sorted({_WORDS.get(name, name) for name in terminals})
    return " or ".join(words) or "a condition"


def _node(tree: Tree[Any] | Token, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ExpressionError(_place(tree), "it is nested too deeply", "a simple condition", "make two of it")
    if isinstance(tree, str):
        return _leaf(tree)
    place, children = _place(tree), tree.children
    match str(tree.data):
        case "either" | "both":
            operator = "or" if tree.data == "either" else "and"
            parts = tuple(_node(child, depth + 1) for child in children[::2])
            return Joined(place, "or" if operator == "or" else "and", parts)
        case "negated":
            return Negated(place, _node(children[1], depth + 1))
        case "minus":
            return Minus(place, _node(children[1], depth + 1))
        case "comparison":
            left, sign, right = children
            found = cast(Comparison, str(sign))
            return Compared(_place(sign), found, _node(left, depth + 1), _node(right, depth + 1))
        case "call":
            return _call(cast("Token", children[0]), children[1:], depth)
    # A chain is calculated from the left: each of its signs is a level of the tree.
    depth += len(children) // 2
    result = _node(children[0], depth)
    for sign, child in zip(children[1::2], children[2::2], strict=True):
        arithmetic = cast(Arithmetic, str(sign))
        result = Calculated(_place(sign), arithmetic, result, _node(child, depth))
    return result


def _leaf(token: Token) -> Node:
    place = _place(token)
    match token.type:
        case "NUMBER":
            if not math.isfinite(float(token)):
                raise ExpressionError(
                    place, "a number without end", "a number below 1e308", "write a smaller one"
                )
            return Number(place, float(token))
        case "TRUE" | "FALSE":
            return Truth(place, token.type == "TRUE")
        case "DURATION":
            raise ExpressionError(
                place, f"{str(token)!r} is a time", "a value", "a time stands only in avg, min and max"
            )
        case _:
            return Point(place, str(token))


def _call(name: Token, arguments: list[Any], depth: int) -> Node:
    place = _place(name)
    if name == "abs":
        if len(arguments) != 1:
            raise ExpressionError(place, f"abs of {len(arguments)} values", "one value", "abs(a.x - b.x)")
        return Magnitude(place, _node(arguments[0], depth + 1))
    if name in _QUALITIES:
        if len(arguments) != 1:
            raise ExpressionError(place, f"{name} of {len(arguments)} values", "one point", f"{name}(a.x)")
        return Rated(place, cast(QualityFunction, str(name)), _point(name, arguments[0]))
    if name in _WINDOWS:
        if len(arguments) != 2 or getattr(arguments[1], "type", "") != "DURATION":
            raise ExpressionError(
                place, f"{name} lacks its time", "a point and a time", f"write e.g. {name}(a.x, 60 s)"
            )
        figure, unit = _split(arguments[1])
        seconds = float(figure) * _SECONDS[unit]
        if not 0 < seconds <= MAX_WINDOW_S:
            raise ExpressionError(
                _place(arguments[1]), f"a window of {seconds:g} s", "up to 24 h", "write e.g. 60 s"
            )
        return Windowed(place, cast(WindowFunction, str(name)), _point(name, arguments[0]), seconds)
    close = difflib.get_close_matches(name, FUNCTIONS, n=1)
    known = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(FUNCTIONS)}"
    raise ExpressionError(place, f"there is no function {str(name)!r}", "a function", known)


def _point(function: str, argument: Any) -> Point:
    if getattr(argument, "type", "") == "POINT":
        return Point(_place(argument), str(argument))
    raise ExpressionError(
        _place(argument), f"{function} of something calculated", "a point", f"write e.g. {function}(a.x, …)"
    )


def _split(duration: str) -> tuple[str, str]:
    figure = duration.rstrip("hmins ")
    return figure, duration[len(figure) :].strip()


def _place(tree: Any) -> Place:
    found = tree if hasattr(tree, "line") else tree.meta
    return found.line, found.column
