"""Grants on a real database: what a request reaches, own roles, and that nobody gives more than he has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from central.kernel.problem import Problem
from central.security.principal import Principal
from central.security.roles import Permission, Role
from central.security.schemas import NewToken
from central.security.sight import EVERYTHING, NOTHING, Sight
from tests.central.systems.running import API, Running, running_centre

SITES = """
INSERT INTO sites (id, name_zh, name_en, kind, district, lon, lat, department) VALUES
    ('p1', '一号泵站', 'Pump 1', 'pump', 'gulou', 118, 32, 'water'),
    ('p2', '二号泵站', 'Pump 2', 'pump', 'binjiang', 118, 32, 'water'),
    ('u1', '地道', 'Underpass', 'road', 'gulou', 118, 32, 'roads'),
    ('x1', '无主', 'Nobody''s', 'road', 'xishan', 118, 32, '')
"""


@pytest.fixture
async def city(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_centre(database_url, tmp_path) as running:
        async with running.centre.database.session() as session:
            await session.execute(text(SITES))
            await session.execute(text("INSERT INTO departments VALUES ('water', '水务局', 'Water')"))
        yield running


async def sight(city: Running, token: str, permission: Permission) -> Sight:
    security = city.centre.security
    principal = await security.sessions.by_token(token)
    assert principal is not None
    return await security.reach.sight(principal, permission)


async def myself(city: Running, token: str) -> Any:
    async with city.client(token) as client:
        return (await client.get(f"{API}/session")).json()["user"]


async def test_each_permission_reaches_its_own_part_of_the_city(city: Running) -> None:
    token = await city.person("li.na", Role.OPERATOR, ["gulou"])
    await city.person("li.na", Role.VIEWER, departments=["water"])
    assert await sight(city, token, Permission.COMMAND) == Sight({"p1", "u1"})
    assert await sight(city, token, Permission.READ) == Sight({"p1", "u1", "p2"})
    assert await sight(city, token, Permission.MANAGE_USERS) == NOTHING
    assert await sight(city, city.tokens[Role.VIEWER], Permission.READ) == EVERYTHING
    both = await city.person("wang.wu", Role.VIEWER, ["gulou"], ["water"])
    assert await sight(city, both, Permission.READ) == Sight({"p1"})
    nowhere = await city.person("zhao.liu", Role.VIEWER, ["no-such-district"])
    assert await sight(city, nowhere, Permission.READ) == Sight(frozenset())
    # The site moves, and what the person reaches moves with it at the next request.
    async with city.centre.database.session() as session:
        await session.execute(text("UPDATE sites SET district = 'xishan' WHERE id = 'u1'"))
    assert await sight(city, token, Permission.COMMAND) == Sight({"p1"})


async def test_a_district_administrator_stays_in_his_district(city: Running) -> None:
    token = await city.person("qu.zhang", Role.ADMIN, ["gulou"])
    async with city.client(token) as client:
        for path in ("/users", "/audit", "/all-tokens"):
            assert (await client.get(API + path)).status_code == 403, path
        parts = (await client.get(f"{API}/grants/parts")).json()
    assert parts["areas"] == ["gulou"]
    assert [item["id"] for item in parts["departments"]] == ["water"]
    assert "user.manage" not in (await myself(city, token))["permissions"]


async def test_a_role_of_ones_own(city: Running) -> None:
    asked = {
        "name": {"zh": "客服", "en": "Help desk"},
        "permissions": ["read", "token.own", "user.manage", "case.handle"],
    }
    async with city.client(Role.ADMIN) as admin:
        made = await admin.put(f"{API}/roles/help", json=asked)
        assert made.status_code == 200, made.text
        assert made.json()["permissions"] == sorted(asked["permissions"])
        built_in = await admin.put(f"{API}/roles/admin", json=asked)
        assert (built_in.status_code, built_in.json()["type"]) == (409, "/problems/built-in")
        listed = (await admin.get(f"{API}/roles")).json()["items"]
        assert [item["id"] for item in listed] == [*Role, "help"]
    token = await city.person("bang.zhu", "help")
    body = {"username": "new", "display_name": "x", "password": "long-enough-for-a-centre"}
    async with city.client(token) as helper:
        # May manage accounts, but only those that may no more than this role.
        strong = await helper.post(f"{API}/users", json={**body, "grants": [{"role": "admin"}]})
        assert (strong.status_code, strong.json()["type"]) == (403, "/problems/beyond-yours")
        takeover = await helper.patch(f"{API}/users/test-admin", json={"password": "mine-from-now-on"})
        assert (takeover.status_code, takeover.json()["type"]) == (403, "/problems/beyond-yours")
        wider = await helper.put(f"{API}/roles/help", json={**asked, "permissions": ["device.command"]})
        assert wider.status_code == 403
        fine = await helper.post(f"{API}/users", json={**body, "grants": [{"role": "help"}]})
        assert fine.status_code == 201, fine.text
    async with city.client(Role.ADMIN) as admin:
        used = await admin.delete(f"{API}/roles/help")
        assert (used.status_code, used.json()["type"]) == (409, "/problems/in-use")
        unknown = await admin.post(f"{API}/users", json={**body, "grants": [{"role": "nothing"}]})
        assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/unknown-role")
        for name in ("bang.zhu", "new"):
            assert (await admin.patch(f"{API}/users/{name}", json={"grants": []})).status_code == 200
        assert (await admin.delete(f"{API}/roles/help")).status_code == 204
    async with city.client(token) as helper:
        assert (await helper.get(f"{API}/roles")).status_code == 403


async def test_a_token_is_narrowed_and_follows_its_owner(city: Running) -> None:
    owner = await city.person("li.na", Role.OPERATOR, ["gulou", "binjiang"])
    security = city.centre.security
    person = await security.sessions.by_token(owner)
    assert person is not None
    in_person = Principal(person.username, person.display_name, person.rights, "session")
    made = await security.tokens.make(in_person, NewToken(name="wall", role="viewer", areas=["gulou"]))
    assert await sight(city, made.token, Permission.READ) == Sight({"p1", "u1"})
    assert await sight(city, made.token, Permission.COMMAND) == NOTHING
    with pytest.raises(Problem, match="sign-in-needed"):
        await security.tokens.make(person, NewToken(name="x"))
    async with city.client(Role.ADMIN) as admin:
        change = {"grants": [{"role": "operator", "areas": ["binjiang"]}]}
        assert (await admin.patch(f"{API}/users/li.na", json=change)).status_code == 200
    assert await sight(city, owner, Permission.READ) == Sight({"p2"})
    narrowed = await security.sessions.by_token(made.token)
    assert narrowed is not None
    assert narrowed.rights == ()


async def test_two_administrators_cannot_remove_each_other_at_once(city: Running) -> None:
    other = await city.person("second", Role.ADMIN)
    async with city.client(Role.ADMIN) as one, city.client(other) as two:
        answers = await asyncio.gather(
            one.patch(f"{API}/users/second", json={"disabled": True}),
            two.patch(f"{API}/users/test-admin", json={"grants": [{"role": "admin", "areas": ["gulou"]}]}),
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses in ([200, 401], [200, 403], [200, 409]), [answer.text for answer in answers]
    assert any(user.role == "admin" and not user.disabled for user in (await users(city)))


async def users(city: Running) -> list[Any]:
    found = await city.centre.security.accounts.users()
    return [
        user
        for user in found.items
        if any(grant.role == "admin" and not grant.areas for grant in user.grants)
    ]
