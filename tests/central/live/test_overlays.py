"""What lies over alarms at the centre, what goes to the gateway, and what comes back from there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from central.live.alarm_rows import OverlayRow
from central.live.alarms import AlarmView
from central.store.registry import RuleRow
from protocols.errors import Rejected
from protocols.model.alarm import AlarmEvent as E
from protocols.model.alarm import AlarmState, AlarmTransition, Overlay
from protocols.model.order import AlarmAct
from tests.central.live.test_alarms import steps, view
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running


async def say(gateway: FieldGateway, event: E, number: int = 1, **fields: Any) -> None:
    """Send one step of the level alarm, with whatever a newer gateway says of it."""
    known = {
        "occurrence": "a",
        "rule": "well.level-high",
        "point": "well.level",
        "event_us": fields.get("at", 0),
        "sample_us": 0,
        "value": 3.4,
        "quality": 0,
        "declaration": gateway.declaration,
    }
    at = fields.pop("at")
    step = AlarmTransition(**{**known, "number": number, "event": event, "event_us": at, **fields})
    await gateway.send("alarms", (step,), at)


async def acts(gateway: FieldGateway) -> list[AlarmAct]:
    """Return what the gateway was told to do."""
    return [item.order for item in await gateway.inbox() if isinstance(item.order, AlarmAct)]


async def intervals(city: Running) -> list[tuple[str, str, str | None]]:
    """Return the overlays that people put on, as (overlay, by, ended by)."""
    async with city.centre.database.session() as session:
        rows = await session.scalars(select(OverlayRow).order_by(OverlayRow.id))
        return [(row.overlay, row.entered_by, row.left_by) for row in rows]


async def test_every_answer_of_a_person_goes_to_the_gateway(city: Running, gateway: FieldGateway) -> None:
    board, now = city.centre.alarms, city.clock.now
    await say(gateway, E.ACT, at=now)
    await board.acknowledge("a", "operator", "seen")
    await board.acknowledge("a", "operator", "seen again")
    shelved = await board.shelve("a", "operator", 10, "cleaning")
    await board.unshelve("a", "chief")
    await board.suspend("a", "fitter", "permit 17")
    told = await acts(gateway)
    assert [(act.verb, act.rule, act.occurrence, act.actor, act.comment) for act in told] == [
        ("ack", "well.level-high", "a", "operator", "seen"),
        ("shelve", "well.level-high", "a", "operator", "cleaning"),
        ("unshelve", "well.level-high", "a", "chief", ""),
        ("suspend", "well.level-high", "a", "fitter", "permit 17"),
    ]
    assert shelved.shelved_until is not None
    assert told[1].until_us == round(shelved.shelved_until.timestamp() * 1e6)


async def test_the_report_of_an_act_from_here_is_not_doubled(city: Running, gateway: FieldGateway) -> None:
    board, now = city.centre.alarms, city.clock.now
    await say(gateway, E.ACT, at=now)
    await board.acknowledge("a", "operator")
    (act,) = await acts(gateway)
    await say(gateway, E.ACK, 2, at=now + 5, act=act.id, actor="operator", state=AlarmState.ACKED)
    await say(gateway, E.CLR, 3, at=now + 9, state=AlarmState.NORM)
    assert await steps(city, "a") == [
        ("ACT", "NORM", "UNACK", "gw-north"),
        ("ACK", "UNACK", "ACKED", "operator"),
        ("CLR", "ACKED", "NORM", "gw-north"),
    ]


async def test_what_a_person_at_the_gateway_did_is_shown_with_the_name(
    city: Running, gateway: FieldGateway
) -> None:
    now = city.clock.now
    await say(gateway, E.ACT, at=now)
    await say(gateway, E.ACK, 2, at=now + 5, act="page-1", actor="page:10.0.0.7", comment="on site")
    acked = await view(city, "a")
    assert (acked.state, acked.acked_by) == ("ACKED", "page:10.0.0.7")
    await say(gateway, E.REALARM, 3, at=now + 60)
    again = await view(city, "a")
    assert (again.state, again.acked_by, again.realarms) == ("UNACK", None, 1)
    assert await acts(gateway) == [], "the gateway knows it already"


async def test_shelved_at_the_gateway_and_back_again(city: Running, gateway: FieldGateway) -> None:
    now = city.clock.now
    await say(gateway, E.ACT, at=now)
    until = now + 600_000_000
    page = {"act": "p1", "actor": "page:10.0.0.7", "comment": "cleaning"}
    await say(gateway, E.SHELVE, 2, at=now + 5, until_us=until, overlays=(Overlay.SHLVD,), **page)
    shelved = await view(city, "a")
    assert (shelved.display, shelved.overlays, shelved.state) == ("SHLVD", ("SHLVD",), "UNACK")
    assert (await city.centre.alarms.counts()).shelved == 1
    await say(gateway, E.UNSHELVE, 3, at=until, state=AlarmState.UNACK)
    back = await view(city, "a")
    assert (back.display, back.shelved_until) == ("UNACK", None)
    assert await intervals(city) == [("SHLVD", "page:10.0.0.7", "gw-north")]


async def test_a_rule_is_shelved_before_anything_is_active(city: Running, gateway: FieldGateway) -> None:
    now = city.clock.now
    bare: dict[str, Any] = {"occurrence": "", "actor": "page:10.0.0.7", "comment": "works"}
    await say(gateway, E.SHELVE, at=now, until_us=now + 600_000_000, act="p1", **bare)
    with city.centre.bus.subscribe("event") as heard:
        await say(gateway, E.ACT, at=now + 5, overlays=(Overlay.SHLVD,))
        assert heard.take() == [], "nobody is called to what is shelved"
    assert (await view(city, "a")).display == "SHLVD"
    with city.centre.bus.subscribe("event") as heard:
        await say(gateway, E.UNSHELVE, 2, at=now + 9, state=AlarmState.UNACK)
        assert [message.kind for message in heard.take()] == ["event"], "now somebody is"


async def test_suppressed_by_design_opens_no_event_and_is_not_counted(
    city: Running, gateway: FieldGateway
) -> None:
    now = city.clock.now
    with city.centre.bus.subscribe("event") as heard:
        await say(gateway, E.ACT, at=now, overlays=(Overlay.DSUPR,), group="trip", first_out=False)
        assert heard.take() == []
    hidden = await view(city, "a")
    assert (hidden.display, hidden.group, hidden.active) == ("DSUPR", "trip", True)
    counts = await city.centre.alarms.counts()
    assert (counts.active, counts.unacked) == (0, 0)
    await say(gateway, E.UNSUPPRESS, 2, at=now + 5, state=AlarmState.UNACK, comment="pump1.trip")
    assert (await city.centre.alarms.counts()).active == 1
    assert await intervals(city) == [], "logic is no decision of a person"


async def test_first_out_is_shown(city: Running, gateway: FieldGateway) -> None:
    await say(gateway, E.ACT, at=city.clock.now, group="trip", first_out=True)
    shown = await view(city, "a")
    assert (shown.group, shown.first_out) == ("trip", True)


async def test_out_of_service_until_somebody_returns_it(city: Running, gateway: FieldGateway) -> None:
    board, now = city.centre.alarms, city.clock.now
    await say(gateway, E.ACT, at=now)
    await board.acknowledge("a", "operator")
    with pytest.raises(Rejected) as refused:
        await board.suspend("a", "fitter", " ")
    assert refused.value.reason == "reason-missing"
    assert (await board.suspend("a", "fitter", "permit 17")).display == "OOSRV"
    with pytest.raises(Rejected):
        await board.suspend("a", "fitter", "permit 18")
    city.clock.move(7 * 86_400)
    assert await board.expire_shelves() == 0
    back: AlarmView = await board.return_to_service("a", "fitter")
    assert (back.display, back.acked_by) == ("UNACK", None), "active alarms are annunciated again"
    with pytest.raises(Rejected):
        await board.return_to_service("a", "fitter")


async def test_an_old_end_of_shelving_does_not_end_a_new_one(city: Running, gateway: FieldGateway) -> None:
    board, now = city.centre.alarms, city.clock.now
    await say(gateway, E.ACT, at=now)
    await board.shelve("a", "operator", 1, "cleaning")
    city.clock.move(61)
    await board.expire_shelves()
    city.clock.move(5)
    await board.shelve("a", "operator", 60, "still cleaning")
    await say(gateway, E.UNSHELVE, 2, at=now + 60_000_000, state=AlarmState.UNACK)
    assert (await view(city, "a")).display == "SHLVD"


async def test_a_rule_that_is_never_shelved(city: Running, gateway: FieldGateway) -> None:
    await say(gateway, E.ACT, at=city.clock.now)
    async with city.centre.database.session() as session:
        row = await session.get(RuleRow, ("gw-north", gateway.declaration, "well.level-high"))
        assert row is not None
        row.body = {**row.body, "max_shelve_s": 0.0}
    with pytest.raises(Rejected) as refused:
        await city.centre.alarms.shelve("a", "operator", 5, "x")
    assert refused.value.reason == "not-shelvable"


def test_what_an_older_gateway_says_can_still_be_read() -> None:
    old = {
        "occurrence": "a",
        "rule": "r",
        "point": "p",
        "number": 1,
        "event": "ACT",
        "event_us": 1,
        "sample_us": 1,
        "value": 1.0,
        "quality": 0,
        "declaration": "d",
    }
    assert msgspec.convert(old, AlarmTransition).overlays == ()
