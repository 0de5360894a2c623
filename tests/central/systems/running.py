"""A whole centre for a test: its application on a fresh database, people with tokens, a clock by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.dependencies import models

from central.app import create_app
from central.casebook.demo import ensure_demo_units
from central.config import Config
from central.security.models import ApiToken, Grant, User
from central.security.parts import Security
from central.security.passwords import Passwords
from central.security.principal import Principal
from central.security.roles import Role
from central.security.schemas import NewToken
from central.security.secret import TOKEN_PREFIX, new_secret
from central.security.service import NO_PASSWORD
from central.systems.centre import Centre
from protocols.model.clock import SECOND_US, now_us, to_datetime
from protocols.model.manifest import Manifest
from tests.central.systems.field import FieldGateway

BASE = "http://centre.test"
API = "/api/v1"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Hand:
    """A clock that stands where it is put; it begins at the wall clock, so that partitions exist."""

    def __init__(self) -> None:
        self.now = now_us() // SECOND_US * SECOND_US

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> int:
        """Move on and return the new time."""
        self.now += round(seconds * SECOND_US)
        return self.now


@dataclass
class Running:
    """The running application and ways to speak to it."""

    app: FastAPI
    clock: Hand
    tokens: dict[Role, str]

    @property
    def centre(self) -> Centre:
        """The centre's parts."""
        centre: Centre = self.app.state.centre
        return centre

    @asynccontextmanager
    async def client(self, role: Role | str | None = Role.OPERATOR) -> AsyncIterator[httpx2.AsyncClient]:
        """Speak as somebody of that role, or with that API token; None speaks as nobody."""
        token = self.tokens[role] if isinstance(role, Role) else role
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx2.ASGITransport(self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
            yield client

    @asynccontextmanager
    async def gateway(
        self, name: str = "gw-north", declared: Manifest | None = None
    ) -> AsyncIterator[FieldGateway]:
        """A gateway that has enrolled and declared its city, or another one."""
        code = await self.centre.gateways.new_code(name, "admin")
        async with self.client(None) as client:
            yield await FieldGateway.enrol(client, code.enrolment_code, name, declared)

    async def get(self, path: str, role: Role = Role.VIEWER, /, **params: Any) -> Any:
        """GET as a viewer; the answer must be 200."""
        async with self.client(role) as client:
            answer = await client.get(API + path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, role: Role = Role.OPERATOR, expect: int = 200) -> Any:
        """POST as an operator; the answer must have the expected status."""
        async with self.client(role) as client:
            answer = await client.post(API + path, json=body)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    async def person(
        self, name: str, role: str = Role.VIEWER, areas: Sequence[str] = (), departments: Sequence[str] = ()
    ) -> str:
        """Make a person with one more grant, for a part of the city; returns a new API token of hers."""
        security = self.centre.security
        async with self.centre.database.session() as session:
            if await session.get(User, name) is None:
                session.add(
                    User(
                        username=name, display_name=name, password_hash=NO_PASSWORD,
                        created_at=to_datetime(self.clock()),
                    )
                )  # fmt: skip
                await session.flush()
            session.add(Grant(username=name, role=role, areas=[*areas], departments=[*departments]))
        return await _token(security, name)


@asynccontextmanager
async def running_centre(
    url: str, folder: Path, map_dir: Path | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """Start a centre on that database, with other settings where given; it stops at the end of the block."""
    clock = Hand()
    app = create_app(Config(data_dir=folder, database_url=url, map_dir=map_dir, **settings), clock)
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        # In a task of its own, as a server does it: fixtures enter and leave in different tasks.
        async with app.router.lifespan_context(app):
            started.set()
            await stop.wait()

    task = asyncio.create_task(live())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        task.result()
    centre: Centre = app.state.centre
    # Hashes that take a millisecond; the real ones are tested where they are made.
    quick = Security.build(centre.database, clock, centre.config, Passwords(QUICK))
    app.state.centre = replace(centre, security=quick)
    try:
        running = Running(app, clock, {})
        running.tokens |= await _people(running)
        yield running
    finally:
        stop.set()
        await task
        _forget()


def _forget() -> None:
    """Let go of the application: FastAPI remembers every endpoint that it classified."""
    for kept in vars(models).values():
        if hasattr(kept, "cache_clear"):
            kept.cache_clear()


async def _people(running: Running) -> dict[Role, str]:
    """One person of each role with an API token; nobody can sign in with such a password hash."""
    now, tokens = to_datetime(running.clock()), {}
    async with running.centre.database.session() as session:
        await ensure_demo_units(session)
        names = {role: f"test-{role}" for role in Role}
        session.add_all(
            User(username=name, display_name=name, password_hash=NO_PASSWORD, created_at=now)
            for name in names.values()
        )
        await session.flush()
        for role, name in names.items():
            tokens[role], digest = new_secret(TOKEN_PREFIX)
            session.add(Grant(username=name, role=role, areas=[], departments=[]))
            session.add(
                ApiToken(
                    id=str(uuid4()), digest=digest, name="test", username=name,
                    created_at=now, expires_at=now + timedelta(days=90),
                )
            )  # fmt: skip
    return tokens


async def _token(security: Security, username: str) -> str:
    maker = Principal(username, username, (), "session")
    return (await security.tokens.make(maker, NewToken(name="test"))).token
