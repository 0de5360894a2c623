"""Dispatch over HTTP: what is refused and why, and commands on their way to a device and back."""

from __future__ import annotations

from typing import Any

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from protocols.model.command import Command, CommandOutcome, CommandState
from tests.central.systems.field import LEVEL, PUMP, SITE, FieldGateway
from tests.central.systems.running import Running


async def opened(city: Running, **more: Any) -> dict[str, Any]:
    case: dict[str, Any] = await city.post(
        "/cases", {"title": "路面积水", "description": "", **more}, expect=201
    )
    return case


async def test_wrong_steps_are_refused_with_what_is_possible(city: Running) -> None:
    case = await opened(city)
    early = await city.post(f"/cases/{case['id']}/close", {"resolution": "x"}, expect=409)
    assert early["type"] == "/problems/not-allowed"
    assert "assign, void" in early["detail"]
    case = await city.post(f"/cases/{case['id']}/assign", {"unit": "lighting"})
    (task,) = case["tasks"]
    for move in ("on-site", "done", "verify"):
        await city.post(f"/tasks/{task['id']}/{move}", expect=409)
    await city.post(f"/cases/{case['id']}/assign", {"unit": "lighting"}, expect=409)
    await city.post(f"/cases/{case['id']}/void", {"reason": "x"}, expect=409)
    silent = await city.post(f"/tasks/{task['id']}/refuse", {"comment": " "}, expect=422)
    assert silent["errors"] == [{"field": "body.comment", "problem": "missing"}]
    assert len((await city.get(f"/cases/{case['id']}"))["steps"]) == 2


async def test_unknown_things_are_404_and_wrong_fields_422(city: Running) -> None:
    case = await opened(city)
    for path, body, status in (
        ("/cases", {"event_id": "none"}, 404),
        ("/cases", {"title": "x", "site": "nowhere"}, 404),
        ("/cases", {"description": "x"}, 422),
        ("/cases", {"title": "x", "colour": "red"}, 422),
        ("/cases/none/assign", {"unit": "lighting"}, 404),
        (f"/cases/{case['id']}/assign", {"unit": "nobody"}, 404),
        (f"/cases/{case['id']}/assign", {"unit": "lighting", "due_in_minutes": 0}, 422),
        ("/tasks/none/accept", None, 404),
        ("/tasks/none/dance", None, 422),
        ("/events/none/close", {"reason": "x"}, 404),
        ("/commands", {"point": "no.such.point", "value": 1}, 404),
    ):
        problem = await city.post(path, body, expect=status)
        assert problem["status"] == status
        assert problem["detail"]


async def test_a_refused_task_and_a_rework_are_kept(city: Running) -> None:
    case = await opened(city)
    case = await city.post(f"/cases/{case['id']}/assign", {"unit": "lighting", "due_in_minutes": 10})
    await city.post(f"/tasks/{case['tasks'][0]['id']}/refuse", {"comment": "不是路灯"})
    case = await city.post(f"/cases/{case['id']}/assign", {"unit": "drainage-south"})
    task = case["tasks"][1]["id"]
    for move in ("accept", "on-site", "done"):
        await city.post(f"/tasks/{task}/{move}")
    city.clock.move(11 * 60)
    shown = await city.post(f"/tasks/{task}/rework", {"comment": "仍有积水"})
    assert (shown["state"], shown["round"], shown["overdue"]) == ("assigned", 2, True)
    case = await city.get(f"/cases/{case['id']}")
    assert (case["state"], case["reworks"], case["overdue"]) == ("HANDLING", 1, True)
    assert (await city.get("/overview"))["cases"] == {"open": 1, "overdue": 1}
    assert [item["state"] for item in case["tasks"]] == ["refused", "assigned"]
    assert (await city.get("/cases", state="open", unit="drainage-south"))["items"][0]["id"] == case["id"]


async def test_a_case_by_itself_can_be_voided(city: Running, gateway: FieldGateway) -> None:
    case = await opened(city, site=SITE, priority="P2", title={"zh": "井盖缺失", "en": "Manhole open"})
    assert (case["title"]["en"], case["site"], case["priority"], case["event_id"]) == (
        "Manhole open",
        SITE,
        "P2",
        None,
    )
    case = await city.post(f"/cases/{case['id']}/void", {"reason": "重复上报"})
    assert (case["state"], case["steps"][-1]["comment"]) == ("VOIDED", "重复上报")
    assert (await city.get("/cases", state="closed"))["items"][0]["id"] == case["id"]


async def test_an_event_may_be_closed_without_a_case(city: Running, gateway: FieldGateway) -> None:
    await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
    (event,) = (await city.get("/events"))["items"]
    closed = await city.post(f"/events/{event['id']}/close", {"reason": "演练"})
    assert (closed["state"], closed["closed_by"], closed["closing_note"]) == (
        "closed",
        "test-operator",
        "演练",
    )
    await city.post(f"/events/{event['id']}/close", {"reason": "演练"}, expect=409)
    late = await city.post("/cases", {"event_id": event["id"]}, expect=409)
    assert late["type"] == "/problems/event-closed"


async def test_a_command_goes_to_the_device_and_its_result_comes_back(
    city: Running, gateway: FieldGateway
) -> None:
    sent = await city.post("/commands", {"point": PUMP, "value": 1, "expected": 0}, expect=202)
    assert (sent["state"], sent["unit"], sent["issued_by"]) == ("pending", "1", "test-operator")
    (item,) = await gateway.inbox()
    assert isinstance(item.order, Command)
    assert (item.order.point, item.order.value, item.order.expected) == ("pump1.run", 1.0, 0.0)
    assert (await city.get(f"/commands/{sent['id']}"))["state"] == "delivered"
    done = city.clock.move(1)
    await gateway.outcome(
        CommandOutcome(
            command=sent["id"],
            state=CommandState.VERIFIED,
            reason="",
            detail="",
            finished_us=done,
            read_back=1.0,
        )
    )
    (shown,) = (await city.get("/commands", point=PUMP))["items"]
    assert (shown["state"], shown["read_back"]) == ("verified", 1.0)
    assert shown["delivered_at"] < shown["finished_at"]


async def test_a_command_that_nobody_fetched_expires(city: Running, gateway: FieldGateway) -> None:
    sent = await city.post("/commands", {"point": PUMP, "value": 1, "expires_in_s": 5}, expect=202)
    city.clock.move(6)
    await city.centre.outbox.expire()
    assert (await city.get(f"/commands/{sent['id']}"))["state"] == "expired"
    assert await gateway.inbox() == ()


async def test_what_must_not_be_written_is_refused_at_once(city: Running, gateway: FieldGateway) -> None:
    for body, code in (
        ({"point": PUMP, "value": 2}, "out-of-limits"),
        ({"point": PUMP, "value": "on"}, "wrong-type"),
        ({"point": LEVEL, "value": 1}, "not-writable"),
    ):
        assert (await city.post("/commands", body, expect=409))["type"] == f"/problems/{code}"
    await city.post("/commands", {"point": PUMP, "value": 1, "expires_in_s": 0}, expect=422)
    await city.post("/commands", {"point": PUMP, "value": 1}, Role.VIEWER, expect=403)
    assert (await city.get("/commands"))["items"] == []


async def test_units_are_listed(city: Running) -> None:
    units = (await city.get("/units"))["items"]
    assert "drainage-north" in [unit["id"] for unit in units]
    assert all(unit["name"]["zh"] and unit["name"]["en"] for unit in units)
