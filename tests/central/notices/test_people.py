"""People are told: by e-mail and SMS, once, with receipts; a flood as one message; until they answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from tests.central.notices.conftest import OCCURRENCE, Told
from tests.central.systems.running import API

PHONE = "+8613800001234"


async def subscribe(told: Told, channel: int, to: list[str], **body: Any) -> Any:
    target = {"channel": channel, "to": to, "lang": "en"}
    return await told.make("/notices/subscriptions", {"events": ["raised"], "targets": [target], **body})


async def test_an_alarm_reaches_a_mailbox_and_a_phone_once_with_receipts(told: Told) -> None:
    mail, sms = await told.email(), await told.sms()
    await subscribe(told, mail, ["wang@city.test"], events=["raised", "cleared", "acknowledged"])
    await subscribe(told, sms, [PHONE], filter={"priorities": ["P1"], "areas": ["north"]})
    await subscribe(told, sms, ["10086"], filter={"priorities": ["P4"]})
    alarm = await told.raise_()
    told.http.answers.append(PlainTextResponse('{"code": "OK", "echo": "s3cret-key"}'))
    found = await told.sent(2)
    assert {one["recipient"] for one in found} == {"wang@city.test", PHONE}
    (message,) = told.mail.messages
    assert message["Subject"] == "[P1 critical] Riverside station: Level high"
    assert "Value: 3.5 m (limit 3.2 m)" in message.get_content()
    assert "+08:00" in message.get_content()
    assert told.mail.encrypted == [True]
    receipt = next(one for one in found if one["recipient"] == "wang@city.test")
    assert message["Message-ID"] == f"<{receipt['id']}@city.test>"
    assert (receipt["answer"], receipt["attempts"]) == ("queued as 42", 1)
    (request,) = told.http.got
    assert request.path == "/sms?to=%2B8613800001234"
    assert request.headers["x-key"] == "s3cret-key"
    said = json.loads(request.body)
    assert said["mobile"] == PHONE
    assert said["content"].startswith("ALARM P1 critical Riverside station: Level high, 3.5 m")
    receipt = next(one for one in found if one["recipient"] == PHONE)
    assert request.headers["idempotency-key"] == receipt["id"]
    assert "s3cret" not in receipt["answer"]
    await told.city.post(f"/alarms/{alarm}/acknowledge", {"comment": "on my way"})
    await told.sent(3)
    await told.gateway.alarm(alarm, 2, AlarmEvent.CLR, at_us=told.city.clock.move(60), value=2.0)
    await told.sent(4)
    subjects = [str(message["Subject"]) for message in told.mail.messages]
    assert [subject.split("]")[0] for subject in subjects] == ["[P1 critical", "[Acknowledged", "[Cleared"]
    shown = await told.city.get(f"/alarms/{alarm}/notices")
    assert {one["recipient"] for one in shown["deliveries"]} == {"w…@city.test", "+86…34"}


async def test_secrets_go_in_and_never_come_out(told: Told) -> None:
    channel = await told.sms()
    async with told.city.client(Role.ADMIN) as client:
        for path in ("/notices/channels", "/audit"):
            answer = await client.get(API + path)
            assert "s3cret" not in answer.text
        shown = (await client.get(API + "/notices/channels")).json()["items"][0]
    assert shown["secret_names"] == ["key"]
    entries = (await told.city.get("/audit", Role.ADMIN))["items"]
    assert any(change["what"] == "channel sms" for entry in entries for change in entry["changes"] or [])
    kept = await told.desk.book.secrets(channel)
    body = {"name": "sms", "body": shown["body"]}
    await told.put(f"/notices/channels/{channel}", body)
    assert await told.desk.book.secrets(channel) == kept == {"key": "s3cret-key"}
    problem = await told.put(f"/notices/channels/{channel}", {**body, "secrets": {"key": None}}, 422)
    assert problem["errors"][0]["field"] == "secrets.key"
    async with told.city.centre.database.pool.connection() as connection:
        row: Any = await (await connection.execute("SELECT secrets FROM notice_items")).fetchone()
    assert b"s3cret" not in bytes(row[0])


async def test_what_fails_is_tried_again_and_what_is_refused_is_not(told: Told) -> None:
    mail, sms = await told.email(), await told.sms()
    await subscribe(told, sms, [PHONE])
    await subscribe(told, mail, ["gone@city.test"])
    told.mail.refuse["gone@city.test"] = "550 no such mailbox"
    told.http.answers += [PlainTextResponse("busy", 503), PlainTextResponse('{"code": "FLOW_LIMIT"}', 429)]
    await told.raise_()
    (refused,) = await told.sent(1, state="refused")
    assert refused["answer"] == "550 no such mailbox"

    async def tries() -> Any:
        page = await told.city.get("/notices/deliveries", Role.ADMIN, channel=sms)
        return page["items"][0] if page["items"] and page["items"][0]["attempts"] == wanted else None

    for wanted, state in ((1, "waiting"), (2, "waiting"), (3, "sent")):
        one = await told.until(tries, f"attempt {wanted}")
        assert one["state"] == state
        told.city.clock.move(30)
    whole = await told.city.get(f"/notices/deliveries/{one['id']}", Role.ADMIN)
    assert [one["outcome"] for one in whole["tries"]] == ["failed", "failed", "sent"]
    keys = {request.headers["idempotency-key"] for request in told.http.got}
    assert keys == {whole["id"]}
    del told.mail.refuse["gone@city.test"]
    await told.city.post(f"/notices/deliveries/{refused['id']}/replay", None, Role.ADMIN)
    await told.sent(2)


async def test_a_flood_is_one_message(told: Told) -> None:
    sms = await told.sms(per_minute=3)
    await subscribe(told, sms, [PHONE])
    await told.raise_(1, rule="pump1.run-high")
    await told.raise_(2, rule="air.pm25-high")
    await told.raise_(3)
    await told.sent(3)
    alarm = OCCURRENCE % 3
    for number in range(6):
        for step, event in ((2, AlarmEvent.ACK), (3, AlarmEvent.CLR)):
            await told.gateway.alarm(alarm, step, event, at_us=told.city.clock(), value=2.0)
        alarm = await told.raise_(number + 4)
    await told.sent(6, state="held")
    told.city.clock.move(61)
    found = await told.sent(4)
    digest = found[0]
    assert digest["event"] == "digest"
    assert json.loads(told.http.got[-1].body)["content"] == (
        "ALARM DIGEST 6: P1 critical: 6; Riverside station 6"
    )
    folded = await told.sent(6, state="digested")
    assert {one["digest"] for one in folded} == {digest["id"]}
    await told.quiet()
    assert len(told.http.got) == 4


async def test_shelved_and_backfilled_alarms_call_nobody(told: Told) -> None:
    sms = await told.sms()
    await subscribe(told, sms, [PHONE], events=["raised", "unacknowledged"], after_minutes=5)
    late = told.city.clock() - 3600 * 1_000_000
    await told.gateway.alarm(
        "7f9f4f2e-0000-4000-8000-000000000077", 1, AlarmEvent.ACT, at_us=late, value=3.5, rule="air.pm25-high"
    )
    await told.quiet()
    alarm = await told.raise_()
    await told.sent(1)
    await told.city.post(f"/alarms/{alarm}/shelve", {"minutes": 60, "reason": "pump is being mended"})
    told.city.clock.move(600)
    await told.quiet()
    assert len(told.http.got) == 1
    shown = await told.city.get(f"/alarms/{alarm}/notices")
    assert [one["ended_why"] for one in shown["escalations"]] == ["covered"]
    await told.city.post(f"/alarms/{alarm}/unshelve", {})
    await told.sent(2)
    told.city.clock.move(301)
    found = await told.sent(3)
    assert found[0]["event"] == "unacknowledged"


async def escalate(told: Told, **body: Any) -> None:
    mail, sms = await told.email(), await told.sms()
    steps = [
        {"after_minutes": 5, "targets": [{"channel": sms, "to": [PHONE], "lang": "zh"}]},
        {"after_minutes": 15, "targets": [{"channel": mail, "to": ["boss@city.test"], "lang": "en"}]},
    ]
    await told.make("/notices/escalations", {"steps": steps, "repeat_minutes": 30, **body}, name="night")


async def test_an_escalation_goes_on_until_somebody_acknowledges(told: Told) -> None:
    await escalate(told)
    alarm = await told.raise_()
    await told.quiet()
    told.city.clock.move(4 * 60)
    await told.quiet()
    assert told.http.got == []
    shown = (await told.city.get(f"/alarms/{alarm}/notices"))["escalations"][0]
    assert (shown["last_step"], shown["next_step"]) == (None, 1)
    assert shown["next_to"] == [{"channel": "sms", "recipient": "+86…34"}]
    told.city.clock.move(61)
    await told.sent(1)
    assert json.loads(told.http.got[0].body)["content"] == "【升级1 P1 紧急】滨江泵站 水位高，5分钟未处理"
    told.city.clock.move(10 * 60)
    await told.sent(2)
    shown = (await told.city.get(f"/alarms/{alarm}/notices"))["escalations"][0]
    assert (shown["rule_name"], shown["last_step"], shown["ended_at"]) == ("night", 2, None)
    assert shown["next_step"] == 2, "the last one again"
    told.city.clock.move(30 * 60)
    await told.sent(3)
    assert len(told.mail.messages) == 2
    told.city.clock.move(95 * 60)
    await told.sent(4)
    assert str(told.mail.messages[-1]["Subject"]) == "[Escalated, step 2] Riverside station: Level high"
    await told.city.post(f"/alarms/{alarm}/acknowledge", {})
    told.city.clock.move(300 * 60)
    await told.quiet()
    assert len(told.mail.messages) == 3
    shown = (await told.city.get(f"/alarms/{alarm}/notices"))["escalations"][0]
    assert (shown["ended_why"], shown["next_at"]) == ("acknowledged", None)
    assert (shown["next_step"], shown["next_to"]) == (None, [])


async def test_a_cleared_alarm_ends_its_escalation_where_that_is_wanted(told: Told) -> None:
    await escalate(told, until="acknowledged_or_cleared")
    alarm = await told.raise_()
    await told.quiet()
    await told.gateway.alarm(alarm, 2, AlarmEvent.CLR, at_us=told.city.clock.move(60), value=2.0)
    told.city.clock.move(3600)
    await told.quiet()
    assert told.http.got == []
    shown = (await told.city.get(f"/alarms/{alarm}/notices"))["escalations"][0]
    assert shown["ended_why"] == "cleared"


async def test_templates_are_previewed_written_and_put_back(told: Told) -> None:
    alarm = await told.raise_()
    text = {"subject": "${site}", "body": "${name} ${value}", "short": "${priority}"}
    seen = await told.city.post("/notices/templates/raised/zh/preview", text, Role.ADMIN)
    assert seen == {"subject": "滨江泵站", "body": "水位高 3.5", "short": "P1 紧急", "alarm": alarm}
    problem = await told.put("/notices/templates/raised/zh", {**text, "short": "${x}"}, 422)
    assert problem["errors"] == [{"field": "short", "problem": problem["detail"]}]
    assert "short, line 1, column 1: ${x} is not known here" in problem["detail"]
    written = await told.put("/notices/templates/raised/zh", text)
    assert written["changed_by"] == "test-admin"
    sms = await told.sms()
    await told.quiet()
    await told.make(
        "/notices/subscriptions",
        {"events": ["raised"], "targets": [{"channel": sms, "to": [PHONE], "lang": "zh"}]},
    )
    await told.raise_(2, rule="air.pm25-high")
    await told.sent(1)
    assert json.loads(told.http.got[0].body)["content"] == "P3 中"
    async with told.city.client(Role.ADMIN) as client:
        answer = await client.delete(API + "/notices/templates/raised/zh")
    assert answer.json()["changed_at"] is None
    test = await told.city.post(f"/notices/channels/{sms}/test", {"to": "10086", "lang": "en"}, Role.ADMIN)
    await told.sent(2)
    assert test["event"] == "test"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"targets": [{"channel": 99, "to": ["10086"]}]}, "there is no channel 99"),
        ({"targets": [{"channel": 1, "to": ["x@city.test"]}]}, "is not written like +8613800000000"),
        ({"targets": [{"channel": 1}]}, "name at least one receiver"),
        ({"targets": [{"channel": 1, "to": ["1\u00002"]}]}, "cannot be stored"),
        ({"targets": [{"channel": 1, "to": ["10086"]}], "zone": "../x"}, "no time zone"),
    ],
)
async def test_a_subscription_that_cannot_work_is_refused(told: Told, body: Any, said: str) -> None:
    assert await told.sms() == 1
    asked = {"name": "wrong", "body": {"events": ["raised"], **body}}
    problem = await told.city.post("/notices/subscriptions", asked, Role.ADMIN, 422)
    assert said in problem["detail"]
