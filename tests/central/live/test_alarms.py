"""The alarm board: transitions from gateways, answers from people, and a journal that forgets nothing."""

from __future__ import annotations

import asyncio

import pytest

from central.live.alarms import AlarmQuery, AlarmView, Evidence
from protocols.errors import Rejected
from protocols.model.alarm import AlarmEvent
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running

ACT, CLR = AlarmEvent.ACT, AlarmEvent.CLR


async def view(city: Running, alarm: str) -> AlarmView:
    """Return an occurrence that must be there."""
    found = await city.centre.alarms.get(alarm)
    assert found is not None
    return found


async def steps(city: Running, alarm: str) -> list[tuple[str, str, str, str]]:
    """Return the journal as (event, from, to, actor)."""
    found = await city.centre.alarms.evidence(alarm)
    assert isinstance(found, Evidence)
    return [(e.event, e.from_state, e.to_state, e.actor) for e in found.journal]


async def test_raised_acknowledged_cleared(city: Running, gateway: FieldGateway) -> None:
    board, now = city.centre.alarms, city.clock.now
    with city.centre.bus.subscribe("alarm", "event") as heard:
        await gateway.alarm("a", 1, ACT, at_us=now, value=3.4)
        kinds = [message.kind for message in heard.take()]
    assert kinds == ["alarm", "event"]
    raised = await view(city, "a")
    assert (raised.state, raised.active, raised.acked, raised.priority) == ("UNACK", True, False, "P1")
    assert (raised.point, raised.raise_value, raised.limit) == ("gw-north.well.level", 3.4, 3.2)
    acked = await board.acknowledge("a", "operator", "seen")
    assert (acked.state, acked.acked_by) == ("ACKED", "operator")
    again = await board.acknowledge("a", "somebody else")
    assert again.acked_by == "operator"
    await gateway.alarm("a", 2, CLR, at_us=now + 1_000_000, value=3.0)
    closed = await view(city, "a")
    assert (closed.state, closed.active, closed.cleared_at is not None) == ("NORM", False, True)
    assert await steps(city, "a") == [
        ("ACT", "NORM", "UNACK", "gw-north"),
        ("ACK", "UNACK", "ACKED", "operator"),
        ("CLR", "ACKED", "NORM", "gw-north"),
    ]
    assert (await board.list(AlarmQuery(state="open"))).items == []
    assert [alarm.id for alarm in (await board.list(AlarmQuery(state="closed"))).items] == ["a"]


async def test_cleared_before_it_was_seen_waits_for_its_acknowledgement(
    city: Running, gateway: FieldGateway
) -> None:
    now = city.clock.now
    await gateway.alarm("a", 1, ACT, at_us=now, value=3.4)
    await gateway.alarm("a", 2, CLR, at_us=now + 1, value=3.0)
    assert (await view(city, "a")).state == "RTNUN"
    assert (await city.centre.alarms.acknowledge("a", "operator")).state == "NORM"


async def test_a_new_occurrence_closes_the_old_one_that_nobody_saw(
    city: Running, gateway: FieldGateway
) -> None:
    now = city.clock.now
    await gateway.alarm("a", 1, ACT, at_us=now, value=3.4)
    await gateway.alarm("a", 2, CLR, at_us=now + 1, value=3.0)
    await gateway.alarm("b", 1, ACT, at_us=now + 2, value=3.5)
    assert (await view(city, "a")).acked_by == "superseded"
    assert [alarm.id for alarm in (await city.centre.alarms.list(AlarmQuery(state="open"))).items] == ["b"]


async def test_latched_stays_until_it_is_reset(city: Running, gateway: FieldGateway) -> None:
    board, now = city.centre.alarms, city.clock.now
    await gateway.alarm("p", 1, ACT, at_us=now, value=90, rule="air.pm25-high")
    with pytest.raises(Rejected, match="still holds"):
        await board.reset("p", "operator")
    await gateway.alarm("p", 2, CLR, at_us=now + 1, value=60, rule="air.pm25-high")
    assert (await view(city, "p")).state == "LTUNK"
    with pytest.raises(Rejected) as refused:
        await board.reset("p", "operator")
    assert refused.value.reason == "acknowledge-first"
    assert (await board.acknowledge("p", "operator")).state == "LTACK"
    assert (await board.reset("p", "operator")).state == "NORM"


