"""Who comes in through which door: no route is open by accident, nothing odd gets past the guard."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from starlette.routing import Route

from edge.console.app import LocalApi
from edge.console.password import set_password
from tests.edge.console.page import CHEAP, OURS, PASSWORD, Doors, doors
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until
from tests.ports import free_port


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Doors]:
    async with ModbusField() as field, doors(tmp_path, field.port) as opened:
        yield opened


def _routes(opened: Doors) -> list[tuple[str, str]]:
    """Every (method, path) of the API, as the app itself lists them."""
    api = LocalApi(opened.gateway.house)
    found = [
        (method, route.path.replace("{job}", "none"))
        for route in api.routed.routes
        if isinstance(route, Route) and route.path.startswith("/api/")
        for method in sorted(route.methods or {"GET"})
        if method != "HEAD"
    ]
    api.worker.close()
    return found


async def test_every_route_but_the_session_asks_who_is_there(house: Doors) -> None:
    routes = _routes(house)
    assert len(routes) > 15, "the app lists its routes"
    for method, path in routes:
        answer = await house.page.request(method, path, json={}, headers=OURS)
        if path == "/api/session":
            assert answer.status_code in {200, 204, 422}, path
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "signed-out"), f"{method} {path}"


async def test_a_path_that_nobody_has_written_yet_is_closed_as_well(house: Doors) -> None:
    for path in ("/api", "/api/", "/api/tomorrow", "/api/session/more", "/api//points", "/api/../api/points"):
        answer = await house.page.get(path)
        assert answer.status_code == 401, path


async def test_the_control_socket_is_for_its_owner_and_asks_for_no_password(house: Doors) -> None:
    assert stat.S_IMODE((house.state / "control.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE((house.state / "page.json").stat().st_mode) == 0o600
    answer = await house.local.get("/api/session")
    assert answer.json()["signed_in"] is True
    assert answer.json()["url"] == house.url + "/"
    for path in ("/api/overview", "/api/devices", "/api/points?device=pump1", "/api/queue", "/api/log"):
        assert (await house.local.get(path)).status_code == 200, path


async def test_the_socket_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with ModbusField() as field, doors(tmp_path, field.port) as opened:
            assert stat.S_IMODE((opened.state / "control.sock").stat().st_mode) == 0o600
            assert stat.S_IMODE((opened.state / "page.json").stat().st_mode) == 0o600
    finally:
        os.umask(before)


async def test_a_stranger_learns_little(house: Doors) -> None:
    answer = (await house.page.get("/api/session")).json()
    assert answer["signed_in"] is False
    assert answer["password_set"] is True
    assert answer["url"] is None
    assert not any(digit.isdigit() for digit in answer["software"]), "no version before the password"


async def test_the_cookie_is_kept_from_scripts_and_other_sites(house: Doors) -> None:
    answer = await house.page.post("/api/session", json={"password": PASSWORD}, headers=OURS)
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("page-gw-test=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert (await house.page.get("/api/overview")).status_code == 200
    assert (await house.page.request("DELETE", "/api/session", headers=OURS)).status_code == 204
    house.page.cookies.set("page-gw-test", cookie.partition("=")[2].partition(";")[0])
    assert (await house.page.get("/api/overview")).status_code == 401, "signed out is over at the gateway too"


FOREIGN: list[dict[str, str]] = [
    {},
    {"X-Requested-With": "XMLHttpRequest"},
    {**OURS, "Content-Type": "text/plain"},
    {**OURS, "Content-Type": "application/x-www-form-urlencoded"},
    {**OURS, "Sec-Fetch-Site": "cross-site"},
    {**OURS, "Sec-Fetch-Site": "same-site"},
    {**OURS, "Origin": "http://evil.example"},
    {**OURS, "Origin": "null"},
]


async def test_a_write_that_another_site_could_cause_is_refused(house: Doors) -> None:
    page = await house.sign_in()
    for headers in FOREIGN:
        for path in ("/api/write", "/api/session", "/api/scan", "/api/alarms/act", "/api/tomorrow"):
            answer = await page.post(
                path, content=b"{}", headers={"Content-Type": "application/json", **headers}
            )
            assert (answer.status_code, answer.json()["code"]) == (403, "not-our-page"), (path, headers)


async def test_our_own_page_may_write(house: Doors) -> None:
    page = await house.sign_in()
    headers = {**OURS, "Origin": house.url, "Sec-Fetch-Site": "same-origin"}
    answer = await page.post("/api/decode", json={"registers": [2302]}, headers=headers)
    assert answer.status_code == 200


async def test_a_name_that_is_not_ours_is_refused(house: Doors) -> None:
    page = await house.sign_in()
    for name in ("evil.example", "evil.example:8620", "[", "", "localhost.evil.example"):
        answer = await page.get("/api/session", headers={"Host": name})
        assert answer.status_code in {400, 421}, name
    for name in ("localhost", "localhost:1", "192.0.2.7", "[::1]:8620"):
        assert (await page.get("/api/session", headers={"Host": name})).status_code == 200, name


async def test_wrong_guesses_wait_longer_and_longer(house: Doors) -> None:
    async def guess(password: str) -> httpx2.Response:
        return await house.page.post("/api/session", json={"password": password}, headers=OURS)

    codes = [(await guess("wrong")).status_code for _ in range(4)]
    assert codes == [401, 401, 401, 429]
    closed = await guess(PASSWORD)
    assert closed.status_code == 429, "also for who knows it: else the pause would tell"
    assert int(closed.headers["Retry-After"]) >= 1


async def test_without_a_password_nobody_comes_in(tmp_path: Path) -> None:
    async with ModbusField() as field, doors(tmp_path, field.port, password=None) as opened:
        assert (await opened.page.get("/api/session")).json()["password_set"] is False
        answer = await opened.page.post("/api/session", json={"password": ""}, headers=OURS)
        assert answer.json()["code"] == "no-password"
        assert "citynerve-edge page password" in answer.json()["detail"]
        assert (await opened.page.get("/api/overview")).status_code == 401


async def test_a_damaged_password_lets_nobody_in_and_tells_strangers_no_path(house: Doors) -> None:
    page = await house.sign_in()
    (house.state / "page.json").write_text("{")
    assert (await page.get("/api/overview")).status_code == 401
    assert (await page.get("/api/session")).json()["password_set"] is False
    answer = await page.post("/api/session", json={"password": PASSWORD}, headers=OURS)
    assert answer.json()["code"] == "no-password"
    assert str(house.state) not in answer.text


async def test_a_new_password_signs_everybody_out(house: Doors) -> None:
    page = await house.sign_in()
    assert (await page.get("/api/overview")).status_code == 200
    set_password(house.state, "another river", CHEAP)
    assert (await page.get("/api/overview")).status_code == 401


ODD: list[tuple[bytes, int, str]] = [
    (b'{"password": "\xff\xfe"}', 400, "no-json"),
    (b"\xff", 400, "no-json"),
    (b"", 400, "no-json"),
    (b"[" * 60_000, 422, "wrong-shape"),
    (b'{"x":' * 10_000 + b"1" + b"}" * 10_000, 422, "wrong-shape"),
    (b'{"password": 5}', 422, "wrong-shape"),
    (b"null", 422, "wrong-shape"),
    (b'{"password": "\\ud800"}', 400, "no-json"),
    (b'{"password": "' + b"a" * 70_000 + b'"}', 413, "too-large"),
    (b'{"password": "x", "extra": 1}', 422, "wrong-shape"),
]


async def test_odd_bodies_are_told_what_is_wrong(house: Doors) -> None:
    for content, status, code in ODD:
        headers = {"Content-Type": "application/json", **OURS}
        answer = await house.page.post("/api/session", content=content, headers=headers)
        problem = json.loads(answer.content)
        assert (answer.status_code, problem["code"]) == (status, code), (content[:40], problem)
    assert (await house.page.get("/api/session")).status_code == 200, "and the page goes on"


async def test_what_is_no_http_costs_nothing(house: Doors, capfd: pytest.CaptureFixture[str]) -> None:
    port = int(house.url.rpartition(":")[2])
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\0" * 4096,
        b"GET / HTTP/9.9\r\n\r\n",
        b"A: " + b"x" * 200_000,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
            writer.write_eof()
            async with asyncio.timeout(10):
                assert (await reader.read(64))[:12] in {b"", b"HTTP/1.1 400", b"HTTP/1.1 421"}
        writer.close()
    assert (await house.page.get("/api/session")).status_code == 200
    assert "Invalid HTTP" not in capfd.readouterr().err, "a port scan fills no log"


async def test_an_endless_body_is_cut_off(house: Doors) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 65_536

    headers = {"Content-Type": "application/json", **OURS}
    try:
        answer = await house.page.post("/api/session", content=endless(), headers=headers)
        assert answer.status_code == 413
    except httpx2.TransportError:
        pass  # the server has hung up while it was still being told
    assert (await house.page.get("/api/session")).status_code == 200


async def test_every_answer_carries_the_headers(house: Doors) -> None:
    for path in ("/", "/api/session", "/api/overview", "/api/none", "/nothing.js", "/assets/none.js"):
        headers = (await house.page.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
        assert "server" not in headers, path


async def test_a_method_that_a_path_does_not_take_is_405(house: Doors) -> None:
    answer = await house.local.request("PUT", "/api/session")
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")


async def test_a_taken_port_costs_only_the_page(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        async with (
            ModbusField() as field,
            running(gateway_file(tmp_path, field.port, page={"port": port})) as gateway,
        ):
            await until((tmp_path / "state" / "control.sock").exists)
            await until(lambda: gateway.house.pipeline.received > 5)
            transport = httpx2.AsyncHTTPTransport(uds=str(tmp_path / "state" / "control.sock"))
            async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as local:
                assert (await local.get("/api/session")).json()["url"] is None


async def test_a_page_that_is_switched_off_leaves_the_control_socket(tmp_path: Path) -> None:
    port = free_port()
    off = {"enabled": False, "port": port}
    async with ModbusField() as field, running(gateway_file(tmp_path, field.port, page=off)) as gateway:
        await until((tmp_path / "state" / "control.sock").exists)
        await until(lambda: gateway.house.pipeline.received > 5)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert not (tmp_path / "state" / "control.sock").exists(), "it is gone with the gateway"


async def test_open_streams_do_not_hold_the_gateway(tmp_path: Path) -> None:
    async with ModbusField() as field:
        readers: list[asyncio.StreamWriter] = []
        async with doors(tmp_path, field.port) as opened:
            page = await opened.sign_in()
            cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
            port = int(opened.url.rpartition(":")[2])
            for _ in range(8):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(
                    b"GET /api/stream?device=pump1 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: "
                    + cookie.encode()
                    + b"\r\n\r\n"
                )
                assert b"200 OK" in await reader.readline()
                readers.append(writer)
            begun = time.monotonic()
            opened.gateway.stop()
            await until(lambda: not (opened.state / "control.sock").exists(), 10)
            took = time.monotonic() - begun
        for writer in readers:
            writer.close()
    assert took < 2, f"stopping took {took:.2f} s"
