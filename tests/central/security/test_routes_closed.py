"""No route is open by accident: each one below /api asks for a permission, but for the sign-in itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from central.app import API, create_app
from central.config import Config
from central.security.roles import PERMISSIONS, Permission, Role
from tests.central.systems.running import running_centre

OPEN = {
    ("POST", f"{API}/session"),
    ("GET", f"{API}/session/ways"),
    ("GET", f"{API}/session/oidc"),
    ("GET", f"{API}/session/oidc/callback"),
    ("POST", f"{API}/wall/session"),
    ("GET", f"{API}/openapi.json"),
    ("HEAD", f"{API}/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
}
"""What anybody may ask. The gateways' own paths carry their own tokens; the console's files are static."""

MORE = {
    Role.SUPERVISOR: {Permission.SUPPRESS, Permission.MANAGE_NOTICES, Permission.EDIT_WALL},
    Role.ENGINEER: {Permission.EDIT_REGISTRY, Permission.MANAGE_GATEWAYS},
}
"""What these may beyond an operator."""
ADMINS_ONLY = {
    Permission.MANAGE_USERS,
    Permission.READ_AUDIT,
    Permission.MANAGE_HOOKS,
    Permission.OPERATE,
}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(Config(data_dir=Path("unused")))


def permissions(dependant: Dependant) -> Iterator[Permission]:
    found = getattr(dependant.call, "permission", None)
    if found is not None:
        yield found
    for inner in dependant.dependencies:
        yield from permissions(inner)


def routes(app: FastAPI) -> Iterator[tuple[str, str, list[Permission]]]:
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        asked = [] if dependant is None else list(permissions(dependant))
        for method in route.methods or {"GET"}:
            yield method, route.path or "", asked


def test_every_route_asks_for_exactly_one_permission(app: FastAPI) -> None:
    found = {(method, path): asked for method, path, asked in routes(app)}
    assert len(found) > 40
    unguarded = {key for key, asked in found.items() if not asked}
    assert unguarded == OPEN
    assert {key: asked for key, asked in found.items() if len(asked) > 1} == {}


def test_every_unsafe_route_asks_for_more_than_reading(app: FastAPI) -> None:
    for method, path, asked in routes(app):
        if method in {"GET", "HEAD"} or (method, path) in OPEN or path == f"{API}/session":
            continue
        if "/views" in path or "-views" in path:  # a reader's own saved views, nobody else's
            continue
        assert asked != [Permission.READ], (method, path)


def test_what_only_administrators_may_is_so() -> None:
    for role, more in MORE.items():
        assert PERMISSIONS[role] - PERMISSIONS[Role.OPERATOR] == more
    others = frozenset().union(*(PERMISSIONS[role] for role in Role if role is not Role.ADMIN))
    assert PERMISSIONS[Role.ADMIN] - others == ADMINS_ONLY


async def test_nobody_gets_in_anywhere(database_url: str, tmp_path: Path) -> None:
    """Without a session every documented operation answers 401, before it looks at anything else."""
    async with running_centre(database_url, tmp_path) as city, city.client(None) as client:
        for path, operations in city.app.openapi()["paths"].items():
            for method in operations:
                if (method.upper(), path) in OPEN:
                    continue
                answer = await client.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, (method, path, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
