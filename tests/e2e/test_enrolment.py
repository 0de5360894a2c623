"""A new gateway, from its code in the console to its first value there: a real gateway with a real pump."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from central.security.roles import Role
from tests.central.systems.running import running_centre
from tests.e2e.console import console, shot
from tests.e2e.field_gateway import PUMP, FieldGateway, field_gateway

pytestmark = pytest.mark.browser


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
        await expect(page.get_by_test_id("enrol-submit")).to_be_disabled()
        await page.get_by_test_id("enrol-id").fill("gw-field")
        await page.keyboard.press("Enter")
        code = page.get_by_test_id("enrolment-code")
        await expect(code).to_have_text(re.compile(r"^[0-9A-Z-]{20,}$"))
        state = page.get_by_test_id("enrol-state")
        await expect(state).to_contain_text(waits)
        await shot(page, f"enrol-waits-{language}", phone=True)
        here = urlsplit(page.url)
        street = replace(PUMP, file=f'{PUMP.file}centre: {{{{url: "{here.scheme}://{here.netloc}"}}}}\n')
        (tmp_path / "field").mkdir()
        field = field_gateway(tmp_path / "field", street)
        gateway = await asyncio.to_thread(field.__enter__)
        try:
            await asyncio.to_thread(enrolled, gateway, await code.inner_text())
            await expect(state).to_have_attribute("data-state", "online")
            await expect(state).to_contain_text(re.compile(came))
            await shot(page, f"enrol-came-{language}", phone=True)
            await state.get_by_role("link").click()
            await expect(page.get_by_test_id("gateway-memory")).to_be_visible()
            await page.goto("/devices/gw-field.pump1")
            await expect(page.get_by_text("°C").first).to_be_visible()
        finally:
            await asyncio.to_thread(field.__exit__, None, None, None)
