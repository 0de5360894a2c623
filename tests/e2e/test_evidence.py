"""An alarm whose gateway has no camera: its page says who was asked, then shows what that camera saw."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import SECOND_US
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.snapshot import Snapshot
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running, running_centre
from tests.central.systems.test_witness import WANTED, eyes_manifest, orders
from tests.e2e.console import console, shot
from tests.protocols.field.camera.harness import jpeg


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_page_of_an_alarm_that_a_neighbour_s_camera_saw(
    database_url: str, tmp_path: Path, language: str
) -> None:
    async with (
        running_centre(database_url, tmp_path) as city,
        city.gateway() as gateway,
        city.gateway("gw-eyes", eyes_manifest()) as eyes,
        console(city, Role.OPERATOR, language) as page,
    ):
        await eyes.tell(pictures=WANTED)
        await gateway.alarm("now", 1, AlarmEvent.ACT, at_us=city.clock.now, value=3.4)
        (order,) = await orders(city, eyes)
        await page.goto("/alarms/now")
        asked = page.get_by_test_id("evidence-asked")
        await expect(asked).to_contain_text({"en": "has been asked", "zh": "已向它要画面"}[language])
        await expect(asked).to_contain_text("95 m")
        await asked.scroll_into_view_if_needed()
        await shot(page, f"evidence-asked-{language}")
        failed = CommandOutcome(
            command=order.id,
            state=CommandState.FAILED,
            finished_us=city.clock.now,
            reason="no-picture",
            detail="dark",
        )
        await eyes.outcome(failed)
        await page.reload()
        await expect(asked).to_have_attribute("data-failed", "true")
        await expect(asked).to_contain_text(
            {"en": "the camera gave none", "zh": "摄像机没有给出画面"}[language]
        )
        await shot(page, f"evidence-failed-{language}", phone=True)
        await _comes(page, city, eyes, order.id)
        await shot(page, f"evidence-{language}", phone=True)


async def _comes(page: Page, city: Running, eyes: FieldGateway, order: str) -> None:
    """Let the picture come after all; the page shows it with camera, distance and age."""
    taken = Snapshot(
        camera="near", taken_us=city.clock.now + 4 * SECOND_US, cause="order", order=order, data=jpeg(120)
    )
    assert (await eyes.picture(taken, 1)).status_code == 200
    await page.reload()
    picture = page.locator("[data-testid=evidence-picture][data-moment=at]")
    await expect(picture).to_have_count(1)
    await expect(page.get_by_test_id("evidence-neighbour")).to_be_visible()
    await expect(page.get_by_test_id("evidence-asked")).to_have_count(0)
    await expect(page.get_by_test_id("evidence-age")).to_contain_text("4 ")
    await expect(page.get_by_test_id("alarm-evidence")).to_contain_text("95 m")
    image = picture.locator("img")
    await image.scroll_into_view_if_needed()
    assert await image.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
