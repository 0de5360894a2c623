"""An administrator pushes a configuration from the console to a real gateway, and sees what comes of it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect as expect_async
from playwright.sync_api import Page, expect

from central.security.roles import Role
from tests.central.systems.running import running_centre
from tests.e2e.conftest import screenshot
from tests.e2e.console import console, shot
from tests.e2e.field_gateway import PUMP, FieldGateway, field_gateway

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


def enrolled(gateway: FieldGateway, code: str) -> None:
    """Spend a code as the technician does, while the gateway runs."""
    subprocess.run(
        [sys.executable, "-m", "edge", "enrol", "gateway.yaml", code],
        cwd=gateway.folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_new_gateway_is_seen_to_come_where_its_code_was_made(
    database_url: str, tmp_path: Path, language: str
) -> None:
    words = {
        "zh": ("等待网关接入", r"已接入，[1-9]\d* 个测点"),
        "en": ("Waits for the gateway", r"Connected, [1-9]\d* points"),
    }
    waits, came = words[language]
    async with (
        running_centre(database_url, tmp_path / "centre") as city,
        console(city, Role.ADMIN, language) as page,
    ):
        await page.goto("/gateways")
        await page.get_by_test_id("enrol-open").click()
        await page.get_by_test_id("enrol-id").fill("GW field")
        await page.keyboard.press("Enter")
        await expect_async(page.get_by_test_id("enrol-submit")).to_be_disabled()
        await page.get_by_test_id("enrol-id").fill("gw-field")
        await page.keyboard.press("Enter")
        code = page.get_by_test_id("enrolment-code")
        await expect_async(code).to_have_text(re.compile(r"^[0-9A-Z-]{20,}$"))
        state = page.get_by_test_id("enrol-state")
        await expect_async(state).to_contain_text(waits)
        await shot(page, f"enrol-waits-{language}", phone=True)
        here = urlsplit(page.url)
        street = replace(PUMP, file=f'{PUMP.file}centre: {{{{url: "{here.scheme}://{here.netloc}"}}}}\n')
        (tmp_path / "field").mkdir()
        field = field_gateway(tmp_path / "field", street)
        gateway = await asyncio.to_thread(field.__enter__)
        try:
            await asyncio.to_thread(enrolled, gateway, await code.inner_text())
            await expect_async(state).to_have_attribute("data-state", "online")
            await expect_async(state).to_contain_text(re.compile(came))
            await shot(page, f"enrol-came-{language}", phone=True)
            await state.get_by_role("link").click()
            await expect_async(page.get_by_test_id("gateway-memory")).to_be_visible()
            await page.goto("/devices/gw-field.pump1")
            await expect_async(page.get_by_text("°C").first).to_be_visible()
        finally:
            await asyncio.to_thread(field.__exit__, None, None, None)
