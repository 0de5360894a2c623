"""The cameras' room as an operator uses it: wall, one camera large, a picture now, evidence of an alarm."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import READY_S, City


def _drawn(image: Locator) -> bool:
    """Wait until a picture is decoded. The page's own policy forbids Playwright's `wait_for_function`."""
    return bool(image.evaluate("image => image.decode().then(() => image.naturalWidth > 0)"))


def test_the_wall_a_picture_now_and_the_evidence_of_an_alarm(city: City, visit: Callable[..., Page]) -> None:
    page = visit()
    page.get_by_test_id("nav-cameras").click()
    fresh = page.locator("[data-testid=camera-tile][data-state=live][data-fresh=new]")
    fresh.first.wait_for(timeout=READY_S * 1000)
    expect(page.get_by_test_id("camera-counts")).to_contain_text("live")
    assert _drawn(fresh.first.locator("img"))

    fresh.first.focus()
    page.keyboard.press("Enter")
    shown = page.get_by_test_id("camera-picture")
    shown.wait_for()
    before = shown.get_attribute("data-snapshot")
    assert before is not None
    page.get_by_test_id("take-now").click()
    expect(shown).not_to_have_attribute("data-snapshot", before, timeout=READY_S * 1000)
    expect(page.get_by_test_id("take-failed")).to_have_count(0)
    expect(page.get_by_test_id("camera-tile").first).to_be_visible()  # its neighbours

    city.weather("rainstorm")
    try:
        alarm = _with_evidence(page)
    finally:
        city.weather("calm")
    page.goto(f"/alarms/{alarm}")
    picture = page.locator("[data-testid=evidence-picture][data-moment=at] img").first
    picture.scroll_into_view_if_needed()
    assert _drawn(picture)
    page.get_by_test_id("near-camera").first.click()
    page.get_by_test_id("camera-page").wait_for()


def _with_evidence(page: Page) -> str:
    """Return the id of an alarm that cameras have seen, as soon as there is one."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        alarms: list[dict[str, Any]] = page.request.get("/api/v1/alarms?limit=50").json()["items"]
        for alarm in alarms:
            evidence = page.request.get(f"/api/v1/alarms/{alarm['id']}/evidence").json()["items"]
            if any(one["moment"] == "at" for camera in evidence for one in camera["snapshots"]):
                return str(alarm["id"])
        page.wait_for_timeout(2000)
    raise AssertionError(f"no alarm has evidence after {READY_S} s of rain")