async def test_steps_out_of_order_are_kept_and_move_nothing(city: Running, gateway: FieldGateway) -> None:
    now = city.clock.now
    await gateway.alarm("a", 2, CLR, at_us=now + 5, value=3.0)
    assert (await view(city, "a")).state == "RTNUN"
    await gateway.alarm("a", 1, ACT, at_us=now, value=3.6)
    late = await view(city, "a")
    assert (late.state, late.raise_value) == ("RTNUN", 3.6)
    found = await city.centre.alarms.evidence("a")
    assert found is not None
    assert [(entry.event, entry.late) for entry in found.journal] == [("CLR", False), ("ACT", True)]
    await gateway.alarm("a", 1, ACT, at_us=now, value=3.6)
    assert len(await steps(city, "a")) == 2


async def test_what_happened_during_an_outage_is_marked_late(city: Running, gateway: FieldGateway) -> None:
    then = city.clock.now - 600_000_000
    await gateway.alarm("a", 1, ACT, at_us=then, value=3.4)
    assert (await view(city, "a")).late


async def test_shelved_until_its_time_is_over_then_annunciated_again(
    city: Running, gateway: FieldGateway
) -> None:
    board = city.centre.alarms
    await gateway.alarm("a", 1, ACT, at_us=city.clock.now, value=3.4)
    await board.acknowledge("a", "operator")
    for minutes, reason, code in (
        (0, "x", "shelving-time"),
        (1441, "x", "shelving-time"),
        (5, " ", "reason-missing"),
    ):
        with pytest.raises(Rejected) as refused:
            await board.shelve("a", "operator", minutes, reason)
        assert refused.value.reason == code
    shelved = await board.shelve("a", "operator", 10, "sensor is being cleaned")
    assert shelved.shelved_until is not None
    with pytest.raises(Rejected, match="shelved until"):
        await board.shelve("a", "operator", 10, "again")
    counts = await board.counts()
    assert (counts.active, counts.shelved) == (0, 1)
    city.clock.move(599)
    assert await board.expire_shelves() == 0
    city.clock.move(1)
    # The centre's own timer may have been quicker; either way it is done once.
    await board.expire_shelves()
    back = await view(city, "a")
    assert (back.state, back.shelved_until, back.acked_by) == ("UNACK", None, None)
    assert [step[0] for step in await steps(city, "a")] == ["ACT", "ACK", "SHELVE", "UNSHELVE"]
    with pytest.raises(Rejected):
        await board.unshelve("a", "operator")


async def test_pages_follow_each_other(city: Running, gateway: FieldGateway) -> None:
    for i in range(5):
        await gateway.alarm(f"a{i}", 1, ACT, at_us=city.clock.now + i, value=3.4)
    seen: list[str] = []
    cursor = None
    while True:
        page = await city.centre.alarms.list(AlarmQuery(state="all", limit=2, cursor=cursor))
        assert page.total == 5
        seen += [alarm.id for alarm in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["a4", "a3", "a2", "a1", "a0"]
    assert (await city.centre.alarms.worst_by_site()) == {"ps-riverside": ("P1", 5, 5)}


async def test_two_people_acknowledge_at_once(city: Running, gateway: FieldGateway) -> None:
    await gateway.alarm("a", 1, ACT, at_us=city.clock.now, value=3.4)
    board = city.centre.alarms
    await asyncio.gather(*(board.acknowledge("a", f"operator-{i}") for i in range(6)))
    assert [step[0] for step in await steps(city, "a")] == ["ACT", "ACK"]
    with pytest.raises(KeyError):
        await board.acknowledge("none", "operator")
