"""What falls due next of each class, as a pure function of the days that are there."""

from __future__ import annotations

from datetime import date

from central.store.keeping.classes import RetentionClass
from central.store.keeping.holdings import Due, due
from central.store.keeping.plan import is_past

DAYS: dict[RetentionClass, int] = {"critical": 3652, "standard": 731, "diagnostic": 90}


def test_each_class_that_is_used_names_its_oldest_day_and_when_that_goes() -> None:
    present = [(date(2026, 1, 1), ["diagnostic"]), (date(2026, 1, 2), [])]
    found = due(present, DAYS, {"standard", "diagnostic"})
    assert found == [
        Due("diagnostic", date(2026, 1, 2), date(2026, 4, 3)),
        Due("standard", date(2026, 1, 1), date(2028, 1, 3)),
    ]
    for one in found:
        assert is_past(one.day, one.at, DAYS[one.retention])
        assert not is_past(one.day, date.fromordinal(one.at.toordinal() - 1), DAYS[one.retention])
