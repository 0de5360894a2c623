"""The wall: its one-time link from the settings, what it shows on both shapes of screen, and its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.e2e.axe import faults
from tests.e2e.conftest import screenshot

pytestmark = pytest.mark.browser

SCREEN: ViewportSize = {"width": 1920, "height": 1080}
WIDE: ViewportSize = {"width": 3840, "height": 1080}
OUTSIDE = """
() => [...document.querySelectorAll('[data-panel]')]
    .map((one) => [one.dataset.panel, one.getBoundingClientRect()])
    .filter(([, box]) => box.left < 0 || box.right > innerWidth || box.width < 40
        || box.top < 0 || box.bottom > innerHeight)
    .map(([name]) => name)
"""


def test_a_screen_is_linked_once_shows_the_city_and_is_revoked(visit: Callable[..., Page]) -> None:
    desk = visit("admin", "en", at="/settings/wall")
    desk.get_by_test_id("screen-new").click()
    desk.get_by_test_id("screen-name").fill("Hall")
    desk.get_by_test_id("screen-make").click()
    link = desk.get_by_test_id("screen-link").inner_text()
    assert "/wall#cnw_" in link

    wall = visit(None, "zh", viewport=SCREEN)
    wall.goto(link)
    expect(wall.get_by_test_id("wall")).to_be_visible()
    assert "#" not in wall.url, "the code does not stay in the address"
    expect(wall.get_by_test_id("wall-light")).to_have_attribute("data-state", "live")
    expect(wall.get_by_test_id("wall-vital").first).to_be_visible()
    assert wall.evaluate(OUTSIDE) == []
    assert wall.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert faults(wall) == []
    screenshot(wall, "wall-zh")

    # On a wall of two screens it takes the layout that was made for it.
    wall.set_viewport_size(WIDE)
    wall.goto("/wall?lang=en")
    expect(wall.get_by_test_id("wall-light")).to_have_attribute("data-state", "live")
    expect(wall.get_by_test_id("wall-vital").first).to_be_visible()
    assert wall.evaluate(OUTSIDE) == []
    screenshot(wall, "wall-wide-en")

    # It reads, and does nothing else; the link is spent.
    assert wall.request.get("/api/v1/overview").status == 200
    assert wall.request.post("/api/v1/wall-screens", data={"name": "more"}).status in {401, 403}
    other = visit(None, "zh")
    other.goto(link)
    expect(other.get_by_test_id("wall-door")).to_contain_text("链接")
    assert faults(other) == []

    desk.keyboard.press("Escape")
    row = desk.locator("[data-testid=screen-row][data-name=Hall]")
    row.get_by_test_id("screen-revoke").click()
    desk.get_by_test_id("screen-revoke-yes").click()
    expect(row).to_have_count(0)
    wall.reload()
    expect(wall.get_by_test_id("wall-door")).to_be_visible()
    expect(wall.get_by_test_id("wall")).to_have_count(0)


def test_a_layout_is_changed_and_its_mistakes_are_said(visit: Callable[..., Page]) -> None:
    page = visit("admin", "zh", at="/settings/wall")
    row = page.locator("[data-testid=layout-row][data-id=standard]")
    row.get_by_test_id("layout-edit").click()
    text = page.get_by_test_id("layout-json")
    text.wait_for()
    whole = text.input_value()
    page.get_by_test_id("layout-id").fill("hall")
    text.fill(whole.replace('"columns": 24', '"columns": 12', 1))
    page.get_by_test_id("layout-save").click()
    expect(page.get_by_test_id("layout-wrong").locator("li").first).to_be_visible()
    text.fill(whole)
    page.get_by_test_id("layout-save").click()
    expect(page.locator("[data-testid=layout-row][data-id=hall]")).to_be_visible()
