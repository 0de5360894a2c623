"""The past as an operator looks at it: a moment by keyboard, a site's values then, the clock let run."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.axe import faults
from tests.e2e.conftest import screenshot

pytestmark = pytest.mark.browser


def test_a_past_moment_is_chosen_read_and_let_run(visit: Callable[..., Page]) -> None:
    page = visit("operator", "en", at="/devices/gw-north.ps-riverside-pump1")
    # A city that has just begun has no past: its values first, then a moment in which they stand.
    expect(page.get_by_test_id("point-value").filter(has_text=re.compile(r"\d")).first).to_be_visible()
    page.wait_for_timeout(5000)
    page.get_by_test_id("nav-replay").click()
    said = page.get_by_test_id("replay-time")
    expect(page.get_by_test_id("replay-counts")).to_contain_text("active")
    first = said.inner_text()

    # The scrubber is a slider: End is the newest moment, the arrows step.
    scrubber = page.get_by_test_id("replay-scrubber")
    scrubber.focus()
    page.keyboard.press("End")
    expect(said).not_to_have_text(first)
    newest = said.inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(said).not_to_have_text(newest)

    # A site on the map tells its values then.
    page.get_by_test_id("site-ps-riverside").click()
    expect(page.get_by_test_id("replay-value").first).to_be_visible()

    # The clock runs, and stands again by the space bar.
    page.keyboard.press("Home")
    page.get_by_test_id("language-zh").click()
    expect(page.get_by_role("heading", name="回放", exact=True)).to_be_visible()
    stands = said.inner_text()
    play = page.get_by_test_id("replay-play")
    play.click()
    expect(play).to_have_accessible_name("暂停")
    expect(said).not_to_have_text(stands)
    play.evaluate("button => button.blur()")
    page.keyboard.press("Space")
    expect(play).to_have_accessible_name("播放")
    screenshot(page, "replay-zh")

    # On a phone the clock stays in sight beside the values that it moves.
    page.set_viewport_size({"width": 390, "height": 844})
    scrubber.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.get_by_test_id("replay-value").last.scroll_into_view_if_needed()
    expect(play).to_be_in_viewport(ratio=1)
    expect(page.get_by_test_id("replay-scrubber")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults(page, "[data-testid=replay-page]") == []
    screenshot(page, "replay-zh-phone")


def test_who_names_no_moment_begins_before_the_first_alarm(visit: Callable[..., Page]) -> None:
    page = visit("operator", "en")

    def one_alarm(route: Route) -> None:
        answer = route.fetch()
        found = answer.json()
        for level in ("P1", "P2", "P3", "P4"):
            found[level] = [0] * len(found[level])
        found["P2"][len(found["P2"]) // 2] = 1
        route.fulfill(response=answer, json=found)

    page.route("**/replay/density?*", one_alarm)
    page.goto("/replay")
    scrubber = page.get_by_test_id("replay-scrubber")
    half_before = "slider => (Number(slider.max) + Number(slider.min)) / 2 - Number(slider.value)"
    page.wait_for_function("() => document.querySelector('[data-testid=replay-density] .bar')")
    assert 0 <= scrubber.evaluate(half_before) - 30_000 < 2_000
