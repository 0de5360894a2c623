"""The technician's page in a real browser at the width of a phone, on a real gateway with a real pump."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from playwright.sync_api import Browser, expect

from tests.e2e.axe import faults
from tests.e2e.conftest import screenshot
from tests.e2e.field_gateway import (
    PASSWORD,
    PHONE,
    SMALL_TARGETS,
    FieldGateway,
    Open,
    field_gateway,
    technician,
)
from tests.protocols.field.opcua.harness import OpcUaServer

# In the group of the other browser tests: two browsers and their gateways are too much for two cores.
pytestmark = pytest.mark.browser

PAGES = {
    "/": "overview", "/devices": "devices", "/devices/pump1": "device",
    "/devices/pump1?point=bearing-temp": "trend", "/devices/_gateway": "device", "/alarms": "alarms",
    "/config": "config", "/config/edit": "edit", "/config/1": "version-page", "/tools": "tools",
    "/tools/scan": "scan", "/tools/decode": "decode", "/tools/logs": "logs", "/tools/queue": "queue",
    "/no-such-page": "missing",
}  # fmt: skip
"""Every address, and what is on its page and on none before it."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[FieldGateway]:
    """One gateway for the module; started after the browser was found."""
    with field_gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def visit(gateway: FieldGateway, browser: Browser) -> Iterator[Open]:
    """Return a function that opens a page of the gateway."""
    with technician(gateway, browser) as open_page:
        yield open_page


def test_a_wrong_password_is_refused_in_the_chosen_language(visit: Open) -> None:
    page = visit(sign_in=False, language="zh")
    page.get_by_test_id("sign-in-password").fill("not the password")
    page.get_by_test_id("sign-in-submit").click()
    expect(page.get_by_test_id("sign-in-error")).to_contain_text("密码不正确")
    page.get_by_test_id("language-en").click()
    expect(page.get_by_test_id("sign-in-error")).to_contain_text("The password is not right")
    page.get_by_test_id("sign-in-password").fill(PASSWORD)
    page.get_by_test_id("sign-in-submit").click()
    expect(page.get_by_test_id("overview")).to_be_visible()


def test_without_a_password_the_page_says_how_to_set_one(visit: Open, gateway: FieldGateway) -> None:
    stored = gateway.folder / "state" / "page.json"
    aside = stored.rename(stored.with_suffix(".aside"))
    try:
        page = visit(sign_in=False)
        expect(page.get_by_test_id("no-password")).to_contain_text("citynerve-edge page password")
        expect(page.get_by_test_id("sign-in-form")).to_have_count(0)
    finally:
        aside.rename(stored)


def test_the_language_switches_every_page_and_is_kept(visit: Open) -> None:
    page = visit(language="zh")
    expect(page.get_by_test_id("nav-alarms")).to_contain_text("报警")
    expect(page.get_by_test_id("tile-buffer")).to_contain_text("数据缓存")
    page.get_by_test_id("language-en").click()
    expect(page.get_by_test_id("nav-alarms")).to_contain_text("Alarms")
    page.reload()
    expect(page.get_by_test_id("tile-buffer")).to_contain_text("Buffer")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_on_a_phone_nothing_is_cut_small_or_left_in_the_other_language(visit: Open, language: str) -> None:
    page = visit(language=language)
    for path, mark in PAGES.items():
        page.goto("/#/tools")
        page.get_by_test_id("tools").wait_for()
        page.goto(f"/#{path}")
        page.get_by_test_id(mark).wait_for()
        expect(page.get_by_role("status").filter(has_text=re.compile("Loading|加载中"))).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        assert page.evaluate(SMALL_TARGETS) == [], path
        assert faults(page, words=language == "en") == [], path
        if language == "en":
            assert not re.search(r"[一-鿿]", page.locator("main.page").inner_text()), path
        screenshot(
            page, f"page-{language}-{path.strip('/').replace('/', '-').partition('?')[0] or 'overview'}"
        )


