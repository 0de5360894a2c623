"""A centre that may call this machine, a mail server and an HTTP server, and short words for its settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from central.notices.desk import Desk
from central.security.roles import Role
from central.systems.notices.parts import desk_of
from protocols.model.alarm import AlarmEvent
from tests.central.notices.servers import HttpServer, MailServer, http_server, mail_server
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import API, Running, running_centre

OCCURRENCE = "7f9f4f2e-0000-4000-8000-00000000%04d"


@dataclass
class Told:
    """A centre with its servers and one gateway."""

    city: Running
    gateway: FieldGateway
    mail: MailServer
    http: HttpServer

    @property
    def desk(self) -> Desk:
        """Its desk of notices."""
        return desk_of(self.city.app)

    async def until(self, check: Callable[[], Awaitable[Any]], what: str = "it") -> Any:
        """Do turns until the check holds, and return what it returned."""
        for _ in range(300):
            if found := await check():
                return found
            await self.desk.turn()
            await asyncio.sleep(0.02)
        pytest.fail(f"{what} did not happen within 6 s")

    async def sent(self, number: int, path: str = "/notices/deliveries", state: str = "sent") -> list[Any]:
        """Wait until so many deliveries are in that state, and return them."""

        async def check() -> Any:
            page = await self.city.get(path, Role.ADMIN, state=state)
            return page["items"] if len(page["items"]) >= number else None

        found: list[Any] = await self.until(check, f"{number} × {state}")
        assert len(found) == number
        return found

    async def quiet(self) -> None:
        """Decide everything that is due, and send it."""
        for _ in range(3):
            await self.desk.turn()
            await asyncio.sleep(0.03)

    async def make(self, path: str, body: dict[str, Any], **more: Any) -> Any:
        """Make a setting as administrator."""
        name = more.pop("name", f"{path} {len(await self.desk.book.items('channel', 'subscription'))}")
        asked = {"name": name, "body": body, **more}
        return await self.city.post(path, asked, Role.ADMIN, 201)

    async def put(self, path: str, body: dict[str, Any], expect: int = 200) -> Any:
        """PUT as administrator."""
        async with self.city.client(Role.ADMIN) as client:
            answer = await client.put(API + path, json=body)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def email(self, **more: Any) -> int:
        """Make the channel to the mail server."""
        settings = {
            "kind": "email", "host": "localhost", "port": self.mail.port, "sender": "alarms@city.test",
            "user": self.mail.user, "trusted": self.mail.certificate,
        }  # fmt: skip
        secrets = {"password": self.mail.password}
        made = await self.make(
            "/notices/channels", {"settings": settings, **more}, secrets=secrets, name="mail"
        )
        return int(made["id"])

    async def sms(self, **more: Any) -> int:
        """Make the channel to the HTTP server as an SMS gateway."""
        settings = {
            "kind": "sms", "url": f"{self.http.url}/sms?to=${{to}}", "headers": {"X-Key": "${secret_key}"},
            "body": '{"mobile": "${to}", "content": "${short}"}', "answer_field": "code",
            "answer_equals": "OK",
        }  # fmt: skip
        made = await self.make(
            "/notices/channels", {"settings": settings, **more}, secrets={"key": "s3cret-key"}, name="sms"
        )
        return int(made["id"])

    async def raise_(self, number: int = 1, step: int = 1, **more: Any) -> str:
        """Raise an alarm at the gateway."""
        occurrence = OCCURRENCE % number
        await self.gateway.alarm(occurrence, step, AlarmEvent.ACT, at_us=self.city.clock(), value=3.5, **more)
        return occurrence


@pytest.fixture
async def told(database_url: str, tmp_path: Path) -> AsyncIterator[Told]:
    """The centre with its servers."""
    private = ("127.0.0.0/8", "::1")
    async with (
        mail_server(tmp_path) as mail,
        http_server() as http,
        running_centre(database_url, tmp_path, hooks_private=private) as city,
        city.gateway() as gateway,
    ):
        yield Told(city, gateway, mail, http)
