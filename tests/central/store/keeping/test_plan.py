"""What is due to go: by hand, and for every class, day and history that hypothesis thinks of."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from central.store.keeping.classes import CLASSES, RetentionClass
from central.store.keeping.plan import RESTORED_DAYS, Day, Step, is_past, plan

TODAY = date(2026, 11, 22)
DAYS: dict[RetentionClass, int] = {"critical": 1000, "standard": 100, "diagnostic": 10}


def ago(days: int) -> date:
    return TODAY - timedelta(days)


def steps(*days: Day, used: tuple[RetentionClass, ...] = CLASSES) -> list[Step]:
    return list(plan(days, TODAY, DAYS, used))


def test_a_class_stays_its_full_days() -> None:
    # The last reading of the day before yesterday was 24 hours old as today began: one full day.
    assert not is_past(ago(1), TODAY, 1)
    assert is_past(ago(2), TODAY, 1)


def test_rows_go_before_their_day_does() -> None:
    assert steps(Day(ago(5)), Day(ago(50)), Day(ago(500)), Day(ago(5000))) == [
        Step("drop", ago(5000), CLASSES),
        Step("thin", ago(500), ("standard", "diagnostic")),
        Step("thin", ago(50), ("diagnostic",)),
    ]


def test_what_is_done_is_not_done_again() -> None:
    assert steps(Day(ago(50), thinned=frozenset({"diagnostic"}))) == []
    assert steps(Day(ago(500), thinned=frozenset({"diagnostic"}))) == [Step("thin", ago(500), ("standard",))]


def test_a_class_that_no_point_has_keeps_no_day() -> None:
    assert steps(Day(ago(50)), used=("diagnostic",)) == [Step("drop", ago(50), ("diagnostic",))]
    assert steps(Day(ago(500)), used=()) == []


def test_what_is_not_rolled_up_or_was_put_back_waits() -> None:
    held = steps(Day(ago(5000), backlog=True), Day(ago(50), restored=ago(RESTORED_DAYS - 1)))
    assert [(step.kind, step.held) for step in held] == [("drop", "not-rolled-up"), ("thin", "restored")]
    assert [step.held for step in steps(Day(ago(50), restored=ago(RESTORED_DAYS)))] == [""]


@given(
    age=st.integers(0, 3000),
    thinned=st.frozensets(st.sampled_from(CLASSES)),
    used=st.sets(st.sampled_from(CLASSES)),
    days=st.tuples(*(st.integers(1, 2500) for _ in CLASSES)),
)
def test_nothing_goes_early_and_nothing_stays(
    age: int, thinned: frozenset[RetentionClass], used: set[RetentionClass], days: tuple[int, ...]
) -> None:
    limits = dict(zip(CLASSES, days, strict=True))
    due = list(plan([Day(ago(age), thinned)], TODAY, limits, used))
    assert len(due) <= 1
    gone = {name for step in due for name in step.classes}
    over = {name for name in used if is_past(ago(age), TODAY, limits[name])}
    assert gone <= over
    assert over <= gone | thinned
    if any(step.kind == "drop" for step in due):
        assert over == used or not used
