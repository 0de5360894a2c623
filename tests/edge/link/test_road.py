"""The pause towards a centre that cannot be reached grows, is shared, and is long where a person must act."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from edge.link.client import CentreClient, CentreError
from edge.link.credentials import FILE_NAME, Token, load, save
from edge.link.enrol import enrol
from edge.link.road import MAX_PAUSE_S, SLOW_S, Road
from protocols.errors import Rejected
from protocols.wire.handshake import Credentials
from tests.edge.centre import CODE, FakeCentre


async def _pause(road: Road, error: CentreError) -> float:
    road.failed(error)
    return road.until - asyncio.get_running_loop().time()


async def test_unreachable_is_tried_again_soon_and_at_most_every_half_minute() -> None:
    road = Road("test")
    for _ in range(20):
        road.until = 0.0
        assert 0 <= await _pause(road, CentreError(0, "unreachable", "x")) <= MAX_PAUSE_S
    assert (road.state, road.failures) == ("down", 20)
    road.passed()
    assert (road.state, road.failures) == ("up", 0)
    async with asyncio.timeout(1):
        await road.clear()


async def test_those_who_set_out_together_fail_once() -> None:
    road = Road("test", jitter=lambda: 1.0)
    await _pause(road, CentreError(503, "unavailable", "x", retry_after_s=10))
    until = road.until
    await _pause(road, CentreError(0, "unreachable", "x"))
    assert (road.failures, road.until) == (1, until)


async def test_a_refused_gateway_asks_slowly() -> None:
    road = Road("test", jitter=lambda: 0.5)
    assert await _pause(road, CentreError(401, "unknown-gateway", "x")) == pytest.approx(SLOW_S, abs=0.1)
    assert road.state == "refused"


async def test_the_centre_s_own_wish_is_respected() -> None:
    road = Road("test", jitter=lambda: 0.0)
    wish = CentreError(503, "unavailable", "x", retry_after_s=7)
    assert await _pause(road, wish) == pytest.approx(7, abs=0.1)


async def test_enrolment_writes_a_secret_file(tmp_path: Path) -> None:
    async with FakeCentre() as centre:
        with pytest.raises(CentreError) as caught:
            await enrol(centre.url, None, "gw-test", "WRONG", tmp_path)
        assert caught.value.code == "code-spent"
        assert not (tmp_path / FILE_NAME).exists()
        path = await enrol(centre.url, None, "gw-test", CODE, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = load(tmp_path, "gw-test")
    assert found is not None
    assert found.token == centre.token
    with pytest.raises(Rejected, match="gw-test"):
        load(tmp_path, "gw-other")


def test_a_token_follows_its_file(tmp_path: Path) -> None:
    token = Token(tmp_path, "gw")
    assert token() is None
    save(tmp_path, Credentials(gateway="gw", token="one"))
    assert token() == "one"
    save(tmp_path, Credentials(gateway="gw", token="two"))
    assert token() == "two"
    (tmp_path / FILE_NAME).write_text("{", encoding="utf-8")
    with pytest.raises(Rejected, match="enrol again"):
        token()


async def test_what_is_not_the_centre_is_not_believed() -> None:
    """A captive portal answers everything with 200 and a page."""

    async def portal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(portal, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, CentreClient(f"http://127.0.0.1:{port}") as centre:
        with pytest.raises(CentreError) as caught:
            await centre.send(b"x")
    assert (caught.value.status, caught.value.code) == (0, "not-the-centre")


async def test_nobody_there() -> None:
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with CentreClient(f"http://127.0.0.1:{port}") as centre:
        with pytest.raises(CentreError) as caught:
            await centre.inbox(0, 1)
    assert caught.value.code == "unreachable"