def test_a_value_is_live_and_says_its_age_and_quality(visit: Open) -> None:
    page = visit("/devices/pump1")
    row = page.locator('[data-point="pump1.bearing-temp"]')
    expect(row.get_by_test_id("quality")).to_have_attribute("data-quality", "good")
    expect(row.get_by_test_id("age")).to_contain_text(re.compile(r"now|\d+ s ago"))
    expect(row.get_by_test_id("value")).to_contain_text("°C")
    current = page.locator('[data-point="pump1.current"]').get_by_test_id("value")
    before = current.inner_text()
    expect(current).not_to_have_text(before)


def test_a_trend_is_drawn_from_the_buffer(visit: Open) -> None:
    page = visit("/devices/pump1?point=current")
    page.get_by_test_id("chart").locator("canvas").wait_for()
    expect(page.get_by_test_id("trend")).to_contain_text("Min–max")


def test_a_write_is_asked_done_and_read_back(visit: Open) -> None:
    page = visit("/devices/pump1?point=speed-setpoint")
    page.get_by_test_id("write").click()
    page.get_by_test_id("write-value").fill("99")
    page.get_by_test_id("write-next").click()
    expect(page.get_by_test_id("write-wrong")).to_contain_text("50")
    page.get_by_test_id("write-value").fill("41.5")
    page.get_by_test_id("write-next").click()
    expect(page.get_by_test_id("write-asked")).to_contain_text("41.5 Hz")
    screenshot(page, "page-write")
    page.get_by_test_id("write-confirm").click()
    outcome = page.get_by_test_id("write-outcome")
    expect(outcome).to_have_attribute("data-state", "verified")
    expect(outcome).to_contain_text("41.5 Hz")
    page.get_by_test_id("write-done").click()
    page.get_by_test_id("read").click()
    expect(page.get_by_test_id("read-result")).to_contain_text("41.5 Hz")


def test_local_manual_is_taken_with_a_reason_and_given_back(visit: Open) -> None:
    page = visit("/devices/pump1")
    page.get_by_test_id("manual").click()
    page.get_by_test_id("manual-submit").click()
    expect(page.get_by_role("alert")).to_contain_text("reason")
    page.get_by_test_id("manual-reason").fill("working on the coupling")
    page.get_by_test_id("manual-submit").click()
    expect(page.get_by_test_id("manual")).to_contain_text("Give control back")
    page.get_by_test_id("manual").click()
    page.get_by_test_id("manual-reason").fill("done")
    page.get_by_test_id("manual-submit").click()
    expect(page.get_by_test_id("manual")).to_contain_text("Take local control")


def test_an_alarm_is_acknowledged_with_a_comment(visit: Open) -> None:
    page = visit("/alarms")
    alarm = page.locator('[data-testid=alarm][data-rule="pump1.warm"]')
    expect(alarm).to_have_attribute("data-state", "UNACK")
    alarm.get_by_test_id("alarm-ack").click()
    page.get_by_test_id("act-comment").fill("seen at the pump")
    page.get_by_test_id("act-submit").click()
    expect(alarm).to_have_attribute("data-state", "ACKED")
    expect(alarm).to_contain_text("page:127.0.0.1")
    alarm.get_by_test_id("alarm-shelve").click()
    page.get_by_test_id("act-submit").click()
    expect(page.get_by_role("alert")).to_contain_text("Give a reason")


