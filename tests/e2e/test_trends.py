"""Trends as an operator reads them: points added by keyboard, zoomed, compared, kept, taken away."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import screenshot

pytestmark = pytest.mark.browser

LEVEL = "gw-north.ps-riverside-well.level"
CURRENT = "gw-north.ps-riverside-pump1.current"


def test_points_are_read_zoomed_compared_and_kept(visit: Callable[..., Page]) -> None:
    page = visit("operator", "en")
    page.get_by_test_id("nav-trends").click()
    page.get_by_test_id("trends-add").click()
    page.keyboard.type(LEVEL)
    expect(page.get_by_test_id("picker-point")).to_have_count(1)
    page.keyboard.press("Enter")
    row = page.locator(f'[data-testid=trends-row][data-point="{LEVEL}"]')
    expect(row.get_by_test_id("trends-value")).to_have_text(re.compile(r"\d.* m$"))
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("point-picker")).to_have_count(0)

    # The cursor and the zoom, by keyboard; the address says what is shown.
    expect(page.get_by_test_id("trends-cursor")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_test_id("trends-cursor")).to_be_visible()
    page.keyboard.press("+")
    expect(page).to_have_url(re.compile(r"from=.*to="))
    expect(page.get_by_test_id("trends-now")).to_be_visible()
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile(r"span=3600"))
    expect(page.get_by_test_id("trends-cursor")).to_have_count(0)

    # A year is drawn from rollups, and a week earlier stands beside it.
    chart = page.get_by_test_id("trends-chart")
    expect(chart).to_have_attribute("data-resolution", "raw")
    page.get_by_test_id("tab-y1").click()
    expect(chart).to_have_attribute("data-resolution", re.compile("1h|1d"))
    page.get_by_test_id("tab-m15").click()
    page.get_by_test_id("trends-compare").click()
    page.locator(".n-base-select-option").filter(has_text="Week before").click()
    expect(page).to_have_url(re.compile("compare=week"))
    expect(chart).to_have_attribute("data-compared", "1")

    # Kept under a name; in Chinese it opens again.
    page.get_by_test_id("trends-views").click()
    page.get_by_test_id("view-name").fill("Riverside well")
    page.get_by_test_id("view-save").click()
    expect(page.get_by_test_id("trend-view")).to_contain_text("Riverside well")
    page.keyboard.press("Escape")
    page.goto("/trends")
    page.get_by_test_id("language-zh").click()
    expect(page.get_by_role("heading", name="趋势")).to_be_visible()
    expect(page.get_by_test_id("trends-row")).to_have_count(0)
    page.get_by_test_id("trends-views").click()
    page.get_by_test_id("trend-view").get_by_role("button").first.click()
    expect(row).to_be_visible()
    expect(page).to_have_url(re.compile("compare=week"))
    screenshot(page, "trends-zh")


def test_what_is_shown_is_taken_away_as_a_table_and_as_a_picture(visit: Callable[..., Page]) -> None:
    page = visit("operator", "zh", at=f"/trends?points={LEVEL},{CURRENT}&span=900")
    expect(page.get_by_test_id("trends-row")).to_have_count(2)
    expect(page.get_by_test_id("trends-chart").locator("canvas")).to_be_visible()
    taken: dict[str, bytes] = {}
    for kind in ("CSV", "PNG"):
        page.get_by_test_id("trends-export").click()
        with page.expect_download() as download:
            page.locator(".n-dropdown-option").filter(has_text=kind).click()
        taken[kind] = Path(download.value.path()).read_bytes()
    assert LEVEL in taken["CSV"].decode("utf-8-sig")
    assert taken["PNG"].startswith(b"\x89PNG")
    page.locator(f'[data-point="{CURRENT}"]').get_by_role("button").click()
    expect(page.get_by_test_id("trends-row")).to_have_count(1)
