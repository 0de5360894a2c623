"""An act of a person at the centre that the gateway refuses: both sides show the same again."""

from __future__ import annotations

import pytest

from protocols.model.alarm import AlarmEvent as E
from protocols.model.alarm import AlarmState as S
from protocols.model.alarm import Overlay
from protocols.model.command import CommandOutcome, CommandState
from tests.central.live.test_alarms import view
from tests.central.live.test_overlays import acts, intervals, say
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running


async def answer(city: Running, gateway: FieldGateway, which: int, reason: str) -> None:
    """Answer one of the acts, as the gateway does."""
    act = (await acts(gateway))[which]
    state = CommandState.VERIFIED if reason in {"done", "no-change"} else CommandState.REJECTED
    await gateway.outcome(
        CommandOutcome(command=act.id, state=state, reason=reason, detail="", finished_us=city.clock.now)
    )


async def test_an_acknowledgement_that_was_refused_is_taken_back(
    city: Running, gateway: FieldGateway
) -> None:
    await say(gateway, E.ACT, at=city.clock.now, state=S.UNACK)
    await city.centre.alarms.acknowledge("a", "operator")
    await answer(city, gateway, 0, "interrupted")
    shown = await view(city, "a")
    assert (shown.state, shown.acked_by) == ("UNACK", None)


async def test_an_alarm_that_was_closed_by_a_refused_act_is_open_again(
    city: Running, gateway: FieldGateway
) -> None:
    now = city.clock.now
    await say(gateway, E.ACT, at=now, state=S.UNACK)
    await say(gateway, E.CLR, 2, at=now + 1, state=S.RTNUN)
    assert (await city.centre.alarms.acknowledge("a", "operator")).state == "NORM"
    await answer(city, gateway, 0, "interrupted")
    assert (await view(city, "a")).state == "RTNUN"
    listed = await city.get("/alarms", state="open")
    assert [alarm["id"] for alarm in listed["items"]] == ["a"]


async def test_a_shelving_that_was_refused_ends(city: Running, gateway: FieldGateway) -> None:
    await say(gateway, E.ACT, at=city.clock.now, state=S.UNACK)
    await city.centre.alarms.shelve("a", "operator", 10, "cleaning")
    await answer(city, gateway, 0, "not-shelvable")
    shown = await view(city, "a")
    assert (shown.display, shown.shelved_until) == ("UNACK", None)
    assert await intervals(city) == [("SHLVD", "operator", "gw-north")]


async def test_a_shelving_that_the_gateway_has_already_stays(city: Running, gateway: FieldGateway) -> None:
    now = city.clock.now
    await say(gateway, E.ACT, at=now, state=S.UNACK)
    await city.centre.alarms.shelve("a", "operator", 10, "cleaning")
    await say(gateway, E.SHELVE, 2, at=now, state=S.UNACK, overlays=(Overlay.SHLVD,), until_us=now + 9)
    await answer(city, gateway, 0, "already-shelved")
    assert (await view(city, "a")).display == "SHLVD"


@pytest.mark.parametrize("reason", ["not-current", "unknown-alarm"])
async def test_an_occurrence_that_the_gateway_has_no_more_is_over(
    city: Running, gateway: FieldGateway, reason: str
) -> None:
    await say(gateway, E.ACT, at=city.clock.now, state=S.UNACK)
    await city.centre.alarms.acknowledge("a", "operator")
    await answer(city, gateway, 0, reason)
    assert (await city.get("/alarms", state="open"))["total"] == 0


async def test_the_last_act_decides(city: Running, gateway: FieldGateway) -> None:
    now = city.clock.now
    await say(gateway, E.ACT, at=now, state=S.UNACK)
    await city.centre.alarms.shelve("a", "operator", 10, "cleaning")
    await city.centre.alarms.acknowledge("a", "operator")
    await answer(city, gateway, 0, "not-shelvable")
    assert (await view(city, "a")).display == "SHLVD", "another act is on its way"
    act = (await acts(gateway))[0].id
    await say(gateway, E.ACK, 2, at=now + 1, state=S.ACKED, act=act, actor="operator")
    await answer(city, gateway, 0, "done")
    shown = await view(city, "a")
    assert (shown.display, shown.acked_by) == ("ACKED", "operator")


async def test_another_gateway_answers_for_nobody_else(city: Running, gateway: FieldGateway) -> None:
    await say(gateway, E.ACT, at=city.clock.now, state=S.UNACK)
    await city.centre.alarms.acknowledge("a", "operator")
    act = (await acts(gateway))[0]
    outcome = CommandOutcome(
        command=act.id, state=CommandState.REJECTED, reason="not-current", detail="", finished_us=1
    )
    async with city.gateway("gw-south") as other:
        await other.outcome(outcome)
    assert (await view(city, "a")).state == "ACKED"
