"""Kleene's logic at work, held against a slow and obvious model of it."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.expression.live import build
from edge.expression.nodes import QualityFunction, Windowed
from edge.expression.now import Stated
from edge.expression.parse import parse

Truth = bool | None


class World:
    """What is known: a number by point; None is unknown."""

    def __init__(self, values: dict[str, float | None]) -> None:
        self.values = values

    def number(self, point: str) -> float | None:
        return self.values[point]

    def rated(self, function: QualityFunction, point: str) -> float | None:
        known = self.values[point] is not None
        return float(known if function == "good" else not known)

    def figure(self, windowed: Windowed) -> float | None:
        return self.values[windowed.point.name]


def judge(text: str, **values: float | None) -> Truth:
    found = build(parse(text), World({f"p.{name}": value for name, value in values.items()}))()
    return None if found is None else bool(found)


@pytest.mark.parametrize(("a", "b"), list(product((0.0, 1.0, None), repeat=2)))
def test_the_truth_tables(a: float | None, b: float | None) -> None:
    known: dict[Truth, int] = {True: 2, None: 1, False: 0}
    back = {rank: truth for truth, rank in known.items()}
    x, y = (None if v is None else bool(v) for v in (a, b))
    assert judge("p.a and p.b", a=a, b=b) is back[min(known[x], known[y])]
    assert judge("p.a or p.b", a=a, b=b) is back[max(known[x], known[y])]
    assert judge("not p.a", a=a, b=b) is (None if x is None else not x)


def test_unknown_stays_unknown_unless_the_rest_decides() -> None:
    assert judge("p.a > 3 and p.b > 3", a=None, b=5) is None
    assert judge("p.a > 3 and p.b > 3", a=None, b=1) is False
    assert judge("p.a > 3 or p.b > 3", a=None, b=5) is True
    assert judge("bad(p.a) or p.a > 3", a=None) is True
    assert judge("p.a / p.b > 1", a=1, b=0) is None
    assert judge("1e308 * 1e308 * p.a > 1", a=1) is None


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0.1, 1e3))
def test_arithmetic_is_that_of_python(a: float, b: float, c: float) -> None:
    assert judge("p.a + p.b * 2 - p.a / p.c > -p.b", a=a, b=b, c=c) is (a + b * 2 - a / c > -b)
    assert judge("abs(p.a - p.b) <= p.c", a=a, b=b, c=c) is (abs(a - b) <= c)
    assert judge("p.a - p.b - p.c < 0", a=a, b=b, c=c) is (a - b - c < 0)


@pytest.mark.parametrize("sign", ["==", "!=", "<", "<=", ">", ">="])
def test_comparisons(sign: str) -> None:
    for a, b in product((1.0, 2.0), repeat=2):
        wanted = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]
        assert judge(f"p.a {sign} p.b", a=a, b=b) is wanted


def test_of_this_moment() -> None:
    text = "p.a == 1 and not bad(p.b)"
    stated = Stated(text, parse(text))
    assert (str(stated), stated.points) == (text, ("p.a", "p.b"))
    assert stated.holds({"p.a": 1.0, "p.b": 2.0}.get) is True
    assert stated.holds({"p.a": 1.0}.get) is False
    assert stated.holds({"p.b": 1.0}.get) is None
    windowed = "avg(p.a, 5 s) > 1"
    assert Stated(windowed, parse(windowed)).holds({"p.a": 5.0}.get) is None


def test_a_gateway_without_conditions_does_not_load_the_parser() -> None:
    code = "import sys, edge.app; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
