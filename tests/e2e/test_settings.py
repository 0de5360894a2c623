"""The settings: an account is made, used and sent out; a token opens and ends; the audit tells it all."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import City, screenshot

pytestmark = pytest.mark.browser

NAME, FIRST, SECOND = "night.watch", "first of many rivers", "second of many rivers"


def test_an_account_is_made_signs_in_changes_its_password_and_is_sent_out(visit: Callable[..., Page]) -> None:
    admin = visit("admin", "zh", at="/settings/accounts")
    admin.get_by_test_id("account-new").click()
    admin.get_by_test_id("account-username").fill(NAME)
    admin.get_by_test_id("account-name").fill("夜班 Night watch")
    admin.get_by_test_id("account-password").fill(FIRST)
    admin.get_by_test_id("account-save").click()
    expect(admin.get_by_test_id(f"account-{NAME}")).to_contain_text("值班员")

    watch = visit(None, "en")
    watch.get_by_test_id("sign-in-username").fill(NAME)
    watch.get_by_test_id("sign-in-password").fill(FIRST)
    watch.keyboard.press("Enter")
    watch.get_by_test_id("overview").wait_for()
    watch.goto("/settings/me")
    expect(watch.get_by_test_id("settings-accounts")).to_have_count(0)
    form = watch.get_by_test_id("password-form")
    form.get_by_test_id("password-old").fill(FIRST)
    form.get_by_test_id("password-new").fill(SECOND)
    form.get_by_test_id("password-again").fill("another")
    expect(form.get_by_test_id("password-save")).to_be_disabled()
    form.get_by_test_id("password-again").fill(SECOND)
    watch.keyboard.press("Enter")
    expect(form.get_by_test_id("password-old")).to_have_value("")

    # Its session is ended from the list of all; the page goes to where one signs in.
    admin.get_by_test_id("settings-sessions").click()
    theirs = admin.get_by_test_id("session-row").filter(has_text=NAME)
    expect(theirs).to_have_count(1)
    theirs.get_by_role("button").click()
    expect(theirs).to_have_count(0)
    watch.reload()
    watch.get_by_test_id("sign-in-form").wait_for()

    # Switched off, the right password opens nothing.
    admin.get_by_test_id("settings-accounts").click()
    admin.get_by_test_id(f"account-{NAME}").click()
    admin.get_by_test_id("account-off").click()
    admin.get_by_test_id("account-save").click()
    expect(admin.get_by_test_id(f"account-{NAME}")).to_contain_text("停用")
    watch.get_by_test_id("sign-in-username").fill(NAME)
    watch.get_by_test_id("sign-in-password").fill(SECOND)
    watch.keyboard.press("Enter")
    expect(watch.get_by_test_id("sign-in-error")).to_be_visible()

    # The audit tells it, and its chain is whole.
    admin.get_by_test_id("settings-audit").click()
    admin.get_by_test_id("audit-what").fill(NAME)
    expect(admin.get_by_test_id("audit-row").first).to_contain_text("admin")
    expect(admin.get_by_test_id("audit-row").filter(has_text="新建账号")).to_have_count(1)
    admin.get_by_test_id("audit-row").first.get_by_role("button").click()
    admin.get_by_test_id("audit-prove").click()
    expect(admin.get_by_test_id("audit-proof")).to_contain_text("链头")
    screenshot(admin, "audit-zh")


def test_a_token_is_shown_once_opens_the_api_and_ends(visit: Callable[..., Page], city: City) -> None:
    page = visit("operator", "en", at="/settings/me")
    page.get_by_test_id("token-new").click()
    page.get_by_test_id("token-name").fill("report")
    page.get_by_test_id("token-make").click()
    secret = page.get_by_test_id("token-secret").inner_text().strip()

    def asked() -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx2.get(f"{city.url}/api/v1/overview", headers=headers, trust_env=False).status_code

    assert asked() == 200
    # A page that came over plain HTTP from another machine has no clipboard of its own.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    copy = page.get_by_test_id("token-secret").get_by_role("button", name="Copy")
    copy.click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    expect(copy).to_be_focused()
    page.evaluate("document.execCommand = () => false")
    copy.click()
    expect(page.get_by_text("select the words and press Ctrl C")).to_be_visible()
    page.keyboard.press("Escape")
    row = page.get_by_test_id("token-row").filter(has_text="report")
    expect(row).to_be_visible()
    assert secret not in page.content()
    page.keyboard.press("Control+k")
    page.get_by_test_id("search-input").press("Control+v")
    expect(page.get_by_test_id("search-input")).to_have_value(secret)
    page.keyboard.press("Escape")
    row.get_by_role("button").click()
    page.get_by_test_id("token-end").click()
    expect(row).to_have_count(0)
    assert asked() == 401
