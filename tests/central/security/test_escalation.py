"""Whoever has little stays so: wall screens, narrowed tokens and services on every operation there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from structlog.testing import capture_logs

from central.security.permissions import COOKIE, WALL_COOKIE
from central.security.principal import Principal
from central.security.roles import PERMISSIONS, Permission, Role
from central.security.schemas import NewToken
from tests.central.systems.running import API, BASE, Running, running_centre

ORIGIN = {"Origin": BASE}
Json = dict[str, Any]


@pytest.fixture
async def city(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_centre(database_url, tmp_path, rate_account=0, rate_address=0) as running:
        yield running


async def link(city: Running, **asked: Any) -> Any:
    return await city.post("/wall-screens", {"name": "Hall", **asked}, Role.SUPERVISOR, 201)


@asynccontextmanager
async def screen(city: Running, code: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that has taken a link."""
    async with city.client(None) as wall:
        taken = await wall.post(f"{API}/wall/session", json={"code": code}, headers=ORIGIN)
        assert taken.status_code == 204, taken.text
        secret = taken.cookies[WALL_COOKIE]
        wall.cookies.clear()
        wall.cookies.set(WALL_COOKIE, secret)
        yield wall


def asked_by(dependant: Dependant) -> Iterator[Permission]:
    permission = getattr(dependant.call, "permission", None)
    if permission is not None:
        yield permission
    for inner in dependant.dependencies:
        yield from asked_by(inner)


def operations(city: Running) -> Iterator[tuple[str, str, Permission]]:
    """(method, path, permission) of each operation that asks for one."""
    for route in iter_route_contexts(city.app.routes):
        dependant = getattr(route, "dependant", None)
        for permission in [] if dependant is None else asked_by(dependant):
            for method in sorted(route.methods or ()):
                yield method, (route.path or "").replace("{", "").replace("}", ""), permission


async def test_a_screen_reads_and_does_nothing_else(city: Running) -> None:
    async with screen(city, (await link(city))["code"]) as wall:
        for method, path, permission in operations(city):
            if method in {"GET", "HEAD"} and (permission is Permission.READ or path == f"{API}/session"):
                continue
            answer = await wall.request(method, path, headers=ORIGIN)
            assert answer.status_code == (403 if method in {"GET", "HEAD"} else 401), (method, path)
        me = await wall.get(f"{API}/me")
        assert me.json()["type"] == "/problems/screen"


async def test_a_narrowed_token_and_a_service_may_only_what_their_role_may(city: Running) -> None:
    security, held = city.centre.security, PERMISSIONS[Role.VIEWER] | {Permission.OWN_ACCOUNT}
    admin = Principal("test-admin", "x", (), "session")
    narrowed = await security.tokens.make(admin, NewToken(name="t", role=Role.VIEWER))
    service = {"username": "meter", "display_name": "x", "service": True, "grants": [{"role": "viewer"}]}
    await city.post("/users", service, Role.ADMIN, 201)
    own = await security.tokens.make(admin, NewToken(name="t"), "meter")
    beyond = [(method, path) for method, path, permission in operations(city) if permission not in held]
    assert len(beyond) > 80
    for token, tried in ((narrowed.token, beyond), (own.token, beyond[::8])):
        async with city.client(token) as client:
            for method, path in tried:
                answer = await client.request(method, path)
                assert answer.status_code == 403, (method, path, answer.status_code, answer.text)
            for path in ("/tokens", "/me/password", "/me/totp"):
                body = {"name": "t", "current": "x", "password": "long enough 1234"}
                fields = {"/tokens": ["name"], "/me/totp": ["password"]}.get(path, ["current", "password"])
                answer = await client.post(API + path, json={name: body[name] for name in fields})
                assert (answer.status_code, answer.json()["type"]) == (403, "/problems/sign-in-needed"), path


async def test_a_secret_is_good_for_its_own_door_only(city: Running) -> None:
    made = await link(city)
    async with screen(city, made["code"]) as wall:
        cookie = wall.cookies[WALL_COOKIE]
    again = await link(city)
    for secret in (cookie, again["code"]):
        async with city.client(secret) as bearer:
            assert (await bearer.get(f"{API}/wall")).status_code == 401
    for name, value in (
        (COOKIE, cookie), (WALL_COOKIE, city.tokens[Role.ADMIN]), (WALL_COOKIE, again["code"]),
        (WALL_COOKIE, ""),
    ):  # fmt: skip
        async with city.client(None) as client:
            client.cookies.set(name, value)
            assert (await client.get(f"{API}/wall")).status_code == 401, name


