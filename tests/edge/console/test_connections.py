"""What strangers do with connections before anybody has signed in costs the gateway nothing of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import httpx2
import pytest

from edge.console import connections
from edge.console.auth import Limiter
from edge.console.connections import BACKLOG, MOST_OF_ONE
from tests.edge.console.page import Doors, doors
from tests.edge.field import ModbusField

HEAD = b"GET /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LONG_BODY = (
    b"POST /api/write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"X-Requested-With: citynerve\r\nContent-Length: 100000000\r\n\r\n{"
)


def at(opened: Doors) -> tuple[str, int]:
    return "127.0.0.1", int(opened.url.rpartition(":")[2])


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def trickle(opened: Doors, *parts: bytes) -> bytes:
    """Send parts and then a byte now and then, for ever; return what came until the other side hung up."""
    reader, writer = await asyncio.open_connection(*at(opened))

    async def talk() -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.3)
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)

    talking = asyncio.create_task(talk())
    got = b""
    try:
        async with asyncio.timeout(15):
            with contextlib.suppress(ConnectionError):
                while part := await reader.read(4096):
                    got += part
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        writer.close()
    return got


async def test_a_request_that_never_ends_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.5)
    monkeypatch.setattr(connections, "_LINGER_S", 0.5)
    async with ModbusField() as field, doors(tmp_path, field.port) as opened:
        assert await trickle(opened, b"GET /api/ses") == b"", "half a request is none"
        assert (await trickle(opened, HEAD, b"GET /api/ses")).startswith(b"HTTP/1.1 200"), "nor is a second"
        answer = await trickle(opened, LONG_BODY)
        assert answer.startswith(b"HTTP/1.1 401"), "who is refused need not send the rest"
        assert (await opened.page.get("/api/session")).status_code == 200


async def test_who_takes_no_answer_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STUCK_S", 0.3)
    async with ModbusField() as field, doors(tmp_path, field.port) as opened:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, at(opened))

            async def ask_for_ever() -> None:
                while True:
                    await loop.sock_sendall(client, HEAD * 100)

            with pytest.raises(ConnectionError):
                await asyncio.wait_for(ask_for_ever(), 30)
        assert (await opened.page.get("/api/session")).status_code == 200


async def test_a_flood_takes_no_descriptors_from_the_gateway(tmp_path: Path) -> None:
    async with ModbusField() as field, doors(tmp_path, field.port) as opened:
        before = descriptors()
        flood = 300
        with contextlib.ExitStack() as clients:
            for _ in range(flood):
                client = clients.enter_context(socket.socket())
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.connect(at(opened))
            most = 0
            for _ in range(40):
                await asyncio.sleep(0.02)
                most = max(most, descriptors() - before - flood)
            assert 0 < most <= MOST_OF_ONE + BACKLOG
            answer = await opened.local.get("/api/overview")
            assert answer.status_code == 200, "the command line is not shut out"

        async with asyncio.timeout(20):
            for _ in range(400):
                with contextlib.suppress(httpx2.TransportError):
                    assert (await opened.page.get("/api/session")).status_code == 200
                    break
                await asyncio.sleep(0.05)
            else:
                pytest.fail("the flood is over, and its places are not free")


def test_one_ipv4_address_pays_for_no_other_where_both_come_mapped_into_ipv6() -> None:
    limiter = Limiter()
    for _ in range(5):
        limiter.failed("::ffff:192.0.2.1", 0.0)
    assert limiter.wait_s("192.0.2.1", 0.0) > 0
    assert limiter.wait_s("::ffff:192.0.2.2", 0.0) == 0
