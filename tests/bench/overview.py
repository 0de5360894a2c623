"""The overview page in Chromium, from the address to a page that answers a key: cold, signed in.

Each time in a context of its own, so that nothing is cached; the code that the browser compiled is not kept
either. Interactive means: the alarms' feed stands, and Control+K has opened the search field.
"""

from __future__ import annotations

import time

import numpy as np
from playwright.sync_api import Browser, StorageState, sync_playwright

from tests.bench.figure import Figure
from tests.bench.processes import PASSWORD, USER, Centre
from tests.e2e.browser import find_browser, launch_options

TIMES = 9
REST_S = 1.5
"""Until the page before is taken down, which costs the same two cores."""
LIMIT_S = 1.5
FEED = "[data-testid=overview] .feed, [data-testid=overview] .empty"
PATIENCE_MS = 60_000


def overview(centre: Centre, name: str) -> list[Figure]:
    """Return p10 and p50 of the time to a page that answers, s; nothing where there is no Chromium."""
    path = find_browser()
    if path is None:
        return []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options(path))
        state = _signed_in(browser, centre)
        took = np.array([_once(browser, centre, state) for _ in range(TIMES + 1)][1:])
        browser.close()
    return [
        Figure(f"{name}, p10", float(np.quantile(took, 0.1)), "s", LIMIT_S, "s (issue)"),
        Figure(f"{name}, p50", float(np.quantile(took, 0.5)), "s", LIMIT_S, "s (issue)", f"< {LIMIT_S}"),
    ]


def _signed_in(browser: Browser, centre: Centre) -> StorageState:
    context = browser.new_context(base_url=centre.url)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/sign-in")
    page.get_by_test_id("sign-in-username").fill(USER)
    page.get_by_test_id("sign-in-password").fill(PASSWORD)
    page.get_by_test_id("sign-in-submit").click()
    page.get_by_test_id("overview").wait_for()
    state = context.storage_state()
    context.close()
    return state


def _once(browser: Browser, centre: Centre, state: StorageState) -> float:
    context = browser.new_context(
        base_url=centre.url, storage_state=state, viewport={"width": 1920, "height": 1080}
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    began = time.perf_counter()
    page.goto("/", wait_until="commit")
    page.locator(FEED).first.wait_for()
    page.keyboard.press("Control+k")
    page.get_by_test_id("search-input").wait_for()
    took = time.perf_counter() - began
    context.close()
    time.sleep(REST_S)
    return took