def test_a_mistake_is_shown_with_its_line_then_applied_and_taken_back(visit: Open) -> None:
    page = visit("/config/edit")
    editor = page.get_by_test_id("editor")
    expect(editor).to_have_value(re.compile("profile: city.pump"))
    text = editor.input_value()
    line = text.split("\n").index("    profile: city.pump") + 1
    editor.fill(text.replace("profile: city.pump", "profile: city.pumpe"))
    mistake = page.get_by_test_id("mistake")
    expect(mistake).to_have_attribute("data-line", str(line))
    expect(mistake).to_contain_text("city.pump")
    expect(page.get_by_test_id("apply")).to_be_disabled()
    screenshot(page, "page-mistake")

    editor.fill(text.replace("一号水泵, en: Pump 1", "进水泵, en: Inlet pump"))
    expect(page.get_by_test_id("check-state")).to_have_attribute("data-state", "ok")
    page.get_by_test_id("apply").click()
    expect(page.get_by_test_id("diff")).to_contain_text("+    name: {zh: 进水泵, en: Inlet pump}")
    page.get_by_test_id("apply-note").fill("the pump's right name")
    page.get_by_test_id("apply-submit").click()
    newest = page.get_by_test_id("version").first
    expect(newest).to_contain_text("the pump's right name")
    # The gateway keeps it by itself once the pump is heard again; a person may be quicker.
    confirm, status = page.get_by_test_id("config-confirm"), page.get_by_test_id("config-status")
    expect(confirm.or_(page.locator("[data-testid=config-status][data-state=same]")).first).to_be_visible()
    if confirm.is_visible():
        confirm.click()
    expect(status).to_have_attribute("data-state", "same")
    screenshot(page, "page-versions")

    page.locator("[data-testid=version][data-number='1']").click()
    page.get_by_test_id("rollback").click()
    page.get_by_test_id("rollback-note").fill("the old name was right")
    page.get_by_test_id("rollback-submit").click()
    expect(page.get_by_test_id("version").first).to_contain_text("the old name was right")
    page.get_by_test_id("config-edit").click()
    expect(page.get_by_test_id("editor")).to_have_value(text)


def test_a_device_is_added_by_the_form_into_the_text(visit: Open) -> None:
    page = visit("/config/edit")
    page.get_by_test_id("add-device").click()
    page.get_by_test_id("profile-search").fill("relay")
    page.get_by_test_id("profile").click()
    page.get_by_test_id("device-key").fill("Relay 1")
    page.get_by_test_id("device-insert").click()
    expect(page.get_by_test_id("sheet")).to_contain_text("Small letters")
    page.get_by_test_id("device-key").fill("relay1")
    page.get_by_test_id("device-unit").fill("9")
    page.get_by_test_id("device-insert").click()
    expect(page.get_by_test_id("check-state")).to_have_attribute("data-state", "ok")
    page.get_by_test_id("show-diff").click()
    expect(page.get_by_test_id("diff")).to_contain_text("+ relay1")
    expect(page.get_by_test_id("diff")).to_contain_text("params: {unit: 9}")


def test_what_was_typed_survives_a_reload_until_it_is_dropped(visit: Open) -> None:
    page = visit("/config/edit")
    editor = page.get_by_test_id("editor")
    expect(editor).to_have_value(re.compile("profile: city.pump"))
    text = editor.input_value()
    editor.fill(text + "# half a thought\n")
    expect(page.get_by_test_id("check-state")).to_have_attribute("data-state", "ok")
    page.reload()
    expect(page.get_by_test_id("draft")).to_be_visible()
    expect(editor).to_have_value(re.compile("half a thought"))
    page.get_by_test_id("draft").get_by_role("button").click()
    expect(editor).to_have_value(text)
    expect(page.get_by_test_id("check-state")).to_have_attribute("data-state", "same")


def test_registers_are_decoded_and_ranked(visit: Open) -> None:
    page = visit("/tools/decode")
    page.get_by_test_id("decode-registers").fill("17254 hello")
    page.get_by_test_id("decode-run").click()
    expect(page.get_by_test_id("decode-wrong")).to_contain_text("hello")
    page.get_by_test_id("decode-registers").fill("0x4366 0x3333")
    page.get_by_test_id("decode-run").click()
    first = page.get_by_test_id("guess").first
    expect(first).to_contain_text("230.2")
    expect(first).to_contain_text("f32 ABCD")


def test_a_scan_finds_the_pump_on_the_line_that_is_polled(visit: Open) -> None:
    page = visit("/tools/scan")
    page.get_by_test_id("scan-line").select_option("line1")
    page.get_by_test_id("scan-last").fill("2")
    page.get_by_test_id("scan-start").click()
    expect(page.get_by_test_id("scan-state")).to_have_attribute("data-state", "done")
    expect(page.locator("[data-testid=found][data-key='1']")).to_contain_text("city.pump")
    page.get_by_test_id("found-use").first.click()
    expect(page.get_by_test_id("device-unit")).to_have_value("1")


