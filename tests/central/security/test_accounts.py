"""Signing in, roles, tokens and the trail of it all, over HTTP on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from central.security.roles import Role
from tests.central.systems.running import API, BASE, Running, running_centre

PASSWORD = "临江市-防汛-2026"
VIEWER = {"role": "viewer"}


@pytest.fixture
async def city(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_centre(database_url, tmp_path) as running:
        await running.centre.security.accounts.ensure("wang.lei", "王磊", Role.OPERATOR, PASSWORD)
        yield running


@asynccontextmanager
async def browser(city: Running, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser on the console's own page."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(city.app),
        base_url=BASE,
        headers={"Sec-Fetch-Site": "same-origin", **headers},
    ) as client:
        yield client


async def sign_in(
    client: httpx2.AsyncClient, username: str = "wang.lei", password: str = PASSWORD
) -> httpx2.Response:
    return await client.post(f"{API}/session", json={"username": username, "password": password})


async def test_a_session_from_sign_in_to_sign_out(city: Running) -> None:
    async with browser(city) as client:
        answer = await sign_in(client)
        assert answer.status_code == 200, answer.text
        user = answer.json()["user"]
        assert (user["username"], user["display_name"], user["role"]) == ("wang.lei", "王磊", "operator")
        assert "device.command" in user["permissions"]
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Secure" not in cookie
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.get(f"{API}/session")).json()["user"]["username"] == "wang.lei"
        stolen = client.cookies["cn_session"]
        assert (await client.delete(f"{API}/session")).status_code == 204
        # It has ended at the centre, not only in the browser.
        client.cookies.set("cn_session", stolen)
        assert (await client.get(f"{API}/session")).status_code == 401


async def test_over_https_the_cookie_is_secure(city: Running) -> None:
    async with browser(city) as client:
        client.base_url = httpx2.URL("https://centre.test")
        assert "Secure" in (await sign_in(client)).headers["set-cookie"]


async def test_a_session_ends_when_nobody_uses_it_and_at_the_latest_after_a_week(city: Running) -> None:
    async with browser(city) as client:
        await sign_in(client)
        for _ in range(14):
            city.clock.move(11 * 3600)
            assert (await client.get(f"{API}/session")).status_code == 200
        city.clock.move(12 * 3600 + 1)
        assert (await client.get(f"{API}/session")).status_code == 401
        await sign_in(client)
        for _ in range(7 * 24 // 8):
            city.clock.move(8 * 3600)
            answer = await client.get(f"{API}/session")
        assert answer.status_code == 401


async def test_wrong_sign_ins_all_look_the_same_and_are_limited(city: Running) -> None:
    async with browser(city) as client:
        bodies = set()
        for username, password in (("wang.lei", "wrong-wrong"), ("nobody", PASSWORD)):
            answer = await sign_in(client, username, password)
            assert answer.status_code == 401
            bodies.add(answer.text)
        assert len(bodies) == 1
        assert answer.json()["type"] == "/problems/sign-in-failed"
        for _ in range(4):
            await sign_in(client, password="wrong-wrong")
        refused = await sign_in(client)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 300
        city.clock.move(301)
        assert (await sign_in(client)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {},
    ],
)
async def test_another_site_cannot_ride_on_the_cookie(city: Running, headers: dict[str, str]) -> None:
    async with browser(city) as client:
        await sign_in(client)
        cookies = dict(client.cookies)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(city.app), base_url=BASE, headers=headers, cookies=cookies
    ) as other:
        refused = await other.post(f"{API}/cases", json={"title": "x"})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/cross-site")
        assert (await other.get(f"{API}/session")).status_code == 200


async def test_another_site_cannot_sign_somebody_in(city: Running) -> None:
    async with browser(city, **{"Sec-Fetch-Site": "cross-site"}) as client:
        assert (await sign_in(client)).status_code == 403


async def test_an_origin_header_is_enough(city: Running) -> None:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(city.app), base_url=BASE, headers={"Origin": BASE}
    ) as client:
        await sign_in(client)
        assert (await client.post(f"{API}/cases", json={"title": "x"})).status_code == 201


async def test_each_role_may_what_it_may(city: Running) -> None:
    tries: list[tuple[str, str, Any]] = [
        ("POST", "/cases", {"title": "x", "description": ""}),
        ("POST", "/commands", {"point": "nowhere", "value": 1}),
        ("POST", "/alarms/none/acknowledge", {}),
        ("POST", "/alarms/none/shelve", {"minutes": 5, "reason": "x"}),
        ("GET", "/users", None),
        ("POST", "/gateways", {"id": "gw-new"}),
        ("GET", "/audit", None),
    ]
    wanted = {
        Role.VIEWER: [403] * 7,
        Role.OPERATOR: [201, 404, 404, 404, 403, 403, 403],
        Role.ADMIN: [201, 404, 404, 404, 200, 201, 200],
    }
    for role, statuses in wanted.items():
        async with city.client(role) as client:
            answers = [await client.request(method, API + path, json=body) for method, path, body in tries]
        assert [answer.status_code for answer in answers] == statuses
        if role is Role.VIEWER:
            assert answers[0].json()["type"] == "/problems/role"
            assert "case.handle" in answers[0].json()["detail"]


async def test_users_are_managed_and_one_admin_always_stays(city: Running) -> None:
    made = await city.post(
        "/users",
        {"username": "li.na", "display_name": "李娜", "grants": [VIEWER], "password": "correct-horse"},
        Role.ADMIN,
        expect=201,
    )
    assert (made["username"], made["role"], made["disabled"]) == ("li.na", "viewer", False)
    body = {"username": "li.na", "display_name": "x", "grants": [VIEWER], "password": "correct-horse"}
    again = await city.post("/users", body, Role.ADMIN, expect=409)
    assert again["type"] == "/problems/exists"
    weak = await city.post(
        "/users", {**body, "username": "zhao", "password": "short"}, Role.ADMIN, expect=422
    )
    assert weak["errors"][0]["field"] == "body.password"
    async with browser(city) as person, city.client(Role.ADMIN) as admin:
        assert (await sign_in(person, "li.na", "correct-horse")).status_code == 200
        changed = await admin.patch(f"{API}/users/li.na", json={"grants": [{"role": "operator"}]})
        assert changed.json()["role"] == "operator"
        assert (await person.get(f"{API}/session")).json()["user"]["role"] == "operator"
        assert (await admin.patch(f"{API}/users/li.na", json={"disabled": True})).status_code == 200
        assert (await person.get(f"{API}/session")).status_code == 401
        assert (await sign_in(person, "li.na", "correct-horse")).status_code == 401
        assert (await admin.patch(f"{API}/users/nobody", json={})).status_code == 404
        for change in ({"grants": [{"role": "operator"}]}, {"disabled": True}):
            last = await admin.patch(f"{API}/users/test-admin", json=change)
            assert (last.status_code, last.json()["type"]) == (409, "/problems/last-admin")
    names = [user["username"] for user in (await city.get("/users", Role.ADMIN))["items"]]
    assert names == sorted(names)


async def test_tokens_are_never_stronger_than_their_owner(city: Running) -> None:
    async with browser(city) as owner:
        await sign_in(owner)
        wanted = {"name": "wall", "role": "viewer", "expires_in_days": 1}
        made = (await owner.post(f"{API}/tokens", json=wanted)).json()
        assert made["token"].startswith("cnt_")
        listed = (await owner.get(f"{API}/tokens")).json()["items"]
        assert "wall" in [token["name"] for token in listed]
        assert not any("token" in token for token in listed)
        strong = await owner.post(f"{API}/tokens", json={"name": "x", "role": "admin"})
        assert (strong.status_code, strong.json()["type"]) == (409, "/problems/role-too-strong")
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(city.app),
        base_url=BASE,
        headers={"Authorization": f"Bearer {made['token']}"},
    ) as program:
        assert (await program.get(f"{API}/session")).json()["user"]["role"] == "viewer"
        assert (await program.post(f"{API}/cases", json={"title": "x"})).status_code == 403
        # A token could otherwise outlive itself, or end a stronger one.
        for answer in (
            await program.post(f"{API}/tokens", json={"name": "longer"}),
            await program.delete(f"{API}/tokens/{made['id']}"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/sign-in-needed")
        city.clock.move(24 * 3600)
        assert (await program.get(f"{API}/session")).status_code == 401
    async with browser(city) as owner:
        await sign_in(owner)
        other = await owner.delete(f"{API}/tokens/00000000-0000-4000-8000-000000000000")
        assert other.status_code == 404
        assert (await owner.delete(f"{API}/tokens/{made['id']}")).status_code == 204


async def test_the_trail_holds_every_unsafe_request_refused_ones_too(city: Running) -> None:
    async with browser(city) as client:
        await sign_in(client, "mallory", "guess-guess")
        await sign_in(client)
        await client.post(f"{API}/users", json={})
        await client.post(f"{API}/nonsense")
    first = await city.get("/audit", Role.ADMIN, limit=3)
    rest = await city.get("/audit", Role.ADMIN, limit=3, cursor=first["next_cursor"])
    assert rest["next_cursor"] is None
    entries = [*reversed(rest["items"]), *reversed(first["items"])]
    assert [(item["actor"], item["via"], item["operation"], item["status"]) for item in entries] == [
        ("mallory", "none", "signIn", 401),
        ("wang.lei", "none", "signIn", 200),
        ("wang.lei", "session", "createUser", 403),
        ("", "none", "", 404),
    ]
    assert await city.centre.security.audit.first_broken() is None
    with pytest.raises(DBAPIError, match="append-only"):
        async with city.centre.database.session() as session:
            await session.execute(text("DELETE FROM audit"))
    async with city.centre.database.session() as session:
        await session.execute(text("ALTER TABLE audit DISABLE TRIGGER append_only"))
        await session.execute(text("UPDATE audit SET actor = 'alice' WHERE actor = 'mallory'"))
    assert await city.centre.security.audit.first_broken() == entries[0]["number"]
