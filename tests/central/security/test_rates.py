"""Who asks too often is told when to ask again; nobody else is slowed by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from central.kernel.bodies import MOST
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


async def test_a_stranger_cannot_fill_the_trail_with_what_he_was_refused(
    database_url: str, tmp_path: Path
) -> None:
    async with running_centre(database_url, tmp_path) as city:
        centre = city.centre
        security = replace(centre.security, rates=Rates(0, 1, city.clock))
        city.app.state.centre = replace(centre, security=security)
        async with city.client(None) as nobody:
            for number in range(3 * BURST_S):
                assert (await nobody.post(f"{API}/none/{number}")).status_code == 404
            written = await security.audit.list()
            assert len(written.items) == BURST_S
            # Signing in is not silenced by it: those that are let through to the door are all there.
            asked = {"username": "nobody", "password": "x"}
            answers = [(await nobody.post(f"{API}/session", json=asked)) for _ in range(BURST_S + 2)]
            codes = [answer.json()["type"].rsplit("/", 1)[-1] for answer in answers]
            assert codes[:5] == ["sign-in-failed"] * 5
            assert codes[-2:] == ["too-many-requests"] * 2
            written = await security.audit.list()
            assert [item.actor for item in written.items].count("nobody") == BURST_S
            assert (await security.audit.prove()).reason is None


async def test_a_body_without_end_is_refused_before_anybody_asks_who_sends_it(
    database_url: str, tmp_path: Path
) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65_536
            yield b" " * 65_536

    async with running_centre(database_url, tmp_path) as city, city.client(None) as nobody:
        told = await nobody.post(f"{API}/session", content=b" " * (MOST + 1))
        assert (told.status_code, told.json()["type"]) == (413, "/problems/too-large")
        headers = {"Content-Type": "application/json"}
        cut = await nobody.post(f"{API}/session", content=endless(), headers=headers)
        assert cut.status_code == 413
        assert read <= 2 * MOST
        # What takes files looks at them itself, when it knows who sends them.
        for path in (f"{API}/registry/import/sites", f"{API}/registry/sites/x/attachments?name=x"):
            assert (await nobody.post(path, content=b" " * (MOST + 1))).status_code == 401
