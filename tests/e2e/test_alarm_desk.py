"""The alarm console as an operator drives it, by keyboard, with hundreds of alarms open and changing.

No city is run for it: the centre's own application, its rows written by SQL, and a Chromium. With
CITYNERVE_STORM=full there are 50,000; `pytest -s` prints how smoothly the list scrolled.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, async_playwright, expect

from central.live.alarm_rows import AlarmRow
from central.live.alarm_views import view
from central.security.roles import Role
from protocols.model.clock import to_datetime
from tests.central.systems.running import Running, running_centre
from tests.central.systems.test_alarm_list import STORM
from tests.central.systems.test_live import served
from tests.e2e.browser import launch_options, require_browser

FULL = os.environ.get("CITYNERVE_STORM") == "full"
MANY = 50_000 if FULL else 500
WANTED, FOUND = ("4999", 6) if FULL else ("499", 1)
"""A number in the names of alarms, and how many of those are in the park."""
SECONDS = 10 if FULL else 2
CHANGES = 200
SHOTS = os.environ.get("CITYNERVE_SCREENSHOTS")

FRAMES = """seconds => new Promise(done => {
    const frames = [], long = []
    const seen = new PerformanceObserver(list => long.push(...list.getEntries().map(task => task.duration)))
    seen.observe({ type: 'longtask' })
    const began = performance.now()
    let last = began
    const box = document.querySelector('[data-testid=alarm-list] .rows')
    const next = now => {
        frames.push(now - last)
        last = now
        box.scrollTop += 25
        if (now - began < seconds * 1000) requestAnimationFrame(next)
        else done({ frames: frames.slice(1).sort((a, b) => a - b), long: long.sort((a, b) => b - a) })
    }
    requestAnimationFrame(next)
})"""


async def changing(city: Running, alarms: list[AlarmRow], seconds: float) -> tuple[int, str]:
    """Tell the feed so many changes a second, as the pipeline would.

    Return how many, and what is shown of the first alarm after the last of them.
    """
    told, views = 0, [view(row) for row in alarms]
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        for _ in range(CHANGES // 20):
            place = told * 37 % len(views)
            acked = not views[place].acked
            views[place] = replace(
                views[place], acked=acked, state="ACKED" if acked else "UNACK",
                display="ACKED" if acked else "UNACK", last_value=told / 100,
            )  # fmt: skip
            city.centre.bus.publish("alarm", views[place])
            told += 1
        await asyncio.sleep(0.05)
    return told, views[0].display


async def shot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


@asynccontextmanager
async def console(city: Running, address: str) -> AsyncIterator[BrowserContext]:
    """A browser whose requests are an operator's."""
    headers = {"Authorization": f"Bearer {city.tokens[Role.SUPERVISOR]}"}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**launch_options(require_browser()))
        context = await browser.new_context(
            base_url=address,
            viewport={"width": 1920, "height": 1080},
            extra_http_headers=headers,
            locale="en-GB",
        )
        try:
            yield context
        finally:
            await context.close()
            await browser.close()


async def test_a_storm_by_keyboard(database_url: str, tmp_path: Path) -> None:
    async with (
        running_centre(database_url, tmp_path) as city,
        city.gateway() as _,
        served(city) as address,
        console(city, address) as context,
    ):
        async with city.centre.database.pool.connection() as connection:
            await connection.execute(STORM, {"now": to_datetime(city.clock.now), "many": MANY})
            await connection.execute("ANALYZE alarms")
        page = await context.new_page()
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto("/alarms")
        rows = page.get_by_test_id("alarm-row")
        await expect(rows.first).to_be_visible()
        await shot(page, "desk-en")
        await _keys(page, city)
        figures = await _smooth(page, city)
        await _other_faces(page, context)
        assert said == []
        print(figures)


