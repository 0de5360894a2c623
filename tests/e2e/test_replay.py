"""The past as an operator looks at it: a moment by keyboard, a site's values then, the clock let run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import screenshot

pytestmark = pytest.mark.browser


def test_a_past_moment_is_chosen_read_and_let_run(visit: Callable[..., Page]) -> None:
    page = visit("operator", "en")
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
