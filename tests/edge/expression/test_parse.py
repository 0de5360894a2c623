"""Expressions: what is understood, and how a mistake is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.mistakes import nearest
from edge.expression.check import Checker
from edge.expression.nodes import ExpressionError, Joined, Windowed, names
from edge.expression.parse import parse
from protocols.model.datatypes import DataType
from protocols.model.device import PointProfile, Text


def point(key: str, kind: DataType = "f32", unit: str = "m") -> PointProfile:
    return PointProfile(key=key, name=Text(zh=key, en=key), type=kind, unit=unit)


POINTS = {
    "pump1.running": point("running", "bool", "1"),
    "pump1.speed": point("speed", "u16", "Hz"),
    "well.level": point("level"),
    "well-2.level": point("level"),
    "well.level_old": point("level_old", unit="cm"),
    "gate.open": point("open", "bool", "1"),
    "sign.words": point("words", "text", "1"),
}


def test_the_whole_grammar_in_one_line() -> None:
    node = parse("pump1.running == 1 and avg(well.level, 60 s) > 3.2 and not gate.open")
    assert isinstance(node, Joined)
    assert len(node.parts) == 3
    assert names(node) == ("pump1.running", "well.level", "gate.open")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60 s", 60), ("1.5 min", 90), ("2h", 7200), ("500 ms", 0.5), ("24 h", 86_400)],
)
def test_times(text: str, seconds: float) -> None:
    node = parse(f"min(well.level, {text}) < 1")
    assert isinstance(node.left, Windowed)  # type: ignore[union-attr]
    assert node.left.seconds == seconds  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("pump1.running = 1", 15, "write == to compare"),
        ("pump1.running && gate.open", 15, "write and"),
        ("pump1.running || gate.open", 15, "write or"),
        ("well.level >", 12, "too early"),
        ("(gate.open", 2, "expected )"),
        ("gate.open)", 10, "open a bracket"),
        ("1 < well.level < 3", 16, "joined by and"),
        ("well.level-pump1.speed > 1", 17, "spaces around a minus"),
        ("running and gate.open", 1, "device"),
        ("avrg(well.level, 60 s) > 1", 1, "'avg'"),
        ("average(well.level, 60 s) > 1", 1, "there is no function"),
        ("avg(well.level) > 1", 1, "avg(a.x, 60 s)"),
        ("avg(well.level, 60) > 1", 1, "avg(a.x, 60 s)"),
        ("avg(well.level + 1, 60 s) > 1", 5, "something calculated"),
        ("avg(well.level, 25 h) > 1", 17, "up to 24 h"),
        ("good(well.level, gate.open)", 1, "one point"),
        ("abs(60 s) > 1", 5, "only in avg"),
        ("well.level > 60 s", 17, "does not fit"),
        ("", 1, "nothing is written"),
    ],
)
def test_a_mistake_names_its_column_and_the_repair(text: str, column: int, said: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse(text)
    assert error.value.place == (1, column)
    assert said in str(error.value)


def test_lines_are_counted() -> None:
    with pytest.raises(ExpressionError, match="line 2, column 3"):
        parse("gate.open and\n  well > 3")


@pytest.mark.parametrize("text", ["not " * 200 + "gate.open", "-" * 200 + "1 < 2", "(" * 5000, "a" * 9000])
def test_nesting_and_length_are_bounded(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@given(st.text(alphabet="ab.1 ()<>=+-*/,andortsmh\n\"'", max_size=60))
def test_nothing_but_the_one_error_ever_comes_out(text: str) -> None:
    try:
        parse(text)
    except ExpressionError as error:
        assert error.place[0] >= 1
        assert error.repair


# ---- types and units ----


@pytest.mark.parametrize(
    "text",
    [
        "pump1.running == 1 and avg(well.level, 60 s) > 3.2 and not gate.open",
        "pump1.running == gate.open",
        "pump1.running != true",
        "abs(well.level - well-2.level) > 0.5",
        "well.level * 2 > well-2.level + 1",
        "avg(pump1.running, 1 h) > 0.5",
        "good(sign.words) or bad(well.level)",
        "well.level * 100 > well.level_old * 1 or uncertain(well.level)",
    ],
)
def test_what_fits(text: str) -> None:
    assert _check(text) == [], "no mistake in it"


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("pump1.runing == 1", 1, "did you mean 'pump1.running'?"),
        ("punp.x > 1", 1, "does not exist"),
        ("well.level", 1, "well.level > 0"),
        ("gate.open and well.level", 15, "is a number"),
        ("not well.level", 5, "is a number"),
        ("gate.open + 1 > 2", 1, "true or false"),
        ("gate.open > 0", 11, "compares a state with a number"),
        ("gate.open == 2", 11, "compares a state with a number"),
        ("gate.open < pump1.running", 11, "no order"),
        ("well.level > pump1.speed", 12, "'Hz'"),
        ("well.level + well.level_old > 1", 12, "'cm'"),
        ("sign.words == 1", 1, "is text"),
    ],
)
def test_what_does_not_fit(text: str, column: int, said: str) -> None:
    (mistake,) = _check(text)
    assert mistake.place == (1, column)
    assert said in str(mistake)


def test_all_mistakes_are_said_at_once() -> None:
    assert len(_check("well.level and gate.opne and sign.words == 1")) == 3


def _check(text: str) -> list[ExpressionError]:
    checker = Checker(POINTS, nearest)
    checker.condition(parse(text))
    return checker.mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("+".join(["well.level"] * 180) + " > 1", "nested too deeply"),
        ("1 > " + " * ".join(["pump1.speed"] * 100), "nested too deeply"),
        ("well.level > 1e999", "without end"),
        ("well.level > " + "9" * 1900, "without end"),
    ],
)
def test_what_no_tree_and_no_number_can_hold(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        parse(text)


def test_a_sum_of_fifty_points() -> None:
    assert _check(" + ".join(["well.level"] * 50) + " > 1") == []
