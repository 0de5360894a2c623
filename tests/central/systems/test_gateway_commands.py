"""What a gateway did by itself stands beside what was sent, and a select goes to it as such."""

from __future__ import annotations

from typing import Any

from protocols.model.command import Command, CommandOutcome, CommandState, Reason
from tests.central.systems.field import PUMP, FieldGateway
from tests.central.systems.running import Running


def told(city: Running, name: str, **more: Any) -> CommandOutcome:
    now = city.clock.move(1)
    said = {
        "state": CommandState.VERIFIED,
        "reason": Reason.VERIFIED,
        "detail": "read back as asked",
        "point": "pump1.run",
        "value": 1.0,
        "issued_by": "action:drain",
        "issued_us": now - 500_000,
        "read_back": 1.0,
    }
    return CommandOutcome(command=name, finished_us=now, **{**said, **more})


async def test_an_action_of_the_gateway_is_listed_like_a_command(
    city: Running, gateway: FieldGateway
) -> None:
    await gateway.outcome(told(city, "a-1"))
    (shown,) = (await city.get("/commands", point=PUMP))["items"]
    assert (shown["id"], shown["issued_by"], shown["local"], shown["step"]) == (
        "a-1",
        "action:drain",
        True,
        "direct",
    )
    assert (shown["value"], shown["read_back"], shown["state"]) == (1.0, 1.0, "verified")
    assert shown["issued_at"] < shown["finished_at"]
    assert await gateway.inbox() == (), "the gateway is not told to do it once more"


async def test_a_local_text_and_a_refusal_are_listed_too(city: Running, gateway: FieldGateway) -> None:
    await gateway.outcome(told(city, "a-1", value="FLOOD\0", read_back=None, issued_by="local:root"))
    await gateway.outcome(
        told(city, "a-2", state=CommandState.REJECTED, reason=Reason.INTERLOCK, read_back=None)
    )
    newest, first = (await city.get("/commands", point=PUMP))["items"]
    assert (newest["state"], newest["reason"]) == ("rejected", "interlock")
    assert (first["value"], first["issued_by"]) == ("FLOOD\ufffd", "local:root")


async def test_an_outcome_of_nothing_known_is_ignored(city: Running, gateway: FieldGateway) -> None:
    await gateway.outcome(told(city, "a-1", point="pump9.run"))
    await gateway.outcome(told(city, "a-2", point="", value=None))
    assert (await city.get("/commands"))["items"] == []


async def test_no_gateway_speaks_for_the_command_of_another(city: Running, gateway: FieldGateway) -> None:
    sent = await city.post("/commands", {"point": PUMP, "value": 1}, expect=202)
    async with city.gateway("gw-south") as other:
        await other.outcome(told(city, sent["id"], state=CommandState.FAILED))
    assert (await city.get(f"/commands/{sent['id']}"))["state"] == "pending"


async def test_a_point_is_selected_and_operated_in_two_commands(city: Running, gateway: FieldGateway) -> None:
    chosen = await city.post("/commands", {"point": PUMP, "value": 1, "step": "select"}, expect=202)
    (item,) = await gateway.inbox()
    assert isinstance(item.order, Command)
    assert (item.order.step, chosen["step"], chosen["local"]) == ("select", "select", False)
    await gateway.outcome(
        told(city, chosen["id"], state=CommandState.SELECTED, reason=Reason.SELECTED, read_back=None)
    )
    assert (await city.get(f"/commands/{chosen['id']}"))["state"] == "selected"
    await city.post("/commands", {"point": PUMP, "value": 1, "step": "operate", "expected": 0}, expect=202)
    (item,) = await gateway.inbox(item.number)
    assert isinstance(item.order, Command)
    assert (item.order.step, item.order.value, item.order.expected) == ("operate", 1.0, 0.0)
    await city.post("/commands", {"point": PUMP, "value": 1, "step": "cancel"}, expect=422)
