"""Exchange of the token, cut at every point: what is on disk always opens the door."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.link.client import CentreClient, CentreError
from edge.link.credentials import FILE_NAME, Kept, Token, load, save
from edge.link.rotation import DAY_US, Rotation
from protocols.model.clock import now_us
from protocols.model.command import CommandState
from protocols.model.order import Rotate
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.forks import Forks

GATEWAY = "gw-test"
LIVED_S = 0.1
"""An exchange takes a few hundredths of a second."""


@pytest.fixture(scope="module")
def exchanges() -> Iterator[Forks]:
    """Gateways that exchange their token, each a process of its own."""
    with Forks("tests.edge.link.exchange:main") as forks:
        yield forks


def enrolled(folder: Path) -> Token:
    """A token as an enrolment leaves it."""
    save(folder, Credentials(gateway=GATEWAY, token=TOKEN))
    return Token(folder, GATEWAY)


async def enters(centre: FakeCentre, folder: Path) -> None:
    """Come back with nothing but what is on disk; the door must open."""
    async with CentreClient(centre.url, None, Token(folder, GATEWAY)) as client:
        await client.knock()


async def test_a_token_is_exchanged(tmp_path: Path) -> None:
    token = enrolled(tmp_path)
    async with FakeCentre() as centre, CentreClient(centre.url, None, token) as client:
        await Rotation(client, token, 90).rotate()
        fresh = centre.token
    assert fresh != TOKEN
    kept = load(tmp_path, GATEWAY)
    assert kept is not None
    assert (kept.token, kept.next) == (fresh, "")
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


async def test_a_gateway_killed_anywhere_in_the_exchange_comes_back_in(
    exchanges: Forks, tmp_path: Path
) -> None:
    """SIGKILL at the first step, the second, … until a run gets through; each time the door opens."""
    enrolled(tmp_path)
    died = 0
    async with FakeCentre() as centre:
        for last in range(1, 200):
            exchanges.begin(centre.url, tmp_path, last, folder=tmp_path)
            run = await asyncio.to_thread(exchanges.ended)
            await enters(centre, tmp_path)
            if run == 0:
                break
            assert run == -9, f"the child failed by itself at step {last}"
            died += 1
        else:
            pytest.fail("the exchange never got through")
    assert died >= 8


async def test_a_gateway_killed_at_any_moment_comes_back_in(exchanges: Forks, tmp_path: Path) -> None:
    enrolled(tmp_path)
    chance = random.Random(3)  # noqa: S311 - instants, no secrets
    async with FakeCentre() as centre:
        for _ in range(12):
            child = exchanges.begin(centre.url, tmp_path, 0, folder=tmp_path)
            await asyncio.sleep(chance.uniform(0.0, LIVED_S))
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            await asyncio.to_thread(exchanges.ended)
            await enters(centre, tmp_path)


async def test_an_answer_that_was_lost_costs_nothing(tmp_path: Path) -> None:
    token = enrolled(tmp_path)
    async with FakeCentre() as centre, CentreClient(centre.url, None, token) as client:
        centre.swallow_tokens = 1
        rotation = Rotation(client, token, 90)
        with pytest.raises(CentreError):
            await rotation.rotate()
        await enters(centre, tmp_path)
        await rotation.rotate()
        await enters(centre, tmp_path)
        assert token() == centre.token


async def test_a_token_that_the_centre_forgot_gives_way_to_the_old_one(tmp_path: Path) -> None:
    """A centre that was restored from yesterday's copy knows the old token only."""
    token = enrolled(tmp_path)
    token.offer("never-heard-of")
    async with FakeCentre() as centre:
        await enters(centre, tmp_path)
        assert centre.problems["unknown-gateway"] == 1
        await enters(centre, tmp_path)
        assert centre.problems["unknown-gateway"] == 1
    assert load(tmp_path, GATEWAY) == Kept(gateway=GATEWAY, token=TOKEN, made_us=_kept(tmp_path).made_us)


async def test_a_gateway_that_is_not_known_at_all_keeps_both_and_says_so(tmp_path: Path) -> None:
    token = enrolled(tmp_path)
    token.offer("newer")
    async with FakeCentre() as centre:
        centre.token = "another gateway's"
        for _ in range(2):
            with pytest.raises(CentreError) as caught:
                await enters(centre, tmp_path)
            assert (caught.value.status, caught.value.code) == (401, "unknown-gateway")
        centre.token = "newer"
        await enters(centre, tmp_path)
    assert (_kept(tmp_path).token, _kept(tmp_path).next) == ("newer", "")


async def test_requests_on_their_way_survive_the_exchange(tmp_path: Path) -> None:
    token = enrolled(tmp_path)

    class Slow:
        """Holds a request back between its token and its way."""

        def __call__(self) -> str | None:
            return self.held if (self.held and not self.used) else token()

        held: str | None = None
        used = False

        def proved(self, shown: str) -> None:
            token.proved(shown)

        def refused(self, shown: str) -> bool:
            self.used = True
            return token.refused(shown)

    slow = Slow()
    async with FakeCentre() as centre, CentreClient(centre.url, None, token) as client:
        slow.held = token()
        await Rotation(client, token, 90).rotate()
        async with CentreClient(centre.url, None, slow) as late:
            await late.knock()
        assert centre.problems["unknown-gateway"] == 1


async def test_a_full_disk_does_not_end_the_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = enrolled(tmp_path)
    token.offer("newer")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    async with FakeCentre() as centre:
        centre.next_token = "newer"
        async with CentreClient(centre.url, None, token) as client:
            monkeypatch.setattr(os, "fsync", full)
            await client.knock()
            monkeypatch.undo()
        await enters(centre, tmp_path)
    assert _kept(tmp_path).token == "newer"


@pytest.mark.parametrize(("age_days", "exchanged"), [(89, False), (91, True)])
async def test_an_old_token_is_exchanged_by_itself(tmp_path: Path, age_days: int, exchanged: bool) -> None:
    token = enrolled(tmp_path)
    async with FakeCentre() as centre, CentreClient(centre.url, None, token) as client:
        rotation = Rotation(client, token, 90, lambda: now_us() + age_days * DAY_US)
        task = asyncio.create_task(rotation.run())
        async with asyncio.timeout(20):
            while exchanged and centre.token == TOKEN:  # noqa: ASYNC110 - the world has no event
                await asyncio.sleep(0.01)
        if not exchanged:
            await client.knock()
        task.cancel()
        assert (centre.token != TOKEN or centre.next_token != "") == exchanged


async def test_the_centres_wish_is_answered(tmp_path: Path) -> None:
    token = enrolled(tmp_path)
    now = now_us()
    wish = Rotate(id="r1", issued_us=now, expires_us=now + 60_000_000, issued_by="ann")
    async with FakeCentre() as centre:
        async with CentreClient(centre.url, None, token) as client:
            rotation = Rotation(client, token, 90)
            done = await rotation.obey(wish, 0)
            late = await rotation.obey(wish, 61_000_000)
            exchanged = centre.token
        assert done[:2] == (CommandState.VERIFIED, "")
        assert late[0] is CommandState.EXPIRED
        assert token() == exchanged
        url = centre.url
    async with CentreClient(url, None, token) as client:
        failed = await Rotation(client, token, 90).obey(wish, 0)
    assert failed[:2] == (CommandState.FAILED, "unreachable")


def _kept(folder: Path) -> Kept:
    return msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Kept)
