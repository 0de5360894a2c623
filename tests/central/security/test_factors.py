"""The second factor: RFC 6238, each code once, recovery codes once, and a role that asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest
from sqlalchemy import text

from central.security.roles import Role
from protocols.model.clock import SECOND_US
from tests.central.security.test_accounts import PASSWORD, browser
from tests.central.systems.running import API, Running, running_centre

NEW = "七夕-江堤-灯火-2026"


@pytest.fixture
async def city(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_centre(database_url, tmp_path) as running:
        await running.centre.security.accounts.ensure("wang.lei", "王磊", Role.OPERATOR, PASSWORD)
        yield running


async def sign_in(
    client: httpx2.AsyncClient, code: str | None = None, password: str = PASSWORD
) -> httpx2.Response:
    body = {"username": "wang.lei", "password": password, "code": code}
    return await client.post(f"{API}/session", json=body)


async def enrol(city: Running, client: httpx2.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
    begun = await client.post(f"{API}/me/totp", json={"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    totp = pyotp.TOTP(begun.json()["secret"])
    assert begun.json()["svg"].startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "wang.lei" in begun.json()["uri"]
    confirmed = await client.post(f"{API}/me/totp/confirm", json={"code": at(city, totp)})
    assert confirmed.status_code == 200, confirmed.text
    return totp, confirmed.json()["codes"]


def at(city: Running, totp: pyotp.TOTP, steps: int = 0) -> str:
    return totp.at(city.clock() // SECOND_US, counter_offset=steps)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    """The last six figures of the appendix's eight, for its SHA-1 key."""
    assert pyotp.TOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").at(seconds) == code


async def test_signing_in_with_a_code_that_counts_once(city: Running) -> None:
    async with browser(city) as client, browser(city) as other:
        await sign_in(client)
        await sign_in(other)
        totp, _ = await enrol(city, client)
        # Whoever was signed in elsewhere had only the password.
        assert (await other.get(f"{API}/me")).status_code == 401
        needed = await sign_in(other)
        assert (needed.status_code, needed.json()["type"]) == (401, "/problems/code-needed")
        replayed = await sign_in(other, at(city, totp))
        assert (replayed.status_code, replayed.json()["type"]) == (401, "/problems/wrong-code")
        city.clock.move(30)
        # One step early is a clock that differs; two are not.
        assert (await sign_in(other, at(city, totp, 2))).status_code == 401
        both = await asyncio.gather(*(sign_in(other, at(city, totp)) for _ in range(2)))
        assert sorted(answer.status_code for answer in both) == [200, 401]
        # An older code than the last one used is used up too, though its time is not over.
        assert (await sign_in(other, at(city, totp, -1))).status_code == 401
        me = (await other.get(f"{API}/me")).json()
        assert (me["second_factor"], me["recovery_codes_left"]) == (True, 10)
        sessions = (await other.get(f"{API}/me/sessions")).json()["items"]
        assert {item["proof"] for item in sessions} == {"totp"}
        assert [item["current"] for item in sessions].count(True) == 1


async def test_guessing_codes_is_limited_from_every_address(city: Running) -> None:
    async with browser(city) as client:
        await sign_in(client)
        totp, codes = await enrol(city, client)
        for _ in range(5):
            assert (await sign_in(client, "000000")).json()["type"] == "/problems/wrong-code"
        city.clock.move(30)
        for code in (at(city, totp), codes[0]):
            assert (await sign_in(client, code)).status_code == 429
        city.clock.move(301)
        assert (await sign_in(client, at(city, totp))).status_code == 200


async def test_recovery_codes_count_once_and_are_replaced_together(city: Running) -> None:
    async with browser(city) as client:
        await sign_in(client)
        _, codes = await enrol(city, client)
        assert len(set(codes)) == 10
        assert (await sign_in(client, codes[0].upper().replace("-", " "))).status_code == 200
        assert (await sign_in(client, codes[0])).status_code == 401
        assert (await client.get(f"{API}/me")).json()["recovery_codes_left"] == 9
        wrong = await client.post(f"{API}/me/recovery-codes", json={"password": "not-my-password"})
        assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/wrong-password")
        renewed = (await client.post(f"{API}/me/recovery-codes", json={"password": PASSWORD})).json()
        assert (await sign_in(client, codes[1])).status_code == 401
        assert (await sign_in(client, renewed["codes"][1])).status_code == 200
        removed = await client.post(f"{API}/me/totp/remove", json={"password": PASSWORD})
        assert removed.status_code == 204
        assert (await sign_in(client)).status_code == 200


