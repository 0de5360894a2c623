"""Who asks too often is told when to ask again; nobody else is slowed by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from central.kernel.problem import Problem
from central.security.rates import BURST_S, Rates
from central.security.roles import Role
from tests.central.systems.running import API, Hand, running_centre


def test_a_bucket_fills_steadily_and_holds_a_burst() -> None:
    clock = Hand()
    rates = Rates(2, 1, clock)
    for _ in range(2 * BURST_S):
        rates.account("wang")
    with pytest.raises(Problem) as refused:
        rates.account("wang")
    assert refused.value.status == 429
    assert refused.value.headers["Retry-After"] == "1"
    rates.account("li")
    rates.address("wang")
    clock.move(1)
    rates.account("wang")
    rates.account("wang")
    with pytest.raises(Problem):
        rates.account("wang")
    clock.move(3600)
    for _ in range(2 * BURST_S):
        rates.account("wang")
    with pytest.raises(Problem):
        rates.account("wang")


def test_many_strangers_do_not_fill_the_memory_nor_free_the_busy_one() -> None:
    clock = Hand()
    rates = Rates(0, 1, clock)
    for _ in range(100_000):
        rates.account("not limited")
    for number in range(20_000):
        rates.address(f"10.{number}")
        clock.move(0.0001)
    assert rates.known <= 10_000


async def test_an_account_and_a_stranger_are_limited_apart(database_url: str, tmp_path: Path) -> None:
    async with running_centre(database_url, tmp_path) as city:
        centre = city.centre
        security = replace(centre.security, rates=Rates(1, 1, city.clock))
        city.app.state.centre = replace(centre, security=security)
        async with city.client(Role.VIEWER) as viewer, city.client(None) as nobody:
            answers = [(await nobody.get(f"{API}/session")).status_code for _ in range(BURST_S + 1)]
            assert answers == [401] * BURST_S + [429]
            answers = [(await viewer.get(f"{API}/session")).status_code for _ in range(BURST_S + 1)]
            assert answers == [200] * BURST_S + [429]
            last = await viewer.get(f"{API}/session")
            assert last.json()["type"] == "/problems/too-many-requests"
            assert int(last.headers["retry-after"]) >= 1
            city.clock.move(2)
            assert (await viewer.get(f"{API}/session")).status_code == 200
