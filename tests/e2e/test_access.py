"""axe over every page of the console, in both languages: no serious fault of access.

The pages are gone to inside the one document, as a link does it, so that the console is loaded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import faults

pytestmark = pytest.mark.browser

DEVICE = "gw-north.ps-riverside-pump1"
POINT = "gw-north.ps-riverside-well.level"
PAGES = {
    "/": "[data-testid=overview] .feed, [data-testid=overview] .empty",
    "/alarms": "[data-testid=alarm-list]",
    "/alarms/health": "[data-testid^=figure-]",
    f"/map?device={DEVICE}": "[data-testid=card-value]",
    "/devices": "[data-testid=device-row]",
    f"/devices/{DEVICE}": "[data-testid=point-value]",
    f"/trends?points={POINT}&span=900": "[data-testid=trends-row]",
    "/replay": "[data-testid=replay-density] .at",
    "/cases": "[data-testid=case-list]",
    "/events": "[data-testid=event-list], [data-testid=empty]",
    "/cameras": "[data-testid=camera-tile]",
    "/cameras/gw-north.ps-riverside-cam": "[data-testid=camera-page]",
    "/gateways": "[data-testid=gateway-card]",
    "/gateways/gw-north": "[data-testid=gateway-memory]",
    "/registry": "[role=row][href]",
    f"/registry/devices/{DEVICE}": "[data-testid=thing-page]",
    "/settings/me": "[data-testid=factor-panel]",
    "/settings/accounts": "[data-testid=account-admin]",
    "/settings/roles": "[data-testid=role-new]",
    "/settings/tokens": ".settings .panel",
    "/settings/sessions": "[data-testid=session-row]",
    "/settings/channels": "[data-testid=channels]",
    "/settings/rules": "[data-testid=subscriptions]",
    "/settings/templates": "[data-testid=template-form]",
    "/settings/log": "[data-testid=delivery-log]",
    "/settings/webhooks": "[data-testid=webhooks]",
    "/settings/wall": "[data-testid=layout-row]",
    "/settings/retention": "[data-testid=holdings]",
    "/settings/audit": "[data-testid=audit-row]",
    "/no/such/page": "[data-testid=empty] h1",
}
"""Every address, and what is on its page once it has been loaded."""
SHEETS = {
    "/settings/accounts": "account-new",
    "/settings/me": "token-new",
    "/settings/wall": "screen-new",
    "/alarms": "keys",
    "/settings/channels": "channel-new",
    "/settings/rules": "subscription-new",
    "/settings/webhooks": "webhook-new",
}
"""What opens a sheet that has fields or words of its own."""
GO = "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }"


def _go(page: Page, path: str) -> None:
    page.evaluate(GO, path)
    page.locator(PAGES[path]).first.wait_for()
    expect(page.locator("main .bones")).to_have_count(0)


def test_no_page_has_a_serious_fault_of_access(visit: Callable[..., Page]) -> None:
    page = visit("admin", "en", viewport={"width": 1440, "height": 900})
    found: list[str] = []
    found += [f"shell {one}" for one in faults(page)]
    now, other = "en", "zh"
    for path in PAGES:
        _go(page, path)
        found += [f"{path} {now} {one}" for one in faults(page, "main")]
        # Only words differ in the other language, and the next page is come to in it.
        page.get_by_test_id(f"language-{other}").click()
        expect(page.locator("html")).to_have_attribute("lang", "en" if other == "en" else "zh-CN")
        found += [f"{path} {other} {one}" for one in faults(page, "main", words=True)]
        now, other = other, now
    told = page.request.get("/api/v1/gateways/gw-north").json()
    for state in ("pending", "offline", "revoked"):
        _go(page, "/gateways")
        answer = _as_if(told, state)
        page.route("**/api/v1/gateways/gw-north", lambda route, _, answer=answer: route.fulfill(json=answer))
        page.evaluate(GO, "/gateways/gw-north")
        page.locator(f"[data-testid=gateway-page] [data-state={state}]").first.wait_for()
        found += [f"gateway {state} {one}" for one in faults(page, "main")]
        page.unroute("**/api/v1/gateways/gw-north")
    for path, opener in SHEETS.items():
        _go(page, path)
        page.get_by_test_id(opener).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        found += [f"{path} {opener} {one}" for one in faults(page, "[role=dialog]")]
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert not found, "\n".join(found)


def _as_if(told: dict[str, Any], state: str) -> dict[str, Any]:
    """Return what a page is told of a gateway in that state: of itself it said nothing, or long ago."""
    seen = None if state == "pending" else "2026-01-01T00:00:00Z"
    gateway = {**told["gateway"], "state": state, "last_seen": seen}
    return {**told, "gateway": gateway, **({"status": None} if state == "pending" else {})}


def test_a_phone_has_no_serious_fault_and_nothing_beside_the_screen(visit: Callable[..., Page]) -> None:
    page = visit(None, "zh", viewport={"width": 390, "height": 844})
    assert faults(page) == []
    page = visit("operator", "zh", viewport={"width": 390, "height": 844})
    wide: dict[str, int] = {}
    for path in PAGES:
        if path.startswith("/settings") and path != "/settings/me":
            continue  # an operator has no such page
        _go(page, path)
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        wide |= {path: over} if over > 0 else {}
    assert wide == {}
    _go(page, "/alarms")
    assert faults(page) == []