@pytest.mark.parametrize(("language", "says"), [("zh", "作为命令"), ("en", "As a command")])
def test_a_scan_shows_a_method_ready_to_be_a_command(visit: Open, language: str, says: str) -> None:
    with OpcUaServer() as server:
        server.run(_doser(server))
        page = visit("/tools/scan", language)
        page.get_by_test_id("scan-opcua").click()
        page.get_by_test_id("scan-url").fill(f"opc.tcp://127.0.0.1:{server.port}/")
        page.get_by_test_id("scan-start").click()
        expect(page.get_by_test_id("scan-state")).to_have_attribute("data-state", "done")
        card = page.get_by_test_id("found").filter(has_text="Doser/Dose")
        expect(card).to_contain_text(says)
        expect(card.get_by_test_id("found-command")).to_contain_text(
            '"method":{"node":"s=Dose","inputs":[{}]}'
        )
        card.scroll_into_view_if_needed()
        screenshot(page, f"scan-method-{language}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.set_viewport_size({"width": 1920, "height": 1080})
        card.scroll_into_view_if_needed()
        screenshot(page, f"scan-method-{language}-wide")


async def _doser(server: OpcUaServer) -> None:
    async def dose(_: ua.NodeId, litres: ua.Variant) -> list[ua.Variant]:
        return [litres]

    def argument(name: str) -> ua.Argument:
        double = ua.NodeId(ua.Int32(ObjectIds.Double))
        return ua.Argument(Name=name, DataType=double, ValueRank=ua.Int32(-1))

    owner = await server.server.nodes.objects.add_object(server.node_id("Doser"), "Doser")
    await owner.add_method(server.node_id("Dose"), "Dose", dose, [argument("Litres")], [argument("Done")])


def test_the_log_can_be_filtered_and_followed(visit: Open) -> None:
    page = visit("/tools/logs")
    page.get_by_test_id("log-filter").fill("connection is open")
    expect(page.get_by_test_id("log-lines").locator("li").first).to_contain_text("connection=line1")


def test_a_restart_of_the_gateway_is_said_and_survived(visit: Open, gateway: FieldGateway) -> None:
    page = visit("/devices/pump1")
    page.get_by_test_id("value").first.wait_for()
    gateway.stop()
    expect(page.get_by_test_id("lost")).to_contain_text("reconnecting")
    gateway.start()
    # Sessions live in the gateway's memory: the page asks for the password, then goes back to where it was.
    page.get_by_test_id("sign-in-password").fill(PASSWORD)
    page.get_by_test_id("sign-in-submit").click()
    expect(page.get_by_test_id("device")).to_be_visible()
    expect(page.get_by_test_id("feed")).to_have_attribute("data-state", "live")
    expect(page.locator('[data-point="pump1.bearing-temp"]').get_by_test_id("value")).to_contain_text("°C")


def test_the_theme_is_light_until_somebody_wants_it_dark(visit: Open) -> None:
    page = visit(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(241, 244, 247)"
    page.get_by_test_id("theme").click()
    page.reload()
    page.get_by_test_id("overview").wait_for()
    assert page.evaluate(ground) == "rgb(7, 13, 22)"


def test_the_page_runs_nothing_but_its_own_scripts(gateway: FieldGateway) -> None:
    answer = httpx2.get(gateway.url, trust_env=False)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    scripts = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert scripts
    assert all(script.startswith("/") and not script.startswith("//") for script in scripts)


def test_nobody_acts_without_the_password(gateway: FieldGateway) -> None:
    headers = {"X-Requested-With": "citynerve"}
    for path, said in (("/api/write", {"point": "pump1.speed-setpoint", "value": 30}), ("/api/manual", {})):
        answer = httpx2.post(gateway.url + path, json=said, headers=headers, trust_env=False)
        assert answer.status_code == 401
