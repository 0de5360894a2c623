"""Sign-in attempts are counted in the database, by an injected clock."""

from __future__ import annotations

import asyncio

from central.kernel.problem import Problem
from central.security.limiter import (
    CODE,
    FAILURES_OF_CODE,
    FAILURES_PER_ACCOUNT,
    FAILURES_PER_ADDRESS,
    FAILURES_PER_NAME,
    WINDOW,
    SignInLimiter,
)
from central.store.base import Database
from tests.central.systems.running import Hand


async def wait_s(limiter: SignInLimiter, username: str, address: str) -> int:
    """Count one more failure; the seconds to wait, 0 where it was counted."""
    try:
        await limiter.attempt(username, address)
    except Problem as problem:
        assert problem.status == 429
        return int(problem.headers["Retry-After"])
    return 0


async def test_five_failures_close_the_door_until_the_first_is_five_minutes_old(database: Database) -> None:
    clock = Hand()
    limiter = SignInLimiter(database, clock)
    for _ in range(FAILURES_PER_ACCOUNT):
        assert await wait_s(limiter, "wang", "10.0.0.1") == 0
        clock.move(1)
    assert await wait_s(limiter, "wang", "10.0.0.1") == WINDOW.total_seconds() - FAILURES_PER_ACCOUNT
    assert await wait_s(limiter, "wang", "10.0.0.2") == 0
    assert await wait_s(limiter, "li", "10.0.0.1") == 0
    # Neither a restart nor another replica forgets.
    assert await wait_s(SignInLimiter(database, clock), "wang", "10.0.0.1") > 0
    clock.move(WINDOW.total_seconds() - FAILURES_PER_ACCOUNT)
    assert await wait_s(limiter, "wang", "10.0.0.1") == 0


async def test_success_forgets_the_failures_of_that_account(database: Database) -> None:
    limiter = SignInLimiter(database, Hand())
    for name in ("wang", "li"):
        for _ in range(FAILURES_PER_ACCOUNT):
            await limiter.attempt(name, "a")
    await limiter.succeeded("wang", "a")
    assert await wait_s(limiter, "wang", "a") == 0
    assert await wait_s(limiter, "li", "a") > 0


async def test_one_address_guessing_many_names_is_stopped_as_well(database: Database) -> None:
    limiter = SignInLimiter(database, Hand())
    for number in range(FAILURES_PER_ADDRESS):
        await limiter.attempt(f"user{number}", "a")
    assert await wait_s(limiter, "somebody", "a") > 0
    assert await wait_s(limiter, "somebody", "b") == 0


async def test_many_addresses_guessing_one_name_are_stopped_as_well(database: Database) -> None:
    limiter = SignInLimiter(database, Hand())
    for number in range(FAILURES_PER_NAME):
        await limiter.attempt("wang", f"10.0.1.{number}")
    assert await wait_s(limiter, "wang", "10.0.2.1") > 0
    for number in range(FAILURES_OF_CODE):
        await limiter.attempt(f"{CODE}wang", f"10.0.1.{number}")
    assert await wait_s(limiter, f"{CODE}wang", "10.0.2.1") > 0


async def test_attempts_side_by_side_count_as_well(database: Database) -> None:
    limiter = SignInLimiter(database, Hand())
    waits = await asyncio.gather(*(wait_s(limiter, "wang", "a") for _ in range(FAILURES_PER_ACCOUNT + 5)))
    assert sum(wait == 0 for wait in waits) == FAILURES_PER_ACCOUNT
