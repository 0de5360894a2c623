"""Rotation at the centre: at no point is a gateway without a token that opens the door."""

from __future__ import annotations

import msgspec
import pytest

from protocols.wire.channels import INBOX, ROTATE
from protocols.wire.handshake import Credentials
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running


class Door:
    """The link's door, tried with one token or another."""

    def __init__(self, city: Running) -> None:
        self._city = city

    async def opens(self, token: str) -> bool:
        """Say whether a token is a gateway's."""
        async with self._city.client(None) as client:
            answer = await client.get(INBOX, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in {200, 401}, answer.text
        return answer.status_code == 200

    async def next(self, token: str) -> str:
        """Ask for the token after this one."""
        async with self._city.client(None) as client:
            answer = await client.post(ROTATE, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        return msgspec.json.decode(answer.content, type=Credentials).token


@pytest.fixture
def door(city: Running) -> Door:
    return Door(city)


async def test_the_old_token_lives_until_the_new_one_is_used(
    city: Running, gateway: FieldGateway, door: Door
) -> None:
    old = gateway.token
    new = await door.next(old)
    assert new != old
    assert await door.opens(old)
    assert await door.opens(new)
    assert not await door.opens(old)
    assert await door.opens(new)
    assert (await city.get("/gateways/gw-north"))["gateway"]["token_at"] is not None


async def test_an_answer_that_was_lost_is_asked_for_again(gateway: FieldGateway, door: Door) -> None:
    lost = await door.next(gateway.token)
    kept = await door.next(gateway.token)
    assert not await door.opens(lost)
    assert await door.opens(gateway.token)
    assert await door.opens(kept)
    assert not await door.opens(gateway.token)


async def test_an_old_request_that_comes_late_replaces_nothing(
    city: Running, gateway: FieldGateway, door: Door
) -> None:
    new = await door.next(gateway.token)
    assert await door.opens(new)
    async with city.client(None) as client:
        late = await client.post(ROTATE, headers={"Authorization": f"Bearer {gateway.token}"})
    assert late.status_code == 401
    assert await door.opens(new)


async def test_an_unproven_token_that_asks_is_proven_by_it(gateway: FieldGateway, door: Door) -> None:
    second = await door.next(gateway.token)
    third = await door.next(second)
    assert not await door.opens(gateway.token)
    assert await door.opens(second)
    assert await door.opens(third)
    assert not await door.opens(second)


async def test_revoking_and_enrolling_end_both_tokens(
    city: Running, gateway: FieldGateway, door: Door
) -> None:
    waiting = await door.next(gateway.token)
    await city.centre.gateways.revoke("gw-north", "admin")
    async with city.client(None) as client:
        for token in (gateway.token, waiting):
            answer = await client.get(INBOX, headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (403, "revoked")
    async with city.gateway("gw-north") as again:
        assert not await door.opens(gateway.token)
        assert not await door.opens(waiting)
        assert await door.opens(again.token)
