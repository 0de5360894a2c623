"""The queue: several centres, one job each; what a killed centre held comes again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from central.notices.queue import LEASE, Backoff, Queue
from central.store.base import Database
from tests.central.systems.running import Hand

SECOND = timedelta(seconds=1)


async def fill(queue: Queue, database: Database, *jobs: tuple[str, str]) -> None:
    async with database.pool.connection() as connection:
        await queue.put(connection, "deliver", jobs)


async def test_two_centres_share_the_work_and_do_nothing_twice(database: Database) -> None:
    clock = Hand()
    centres = [Queue(database, clock), Queue(database, clock)]
    await fill(centres[0], database, *((f"job {n}", "lane") for n in range(40)))
    await fill(centres[1], database, *((f"job {n}", "lane") for n in range(40)))
    done: list[str] = []

    async def work(queue: Queue) -> None:
        while (job := await queue.take("deliver")) is not None:
            done.append(job.key)
            async with database.pool.connection() as connection:
                assert await queue.done(connection, job)

    await asyncio.gather(*(work(queue) for queue in centres for _ in range(3)))
    assert sorted(done) == sorted(f"job {n}" for n in range(40))
    assert await centres[0].counts() == []


async def test_what_a_killed_centre_held_is_done_by_another(database: Database) -> None:
    clock = Hand()
    queue = Queue(database, clock)
    await fill(queue, database, ("job", "lane"))
    lost = await queue.take("deliver")
    assert lost is not None
    assert await queue.take("deliver") is None
    clock.move(LEASE.total_seconds() + 1)
    again = await queue.take("deliver")
    assert again is not None
    assert (again.key, again.attempts) == ("job", 2)
    async with database.pool.connection() as connection:
        assert not await queue.done(connection, lost), "it is not the first one's any more"
        assert await queue.done(connection, again)


async def test_a_busy_lane_is_passed(database: Database) -> None:
    queue = Queue(database, Hand())
    await fill(queue, database, ("slow 1", "slow"), ("slow 2", "slow"), ("quick", "quick"))
    job = await queue.take("deliver", busy=["slow"])
    assert job is not None
    assert job.key == "quick"


async def test_later_dead_and_revived(database: Database) -> None:
    clock = Hand()
    queue = Queue(database, clock)
    await fill(queue, database, ("job", "lane"))
    job = await queue.take("deliver")
    assert job is not None
    async with database.pool.connection() as connection:
        await queue.later(connection, job, 10 * SECOND, "503")
    clock.move(9)
    assert await queue.take("deliver") is None
    clock.move(2)
    job = await queue.take("deliver")
    assert job is not None
    async with database.pool.connection() as connection:
        await queue.bury(connection, job, "gone")
    clock.move(86_400)
    assert await queue.take("deliver") is None
    assert [(state, number) for _, state, number, _ in await queue.counts()] == [("dead", 1)]
    async with database.pool.connection() as connection:
        assert await queue.revive(connection, "deliver", "job")
    job = await queue.take("deliver")
    assert job is not None
    assert job.attempts == 1


@given(st.integers(1, 100))
def test_waits_grow_to_a_bound_and_end(attempts: int) -> None:
    backoff = Backoff(5 * SECOND, 900 * SECOND, 15)
    wait = backoff.after(attempts)
    whole = min(5 * 2 ** (attempts - 1), 900)
    assert wait is None if attempts >= 15 else wait is not None
    assert wait is None or whole / 2 <= wait.total_seconds() <= whole
