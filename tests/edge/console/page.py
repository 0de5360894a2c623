"""A running gateway with its two doors, and clients that stand before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from edge.app import Gateway
from edge.console.password import set_password
from tests.edge.house import gateway_file, running, until
from tests.ports import free_port

PASSWORD = "a river in June"
CHEAP = (2, 8, 1)
"""What scrypt costs in tests that are not about it."""
OURS = {"X-Requested-With": "citynerve"}


@dataclass
class Doors:
    """The gateway, a client on the control socket, and one on TCP that nobody has signed in yet."""

    gateway: Gateway
    state: Path
    url: str
    local: httpx2.AsyncClient
    page: httpx2.AsyncClient

    async def sign_in(self) -> httpx2.AsyncClient:
        """Sign the page's client in and return it."""
        answer = await self.page.post("/api/session", json={"password": PASSWORD}, headers=OURS)
        assert answer.status_code == 204, answer.text
        return self.page


@asynccontextmanager
async def doors(
    folder: Path, port: int, *, password: str | None = PASSWORD, **changes: Any
) -> AsyncIterator[Doors]:
    """Run a gateway on a Modbus port with its page on a free one, until both doors answer."""
    at = free_port()
    file = gateway_file(folder, port, page={"port": at, **changes.pop("page", {})}, **changes)
    state = folder / "state"
    if password is not None:
        set_password(state, password, CHEAP)
    url = f"http://127.0.0.1:{at}"
    async with running(file) as gateway:
        await until((state / "control.sock").exists)
        transport = httpx2.AsyncHTTPTransport(uds=str(state / "control.sock"))
        async with (
            httpx2.AsyncClient(transport=transport, base_url="http://gateway", timeout=20) as local,
            httpx2.AsyncClient(base_url=url, timeout=20) as page,
        ):
            await _answers(local)
            await _answers(page)
            yield Doors(gateway, state, url, local, page)


async def _answers(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await client.get("/api/session")
            except httpx2.TransportError:
                await asyncio.sleep(0.02)
            else:
                return


async def get(client: httpx2.AsyncClient, path: str, **params: Any) -> Any:
    """Return the JSON of a GET that succeeds."""
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(client: httpx2.AsyncClient, path: str, body: Any, status: int = 200) -> Any:
    """Return the JSON of a POST that ends with `status`."""
    answer = await client.post(path, json=body, headers=OURS)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None
