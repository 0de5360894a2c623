"""The console's files: what is a file, what is a page, and what is neither."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from central import console


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>the page</title>")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "main-1a2b.js").write_text("export {}")
    app = FastAPI()
    console.mount(app, tmp_path)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://centre") as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/alarms", "/devices/gw-north.ps-riverside-pump1", "/devices/gw.js", "/cases/1?next=a.b"]
)
async def test_an_address_of_the_console_is_its_page(browser: httpx2.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 200
    assert "the page" in answer.text
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/assets/gone-9z.js", "/robots.txt", "/api/v1/none", "/gateway/v1/none", "/metrics/x"]
)
async def test_a_file_that_is_not_there_is_not_the_page(browser: httpx2.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 404


async def test_files_are_served_and_hashed_ones_are_kept(browser: httpx2.AsyncClient) -> None:
    assert (await browser.get("/favicon.svg")).text == "<svg/>"
    answer = await browser.get("/assets/main-1a2b.js")
    assert "javascript" in answer.headers["content-type"]
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/..%5csecret.txt",
        "/assets/..%5c..%5csecret.txt", "/.%00./secret.txt", "//secret.txt", "/link.txt",
        "/assets/%2fetc/passwd",
    ],
)  # fmt: skip
async def test_no_path_leads_out_of_the_folder(
    browser: httpx2.AsyncClient, tmp_path: Path, path: str
) -> None:
    secret = tmp_path.parent / "secret.txt"
    secret.write_text("what nobody may read")
    link = tmp_path / "link.txt"
    link.symlink_to(secret)
    answer = await browser.request("GET", httpx2.URL("http://centre").copy_with(raw_path=path.encode()))
    assert answer.status_code == 404 or "the page" in answer.text
    assert "nobody may read" not in answer.text
    assert "root:" not in answer.text
