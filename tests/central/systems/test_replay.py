"""A past made by hand, looked at again: replay, marks beside trends, and saved trends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import SECOND_US
from protocols.model.quality import Quality
from tests.central.systems.field import AIR, LEVEL, PM25, PUMP, SITE, FieldGateway
from tests.central.systems.running import API, Running

PERIOD_US = 5 * SECOND_US


def iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / SECOND_US, UTC).isoformat()


async def made(city: Running, gateway: FieldGateway) -> int:
    """Two minutes of level, an alarm from 30 s to 60 s, silence after 90 s; returns when it began."""
    start = city.clock() - 600 * SECOND_US
    times = [start + i * PERIOD_US for i in range(18)]
    await gateway.readings(0, times, [float(i) for i in range(18)])
    await gateway.readings(3, times[:3], [10.0, 11.0, 12.0], int(Quality.BAD_TIMEOUT))
    await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=start + 30 * SECOND_US, value=3.3)
    await gateway.alarm("a1", 2, AlarmEvent.CLR, at_us=start + 60 * SECOND_US, value=2.0)
    return start


def row(columns: dict[str, list[Any]], thing: str) -> dict[str, Any]:
    """Return one thing's row of columns."""
    place = columns["id"].index(thing)
    return {name: column[place] for name, column in columns.items() if name != "id"}


CALM = {"state": 0, "worst": 0, "active": 0, "unacked": 0}


async def test_each_moment_is_shown_as_it_was(city: Running, gateway: FieldGateway) -> None:
    start = await made(city, gateway)

    async def at(seconds: float, **more: Any) -> Any:
        return await city.get("/replay/at", time=iso(start + round(seconds * SECOND_US)), **more)

    before = await at(-1)
    assert row(before["sites"], SITE) == CALM | {"state": 1}
    assert before["alarms"]["id"] == []
    calm = await at(11, site=SITE)
    assert row(calm["sites"], SITE) == CALM
    assert "gw-north.well" not in calm["devices"]["id"]
    assert row(calm["devices"], "gw-north.air") == CALM | {"state": 2}
    assert (calm["values"]["point"], calm["values"]["value"]) == ([LEVEL], [2.0])
    assert (calm["values"]["age_s"], calm["values"]["stale"]) == ([1.0], [False])
    during = await at(45)
    alarmed = {"state": 0, "worst": 1, "active": 1, "unacked": 1}
    assert row(during["sites"], SITE) == row(during["devices"], "gw-north.well") == alarmed
    assert (during["alarms"]["id"], during["alarms"]["state"]) == (["a1"], ["UNACK"])
    cleared = await at(75)
    assert row(cleared["sites"], SITE) == CALM | {"unacked": 1}
    assert cleared["alarms"]["state"] == ["RTNUN"]
    silent = await at(200, site=SITE)
    assert row(silent["sites"], SITE)["state"] == 1
    assert (silent["values"]["value"], silent["values"]["stale"]) == ([17.0], [True])


async def test_the_density_counts_by_part_and_priority_within_sight(
    city: Running, gateway: FieldGateway
) -> None:
    start = await made(city, gateway)
    at = start + 100 * SECOND_US
    await gateway.alarm("b1", 1, AlarmEvent.ACT, at_us=at, value=99.0, rule="air.pm25-high")
    span: dict[str, str | int] = {
        "from": iso(start),
        "to": iso(start + 120 * SECOND_US),
        "buckets": 4,
    }
    found = await city.get("/replay/density", **span)
    assert (found["P1"], found["P3"]) == ([0, 1, 0, 0], [0, 0, 0, 1])
    near = await city.person("north-only", Role.VIEWER, areas=["north"])
    async with city.client(near) as client:
        limited = (await client.get(f"{API}/replay/density", params=span)).json()
        frame = (await client.get(f"{API}/replay/at", params={"time": iso(at), "site": AIR})).json()
        ahead = await client.get(f"{API}/replay/at", params={"time": iso(city.clock() + SECOND_US)})
    assert (limited["P1"], limited["P3"]) == ([0, 1, 0, 0], [0, 0, 0, 0])
    assert (frame["sites"]["id"], frame["alarms"]["id"], frame["values"]["point"]) == ([SITE], ["a1"], [])
    assert ahead.status_code == 422


async def test_marks_are_the_alarms_that_stood_and_the_commands(city: Running, gateway: FieldGateway) -> None:
    start = await made(city, gateway)
    sent = await city.post("/commands", {"point": PUMP, "value": 1}, expect=202)
    span = {"from": iso(start + 59 * SECOND_US), "to": iso(city.clock() + SECOND_US)}
    found = await city.get("/history/marks", point=[LEVEL, PUMP], **span)
    assert [alarm["id"] for alarm in found["alarms"]] == ["a1"]
    assert [(command["id"], command["value"]) for command in found["commands"]] == [(sent["id"], 1)]
    later = {**span, "from": iso(start + 61 * SECOND_US)}
    assert (await city.get("/history/marks", point=LEVEL, **later))["alarms"] == []


async def test_a_shared_trend_shows_each_what_he_may_see(city: Running, gateway: FieldGateway) -> None:
    asked = {"name": "雨夜", "points": [LEVEL, PM25], "span_s": 3600, "shared": True}
    saved = await city.post("/trend-views", asked)
    assert (saved["mine"], saved["points"], saved["hidden"]) == (True, [LEVEL, PM25], 0)
    again = await city.post("/trend-views", {**asked, "points": [PM25], "options": {"compare": "week"}})
    assert (again["id"], again["options"]["compare"]) == (saved["id"], "week")
    both = await city.post("/trend-views", {**asked, "name": "both"})
    near = await city.person("north-only", Role.VIEWER, areas=["north"])
    async with city.client(near) as client:
        (seen,) = (await client.get(f"{API}/trend-views")).json()["items"]
        assert (seen["name"], seen["points"], seen["hidden"], seen["mine"]) == ("both", [LEVEL], 1, False)
        assert (await client.delete(f"{API}/trend-views/{both['id']}")).status_code == 404
        assert (await client.post(f"{API}/trend-views", json=asked)).status_code == 403
        far = {**asked, "shared": False}
        assert (await client.post(f"{API}/trend-views", json=far)).status_code == 404
        two = {**far, "points": [LEVEL], "from": iso(0), "to": iso(1)}
        assert (await client.post(f"{API}/trend-views", json=two)).status_code == 422
    async with city.client(Role.OPERATOR) as client:
        assert (await client.delete(f"{API}/trend-views/{both['id']}")).status_code == 204
