"""How the page is served: over TLS, beyond loopback, to clients that take nothing, at what cost in memory."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import structlog
from starlette.types import Message

from edge.config.serving import PageEntry
from edge.console import server
from edge.console.guard import Caller
from edge.console.layout import Layout
from edge.console.overview import Overview
from edge.console.password import set_password
from edge.console.sockets import control_socket, page_url, tcp_socket
from edge.console.stream import Streams
from edge.opening import open_plan
from protocols.errors import ConfigError, Rejected
from tests.edge.console.page import CHEAP, OURS, PASSWORD, doors
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until
from tests.edge.link.authority import Authority
from tests.ports import free_port


async def test_over_tls_the_cookie_travels_nowhere_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.server()
    page = {"cert_file": files.cert_file.name, "key_file": files.key_file.name}
    port = free_port()
    async with ModbusField() as field:
        file = gateway_file(tmp_path, field.port, page={"port": port, **page})
        set_password(tmp_path / "state", PASSWORD, CHEAP)
        async with running(file):
            await until((tmp_path / "state" / "control.sock").exists)
            context = ssl.create_default_context(cafile=str(authority.pem))
            async with httpx2.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=context) as client:
                await until(lambda: _listens(port))
                answer = await client.post("/api/session", json={"password": PASSWORD}, headers=OURS)
                assert answer.status_code == 204
                assert "; secure" in answer.headers["set-cookie"].lower()
                assert (await client.get("/api/overview")).status_code == 200
                named = await client.get("/api/session", headers={"Host": "gw-north.example.city"})
                assert named.status_code == 200, "over TLS the certificate decides about names"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_certificate_that_cannot_be_used_costs_the_page_until_it_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RETRY_S", 0.1)
    cert, key = tmp_path / "page.pem", tmp_path / "page.key"
    cert.write_text("nonsense")
    key.write_text("nonsense")
    port = free_port()
    page = {"cert_file": cert.name, "key_file": key.name, "port": port}
    authority = Authority(tmp_path)
    async with ModbusField() as field:
        with structlog.testing.capture_logs() as lines:
            async with running(gateway_file(tmp_path, field.port, page=page)) as gateway:
                await until(lambda: any(line["event"] == "the page is not served" for line in lines))
                await until(lambda: gateway.house.pipeline.received > 5)
                assert not _listens(port)
                for serial in (authority.server(), authority.server()):
                    key.write_bytes(serial.key_file.read_bytes())
                    cert.write_bytes(serial.cert_file.read_bytes())
                    expected = ssl.PEM_cert_to_DER_cert(cert.read_text(encoding="ascii"))
                    async with asyncio.timeout(40):
                        while await asyncio.to_thread(_served, port) != expected:  # noqa: ASYNC110
                            await asyncio.sleep(0.1)


def _served(port: int) -> bytes | None:
    """Return the certificate that is shown on a port."""
    try:
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=5))
    except OSError:
        return None


async def test_a_port_that_becomes_free_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "RETRY_S", 0.1)
    async with ModbusField() as field:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with structlog.testing.capture_logs() as lines:
                async with running(gateway_file(tmp_path, field.port, page={"port": port})) as gateway:
                    await until(lambda: any(line["event"] == "the page is not served" for line in lines))
                    await until(lambda: gateway.house.pipeline.received > 30)
                    other.close()
                    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as page:
                        await until(lambda: any(line["event"] == "page is served" for line in lines))
                        assert (await page.get("/api/session")).status_code == 200
    told = [line["reason"] for line in lines if line["event"] == "the page is not served"]
    assert len(told) == 1, "said once, not at every try"
    assert f"127.0.0.1:{port}" in told[0]


async def test_another_port_need_not_wait_for_the_one_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RETRY_S", 3600.0)
    async with ModbusField() as field:
        with socket.socket() as other, structlog.testing.capture_logs() as lines:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port, free = other.getsockname()[1], free_port()
            file = gateway_file(tmp_path, field.port, page={"port": port})
            async with running(file) as gateway:
                await until(lambda: any(line["event"] == "the page is not served" for line in lines))
                await gateway.house.settings.apply(
                    file.read_text().replace(str(port), str(free)), {}, source="page", actor="page:x", note=""
                )
                await until(lambda: any(line["event"] == "page is served" for line in lines))
                async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{free}") as page:
                    assert (await page.get("/api/session")).status_code == 200


async def test_beyond_loopback_without_tls_it_warns(tmp_path: Path) -> None:
    async with ModbusField() as field:
        with structlog.testing.capture_logs() as lines:
            async with doors(tmp_path, field.port, page={"host": "0.0.0.0"}) as opened:  # noqa: S104
                assert (await opened.page.get("/api/session")).status_code == 200
    assert any("without TLS" in line["event"] and line["log_level"] == "warning" for line in lines)
    assert not any(PASSWORD in str(line) for line in lines)


async def test_nothing_that_is_secret_is_logged(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        async with ModbusField() as field, doors(tmp_path, field.port) as opened:
            await opened.page.post("/api/session", json={"password": "not the river"}, headers=OURS)
            page = await opened.sign_in()
            await page.get("/api/overview")
            token = page.cookies["page-gw-test"]
    told = str(lines)
    assert "signed in to the page" in told
    assert PASSWORD not in told
    assert "not the river" not in told
    assert token not in told


async def test_a_client_that_takes_nothing_is_cut_off(tmp_path: Path) -> None:
    async with ModbusField() as field, doors(tmp_path, field.port) as opened:
        house = opened.gateway.house
        layout = Layout(house)
        streams = Streams(house, layout, Overview(house, layout), tick_s=0.01, slow_s=0.1)
        taken: list[str] = []

        async def send(message: Message) -> None:
            taken.append(message["type"])
            if len(taken) > 3:  # a phone that has gone to sleep
                await asyncio.Event().wait()

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError("it says nothing more")

        caller = Caller("page:192.0.2.1", "page", "192.0.2.1", lambda: True)
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/api/stream",
            "query_string": b"device=pump1",
            "headers": [],
            "caller": caller,
            "closing": asyncio.Event(),
        }
        with structlog.testing.capture_logs() as lines:
            async with asyncio.timeout(20):
                await streams(scope, receive, send)
        assert streams.open == 0, "its place is free again"
    assert taken == ["http.response.start"] + ["http.response.body"] * 3
    assert [line["by"] for line in lines if "cut off" in line["event"]] == ["page:192.0.2.1"]


def test_the_url_is_one_that_a_browser_here_can_open() -> None:
    assert page_url(PageEntry(), 8620) == "http://127.0.0.1:8620/"
    assert page_url(PageEntry(host="0.0.0.0"), 1) == "http://127.0.0.1:1/"  # noqa: S104
    assert page_url(PageEntry(host="::"), 1) == "http://[::1]:1/"
    secure = PageEntry(host="192.0.2.4", cert_file="a", key_file="b")
    assert page_url(secure, 8620) == "https://192.0.2.4:8620/"


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(Rejected, match=r"192\.0\.2\.4"):
        tcp_socket("192.0.2.4", 0)
    with pytest.raises(Rejected, match="no address of this machine"):
        tcp_socket("no such host.invalid", 0)


def test_a_state_folder_too_deep_for_a_socket_is_said(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    with pytest.raises(Rejected, match="shorter `state_dir`"):
        control_socket(deep)


def test_a_socket_that_a_killed_gateway_left_is_replaced(tmp_path: Path) -> None:
    control_socket(tmp_path).close()
    assert (tmp_path / "control.sock").is_socket()
    again = control_socket(tmp_path)
    again.listen()
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(tmp_path / "control.sock"))
    again.close()


def test_mistakes_of_the_section_are_told_with_their_repair(tmp_path: Path) -> None:
    file = gateway_file(tmp_path, 502, page={"cert_file": "none.pem"})
    with pytest.raises(ConfigError) as found:
        open_plan(file)
    assert any("key_file" in str(mistake) for mistake in found.value.mistakes)
    file = gateway_file(tmp_path, 502, page={"cert_file": "none.pem", "key_file": "none.key", "port": 99_999})
    with pytest.raises(ConfigError) as found:
        open_plan(file)
    told = [mistake.path for mistake in found.value.mistakes]
    assert {"page.cert_file", "page.key_file", "page.port"} <= set(told)
    assert all(mistake.repair and mistake.line for mistake in found.value.mistakes)


_COST = """
import edge.app
from edge.health import resident_mb
before = resident_mb()
import edge.console.server
print(resident_mb() - before)
"""


def test_the_web_server_costs_a_small_board_little_memory() -> None:
    found = subprocess.run([sys.executable, "-c", _COST], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 8, f"{found.stdout.strip()} MB"