async def test_one_of_many_takes_a_link_and_a_new_one_ends_the_screen_before(city: Running) -> None:
    made = await link(city)

    async def take() -> int:
        async with city.client(None) as wall:
            body = {"code": made["code"]}
            return (await wall.post(f"{API}/wall/session", json=body, headers=ORIGIN)).status_code

    assert sorted(await asyncio.gather(*(take() for _ in range(8)))) == [204, *[401] * 7]
    path = f"/wall-screens/{made['screen']['id']}/link"
    first = await city.post(path, None, Role.SUPERVISOR)
    second = await city.post(path, None, Role.SUPERVISOR)
    async with screen(city, second["code"]) as wall, city.client(None) as late:
        body = {"code": first["code"]}
        answer = await late.post(f"{API}/wall/session", json=body, headers=ORIGIN)
        assert answer.status_code == 401, "a link that was made anew is spent"
        third = await city.post(path, None, Role.SUPERVISOR)
        assert (await wall.get(f"{API}/wall")).status_code == 200
        async with screen(city, third["code"]) as other:
            assert (await other.get(f"{API}/wall")).status_code == 200
            assert (await wall.get(f"{API}/wall")).status_code == 401


async def test_a_page_elsewhere_cannot_hand_in_a_link(city: Running) -> None:
    body = {"code": (await link(city))["code"]}
    async with city.client(None) as wall:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await wall.post(f"{API}/wall/session", json=body, headers=headers)
            assert answer.status_code == 403


async def test_links_and_cookies_stand_in_no_log_list_or_audit_trail(city: Running) -> None:
    with capture_logs() as lines:
        made = await link(city)
        async with screen(city, made["code"]) as wall:
            cookie = wall.cookies[WALL_COOKIE]
            await wall.get(f"{API}/users")
        async with city.client(None) as late:
            late.cookies.set(WALL_COOKIE, cookie + "x")
            await late.post(f"{API}/wall/session", json={"code": made["code"]}, headers=ORIGIN)
            await late.post(f"{API}/wall/session", json={"code": [made["code"]]}, headers=ORIGIN)
    said = str(lines)
    for path in ("/audit", "/wall-screens"):
        said += str(await city.get(path, Role.ADMIN))
    assert f"wall:{made['screen']['id']}" in said
    assert made["code"] not in said
    assert cookie not in said


async def test_a_limited_supervisor_makes_no_screen_of_the_whole_city(city: Running) -> None:
    token = await city.person("qu.zhang", Role.SUPERVISOR, ["north"])
    async with city.client(token) as client:
        answer = await client.post(f"{API}/wall-screens", json={"name": "x", "areas": ["north"]})
    assert answer.status_code == 403, "the wall has no place in the city"


async def test_nobody_changes_a_role_that_allows_more_than_he_may(city: Running) -> None:
    roles = {"chief": ["read", "audit.read", "user.manage"], "clerk": ["read", "user.manage"]}
    names = {"zh": "角色", "en": "Role"}
    async with city.client(Role.ADMIN) as admin:
        for role, permissions in roles.items():
            answer = await admin.put(f"{API}/roles/{role}", json={"name": names, "permissions": permissions})
            assert answer.status_code == 200, answer.text
    async with city.client(await city.person("clerk", "clerk")) as clerk:
        for role, permissions in (("chief", ["read"]), ("clerk", [*roles["chief"]]), ("new", ["audit.read"])):
            answer = await clerk.put(f"{API}/roles/{role}", json={"name": names, "permissions": permissions})
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/beyond-yours"), role
        fewer = await clerk.put(f"{API}/roles/clerk", json={"name": names, "permissions": ["user.manage"]})
        assert fewer.status_code == 200


async def test_an_endpoint_is_owned_by_nobody_who_reads_more_than_its_maker(city: Running) -> None:
    asked = {"name": {"zh": "角色", "en": "Role"}, "permissions": ["webhook.manage"]}
    async with city.client(Role.ADMIN) as admin:
        assert (await admin.put(f"{API}/roles/hooks", json=asked)).status_code == 200
    hook: Json = {"name": "n", "body": {"url": "https://example.org/", "owner": "test-viewer"}}
    await city.person("north", Role.VIEWER, ["north"])
    token = await city.person("hooks", "hooks")
    await city.person("hooks", Role.VIEWER, ["north"])
    async with city.client(token) as client:
        beyond = await client.post(f"{API}/webhooks", json=hook)
        assert (beyond.status_code, beyond.json()["type"]) == (403, "/problems/beyond-yours")
        within = {**hook, "body": {**hook["body"], "owner": "north"}}
        made = await client.post(f"{API}/webhooks", json=within)
        assert made.status_code == 201, made.text
        beyond = await client.put(f"{API}/webhooks/{made.json()['id']}", json=hook)
        assert beyond.status_code == 403
