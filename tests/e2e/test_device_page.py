"""A device's page: age of values, neighbours on the bus, what happened; and how long readings stay."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page, expect

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import SECOND_US
from tests.central.systems.running import Running, running_centre
from tests.central.systems.test_device_page import CONFIG, show_configuration
from tests.e2e.console import console, shot


async def test_a_device_with_its_bus_and_its_story_and_what_is_kept(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        running_centre(database_url, tmp_path) as city,
        city.gateway() as gateway,
        console(city, Role.ADMIN) as page,
    ):
        now = city.clock()
        await gateway.readings(0, [now - 10 * SECOND_US, now], [2.4, 3.4])
        await gateway.readings(1, [now - 7200 * SECOND_US], [12.0])
        await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=now, value=3.4)
        await city.post("/alarms/a1/acknowledge", {"comment": "seen"})
        await city.post("/commands", {"point": "gw-north.pump1.run", "value": 1}, expect=202)
        await show_configuration(city, gateway, CONFIG)
        await page.goto("/devices/gw-north.well")
        old = page.locator("[data-point='gw-north.well.flow']")
        await expect(old.get_by_test_id("freshness")).to_have_attribute("data-step", "silent")
        await expect(page.get_by_test_id("bus-neighbour")).to_have_attribute("data-state", "stale")
        await expect(page.get_by_test_id("device-bus")).to_contain_text("line-1")
        story = page.get_by_test_id("story-row")
        await expect(story.first).to_contain_text("Acknowledged")
        await expect(page.locator("[data-testid=story-row][data-kind=alarm]")).to_have_count(2)
        await shot(page, "device", phone=True)
        await page.get_by_test_id("trends-level").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/trends?points=gw-north.well.level*")
        await page.goto("/devices/gw-north.pump1")
        await expect(story).to_have_attribute("data-kind", "command")
        await page.get_by_test_id("language-zh").click()
        await expect(page.get_by_test_id("device-bus")).to_contain_text("同一总线")
        await shot(page, "device-zh", phone=True)
        await page.goto("/gateways/gw-north")
        await expect(page.get_by_test_id("gateway-config")).to_contain_text("3")
        await shot(page, "gateway-zh", phone=True)
        await _kept(page, city)


async def _kept(page: Page, city: Running) -> None:
    await page.goto("/settings/retention")
    await expect(page.locator("[data-testid=class-card][data-class=diagnostic]")).to_contain_text("90")
    await expect(page.get_by_test_id("holdings")).to_contain_text("原始数据")
    await expect(page.get_by_test_id("next-look")).to_contain_text("下次")
    kind = page.locator("[data-testid=kind-row][data-kind=pump]")
    await kind.locator(".n-base-selection").click()
    await page.get_by_text("诊断", exact=True).last.click()
    await shot(page, "retention-ask")
    await page.get_by_test_id("retention-yes").click()
    await expect(page.locator("[data-testid=class-card][data-class=diagnostic]")).to_contain_text("1 个测点")
    assert (await city.get("/retention", Role.ADMIN))["kinds"] == {"pump": "diagnostic"}
    await shot(page, "retention-zh", phone=True)
    await page.get_by_test_id("language-en").click()
    await shot(page, "retention")
