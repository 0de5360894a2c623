"""Notices as an administrator sets them up: wrong words are told beside their field, secrets stay unseen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from central.security.roles import Role
from central.systems.monitoring import alarm_watch
from tests.central.notices.conftest import Told
from tests.central.notices.servers import MailServer, http_server
from tests.central.systems.running import running_centre
from tests.e2e.console import console, shot

PHONE = "+8613800001234"
SECRET = "s3cret-key"


@asynccontextmanager
async def turning(told: Told) -> AsyncIterator[None]:
    """Decide and send as the centre does, while the browser is looked at."""

    async def turn() -> None:
        while True:
            await told.desk.turn()
            await asyncio.sleep(0.2)

    task = asyncio.create_task(turn())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_people_and_systems_are_told_and_it_is_seen(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock jumps below; the gateway, unheard meanwhile, shall not become an alarm of its own.
    monkeypatch.setattr(alarm_watch, "GRACE_S", 3600)
    async with (
        http_server() as http,
        running_centre(database_url, tmp_path, hooks_private=("127.0.0.0/8", "::1")) as city,
        city.gateway() as gateway,
        console(city, Role.ADMIN) as page,
    ):
        told = Told(city, gateway, MailServer(0, ""), http)
        async with turning(told):
            await _channel(page, told)
            await _escalation(page, told)
            await _template(page)
            await _webhook(page, told)
            await _log(page)


async def _channel(page: Page, told: Told) -> None:
    await page.goto("/settings/channels")
    await page.get_by_test_id("channel-new").click()
    url = page.get_by_test_id("channel-url")
    await url.fill("sms.example/send")
    await expect(page.get_by_test_id("fault-url")).to_contain_text("https://host/path")
    await url.fill(f"{told.http.url}/sms?to=${{to}}")
    await expect(page.get_by_test_id("fault-url")).to_have_count(0)
    await page.get_by_test_id("header-add").click()
    await page.get_by_test_id("header-name-0").fill("X-Key")
    await page.get_by_test_id("header-value-0").fill("${secret_key}")
    await page.get_by_test_id("channel-body").fill('{"text": ${short}}')
    await expect(page.get_by_test_id("fault-body")).to_contain_text("JSON")
    await page.get_by_test_id("channel-body").fill('{"text": "${short}"}')
    await page.get_by_test_id("channel-name").fill("Crew SMS")
    await page.get_by_test_id("channel-save").click()
    await expect(page.get_by_test_id("fault-secrets")).to_be_visible()
    await shot(page, "channel-sheet", phone=True)
    await page.get_by_test_id("secret-key").fill(SECRET)
    await page.get_by_test_id("channel-save").click()
    row = page.get_by_test_id("channel-row")
    await row.get_by_test_id("channel-test").click()
    await page.get_by_test_id("trial-to").fill("12")
    await expect(page.get_by_test_id("fault-to")).to_be_visible()
    await page.get_by_test_id("trial-to").fill(PHONE)
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("trial-outcome").get_by_test_id("delivery-state")).to_have_attribute(
        "data-state", "sent"
    )
    assert told.http.got[-1].headers["x-key"] == SECRET
    await page.keyboard.press("Escape")
    await expect(row.get_by_test_id("channel-last").get_by_test_id("delivery-state")).to_be_visible()
    await row.get_by_test_id("channel-edit").click()
    await expect(page.get_by_test_id("secret-key")).to_have_value("")
    assert SECRET not in await page.content()
    await page.keyboard.press("Escape")
    await page.get_by_test_id("channel-new").click()
    await page.get_by_test_id("channel-name").fill("Crew SMS")
    await url.fill(f"{told.http.url}/other")
    await page.get_by_test_id("channel-save").click()
    await expect(page.get_by_test_id("fault-name")).to_contain_text("The name is taken")
    await page.keyboard.press("Escape")
    await shot(page, "channels", phone=True)


async def _escalation(page: Page, told: Told) -> None:
    await page.get_by_test_id("settings-rules").click()
    await page.get_by_test_id("escalation-new").click()
    await page.get_by_test_id("rule-name").fill("Night")
    await page.get_by_test_id("rule-save").click()
    await expect(page.get_by_test_id("fault-steps")).to_contain_text("Tell somebody")
    await page.get_by_test_id("step-0-add").click()
    await page.get_by_test_id("step-0-to-0").click()
    await page.keyboard.type(PHONE)
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("fault-steps")).to_have_count(0)
    await shot(page, "escalation-sheet", phone=True)
    await page.get_by_test_id("rule-save").click()
    await expect(page.get_by_test_id("rule-row")).to_contain_text(PHONE)
    await shot(page, "rules", phone=True)
    alarm = await told.raise_()
    await told.quiet()
    await page.goto(f"/alarms/{alarm}")
    coming = page.get_by_test_id("escalation-next")
    await expect(coming).to_contain_text("step 1 in")
    await expect(page.get_by_test_id("alarm-told")).to_contain_text("Crew SMS")
    told.city.clock.move(301)
    await told.sent(2)
    await page.reload()
    await expect(page.get_by_test_id("told-row")).to_have_attribute("data-state", "sent")
    await expect(page.get_by_test_id("escalation")).to_contain_text("step 1 was sent")
    await shot(page, "alarm-told", phone=True)


async def _template(page: Page) -> None:
    await page.goto("/settings/templates")
    subject = page.get_by_test_id("template-subject")
    await subject.fill("Flood ${sight}")
    await expect(page.get_by_test_id("fault-subject")).to_contain_text("${sight}")
    await expect(page.get_by_test_id("template-save")).to_be_disabled()
    await subject.fill("Flood at ${site}")
    await expect(page.get_by_test_id("preview-subject")).to_have_text("Flood at Riverside station")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("template-reset")).to_be_visible()
    await shot(page, "templates", phone=True)


async def _webhook(page: Page, told: Told) -> None:
    await page.get_by_test_id("settings-webhooks").click()
    await page.get_by_test_id("webhook-new").click()
    await page.get_by_test_id("webhook-name").fill("Water bureau")
    await page.get_by_test_id("webhook-url").fill(f"{told.http.url}/hook")
    await page.get_by_test_id("webhook-save").click()
    await expect(page.get_by_test_id("webhook-secret")).to_contain_text("whsec_")
    await page.get_by_test_id("secret-kept").click()
    await expect(page.get_by_test_id("webhook-secret")).to_have_count(0)
    row = page.get_by_test_id("webhook-row")
    await row.get_by_test_id("webhook-ping").click()
    sent = row.get_by_test_id("delivery-row")
    await expect(sent).to_have_attribute("data-state", "sent")
    await sent.get_by_test_id("delivery-open").click()
    await expect(page.get_by_test_id("delivery-try")).to_contain_text("200")
    await page.keyboard.press("Escape")
    await sent.get_by_test_id("delivery-again").click()
    await expect(row).to_have_attribute("data-state", "on")
    await row.get_by_test_id("webhook-pause").click()
    await expect(row).to_have_attribute("data-state", "paused")
    await shot(page, "webhooks", phone=True)


async def _log(page: Page) -> None:
    await page.get_by_test_id("language-zh").click()
    await page.get_by_test_id("settings-log").click()
    rows = page.get_by_test_id("delivery-row")
    await expect(rows).to_have_count(2)
    await page.get_by_test_id("tab-refused").click()
    await expect(rows).to_have_count(0)
    await page.get_by_test_id("tab-sent").click()
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("已送达")
    await shot(page, "log", phone=True)
    await page.get_by_test_id("settings-channels").click()
    await expect(page.get_by_test_id("channel-row")).to_contain_text("密钥：key")
    await shot(page, "channels-zh", phone=True)
    await page.get_by_test_id("settings-rules").click()
    await page.get_by_test_id("rule-edit").click()
    await shot(page, "escalation-sheet-zh", phone=True)
