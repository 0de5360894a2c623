"""The console's files: the page for every address of its own, nothing outside its folder, strict headers."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from central import console
from central.kernel import problem

PAGE = "<!doctype html><title>CityNerve</title>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text(PAGE)
    (static / "favicon.svg").write_text("<svg/>")
    (static / ".sources").write_text("secret of the build")
    (static / "assets" / "main-B1f2.js").write_text("export {}")
    (tmp_path / "outside.txt").write_text("not yours")
    return static


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    problem.install(app)
    console.mount(app, folder)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://centre.test"
    ) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/alarms", "/devices/gw-north.pump1/", "/cases/1?tab=steps", "/sign-in"]
)
async def test_an_address_of_the_console_answers_the_page(client: httpx2.AsyncClient, path: str) -> None:
    # A device's id holds a dot, so only a path that ends in a file's name is a file.
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


async def test_files_are_kept_by_their_names(client: httpx2.AsyncClient) -> None:
    script = await client.get("/assets/main-B1f2.js")
    assert "javascript" in script.headers["content-type"]
    assert script.headers["cache-control"] == console.HASHED
    again = await client.get("/assets/main-B1f2.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304
    icon = await client.get("/favicon.svg")
    assert icon.headers["content-type"] == "image/svg+xml"
    assert "immutable" not in icon.headers.get("cache-control", "")
    assert (await client.head("/")).status_code == 200


async def test_an_asset_is_compressed_once_and_whole_for_whoever_takes_it(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = await client.get("/assets/main-B1f2.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    made: list[bytes] = []
    compress = gzip.compress

    def counted(data: bytes, **how: float) -> bytes:
        made.append(data)
        return compress(data, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(gzip, "compress", counted)
    for _ in range(2):
        light = await client.get("/assets/main-B1f2.js", headers={"Accept-Encoding": "gzip"})
        assert light.headers["content-encoding"] == "gzip"
        assert light.headers["vary"] == "Accept-Encoding"
        assert light.content == plain.content
        for name in ("content-type", "cache-control", "etag"):
            assert light.headers[name] == plain.headers[name]
    assert made == [plain.content]
    part = await client.get("/assets/main-B1f2.js", headers={"Accept-Encoding": "gzip", "Range": "bytes=0-5"})
    assert (part.status_code, part.content) == (206, plain.content[:6])
    icon = await client.get("/favicon.svg", headers={"Accept-Encoding": "gzip"})
    assert icon.content == (await client.get("/favicon.svg")).content


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/gateway/v1/nothing",
        "/metrics/x",
        "/assets/missing.js",
        "/robots.txt",
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/assets/..%2f..%2foutside.txt",
    ],
)
async def test_what_is_not_there_is_not_the_page(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"


async def test_hidden_files_are_not_served(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/.sources")).text == PAGE


async def test_nothing_can_be_sent_to_the_page(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/alarms")).status_code == 405


async def test_a_console_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    app = FastAPI()
    console.mount(app, tmp_path / "nothing")
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://centre.test"
    ) as client:
        answer = await client.get("/")
        assert answer.status_code == 503
        assert "hatch_build.py" in answer.text
        assert "控制台尚未构建" in answer.text
