"""The registry as its keeper uses it: search by keyboard, write over a gateway's word, import a file."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.conftest import screenshot


def test_a_site_is_found_by_keyboard_renamed_and_imported(visit: Callable[..., Page]) -> None:
    page = visit("admin", "zh")
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    page.keyboard.press("Control+k")
    page.get_by_test_id("search-input").fill("ps-riverside")
    expect(page.get_by_test_id("search-hit").first).to_have_attribute("data-id", "ps-riverside")
    screenshot(page, "registry-search")
    page.keyboard.press("Enter")
    page.get_by_test_id("thing-edit").click()
    page.get_by_test_id("field-grid_cell").fill("12")
    expect(page.get_by_test_id("fault-grid_cell")).to_be_visible()
    expect(page.get_by_test_id("thing-save")).to_be_disabled()
    page.get_by_test_id("field-grid_cell").fill("310101001001001")
    page.get_by_test_id("field-name_zh").fill("滨江排涝站")
    page.get_by_test_id("thing-save").click()
    expect(page.get_by_role("heading", name="滨江排涝站")).to_be_visible()
    expect(page.get_by_test_id("thing-page")).to_contain_text("网关申报：滨江泵站")
    expect(page.get_by_test_id("history-entry")).to_have_count(2)
    screenshot(page, "registry-site")
    page.get_by_test_id("nav-registry").click()
    page.get_by_test_id("registry-import").click()
    wrong = "id,name_zh,grid_cell\nps-riverside,滨江泵站,1\n"
    chosen = page.get_by_test_id("import-file")
    chosen.set_input_files({"name": "sites.csv", "mimeType": "text/csv", "buffer": wrong.encode("gbk")})
    expect(page.get_by_test_id("import-mistakes")).to_contain_text("grid_cell")
    right = wrong.replace(",1\n", ",\n").encode()
    chosen.set_input_files({"name": "sites.csv", "mimeType": "text/csv", "buffer": right})
    expect(page.get_by_test_id("import-steps")).to_contain_text("滨江泵站")
    page.get_by_test_id("import-apply").click()
    expect(page.locator("[data-testid=import-sums][data-applied=true]")).to_be_visible()
    page.get_by_test_id("import-close").click()
    expect(page.locator("[data-id=ps-riverside]")).to_contain_text("滨江泵站")


def test_a_department_sees_what_it_owns(visit: Callable[..., Page]) -> None:
    page = visit("operator", "zh", at="/registry?department=water")
    sites = page.locator("[data-id]")
    expect(sites).to_have_count(4)
    expect(sites.first).to_contain_text("水务局")
    page = visit("drainage", "en", at="/registry")
    expect(sites := page.locator("[data-id]")).to_have_count(4)
    assert all("Drainage office" in text for text in sites.all_inner_texts())
    page.goto("/registry?department=water")
    expect(sites).to_have_count(0)