async def test_a_role_may_ask_for_a_second_factor(city: Running) -> None:
    async with browser(city) as client, city.client(Role.ADMIN) as admin:
        await sign_in(client)
        refused = await admin.put(f"{API}/policy", json={"second_factor_roles": ["operator"]})
        assert refused.status_code == 403, "a token is no person"
        await policy(city, {"second_factor_roles": ["operator"]})
        shut = await client.get(f"{API}/overview")
        assert (shut.status_code, shut.json()["type"]) == (403, "/problems/second-factor-needed")
        assert (await client.post(f"{API}/tokens", json={"name": "around"})).status_code == 403
        assert (await client.get(f"{API}/session")).json()["user"]["must_enrol"] is True
        totp, _ = await enrol(city, client)
        assert (await client.get(f"{API}/overview")).status_code == 200
        # The administrator resets it for a lost phone; then it must be enrolled anew.
        async with city.centre.database.session() as session:
            await session.execute(text("DELETE FROM second_factors"))
        city.clock.move(30)
        assert (await sign_in(client, at(city, totp))).status_code == 200
        assert (await client.get(f"{API}/overview")).status_code == 403


async def test_the_secret_is_sealed_and_a_lost_key_shuts(city: Running, tmp_path: Path) -> None:
    async with browser(city) as client:
        await sign_in(client)
        totp, _ = await enrol(city, client)
        async with city.centre.database.session() as session:
            sealed = bytes((await session.execute(text("SELECT secret FROM second_factors"))).scalar_one())
        assert totp.secret.encode() not in sealed
        key = tmp_path / "security.key"
        assert key.stat().st_mode & 0o777 == 0o600


async def test_ones_own_password_and_sessions(city: Running) -> None:
    async with browser(city) as client, browser(city) as other:
        await sign_in(client)
        await sign_in(other)
        for password in (
            "short",
            "wang.lei-2026",
            "password2026!",
            "临江临江临江临江临江临江",
            "123456789012",
        ):
            weak = await change(client, PASSWORD, password)
            assert weak.status_code == 422, password
        assert (await change(client, "wrong-wrong", NEW)).json()["type"] == "/problems/wrong-password"
        assert (await change(client, PASSWORD, NEW)).status_code == 204
        assert (await other.get(f"{API}/me")).status_code == 401
        assert (await client.get(f"{API}/me")).status_code == 200
        assert (await sign_in(other)).status_code == 401
        assert (await sign_in(other, password=NEW)).status_code == 200
        (mine,) = [s for s in (await other.get(f"{API}/me/sessions")).json()["items"] if not s["current"]]
        assert (await other.delete(f"{API}/me/sessions/{mine['id']}")).status_code == 204
        assert (await client.get(f"{API}/me")).status_code == 401
        assert (await other.delete(f"{API}/me/sessions/{mine['id']}")).status_code == 404


async def test_a_session_that_was_there_before_is_no_way_into_the_new_one(city: Running) -> None:
    async with browser(city) as client:
        await sign_in(client)
        fixed = client.cookies["cn_session"]
        await sign_in(client)
        assert client.cookies["cn_session"] != fixed
    async with browser(city) as thief:
        thief.cookies.set("cn_session", fixed)
        assert (await thief.get(f"{API}/me")).status_code == 401


async def change(client: httpx2.AsyncClient, current: str, password: str) -> httpx2.Response:
    return await client.post(f"{API}/me/password", json={"current": current, "password": password})


async def policy(city: Running, body: dict[str, Any]) -> None:
    await city.centre.security.accounts.ensure("chief", "局长", Role.ADMIN, PASSWORD)
    async with browser(city) as chief:
        await chief.post(f"{API}/session", json={"username": "chief", "password": PASSWORD})
        assert (await chief.put(f"{API}/policy", json=body)).status_code == 200
