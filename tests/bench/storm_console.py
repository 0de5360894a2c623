"""An operator's browser with the alarm list open during a storm: frames, long tasks, reaction to keys.

Reaction is what the browser itself measures (Event Timing): from the key to the next frame that shows what
it did.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.bench.figure import Figure
from tests.bench.processes import PASSWORD, USER, Centre
from tests.e2e.browser import find_browser, launch_options

WAIT_MS = 90_000
WATCH = """() => {
    const seen = window.__seen = { frames: [], long: [], keys: [] }
    new PerformanceObserver(list => seen.long.push(...list.getEntries().map(task => task.duration)))
        .observe({ type: 'longtask' })
    new PerformanceObserver(list => seen.keys.push(...list.getEntries()
        .filter(one => one.name === 'keydown').map(one => one.duration)))
        .observe({ type: 'event', durationThreshold: 16 })
    let last = performance.now()
    const next = now => { seen.frames.push(now - last); last = now; requestAnimationFrame(next) }
    requestAnimationFrame(next)
}"""


class Console:
    """The browser. page None: there is no Chromium on this machine, and nothing is measured."""

    def __init__(self, page: Page | None) -> None:
        self._page = page
        self._pressed = 0
        self._seen: dict[str, list[float]] = {"frames": [], "long": [], "keys": []}

    def work(self, seconds: float) -> None:
        """Press keys, as somebody who works through the list does, two a second for so long."""
        if self._page is None:
            return
        self._page.evaluate(WATCH)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._page.keyboard.press("ArrowDown" if self._pressed % 20 else "Home")
            self._pressed += 1
            self._page.wait_for_timeout(500)
        self._seen = self._page.evaluate("() => window.__seen")

    def figures(self) -> list[Figure]:
        """Return what was seen; a key that was shown within 16 ms is not told of, and counts as 16."""
        if self._page is None:
            return []
        frames, long = np.array(self._seen["frames"] or [0.0]), self._seen["long"]
        keys = np.array(self._seen["keys"] + [16.0] * (self._pressed - len(self._seen["keys"])))
        return [
            Figure("storm: console, frames, p50", float(np.quantile(frames, 0.5)), "ms"),
            Figure("storm: console, frames, p99", float(np.quantile(frames, 0.99)), "ms", 100, "ms", "< 100"),
            Figure("storm: console, longest task", max(long, default=0.0), "ms"),
            Figure("storm: console, part of the time in long tasks", sum(long) / float(frames.sum()), ""),
            Figure(f"storm: console, {self._pressed} keys, p50", float(np.quantile(keys, 0.5)), "ms"),
            Figure("storm: console, keys, p99", float(np.quantile(keys, 0.99)), "ms", 200, "ms", "< 200"),
        ]


@contextmanager
def console(centre: Centre) -> Iterator[Console]:
    """Sign in and open the list; the page stays open for as long as the block lasts."""
    path = find_browser()
    if path is None:
        yield Console(None)
        return
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**launch_options(path))
        context = chromium.new_context(
            base_url=centre.url, locale="en-GB", viewport={"width": 1920, "height": 1080}
        )
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto("/sign-in")
        page.get_by_test_id("sign-in-username").fill(USER)
        page.get_by_test_id("sign-in-password").fill(PASSWORD)
        page.get_by_test_id("sign-in-submit").click()
        page.get_by_test_id("overview").wait_for()
        page.goto("/alarms")
        page.get_by_test_id("alarm-total").wait_for()
        yield Console(page)
        chromium.close()
