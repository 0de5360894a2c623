"""Signed webhooks: verifiable, within their owner's sight, tried again, replayed, switched off at last."""

from __future__ import annotations

import asyncio
import json
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from central.notices.desk import Desk
from central.security.roles import Role
from central.systems.notices.parts import desk_of
from protocols.model.alarm import AlarmEvent
from tests.central.notices.conftest import Told
from tests.central.systems.running import API

DOCS = Path(__file__).parents[3] / "docs" / "notices.md"
DELIVERIES = "/webhook-deliveries"


def verifier() -> Any:
    """The example of the manual, as it stands there."""
    code = re.search(r"```python\n(import base64.*?)```", DOCS.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)  # noqa: S102 - our own page
    return names["verify"]


async def hook(told: Told, path: str = "/hook", owner: str = "test-viewer", **body: Any) -> Any:
    made = {"url": told.http.url + path, "owner": owner, **body}
    return await told.make("/webhooks", made, name=f"hook {path}")


async def test_a_message_is_signed_as_the_manual_verifies_it(told: Told) -> None:
    made = await hook(told)
    alarm = await told.raise_()
    (delivery,) = await told.sent(1, DELIVERIES)
    (request,) = told.http.got
    verify = verifier()
    now = told.city.clock() // 1_000_000
    said = verify(made["secret"], request.headers, request.body, now)
    assert said["type"] == "alarm.raised"
    assert (said["data"]["alarm"]["id"], said["data"]["alarm"]["site"]) == (alarm, "ps-riverside")
    assert said["data"]["step"]["event"] == "ACT"
    assert request.headers["webhook-id"] == delivery["id"]
    for headers, body, at in (
        (request.headers, request.body + b" ", now),
        ({**request.headers, "webhook-id": "msg_other"}, request.body, now),
        (request.headers, request.body, now + 3600),
    ):
        with pytest.raises(ValueError, match=r"signature|old"):
            verify(made["secret"], headers, body, at)
    renewed = await told.city.post(f"/webhooks/{made['id']}/secret", None, Role.ADMIN)
    told.city.clock.move(60)
    await told.city.post(f"{DELIVERIES}/{delivery['id']}/replay", None, Role.ADMIN)
    await told.until(lambda: asyncio.sleep(0, len(told.http.got) == 2), "the replay")
    again = told.http.got[1]
    assert again.headers["webhook-id"] == delivery["id"]
    assert again.body == request.body
    assert verify(renewed["secret"], again.headers, again.body, now + 60) == said
    assert (await told.city.get(f"{DELIVERIES}/{delivery['id']}", Role.ADMIN))["attempts"] == 2
    async with told.city.client(Role.ADMIN) as client:
        for path in ("/webhooks", "/audit"):
            text = (await client.get(API + path)).text
            assert made["secret"] not in text
            assert renewed["secret"] not in text


async def test_an_endpoint_gets_what_its_owner_may_read_and_its_filter_lets_through(told: Told) -> None:
    await told.city.person("north", areas=["north"])
    await hook(told, "/north", "north")
    await hook(
        told, "/all", events=["alarm.raised", "alarm.acknowledged"], filter={"priorities": ["P1", "P3"]}
    )
    await told.raise_(1, rule="air.pm25-high")
    await told.raise_(2, rule="pump1.run-high")
    alarm = await told.raise_(3)
    await told.city.post(f"/alarms/{alarm}/acknowledge", {})
    await told.gateway.alarm(alarm, 2, AlarmEvent.CLR, at_us=told.city.clock.move(1), value=2.0)
    await told.sent(7, DELIVERIES)
    got: dict[str, list[tuple[str, str]]] = {"/north": [], "/all": []}
    for request in told.http.got:
        said = json.loads(request.body)
        got[request.path].append((said["type"], said["data"]["alarm"]["rule_id"]))
    well, air, pump = "well.level-high", "air.pm25-high", "pump1.run-high"
    assert sorted(got["/north"]) == [
        ("alarm.acknowledged", well), ("alarm.cleared", well), ("alarm.raised", pump), ("alarm.raised", well),
    ]  # fmt: skip
    assert sorted(got["/all"]) == [
        ("alarm.acknowledged", well),
        ("alarm.raised", air),
        ("alarm.raised", well),
    ]


async def test_days_of_failure_switch_it_off_and_somebody_is_told(told: Told) -> None:
    made = await hook(told)
    mail = await told.email()
    body = {
        "events": ["webhook_disabled"],
        "targets": [{"channel": mail, "to": ["it@city.test"], "lang": "en"}],
    }
    await told.make("/notices/subscriptions", body)
    told.http.answers += [PlainTextResponse("down", 500)] * 3
    await told.raise_()

    async def one() -> Any:
        page = await told.city.get(DELIVERIES, Role.ADMIN)
        return page["items"] and page["items"][0]["attempts"] == wanted and page["items"][0]

    for wanted in (1, 2):
        await told.until(one, f"attempt {wanted}")
        told.city.clock.move(86_400)
    shown = (await told.city.get("/webhooks", Role.ADMIN))["items"][0]
    assert shown["enabled"]
    assert shown["failing_since"] is not None
    told.city.clock.move(4 * 86_400)
    await told.sent(1)
    shown = (await told.city.get("/webhooks", Role.ADMIN))["items"][0]
    assert not shown["enabled"]
    assert shown["disabled_why"] == "500 down"
    assert str(told.mail.messages[0]["Subject"]) == "Webhook switched off: hook /hook"
    asked = {"name": made["name"], "body": made["body"], "enabled": True}
    shown = await told.put(f"/webhooks/{made['id']}", asked)
    assert (shown["enabled"], shown["failing_since"], shown["disabled_at"]) == (True, None, None)
    await told.city.post(f"/webhooks/{made['id']}/ping", None, Role.ADMIN)
    await told.until(lambda: asyncio.sleep(0, b'"ping"' in told.http.got[-1].body), "the ping")


async def test_410_ends_it_at_once_and_private_addresses_are_never_called(told: Told) -> None:
    await hook(told)
    await told.make("/webhooks", {"url": "http://10.0.0.1/", "owner": "test-viewer"}, name="inside")
    told.http.answers.append(PlainTextResponse("gone", 410))
    await told.raise_()
    refused = await told.sent(2, DELIVERIES, "refused")
    answers = {one["item_name"]: one["answer"] for one in refused}
    assert answers["hook /hook"] == "410 gone"
    assert "10.0.0.1, which is not public" in answers["inside"]
    shown = {one["name"]: one["enabled"] for one in (await told.city.get("/webhooks", Role.ADMIN))["items"]}
    assert shown == {"hook /hook": False, "inside": True}


async def test_two_centres_on_one_database_send_each_message_once(told: Told) -> None:
    await hook(told)
    centre = told.city.centre
    first = desk_of(told.city.app)

    async def all_(_: str) -> None:
        return None

    other = Desk(centre.database, centre.clock, first.book.sealer, all_, [ip_network("127.0.0.0/8")], ())
    task = asyncio.create_task(other.run())
    for number in range(1, 7):
        alarm = await told.raise_(number)
        await told.gateway.alarm(alarm, 2, AlarmEvent.ACK, at_us=told.city.clock(), value=3.0)
        await told.gateway.alarm(alarm, 3, AlarmEvent.CLR, at_us=told.city.clock(), value=2.0)
        await asyncio.gather(first.turn(), other.turn())
    await told.sent(18, DELIVERIES)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    steps = [json.loads(request.body)["data"]["step"]["number"] for request in told.http.got]
    assert len(steps) == len(set(steps)) == 18
