"""The alarm desk: many acts at once, windows, inhibition, folded storms, groups, views; and its journal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from central.live.alarm_unanswered import unanswered
from central.security.roles import Role
from central.systems.monitoring.parts import parts_in
from protocols.model.alarm import AlarmEvent as E
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import to_datetime
from protocols.model.order import AlarmAct
from tests.central.live.test_alarms import steps, view
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running

WORN = "pump1.run-high"
AIR = "air.pm25-high"
CHIEF = Role.SUPERVISOR


async def raised(city: Running, gateway: FieldGateway, *names: str, rule: str = "well.level-high") -> None:
    """Raise one occurrence after the other, a millisecond apart."""
    for name in names:
        await gateway.alarm(name, 1, E.ACT, at_us=city.clock.move(0.001), value=3.4, rule=rule)


async def last(city: Running, alarm: str) -> tuple[str, str, str]:
    """Return the last step of the journal as (event, actor, comment)."""
    found = (await city.get(f"/alarms/{alarm}"))["journal"][-1]
    return found["event"], found["actor"], found["comment"]


async def test_many_are_answered_at_once_and_every_failure_has_a_name(
    city: Running, gateway: FieldGateway
) -> None:
    await raised(city, gateway, "a", "b", "c")
    await raised(city, gateway, "p", rule=WORN)
    done = await city.post("/alarms/acts", {"verb": "acknowledge", "ids": ["a", "b", "x"], "comment": "seen"})
    assert (done["done"], done["remaining"]) == (2, False)
    assert [(f["id"], f["code"]) for f in done["failures"]] == [("x", "not-found")]
    assert [act.verb for act in await acts(gateway)] == ["ack", "ack"]
    done = await city.post("/alarms/acts", {"verb": "reset", "filter": {"state": "open"}})
    assert (done["done"], {f["code"] for f in done["failures"]}) == (0, {"still-active"})
    told = {"verb": "assign", "filter": {"rule": "level-high"}, "assignee": "test-admin", "comment": "yours"}
    assert (await city.post("/alarms/acts", told))["done"] == 3
    assert await last(city, "a") == ("ASSIGN", "test-operator", "test-admin: yours")
    assert [item["id"] for item in (await city.get("/alarms", assignee="-"))["items"]] == ["p"]
    await city.post("/alarms/acts", {**told, "assignee": "test-viewer"}, expect=422)
    await city.post("/alarms/acts", {"verb": "comment", "ids": ["a"], "comment": " "}, expect=409)
    await city.post("/alarms/acts", {"verb": "comment", "ids": ["a"], "comment": "look at the float"})
    assert await last(city, "a") == ("COMMENT", "test-operator", "look at the float")
    shelved = {"verb": "shelve", "filter": {"priority": ["P4"]}, "minutes": 10, "comment": "known"}
    assert (await city.post("/alarms/overlays", shelved))["done"] == 1
    assert [item["id"] for item in (await city.get("/alarms", overlay="SHLVD"))["items"]] == ["p"]
    await city.post("/alarms/acts", {"verb": "acknowledge"}, expect=422)
    await city.post("/alarms/acts", {"verb": "acknowledge", "ids": ["a"]}, Role.VIEWER, expect=403)
    people = (await city.get("/alarms/assignees", Role.OPERATOR))["items"]
    assert [person["username"] for person in people] == ["test-admin", "test-operator", "test-supervisor"]


async def acts(gateway: FieldGateway) -> list[AlarmAct]:
    """Return what the gateway was told to do."""
    return [item.order for item in await gateway.inbox() if isinstance(item.order, AlarmAct)]


async def test_a_window_covers_what_comes_and_calls_again_when_it_ends(
    city: Running, gateway: FieldGateway
) -> None:
    watch, now = parts_in(city.app).watch, city.clock.now
    await raised(city, gateway, "a", "b")
    window = {
        "kind": "maintenance", "site": "ps-riverside", "rule": "well.*", "reason": "cleaning the well",
        "until_at": (to_datetime(now) + timedelta(minutes=30)).isoformat(),
    }  # fmt: skip
    made = await city.post("/alarms/covers", window, CHIEF, expect=201)
    await raised(city, gateway, "c")
    await raised(city, gateway, "p", rule=WORN)
    assert made["alarms"] == 2
    listed = {item["id"]: item["display"] for item in (await city.get("/alarms"))["items"]}
    assert listed == {"a": "OOSRV", "b": "OOSRV", "c": "OOSRV", "p": "UNACK"}
    assert (await city.get("/overview"))["alarms"]["unacked"] == 1
    (event,) = (await city.get("/events"))["items"]
    assert {alarm["id"] for alarm in (await city.get(f"/events/{event['id']}"))["alarms"]} == {"a", "b"}
    # Under the window one returns to normal, one is acknowledged; both go on with their lives.
    await gateway.alarm("a", 2, E.CLR, at_us=city.clock.move(1), value=3.0)
    await city.post("/alarms/b/acknowledge")
    async with city.centre.database.session() as session:
        assert [item.alarm.id for item in await unanswered(session, to_datetime(city.clock.now))] == ["p"]
    city.clock.move(1800)
    await watch.by_clock()
    assert (await view(city, "a")).state == "NORM"
    assert ((await view(city, "b")).state, (await view(city, "c")).overlays) == ("UNACK", ())
    assert (await steps(city, "a"))[-1][:3] == ("UNCOVER", "RTNUN", "NORM")
    assert [(act.verb, act.occurrence, act.actor) for act in await acts(gateway)] == [
        ("ack", "b", "test-operator"),
        ("ack", "a", "system"),
    ]
    (again,) = (await city.get("/events"))["items"]
    alarms = {alarm["id"] for alarm in (await city.get(f"/events/{again['id']}"))["alarms"]}
    assert alarms == {"a", "b", "c"}
    assert (await city.get("/alarms/covers"))["items"] == []
    (over,) = (await city.get("/alarms/covers", state="all"))["items"]
    assert (over["ended_by"], over["end_why"]) == ("system", "its time is over")
    # A suppression that somebody ends before its time; a closed alarm is not covered at all.
    suppression = {**window, "kind": "suppression", "rule": None, "until_at": "2100-01-01T00:00:00Z"}
    await city.post("/alarms/covers", suppression, CHIEF, expect=422)
    soon = (to_datetime(city.clock.now) + timedelta(hours=1)).isoformat()
    made = await city.post("/alarms/covers", {**suppression, "until_at": soon}, CHIEF, expect=201)
    assert {item["display"] for item in (await city.get("/alarms"))["items"]} == {"DSUPR"}
    await city.post(f"/alarms/covers/{made['id']}/end", {"reason": "done"}, CHIEF)
    assert await last(city, "p") == (
        "UNCOVER", "test-supervisor", f"suppression {made['id']}: cleaning the well — done",
    )  # fmt: skip
    everything = {"kind": "suppression", "reason": "quiet", "until_at": soon}
    await city.post("/alarms/covers", everything, CHIEF, expect=422)
    await city.post("/alarms/covers", everything, expect=403)


async def test_an_offline_gateway_mutes_what_it_explains_and_raises_one_alarm(
    city: Running, gateway: FieldGateway
) -> None:
    watch = parts_in(city.app).watch
    await raised(city, gateway, "a")
    async with city.centre.database.pool.connection() as connection:
        await connection.execute(
            'INSERT INTO alarms SELECT (jsonb_populate_record(a, \'{"id": "silent", "kind": "no_data", '
            '"priority": "P3"}\')).* FROM alarms a WHERE id = \'a\''
        )
    await watch.by_presence()
    assert (await city.get("/alarms/covers"))["items"] == []
    city.clock.move(31)
    await watch.by_presence()
    await watch.by_presence()
    listed = {item["id"]: item for item in (await city.get("/alarms"))["items"]}
    (own,) = (item for key, item in listed.items() if key not in {"a", "silent"})
    assert (own["rule_id"], own["priority"], own["site"]) == ("_centre.gateway-offline", "P2", "ps-riverside")
    assert (listed["silent"]["muted_by"], listed["silent"]["display"]) == ("gw-north", "DSUPR")
    assert (listed["a"]["muted_by"], listed["a"]["display"]) == ("", "UNACK")
    causes = {group["key"]: group["count"] for group in (await city.get("/alarms/groups"))["items"]}
    assert causes == {"gateway:gw-north": 1, "rule:level-high": 1, "rule:gateway-offline": 1}
    for item in listed.values():
        assert (await city.get("/alarms", cause=item["cause"]))["total"] == 1
    detail = await city.get(f"/alarms/{own['id']}")
    assert detail["rule"]["declaration"] == "centre"
    # Answered here; no gateway hears of an alarm that is the centre's own.
    await city.post(f"/alarms/{own['id']}/acknowledge")
    assert await acts(gateway) == []
    await gateway.alarm("a", 2, E.CLR, at_us=city.clock.now, value=3.0)
    await watch.by_presence()
    assert (await view(city, own["id"])).state == "NORM"
    assert (await view(city, "silent")).overlays == ()
    assert await last(city, "silent") == (
        "UNCOVER", "system", "inhibition 1: gw-north is offline — the gateway is heard again",
    )  # fmt: skip


async def test_a_storm_folds_into_one_entry_and_comes_out_again(city: Running, gateway: FieldGateway) -> None:
    watch, now = parts_in(city.app).watch, city.clock.now

    def storm(first: int, many: int, rule: str) -> tuple[AlarmTransition, ...]:
        return tuple(
            AlarmTransition(
                occurrence=f"{rule}{n}", rule=rule, point=rule.replace("-high", ""), number=1, event=E.ACT,
                event_us=city.clock.now + n, sample_us=city.clock.now, value=1.0, quality=0,
                declaration=gateway.declaration,
            )
            for n in range(first, first + many)
        )  # fmt: skip

    await gateway.send("alarms", storm(0, 10, WORN), now)
    await watch.by_rate()
    assert (await city.get("/alarms/folds"))["items"] == []
    await gateway.send("alarms", (*storm(10, 5, WORN), *storm(0, 1, AIR)), now)
    await raised(city, gateway, "urgent")
    city.clock.move(1)
    await watch.by_rate()
    told = await city.get("/alarms/folds")
    (fold,) = told["items"]
    assert (fold["kind"], fold["made_by"], fold["rate"]) == ("auto", "flood", 17)
    assert (fold["alarms"], fold["by_priority"], fold["sites"]) == (16, {"P3": 1, "P4": 15}, 2)
    assert told["flood"]["rate"] == 17.0
    assert datetime.fromisoformat(told["flood"]["since"]) == to_datetime(now), "since its first alarm"
    shown = await city.get("/alarms", folded=False)
    assert [item["id"] for item in shown["items"]] == ["urgent"]
    assert (await city.get("/alarms", fold=fold["id"]))["total"] == 16
    assert (await last(city, f"{WORN}0"))[:2] == ("FOLD", "flood")
    # The flood goes on: what comes is folded too. Undone, all stand there, and this flood folds no more.
    await gateway.send("alarms", storm(15, 1, WORN), now)
    await watch.by_rate()
    assert (await city.get("/alarms", folded=False))["total"] == 1
    await city.post(f"/alarms/folds/{fold['id']}/undo", {"reason": "I want to see them"})
    await watch.by_rate()
    assert (await city.get("/alarms", folded=False))["total"] == 18
    assert await last(city, f"{WORN}0") == ("UNFOLD", "test-operator", "storm 1: I want to see them")
    # Ten minutes later it is over; by hand one folds what a filter lets through, never what is urgent.
    city.clock.move(601)
    await watch.by_rate()
    assert (await city.get("/alarms/folds"))["flood"]["since"] is None
    by_hand = {"filter": {"site": "ps-riverside"}, "reason": "one broken relay"}
    made = await city.post("/alarms/folds", by_hand, expect=201)
    assert (made["kind"], made["alarms"], made["made_by"]) == ("hand", 16, "test-operator")
    await city.post("/alarms/folds", by_hand, expect=409)
    await city.post("/alarms/folds", by_hand, Role.VIEWER, expect=403)


async def test_views_are_ones_own_unless_they_are_shared(city: Running) -> None:
    async def names(role: Role) -> list[tuple[str, bool]]:
        return [(item["name"], item["own"]) for item in (await city.get("/alarms/views", role))["items"]]

    asked: dict[str, Any] = {"name": "夜班", "filter": {"priority": ["P1"], "assignee": "me"}}
    await city.post("/alarms/views", asked, expect=201)
    again = await city.post("/alarms/views", {**asked, "shared": True}, expect=201)
    assert again["filter"]["priority"] == ["P1"]
    await city.post("/alarms/views", {**asked, "name": "mine"}, Role.VIEWER, expect=201)
    await city.post("/alarms/views", {**asked, "shared": True}, Role.VIEWER, expect=403)
    await city.post("/alarms/views", {**asked, "filter": {"nothing": 1}}, expect=422)
    assert await names(Role.OPERATOR) == [("夜班", True)]
    assert sorted(await names(Role.VIEWER)) == [("mine", True), ("夜班", False)]
    async with city.client(Role.VIEWER) as client:
        assert (await client.delete(f"/api/v1/alarms/views/{again['id']}")).status_code == 404
    async with city.client(Role.ADMIN) as client:
        assert (await client.delete(f"/api/v1/alarms/views/{again['id']}")).status_code == 204
    assert await names(Role.OPERATOR) == []
