"""How the backlog goes, and when the next readings may go; the loop's clock is not waited for."""

from __future__ import annotations

import asyncio

from edge.buffer.base import Depth
from edge.link.pace import OVERHEAD, Pace
from edge.link.progress import Progress


def depth(rows: int) -> Depth:
    return Depth(rows // 100, rows, rows * 2, 5)


def test_a_backlog_that_shrinks_has_an_end() -> None:
    now = 0.0
    progress = Progress(lambda: now)
    assert progress.look(depth(10_000)).eta_s is None
    for second in range(1, 11):
        now = float(second)
        progress.note(500)
        status = progress.look(depth(10_000 - 300 * second))
    assert round(status.readings_per_s) == 500
    assert status.eta_s is not None
    assert round(status.eta_s) == round(7_000 / 300)
    assert (status.readings, status.batches, status.oldest_us) == (7_000, 70, 5)


def test_a_backlog_that_grows_has_none_and_an_empty_one_is_done() -> None:
    now = 0.0
    progress = Progress(lambda: now)
    progress.look(depth(1_000))
    now = 5.0
    assert progress.look(depth(2_000)).eta_s is None
    assert progress.look(depth(0)).eta_s == 0.0


def test_a_backlog_that_hardly_shrinks_stands_still() -> None:
    now = 0.0
    progress = Progress(lambda: now)
    progress.look(depth(1_000))
    now = 50.0
    assert progress.look(depth(996)).eta_s is None
    assert progress.look(depth(995)).eta_s == 9_950.0


def test_only_the_last_minute_counts() -> None:
    now = 0.0
    progress = Progress(lambda: now)
    progress.note(1_000_000)
    progress.look(depth(50))
    for second in range(0, 200, 5):
        now = float(second)
        status = progress.look(depth(50))
    assert status.readings_per_s == 0.0


async def test_the_backlog_keeps_its_rate_and_live_readings_do_not_wait_for_it() -> None:
    spent: list[int] = []

    def spend(count: int) -> float:
        spent.append(count)
        return 0.0

    pace = Pace(spend, backlog_per_s=1_000)
    loop = asyncio.get_running_loop()
    began = loop.time()
    pace.went(100, 50, backlog=True)
    pace.went(100, 50, backlog=True)
    await asyncio.wait_for(pace.wait(backlog=False), 0.05)
    await pace.wait(backlog=True)
    assert loop.time() - began >= 0.099
    assert spent == [100 + OVERHEAD] * 2


async def test_a_spent_plan_holds_readings_and_never_alarms() -> None:
    pace = Pace(lambda _: 0.1)
    loop = asyncio.get_running_loop()
    pace.went(100, 0, backlog=False)
    began = loop.time()
    await asyncio.wait_for(pace.wait(backlog=False), 0.05)
    pace.went(100, 10, backlog=False)
    await pace.wait(backlog=False)
    assert loop.time() - began >= 0.099
