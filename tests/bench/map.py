"""The map page with 50,000 devices in Chromium, until it stands and panned: `python -m tests.bench.map`.

The devices are written straight into the database of a centre that nothing reports to, which is the worst
case: every one of them is stale, so that every one is named in each answer about marks. Chromium draws WebGL
without a graphics card here: a frame's time is that of its software; the script's own time stands beside it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from playwright.sync_api import Page, sync_playwright

from central.config import Config
from central.store.open import open_database
from tests.bench.figure import Figure, table
from tests.bench.processes import PASSWORD, USER, Centre, centre_process
from tests.e2e.browser import launch_options, require_browser

DEVICES, SITES = 50_000, 2_000
PATIENCE_MS = 240_000
PANS = 40
STATEMENTS = (
    """INSERT INTO gateways (id, name_zh, name_en, state, created_at, written, tags, note, grid_cell,
        contacts, lifecycle, software, last_command)
        VALUES ('gw-bench', '测量', 'Bench', 'pending', now(), '{}', '{}', '', '', '[]', 'active', '', 0)""",
    """INSERT INTO sites (id, name_zh, name_en, kind, district, department, address, lon, lat, declared,
        written, tags, note, grid_cell, contacts, lifecycle)
        SELECT 's' || n, n || '号站', 'Station ' || n, 'pumping_station', '', '', '',
            118.0 + 0.6 * (n %% 50) / 50.0, 30.7 + 0.4 * (n / 50) / 40.0,
            '{}', '{}', '{}', '', '', '[]', 'active'
        FROM generate_series(0, %(sites)s - 1) n""",
    """INSERT INTO devices (id, gateway, key, site, name_zh, name_en, kind, profile, profile_version,
        protocol, vendor, model, serial, lon, lat, declared, written, tags, note, grid_cell, contacts,
        lifecycle)
        SELECT 'gw-bench.d' || n, 'gw-bench', 'd' || n, 's' || n %% %(sites)s, n || '号水泵', 'Pump ' || n,
            (ARRAY['pump', 'camera', 'light', 'meter'])[1 + n %% 4], 'bench', 1, 'modbus', '', '', '',
            118.0 + 0.6 * random(), 30.7 + 0.4 * random(), '{}', '{}', '{}', '', '', '[]', 'active'
        FROM generate_series(0, %(devices)s - 1) n""",
    "ANALYZE",
)
FRAMES = """steps => new Promise((done) => {
    const canvas = document.querySelector('[data-testid=map] canvas')
    const box = canvas.getBoundingClientRect()
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2]
    const say = (kind, dx) => (kind === 'mousedown' ? canvas : window).dispatchEvent(
        new MouseEvent(kind, { bubbles: true, clientX: x + dx, clientY: y, button: 0, buttons: 1 }))
    const frames = [], long = []
    const note = (list) => long.push(...list.getEntries().map((task) => task.duration))
    const seen = new PerformanceObserver(note)
    seen.observe({ type: 'longtask' })
    let [last, n] = [performance.now(), 0]
    say('mousedown', 0)
    const next = (now) => {
        frames.push(now - last)
        last = now
        say('mousemove', ++n * 6)
        if (n < steps) requestAnimationFrame(next)
        else {
            say('mouseup', n * 6)
            done({ frames: frames.slice(1).sort((a, b) => a - b), long: long.sort((a, b) => b - a) })
        }
    }
    requestAnimationFrame(next)
})"""


def measure() -> list[Figure]:
    """Fill a centre, and look at its map."""
    with centre_process() as centre:
        asyncio.run(_fill(centre))
        centre.command("user", "add", USER, "--role", "operator", "--password-env", "BENCH_PASSWORD")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**launch_options(require_browser()))
            page = browser.new_page(base_url=centre.url, viewport={"width": 1920, "height": 1080})
            page.set_default_timeout(PATIENCE_MS)
            page.goto("/sign-in")
            page.get_by_test_id("sign-in-username").fill(USER)
            page.get_by_test_id("sign-in-password").fill(PASSWORD)
            page.get_by_test_id("sign-in-submit").click()
            page.get_by_test_id("overview").wait_for()
            found = _look(page)
            browser.close()
    return found


async def _fill(centre: Centre) -> None:
    config = Config(data_dir=centre.folder)
    async with (
        open_database(config, migrate=False, attach=True) as database,
        database.pool.connection() as connection,
    ):
        for statement in STATEMENTS:
            await connection.execute(statement, {"sites": SITES, "devices": DEVICES})


def _look(page: Page) -> list[Figure]:
    meter = page.context.new_cdp_session(page)
    meter.send("Performance.enable")
    began = time.perf_counter()
    page.goto("/map")
    page.get_by_test_id("map-device").first.wait_for()
    listed = time.perf_counter() - began
    page.locator("[data-testid=map][data-ready=true]").wait_for()
    drawn = time.perf_counter() - began
    page.locator(f"[data-testid=map-page][data-devices='{DEVICES}']").wait_for()
    before = _spent(meter)
    panned: dict[str, Any] = page.evaluate(FRAMES, PANS)
    script = (_spent(meter) - before) * 1000 / PANS
    frames = panned["frames"]
    field = page.get_by_placeholder("Find by name or id").or_(page.get_by_placeholder("按名称或编号查找"))
    before = _spent(meter)
    field.fill("Pump 49999")
    page.locator("[data-testid=map-in-view][data-count='1']").wait_for()
    search = (_spent(meter) - before) * 1000
    name = f"map of {DEVICES:,} devices:"
    return [
        Figure(f"{name} list stands after", listed, "s"),
        Figure(f"{name} marks are drawn after (software WebGL)", drawn, "s"),
        Figure(f"{name} script of a panned frame", script, "ms", 16.7, "ms (60 Hz)", "< 1"),
        Figure(f"{name} panned frame, p50 (software WebGL)", frames[len(frames) // 2], "ms"),
        Figure(f"{name} panned frame, p95 (software WebGL)", frames[int(len(frames) * 0.95)], "ms"),
        Figure(f"{name} longest task while panned", max(panned["long"], default=0.0), "ms"),
        Figure(f"{name} script of a search in its list", search, "ms"),
    ]


def _spent(meter: Any) -> float:
    """Seconds that the page's main thread has spent in scripts."""
    metrics = {item["name"]: item["value"] for item in meter.send("Performance.getMetrics")["metrics"]}
    return float(metrics["ScriptDuration"])


if __name__ == "__main__":
    print(table(measure()))