async def _keys(page: Page, city: Running) -> None:
    rows = page.get_by_test_id("alarm-row")
    assert await rows.count() < 80
    await expect(page.get_by_test_id("sound")).to_have_attribute("data-state", "blocked")
    await page.keyboard.press("j")
    await page.keyboard.press("n")
    at = page.locator("[data-testid=alarm-row].at")
    alarm = await at.get_attribute("data-alarm-id")
    await expect(at).to_have_attribute("data-state", "UNACK")
    await page.keyboard.press("a")
    await expect(page.locator(f'[data-alarm-id="{alarm}"]')).to_have_attribute("data-state", "ACKED")
    await page.keyboard.press("c")
    await page.get_by_test_id("comment-words").fill("jansajk?")
    await page.get_by_test_id("comment-submit").click()
    await expect(page.get_by_test_id("comment-words")).to_have_count(0)
    found = await city.centre.alarms.evidence(alarm or "")
    assert found is not None
    assert [(step.event, step.actor, step.comment) for step in found.journal][-2:] == [
        ("ACK", "test-supervisor", ""),
        ("COMMENT", "test-supervisor", "jansajk?"),
    ]
    await page.keyboard.press("x")
    await page.keyboard.press("g")
    await page.get_by_test_id("assign-alarm-submit").click()
    await expect(page.locator(f'[data-alarm-id="{alarm}"]')).to_contain_text("test-supervisor")
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("keys-help")).to_be_visible()
    await shot(page, "desk-keys")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("keys-help")).to_have_count(0)
    # The list's own search, not the shell's, which has the same key everywhere else.
    await page.keyboard.press("/")
    await expect(page.get_by_test_id("filter-text")).to_be_focused()
    await page.keyboard.type(f"park alarm {WANTED}")
    await expect(page.get_by_test_id("alarm-total")).to_have_text(re.compile(rf"^{FOUND}\D"))
    await expect(rows).to_have_count(FOUND)
    await page.get_by_test_id("filter-clear").click()
    await expect(page.get_by_test_id("sound")).to_have_attribute("data-state", "on")


async def _smooth(page: Page, city: Running) -> dict[str, Any]:
    """Scroll through everything while 200 alarms a second change, and measure the frames."""
    await expect(page.get_by_test_id("alarm-total")).not_to_contain_text("…", timeout=120_000)
    async with city.centre.database.session() as session:
        alarms = [await session.get(AlarmRow, f"o{n:06d}") for n in range(0, 400)]
    rows = [row for row in alarms if row is not None]
    measured, (told, last) = await asyncio.gather(
        page.evaluate(FRAMES, SECONDS), changing(city, rows, float(SECONDS))
    )
    frames, long = measured["frames"], measured["long"]
    box = page.get_by_test_id("alarm-list").locator(".rows")
    assert await box.evaluate("box => box.scrollTop") > 0
    await box.evaluate("box => { box.scrollTop = 0 }")
    await expect(page.locator('[data-alarm-id="o000000"]')).to_have_attribute("data-state", last)
    return {
        "alarms": MANY, "changes/s": round(told / SECONDS), "frames": len(frames),
        "p50 ms": round(frames[len(frames) // 2], 1), "p95 ms": round(frames[int(len(frames) * 0.95)], 1),
        "longest frame ms": round(frames[-1], 1), "longest task ms": round(long[0]) if long else 0,
        "tasks over 50 ms": len(long),
    }  # fmt: skip


async def _other_faces(page: Page, context: BrowserContext) -> None:
    """Grouped by cause, in Chinese, and as cards on a phone."""
    await page.goto("/alarms?group=cause")
    await expect(page.get_by_test_id("alarm-group").first).to_be_visible()
    await shot(page, "desk-groups")
    await page.get_by_test_id("language-zh").click()
    await page.goto("/alarms?sort=priority")
    await expect(page.get_by_test_id("alarm-row").first).to_have_attribute("data-priority", "P1")
    await shot(page, "desk-zh")
    await page.set_viewport_size({"width": 390, "height": 844})
    await expect(page.get_by_test_id("alarm-row").first).to_be_visible()
    await shot(page, "desk-phone")
