"""The map by keyboard: what the canvas shows is listed beside it, found, opened, and left out by kind."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import screenshot

pytestmark = pytest.mark.browser

WELL = "gw-north.ps-riverside-well"


def test_a_device_is_found_opened_and_left_by_keyboard(visit: Callable[..., Page]) -> None:
    page = visit("operator", "en")
    page.get_by_test_id("nav-map").click()
    in_view = page.get_by_test_id("map-in-view")
    expect(in_view).to_have_attribute("data-count", re.compile(r"^\d{2,}$"))
    everything = int(in_view.get_attribute("data-count") or 0)

    page.get_by_placeholder("Find by name or id").focus()
    page.keyboard.type(WELL)
    expect(page.get_by_test_id("map-device")).to_have_count(1)
    expect(in_view).to_have_attribute("data-count", "1")
    page.get_by_test_id("map-device").focus()
    page.keyboard.press("Enter")
    card = page.get_by_test_id("device-card")
    expect(card.get_by_test_id("card-value").first).to_contain_text(re.compile(r"\d"))
    expect(page).to_have_url(re.compile(f"device={WELL}"))
    card.get_by_test_id("card-open").focus()
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    page.get_by_placeholder("Find by name or id").fill("")

    # A kind that is switched off stays off for this browser.
    kind = page.locator("[data-testid^=kind-]").first
    kind.focus()
    page.keyboard.press("Space")
    expect(kind).to_have_attribute("aria-pressed", "false")
    page.reload()
    page.get_by_test_id("language-zh").click()
    expect(page.locator("[data-testid^=kind-]").first).to_have_attribute("aria-pressed", "false")
    expect(in_view).to_have_attribute("data-count", re.compile(r"^\d+$"))
    assert int(in_view.get_attribute("data-count") or 0) < everything
    screenshot(page, "map-zh")
