"""A browser on a centre without a city: the application itself, in this process, its rows made by the test.

Much cheaper than the demo, for pages that need no field. Requests carry the token of one role.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright

from central.security.roles import Role
from tests.central.systems.running import Running
from tests.central.systems.test_live import served
from tests.e2e.browser import launch_options, require_browser
from tests.e2e.conftest import SLOW_MS

SHOTS = os.environ.get("CITYNERVE_SCREENSHOTS")


@asynccontextmanager
async def console(city: Running, role: Role, language: str = "en") -> AsyncIterator[Page]:
    """A page of somebody of that role; an error that the page throws fails the test."""
    said: list[str] = []
    async with served(city) as address, async_playwright() as playwright:
        browser = await playwright.chromium.launch(**launch_options(require_browser()))
        try:
            context = await browser.new_context(
                base_url=address, viewport={"width": 1920, "height": 1080}, reduced_motion="reduce",
                extra_http_headers={"Authorization": f"Bearer {city.tokens[role]}"},
                locale="zh-CN" if language == "zh" else "en-GB",
            )  # fmt: skip
            context.set_default_timeout(SLOW_MS)
            page = await context.new_page()
            page.on("pageerror", lambda error: said.append(str(error)))
            yield page
            await context.close()
        finally:
            await browser.close()
    assert said == []


async def shot(page: Page, name: str, *, phone: bool = False) -> None:
    """Keep a picture where somebody wants to look; phone: one at that width too."""
    if not SHOTS:
        return
    await page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
    if phone:
        wide = page.viewport_size
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.screenshot(path=str(Path(SHOTS) / f"{name}-phone.png"), full_page=True)
        assert wide is not None
        await page.set_viewport_size(wide)
