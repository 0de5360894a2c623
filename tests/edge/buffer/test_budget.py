"""Budgets of a day, the wear of the flash, the forecast and its words."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.buffer.budget import MAX_GAP_S, Budget, Wear, written_bytes
from edge.buffer.forecast import Inflow, left_in_words
from edge.buffer.sqlite import SqliteBuffer
from edge.config.keeping import StorageEntry, UplinkEntry
from protocols.model.clock import SECOND_US
from tests.edge.buffer.contract import entry

DAY_US = 86_400 * SECOND_US
MIDNIGHT_US = 20_000 * DAY_US


def test_what_is_left_is_spread_over_the_rest_of_the_day() -> None:
    budget = Budget(limit=86_400_000)
    budget.note(10_000, MIDNIGHT_US)
    assert round(budget.gap_s(MIDNIGHT_US)) == 10
    budget.note(86_390_000 - 5_000, MIDNIGHT_US + DAY_US // 2, pieces=8_639)
    assert budget.gap_s(MIDNIGHT_US + DAY_US // 2) == MAX_GAP_S
    assert budget.gap_s(MIDNIGHT_US + DAY_US) < MAX_GAP_S
    assert budget.today(MIDNIGHT_US + DAY_US) == 0


def test_without_a_limit_it_only_counts() -> None:
    budget = Budget()
    budget.note(5_000_000, MIDNIGHT_US)
    assert (budget.gap_s(MIDNIGHT_US), budget.today(MIDNIGHT_US)) == (0.0, 5_000_000)


@given(st.integers(1_000, 50_000), st.integers(10_000_000, 500_000_000))
def test_keeping_to_the_gap_keeps_to_the_budget(piece: int, limit: int) -> None:
    budget, now = Budget(limit), MIDNIGHT_US
    pieces = 0
    while now < MIDNIGHT_US + DAY_US and pieces < 2_000:
        budget.note(piece, now)
        pieces += 1
        now += max(round(budget.gap_s(now) * SECOND_US), SECOND_US)
    if now >= MIDNIGHT_US + DAY_US:
        assert pieces * piece <= limit + piece * (DAY_US // (MAX_GAP_S * SECOND_US) + 1)
    else:
        assert (
            pieces * piece <= limit * (now - MIDNIGHT_US) / DAY_US + 2 * piece
            or pieces * SECOND_US == now - MIDNIGHT_US
        )


def test_the_disk_is_asked_what_it_took_or_what_was_handed_over_counts() -> None:
    taken = [1_000]
    wear = Wear(Budget(), lambda: taken[0])
    taken[0] = 9_000
    wear.note(10, MIDNIGHT_US)
    assert wear.budget.used == 8_000
    blind = Wear(Budget(), lambda: None)
    for second in range(3):
        blind.note(10, MIDNIGHT_US + second * SECOND_US)
    assert blind.budget.used == 30
    assert written_bytes() is None or written_bytes() >= 0  # type: ignore[operator]


def test_budgets_lengthen_the_rhythm_and_survive_a_restart(tmp_path: Path) -> None:
    now = MIDNIGHT_US
    taken = [0]
    keeping = StorageEntry(
        sync_s=2, write_bytes_per_day=8_640_000, uplink=UplinkEntry(bytes_per_day=8_640_000)
    )

    def log() -> SqliteBuffer:
        return SqliteBuffer(tmp_path, lambda: now, keeping, meter=lambda: taken[0])

    buffer = log()
    assert buffer.rhythm_s() == 2
    taken[0] += 3_000
    buffer.append([entry(1.0)])
    assert round(buffer.rhythm_s()) == 30
    assert round(buffer.sent(4_000)) == 40
    assert round(buffer.rhythm_s()) == 40
    now += SECOND_US
    buffer.append([entry(1.0)])
    buffer.close()
    again = log()
    status = again.forecast()
    assert (status.written_today, status.sent_today) == (3_000, 4_000)
    again.close()


def test_the_forecast_in_words() -> None:
    assert left_in_words(9 * 86_400 + 4 * 3600 + 59) == (
        "按当前速率还可存 9 天 4 小时",
        "9 d 4 h left at this rate",
    )
    assert left_in_words(3 * 3600 + 5 * 60)[1] == "3 h 5 min left at this rate"
    assert left_in_words(59)[1] == "0 min left at this rate"
    assert left_in_words(None)[1] == "no forecast yet"


def test_the_forecast_follows_the_rate_of_the_last_hour() -> None:
    inflow = Inflow()
    assert inflow.per_s(0) is None
    for second in range(600):
        inflow.note(500, MIDNIGHT_US + second * SECOND_US)
    rate = inflow.per_s(MIDNIGHT_US + 600 * SECOND_US)
    assert rate is not None
    assert round(rate) == 500
    inflow.note(500, MIDNIGHT_US - DAY_US)
    assert inflow.per_s(MIDNIGHT_US - DAY_US) is None


def test_a_log_with_a_limit_says_how_long_it_lasts(tmp_path: Path) -> None:
    now = MIDNIGHT_US
    limit = 4 << 20
    buffer = SqliteBuffer(tmp_path, lambda: now, StorageEntry(min_free_bytes=0, max_bytes=limit))
    for _ in range(100):
        now += SECOND_US
        buffer.append([entry(*[float(n) for n in range(500)])])
    status = buffer.forecast()
    assert status.left_s is not None
    rate = sum(stored.data.__len__() for stored in buffer.pending("readings", limit=100)) / 99
    assert 0.5 < status.left_s * rate / (limit - buffer.size_bytes()) < 2
    assert status.limit_bytes == limit
    assert "left at this rate" in status.why
    buffer.close()
