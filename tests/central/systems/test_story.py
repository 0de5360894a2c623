"""The main story over HTTP: a sample raises an alarm, the alarm an event, the event a case that is closed."""

from __future__ import annotations

from typing import Any

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import to_datetime
from tests.central.systems.field import DEVICE, LEVEL, SITE, FieldGateway
from tests.central.systems.running import Running

OCCURRENCE = "7f9f4f2e-0000-4000-8000-000000000001"


def iso(time_us: int) -> str:
    return to_datetime(time_us).isoformat().replace("+00:00", "Z")


async def test_from_the_sample_to_the_closed_case(city: Running, gateway: FieldGateway) -> None:
    # The level rises through 3.2 m; the gateway judges it.
    start = city.clock()
    times = [start + second * 1_000_000 for second in range(-180, 1)]
    await gateway.readings(0, times, [3.2 + 0.01 * n for n in range(-180, 1)])
    raised_us = start
    await gateway.alarm(OCCURRENCE, 1, AlarmEvent.ACT, at_us=raised_us, value=3.2)

    # The board has it, linked to the event that it opened.
    (alarm,) = (await city.get("/alarms", state="active"))["items"]
    assert alarm["id"] == OCCURRENCE
    assert (alarm["rule_id"], alarm["point"], alarm["device"], alarm["site"]) == (
        "well.level-high",
        LEVEL,
        DEVICE,
        SITE,
    )
    assert (alarm["state"], alarm["limit"], alarm["unit"], alarm["raised_at"]) == (
        "UNACK",
        3.2,
        "m",
        iso(raised_us),
    )
    (event,) = (await city.get("/events", state="open"))["items"]
    assert alarm["event_id"] == event["id"]
    assert (event["state"], event["level"], event["site"]) == ("reported", "P1", SITE)
    assert [item["id"] for item in event["alarms"]] == [OCCURRENCE]

    # Somebody acknowledges, opens the case and sends a crew.
    city.clock.move(20)
    acked = await city.post(f"/alarms/{OCCURRENCE}/acknowledge", {"comment": "已看到"})
    assert (acked["state"], acked["acked_by"], acked["acked_at"]) == (
        "ACKED",
        "test-operator",
        iso(city.clock()),
    )
    city.clock.move(20)
    case = await city.post("/cases", {"event_id": event["id"], "description": "泵站水位超限"}, expect=201)
    opened_at = city.clock()
    assert (case["state"], case["priority"], case["due_at"]) == (
        "PENDING_DISPATCH",
        "P1",
        iso(opened_at + 1_800_000_000),
    )
    assert case["actions"] == ["assign", "void"]
    path = f"/cases/{case['id']}"
    city.clock.move(20)
    case = await city.post(f"{path}/assign", {"unit": "drainage-north", "comment": "速去"})
    (task,) = case["tasks"]
    assert (task["state"], task["unit"], case["unit"]) == ("assigned", "drainage-north", "drainage-north")
    assert (await city.get("/tasks", unit="drainage-north", state="assigned"))["items"][0]["id"] == task["id"]

    # The crew works; every step has its own time.
    moves: dict[str, str] = {}
    for move in ("accept", "on-site", "done", "verify"):
        city.clock.move(60)
        task = await city.post(f"/tasks/{task['id']}/{move}", {"comment": move})
        moves[move.replace("-", "_")] = iso(city.clock())
    assert (task["accepted_at"], task["on_site_at"], task["done_at"], task["verified_at"]) == tuple(
        moves.values()
    )

    # The condition clears; the case is closed, and its event with it.
    cleared_us = city.clock.move(10)
    await gateway.alarm(OCCURRENCE, 2, AlarmEvent.CLR, at_us=cleared_us, value=3.0)
    city.clock.move(10)
    case = await city.post(f"{path}/close", {"resolution": "已抽排，水位正常"})
    assert (case["state"], case["closed_at"], case["overdue"]) == ("CLOSED", iso(city.clock()), False)
    assert [(step["action"], step["from"], step["to"], step["actor"]) for step in case["steps"]] == [
        ("open", None, "PENDING_DISPATCH", "test-operator"),
        ("assign", "PENDING_DISPATCH", "HANDLING", "test-operator"),
        ("accept", "HANDLING", "HANDLING", "test-operator"),
        ("on_site", "HANDLING", "HANDLING", "test-operator"),
        ("done", "HANDLING", "PENDING_CHECK", "test-operator"),
        ("verify", "PENDING_CHECK", "PENDING_CLOSE", "test-operator"),
        ("close", "PENDING_CLOSE", "CLOSED", "test-operator"),
    ]
    assert {step["action"]: step["at"] for step in case["steps"]}.items() >= moves.items()
    assert [item["id"] for item in case["alarms"]] == [OCCURRENCE]
    closed = await city.get(f"/events/{event['id']}")
    assert (closed["state"], closed["case_id"], closed["closed_by"]) == (
        "closed",
        case["id"],
        "test-operator",
    )

    # And back: from the alarm one sees the samples, the rule version, every step, and the case.
    detail = await city.get(f"/alarms/{OCCURRENCE}")
    assert detail["case_id"] == case["id"]
    assert (detail["rule"]["limit"], detail["rule"]["point"]) == (3.2, LEVEL)
    assert detail["rule"]["declaration"] == gateway.declaration
    assert detail["response"] == {"zh": "启动水泵", "en": "Start the pump"}
    assert [(step["event"], step["from"], step["to"]) for step in detail["journal"]] == [
        ("ACT", "NORM", "UNACK"),
        ("ACK", "UNACK", "ACKED"),
        ("CLR", "ACKED", "NORM"),
    ]
    assert detail["journal"][1]["actor"] == "test-operator"
    assert detail["journal"][1]["comment"] == "已看到"
    evidence = detail["evidence"]
    assert len(evidence) == 121
    assert evidence[-1] == {
        "time": iso(raised_us),
        "value": 3.2,
        "quality": {"code": 0, "class": "good", "name": "Good"},
    }
    await nobody_is_forgotten(city)


async def nobody_is_forgotten(city: Running) -> None:
    """Every unsafe request is in the audit trail, in order, with its person; and the chain is whole."""
    entries: list[dict[str, Any]] = (await city.get("/audit", Role.ADMIN))["items"]
    assert [entry["operation"] for entry in reversed(entries)] == [
        "acknowledgeAlarm",
        "openCase",
        "assignCase",
        "moveTask",
        "moveTask",
        "moveTask",
        "moveTask",
        "closeCase",
    ]
    assert {(entry["actor"], entry["via"], entry["address"]) for entry in entries} == {
        ("test-operator", "token", "127.0.0.1")
    }
    assert await city.centre.security.audit.first_broken() is None
