"""Many steps of alarms in one batch: applied in their order, and before the gateway loses patience."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import event

from protocols.model.alarm import AlarmEvent as E
from protocols.model.alarm import AlarmState as S
from protocols.model.alarm import AlarmTransition
from tests.central.live.test_alarms import steps, view
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running


def step(
    gateway: FieldGateway, occurrence: str, number: int, event_: E, state: S, at_us: int
) -> AlarmTransition:
    """A step of the level alarm."""
    return AlarmTransition(
        occurrence=occurrence, rule="well.level-high", point="well.level", number=number, event=event_,
        event_us=at_us, sample_us=at_us, value=3.4, quality=0, declaration=gateway.declaration, state=state,
    )  # fmt: skip


async def test_an_occurrence_of_the_same_batch_is_superseded(city: Running, gateway: FieldGateway) -> None:
    now = city.clock.now
    await gateway.send(
        "alarms",
        (
            step(gateway, "b", 1, E.ACT, S.UNACK, now),
            step(gateway, "b", 2, E.CLR, S.RTNUN, now + 1),
            step(gateway, "a", 1, E.ACT, S.UNACK, now + 2),
            step(gateway, "a", 2, E.CLR, S.RTNUN, now + 3),
        ),
        now,
    )
    assert (await view(city, "b")).acked_by == "superseded"
    assert await steps(city, "b") == [
        ("ACT", "NORM", "UNACK", "gw-north"),
        ("CLR", "UNACK", "RTNUN", "gw-north"),
        ("ACT", "RTNUN", "NORM", "system"),
    ]
    await gateway.send("alarms", (step(gateway, "c", 1, E.ACT, S.UNACK, now + 4),), now)
    assert (await view(city, "a")).acked_by == "superseded"
    listed = await city.get("/alarms", state="open")
    assert [alarm["id"] for alarm in listed["items"]] == ["c"]


async def test_a_storm_costs_few_statements(city: Running, gateway: FieldGateway) -> None:
    """A read of each alarm's own event, or of what lies over its rule, made 2,000 steps take a minute."""
    now, asked = city.clock.now, 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    engine = city.centre.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    storm = tuple(step(gateway, f"o{i}", 1, E.ACT, S.UNACK, now + i) for i in range(300))
    await gateway.send("alarms", storm, now)
    event.remove(engine, "before_cursor_execute", count)
    assert (await city.get("/alarms", state="open"))["total"] == 300
    assert asked < 100
    (told,) = (await city.get("/events"))["items"]
    assert len((await city.get(f"/events/{told['id']}"))["alarms"]) == 300


async def test_steps_of_many_rules_are_read_for_as_those_of_one(city: Running, gateway: FieldGateway) -> None:
    """A storm is many rules: three reads for each of them made a thousand alarms take minutes."""
    now, asked = city.clock.now, 0
    calm = (("air.pm25-high", "air.pm25"), ("pump1.run-high", "pump1.run"))

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal asked
        # The centre's timers ask, too, but of none of these.
        asked += "FROM rules" in statement or "FROM alarm_overlays" in statement

    async def cost(name: str, rules: tuple[tuple[str, str], ...]) -> int:
        nonlocal asked
        made = [step(gateway, f"{name}{i}", 1, E.ACT, S.UNACK, now + i) for i in range(10)]
        told = tuple(
            replace(one, rule=rules[i % len(rules)][0], point=rules[i % len(rules)][1])
            for i, one in enumerate(made)
        )
        asked = 0
        await gateway.send("alarms", told, now)
        return asked

    await cost("first", calm)
    engine = city.centre.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    one, two = await cost("one", calm[:1]), await cost("two", calm)
    event.remove(engine, "before_cursor_execute", count)
    assert two == one == 2
