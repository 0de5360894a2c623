"""A Chromium for the browser tests: found, or installed where that is possible, or missed loudly.

A console that nobody has looked at is not tested, so a missing browser fails under CI=true and is skipped
with a box at the end of the run elsewhere. `tests/e2e/conftest.py` uses it like this:

    from tests.e2e.browser import launch_options, pytest_terminal_summary, require_browser
    ...
    browser = await playwright.chromium.launch(**launch_options(require_browser()))
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
PLAYWRIGHTS_OWN = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "chromium-*/chrome-win*/chrome.exe",
)
REPAIR = (
    "no Chromium found: install one (Debian and Ubuntu: sudo apt-get install chromium fonts-noto-cjk) "
    "or name one with CITYNERVE_TEST_BROWSER=/path/to/chrome"
)
# SwiftShader draws the map's WebGL without a graphics card. Everything else is drawn without it: Debian's
# Chromium would let it draw every page, at five times the cost. Without the --disable flags below that
# Chromium looks up its maker's hosts at every start, and waits for them where there is no internet.
ARGUMENTS = (
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-gpu-rasterization",
    "--disable-gpu-compositing",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

_missed: list[str] = []


def find_browser() -> Path | None:
    """The Chromium named by CITYNERVE_TEST_BROWSER, the system's, or one that playwright downloaded."""
    named = os.environ.get("CITYNERVE_TEST_BROWSER")
    if named:
        return Path(named)
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    store = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache" / "ms-playwright"))
    return next((path for pattern in PLAYWRIGHTS_OWN for path in sorted(store.glob(pattern))), None)


def install_browser() -> Path | None:
    """Install Debian's Chromium and a Chinese font, as root where there is apt; None if that is not so."""
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "chromium", "fonts-noto-cjk"],
    ):
        if subprocess.run(command, env=environment, capture_output=True, check=False).returncode:
            return None
    return find_browser()


@functools.cache
def _browser() -> Path | None:
    return find_browser() or install_browser()


def require_browser() -> Path:
    """The browser to drive; without one the test is skipped, or fails under CI=true, naming the repair."""
    browser = _browser()
    if browser is None:
        if os.environ.get("CI") == "true":
            pytest.fail(REPAIR, pytrace=False)
        _missed.append(os.environ.get("PYTEST_CURRENT_TEST", "a browser test").split(" ")[0])
        pytest.skip(REPAIR)
    return browser


def launch_options(browser: Path) -> dict[str, Any]:
    """Keyword arguments for playwright's `chromium.launch`; they work as root and without a graphics card."""
    root = os.name == "posix" and os.geteuid() == 0
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if root else [])]
    return {"executable_path": str(browser), "headless": True, "args": arguments}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end of the run, in a box, that the console was not looked at."""
    if not _missed:
        return
    tests = sorted(set(_missed))
    terminalreporter.section("THE CONSOLE WAS NOT TESTED", sep="!", yellow=True, bold=True)
    terminalreporter.line(f"{len(tests)} browser tests were skipped: {REPAIR}", yellow=True)
    terminalreporter.section("", sep="!", yellow=True, bold=True)


def note_faults(
    page: Page, errors: list[str], expected: re.Pattern[str], levels: Collection[str] = ("error",)
) -> None:
    """Add to `errors` what the page throws, and what it logs at these levels without being expected."""

    def logged(message: ConsoleMessage) -> None:
        if message.type in levels and not expected.search(message.text):
            errors.append(message.text)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", logged)
