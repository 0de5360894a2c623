"""Orders that are no commands: one inbox with the commands, answered once, ended when nobody answers."""

from __future__ import annotations

import uuid

import pytest

from protocols.errors import Rejected
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.order import AlarmAct, ConfigPush, Rotate
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running

PUMP = "gw-north.pump1.run"


def act(clock: int, verb: str = "ack") -> AlarmAct:
    """An acknowledgement."""
    return AlarmAct(id=uuid.uuid4().hex, verb=verb, rule="well.level-high", actor="ann", at_us=clock)  # type: ignore[arg-type]


def push(clock: int, text: str = "gateway: {}", lives_s: int = 60) -> ConfigPush:
    """A configuration."""
    return ConfigPush(
        id=uuid.uuid4().hex,
        text=text,
        issued_us=clock,
        expires_us=clock + lives_s * 1_000_000,
        issued_by="ann",
        note="more pumps",
    )


async def test_commands_and_orders_are_one_sequence(city: Running, gateway: FieldGateway) -> None:
    first = await city.centre.outbox.send(PUMP, 1.0, issued_by="ann")
    second = await city.centre.outbox.order("gw-north", act(city.clock()), "ann")
    third = await city.centre.outbox.send(PUMP, 0.0, issued_by="ann")

    items = await gateway.inbox()
    assert [item.order.id for item in items] == [first.id, second.id, third.id]
    assert [item.number for item in items] == sorted({item.number for item in items})
    assert [item.order.id for item in await gateway.inbox(items[0].number)] == [second.id, third.id]
    page = await city.centre.outbox.orders.list("gw-north")
    assert [(view.kind, view.state, view.subject) for view in page.items] == [
        ("alarm", "delivered", "ack well.level-high")
    ]


async def test_an_order_travels_as_it_was_given(city: Running, gateway: FieldGateway) -> None:
    wanted = push(city.clock(), "gateway:\n  id: gw-north  # 北\n")
    await city.centre.outbox.order("gw-north", wanted, "ann")
    (item,) = await gateway.inbox()
    assert item.order == wanted


async def test_an_outcome_ends_an_order_and_the_bus_hears_each_step(
    city: Running, gateway: FieldGateway
) -> None:
    with city.centre.bus.subscribe("order") as heard:
        sent = await city.centre.outbox.order("gw-north", push(city.clock()), "ann")
        await gateway.inbox()
        outcome = CommandOutcome(
            command=sent.id,
            state=CommandState.REJECTED,
            reason="stale-base",
            detail="another one runs",
            finished_us=city.clock(),
        )
        await gateway.outcome(outcome)
        assert [message.payload.state for message in heard.take()] == [  # type: ignore[attr-defined]
            "pending",
            "delivered",
            "rejected",
        ]
    assert await gateway.inbox() == ()
    (shown,) = (await city.centre.outbox.orders.list("gw-north")).items
    assert (shown.reason, shown.detail) == ("stale-base", "another one runs")


async def test_an_order_ends_unfetched_at_its_expiry_and_unanswered_after_its_time(
    city: Running, gateway: FieldGateway
) -> None:
    unanswered = await city.centre.outbox.order("gw-north", push(city.clock()), "ann")
    await gateway.inbox()
    unfetched = await city.centre.outbox.order("gw-north", push(city.clock()), "ann")

    async def states() -> dict[str, str]:
        page = await city.centre.outbox.orders.list("gw-north")
        return {view.id: view.state for view in page.items}

    city.clock.move(61)
    await city.centre.outbox.expire()
    assert await gateway.inbox() == ()
    assert await states() == {unanswered.id: "delivered", unfetched.id: "expired"}
    city.clock.move(200)
    await city.centre.outbox.expire()
    assert (await states())[unanswered.id] == "unknown"
    # What the gateway says it did is the truth, however late.
    await gateway.outcome(
        CommandOutcome(
            command=unanswered.id,
            state=CommandState.VERIFIED,
            reason="",
            detail="",
            finished_us=city.clock(),
        )
    )
    assert (await states())[unanswered.id] == "verified"


async def test_an_answer_for_another_gateways_order_changes_nothing(
    city: Running, gateway: FieldGateway
) -> None:
    sent = await city.centre.outbox.order("gw-north", act(city.clock()), "ann")
    async with city.gateway("gw-south") as other:
        await other.outcome(
            CommandOutcome(
                command=sent.id, state=CommandState.VERIFIED, reason="", detail="", finished_us=city.clock()
            )
        )
    assert [view.state for view in (await city.centre.outbox.orders.list("gw-north")).items] == ["pending"]


async def test_large_configurations_come_one_after_the_other(city: Running, gateway: FieldGateway) -> None:
    for _ in range(3):
        await city.centre.outbox.order("gw-north", push(city.clock(), "x" * 5_000_000), "ann")
    after, sizes = 0, []
    while items := await gateway.inbox(after):
        sizes.append(len(items))
        after = items[-1].number
    assert sizes == [1, 1, 1]


async def test_refused_orders_leave_no_trace(city: Running, gateway: FieldGateway) -> None:
    outbox = city.centre.outbox
    with pytest.raises(KeyError):
        await outbox.order("gw-nowhere", act(city.clock()), "ann")
    for order, reason in (
        (push(city.clock(), lives_s=0), "expiry"),
        (push(city.clock(), "a\0b"), "not-storable"),
        (push(city.clock(), "a\ud800b"), "not-storable"),
    ):
        with pytest.raises(Rejected) as refused:
            await outbox.order("gw-north", order, "ann")
        assert refused.value.reason == reason
    await city.centre.gateways.revoke("gw-north", "ann")
    with pytest.raises(Rejected) as refused:
        await outbox.order(
            "gw-north",
            Rotate(id="r", issued_us=0, expires_us=city.clock() + 60_000_000, issued_by="ann"),
            "ann",
        )
    assert refused.value.reason == "revoked"
    assert (await outbox.orders.list("gw-north")).items == []


async def test_the_list_pages_from_the_newest(city: Running, gateway: FieldGateway) -> None:
    sent = [await city.centre.outbox.order("gw-north", act(city.clock.move(1)), "ann") for _ in range(5)]
    first = await city.centre.outbox.orders.list("gw-north", kind="alarm", limit=3)
    rest = await city.centre.outbox.orders.list("gw-north", kind="alarm", limit=3, cursor=first.next_cursor)
    assert [view.id for view in [*first.items, *rest.items]] == [view.id for view in reversed(sent)]
    assert rest.next_cursor is None
    assert (await city.centre.outbox.orders.list("gw-north", kind="update")).items == []
