"""An administrator pushes a configuration from the console to a real gateway, and sees what comes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import screenshot

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]


def test_a_configuration_is_pushed_from_what_runs(visit: Visit) -> None:
    page = visit(user="admin", at="/gateways/gw-north")
    state = page.get_by_test_id("gateway-config")
    expect(state).to_have_attribute("data-state", "same")
    page.get_by_test_id("config-edit").click()
    text = page.get_by_test_id("config-text")
    text.wait_for()
    assert "gw-north" in text.input_value()
    text.fill(text.input_value() + "# looked at from the console\n")
    page.get_by_test_id("config-note").fill("a remark")
    page.get_by_test_id("config-push").click()
    order = page.get_by_test_id("order").filter(has_text="a remark")
    expect(order).to_be_visible()
    expect(order).not_to_have_attribute("data-state", "pending")
    expect(state).to_have_attribute("data-state", "probation")
    screenshot(page, "gateway")


def test_an_operator_sees_and_cannot_ask(visit: Visit) -> None:
    page = visit(at="/gateways/gw-north", viewport={"width": 390, "height": 844})
    expect(page.get_by_test_id("gateway-memory")).to_be_visible()
    expect(page.get_by_test_id("config-edit")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
