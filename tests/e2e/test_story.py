"""An operator's storm, in a real browser on the real demo: from the first alarm to the closed case."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import City, screenshot

# One group: a second worker would start a second city.
pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
STORM_MS = 150_000
WORDED = {"done", "verify"}
"""Steps for which the page opens a sheet, some time after the click."""


def test_a_wrong_password_is_refused_in_words(visit: Visit) -> None:
    page = visit(user=None)
    page.get_by_test_id("sign-in-username").fill("operator")
    page.get_by_test_id("sign-in-password").fill("wrong")
    page.get_by_test_id("sign-in-submit").click()
    expect(page.get_by_test_id("sign-in-error")).to_contain_text(re.compile(r"\w{3,}"))


def test_the_language_switches_every_word(visit: Visit) -> None:
    page = visit()
    expect(page.get_by_test_id("nav-alarms")).to_contain_text("Alarms")
    page.get_by_test_id("language-zh").click()
    expect(page.get_by_test_id("nav-alarms")).to_contain_text("报警")
    page.reload()
    expect(page.get_by_test_id("nav-alarms")).to_contain_text("报警")


def test_a_command_starts_the_pump_and_the_level_falls(visit: Visit, city: City) -> None:
    page = visit(at="/devices/gw-north.ps-riverside-pump1")
    page.get_by_test_id("command-open-run-command").click()
    page.get_by_test_id("command-choice-1").click()
    page.get_by_test_id("command-submit").click()
    page.get_by_test_id("command-confirm").click()
    expect(page.get_by_test_id("command-outcome")).to_have_attribute("data-state", "verified")
    screenshot(page, "command")
    page.get_by_test_id("command-close").click()
    expect(page.get_by_test_id("command-log").locator("[data-state=verified]").first).to_be_visible()
    page.goto("/devices/gw-north.ps-riverside-well")
    level = page.locator('[data-point="gw-north.ps-riverside-well.level"]').get_by_test_id("point-value")
    before = _number(level.inner_text())
    page.wait_for_function(
        '([id, before]) => parseFloat(document.querySelector(`[data-point="${id}"]'
        " [data-testid=point-value]`)?.textContent) < before - 0.02",
        arg=["gw-north.ps-riverside-well.level", before],
        timeout=STORM_MS,
    )


def test_from_the_alarm_to_the_closed_case(visit: Visit, city: City) -> None:
    page = visit(at="/alarms?state=active")
    page.get_by_test_id("alarm-list").wait_for()
    urgent = page.locator(
        '[data-testid=alarm-row][data-priority="P2"], [data-testid=alarm-row][data-priority="P1"]'
    )
    expect(urgent).to_have_count(0)
    city.weather("rainstorm")

    # It rises by itself, on an open page.
    expect(urgent.first).to_be_visible(timeout=STORM_MS)
    alarm = urgent.first.get_attribute("data-alarm-id")
    row = page.locator(f'[data-testid=alarm-row][data-alarm-id="{alarm}"]')
    row.get_by_test_id("ack-button").click()
    expect(row).to_have_attribute("data-state", re.compile("ACKED|NORM"))
    screenshot(page, "alarms")

    page.goto(f"/alarms/{alarm}")
    expect(page.get_by_test_id("alarm-journal").get_by_test_id("step").first).to_be_visible()
    expect(page.get_by_test_id("alarm-journal")).to_contain_text("operator")
    screenshot(page, "alarm")

    page.get_by_test_id("nav-cases").click()
    page.get_by_test_id("to-events").click()
    event = page.get_by_test_id("event-card").first
    event.get_by_test_id("event-open-case").click()
    page.get_by_test_id("case-create").click()
    case = page.get_by_test_id("case-page")
    expect(case).to_have_attribute("data-state", "PENDING_DISPATCH")
    page.get_by_test_id("case-assign").click()
    page.get_by_test_id("assign-unit").click()
    page.locator(".n-base-select-option").first.click()
    page.get_by_test_id("assign-submit").click()
    expect(case).to_have_attribute("data-state", "HANDLING")
    for action in ("accept", "on-site", "done"):
        _step(page, action)
    expect(case).to_have_attribute("data-state", "PENDING_CHECK")
    _step(page, "verify")
    expect(case).to_have_attribute("data-state", "PENDING_CLOSE")
    page.get_by_test_id("case-close").click()
    page.get_by_test_id("case-close-words").fill("Pumped dry, road open again")
    page.get_by_test_id("case-close-submit").click()
    expect(case).to_have_attribute("data-state", "CLOSED")
    steps = page.get_by_test_id("case-steps").get_by_test_id("step")
    assert steps.count() >= 7
    for step in steps.all():
        expect(step).to_contain_text(re.compile(r"\d\d:\d\d"))
    screenshot(page, "case")


def _step(page: Page, action: str) -> None:
    """Take a step, with the words that it may have; return when it is no longer offered."""
    offered, confirm = page.get_by_test_id(f"task-{action}"), page.get_by_test_id("task-submit")
    # The feed may show the step before its own request has ended; until then the page takes no click.
    expect(offered).not_to_have_class(re.compile("n-button--loading"))
    offered.click()
    if action in WORDED:
        confirm.click()
    expect(offered).to_have_count(0)
    expect(confirm).to_have_count(0)


def _number(text: str) -> float:
    found = re.search(r"-?\d+(\.\d+)?", text)
    assert found, f"no number in {text!r}"
    return float(found[0])
