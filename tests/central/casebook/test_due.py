"""Due times and what counts as overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from central.casebook.due import Limits, is_overdue

OPENED = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def test_each_priority_has_its_limit() -> None:
    limits = Limits()
    assert limits.due_at(OPENED, "P1") == OPENED + timedelta(minutes=30)
    assert limits.due_at(OPENED, "P2") == OPENED + timedelta(hours=2)
    assert limits.due_at(OPENED, "P3") == OPENED + timedelta(hours=8)
    assert Limits({"P1": 5, "P2": 6, "P3": 7, "P4": 8}).due_at(OPENED, "P4") == OPENED + timedelta(minutes=8)


def test_overdue_is_judged_at_the_end_or_now() -> None:
    due = OPENED + timedelta(minutes=30)
    assert not is_overdue(due, None, due)
    assert is_overdue(due, None, due + timedelta(seconds=1))
    assert not is_overdue(due, due, due + timedelta(days=9))
    assert is_overdue(due, due + timedelta(seconds=1), due + timedelta(days=9))
