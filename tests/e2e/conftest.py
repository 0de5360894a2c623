"""One demo city for all browser tests, one browser for a module of them; each test gets a page of its own.

The browser is not for the session: playwright's own event loop runs as long as it does, and other tests
want theirs.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect as expect_async
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.e2e.browser import launch_options, note_faults, pytest_terminal_summary, require_browser
from tests.ports import free_port

__all__ = ["pytest_terminal_summary"]

READY_S = 240
EXPECTED_ERRORS = re.compile(r"\b(401|422)\b")
"""The browser itself logs refused requests; the page says them in words, and the tests look at those."""
SLOW_MS = 60_000
"""Two cores run a city, its gateways, the centre and a browser that draws WebGL in software."""
expect.set_options(timeout=SLOW_MS)
expect_async.set_options(timeout=SLOW_MS)


@dataclass(frozen=True, slots=True)
class City:
    """A running demo; its weather is ours to change."""

    url: str
    control: str
    password: str

    def weather(self, scenario: str) -> None:
        """Let it be `calm`, or let the `rainstorm` begin."""
        answer = httpx2.post(f"{self.control}/scenario", json={"name": scenario}, trust_env=False)
        answer.raise_for_status()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell the story first: it wants a city that nobody has changed yet."""
    ours = [place for place, item in enumerate(items) if item.nodeid.startswith("tests/e2e/")]
    told = sorted((items[place] for place in ours), key=lambda item: "test_story.py" not in item.nodeid)
    for place, item in zip(ours, told, strict=True):
        items[place] = item


@pytest.fixture(scope="package")
def city() -> Iterator[City]:
    """The demo as `make demo` starts it, on a calm day."""
    require_browser()
    port, control = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="citynerve-e2e-") as folder:
        Path(folder).chmod(0o755)
        command = [
            sys.executable, "-m", "central", "demo", "--no-browser", "--scenario", "calm",
            "--port", str(port), "--control-port", str(control), "--data", f"{folder}/demo",
        ]  # fmt: skip
        log = Path(folder) / "demo.log"
        with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
            try:
                yield City(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{control}", _password(process, log))
            finally:
                process.send_signal(signal.SIGINT)
                assert process.wait(60) == 0, log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, once."""
    path = require_browser()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**launch_options(path))
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def signed_in(city: City) -> dict[tuple[str, str], Any]:
    """What a browser keeps of who has signed in once, by name and language."""
    return {}


@pytest.fixture
def visit(
    city: City, browser: Browser, signed_in: dict[tuple[str, str], Any]
) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page as somebody; every error that the page logs fails the test.

    at: where somebody goes who is signed in; the overview, which has been waited for, without it. Who has
    signed in once in a language comes back as with the same browser; nobody (None) begins at the sign-in.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(
        user: str | None = "operator", language: str = "en", at: str | None = None, **options: Any
    ) -> Page:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        known = signed_in.get((user or "", language))
        context = browser.new_context(
            base_url=city.url, locale="en-GB", reduced_motion="reduce", storage_state=known, **options
        )
        contexts.append(context)
        context.set_default_timeout(SLOW_MS)
        page = context.new_page()
        note_faults(page, errors, EXPECTED_ERRORS)
        if known is not None:
            page.goto(at or "/")
            if not at:
                page.get_by_test_id("overview").wait_for()
            return page
        page.goto("/sign-in")
        page.get_by_test_id("sign-in-form").wait_for()
        page.get_by_test_id(f"language-{language}").click()
        if user is not None:
            page.get_by_test_id("sign-in-username").fill(user)
            page.get_by_test_id("sign-in-password").fill(city.password)
            page.get_by_test_id("sign-in-submit").click()
            page.get_by_test_id("overview").wait_for()
            signed_in[user, language] = context.storage_state()
            if at:
                page.goto(at)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def _password(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the demo has printed its sign-in."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"Sign in as .* password (\S+)", log.read_text()):
            return found[1]
        time.sleep(0.2)
    pytest.fail(f"the demo did not start:\n{log.read_text()}", pytrace=False)


def screenshot(page: Page, name: str) -> None:
    """Keep a picture where CITYNERVE_SCREENSHOTS says, so that a person can look at what was tested."""
    folder = os.environ.get("CITYNERVE_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", timeout=SLOW_MS)
