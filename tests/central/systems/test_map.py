"""The map's columns: places once, then only what is not calm, within sight."""

from __future__ import annotations

from central.console import policy
from central.security.sight import Sight
from central.systems.monitoring.parts import parts_in
from protocols.model.alarm import AlarmEvent
from tests.central.systems.field import AIR, DEVICE, SITE, FieldGateway
from tests.central.systems.running import Running


async def read_all(gateway: FieldGateway, now: int) -> None:
    for point, value in ((0, 2.5), (1, 120.0), (2, 1.0), (3, 35.0)):
        await gateway.readings(point, [now], [value])


async def test_places_come_once_and_marks_name_only_what_is_not_calm(
    city: Running, gateway: FieldGateway
) -> None:
    await read_all(gateway, city.clock())
    places = await city.get("/map/devices")
    rows = len(places["id"])
    assert rows >= 3
    assert {len(places[column]) for column in ("kind", "site", "lon", "lat")} == {rows}
    row = places["id"].index(DEVICE)
    assert places["sites"][places["site"][row]] == SITE
    assert (places["lon"][row], places["lat"][row]) == (121.4, 31.2)
    calm = await city.get("/map/marks")
    assert calm["version"] == places["version"]
    assert DEVICE not in calm["id"]

    await gateway.alarm("o1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.5)
    marks = await city.get("/map/marks")
    row = marks["id"].index(DEVICE)
    assert [marks[column][row] for column in ("state", "worst", "active", "unacked")] == [0, 1, 1, 1]
    heat = await city.get("/map/heat")
    assert (heat["device"], heat["alarms"], heat["weight"]) == ([DEVICE], [1], [8.0])

    city.clock.move(3600)
    late = await city.get("/map/marks")
    assert late["state"][late["id"].index(DEVICE)] == 1
    assert {item["site"]: item["gateways"] for item in late["offline"]} == {
        SITE: ["gw-north"],
        AIR: ["gw-north"],
    }


async def test_who_sees_one_site_finds_nothing_of_the_other(city: Running, gateway: FieldGateway) -> None:
    await read_all(gateway, city.clock())
    await gateway.alarm("o1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.5)
    desk = parts_in(city.app).map_desk
    sight = Sight(frozenset({AIR}))
    whole = await desk.devices(Sight())
    part = await desk.devices(sight)
    assert part.sites == [AIR]
    assert DEVICE not in part.id
    assert part.version != whole.version
    assert await desk.devices(sight) is part
    city.clock.move(3600)
    marks = await desk.marks(sight)
    assert set(marks.id) <= set(part.id)
    assert [item.site for item in marks.offline] == [AIR]
    assert (await desk.heat(sight, 24)).device == []


def test_the_page_may_fetch_from_the_styles_origin_and_from_no_other() -> None:
    assert "://" not in policy()
    outside = [part for part in policy("https://tiles.example.cn:8443/v1/style.json?key=k").split("; ")
               if "://" in part]  # fmt: skip
    assert outside == [
        "img-src 'self' data: blob: https://tiles.example.cn:8443",
        "connect-src 'self' https://tiles.example.cn:8443",
    ]
