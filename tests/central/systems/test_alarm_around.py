"""Around an alarm: what was at its point before, and the cameras that stand nearest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from central.live.alarm_rows import AlarmRow
from central.security.roles import Role
from central.systems.monitoring.alarm_around import distance_m
from protocols.model.alarm import AlarmEvent as E
from protocols.model.clock import to_datetime
from tests.central.systems.field import SITE, FieldGateway
from tests.central.systems.running import API, Running

PARK = (121.5, 31.3)


def test_a_degree_of_the_meridian() -> None:
    assert distance_m((121.4, 31.0), (121.4, 32.0)) == pytest.approx(111_195, abs=1)
    assert distance_m((179.9, 0.0), (-179.9, 0.0)) == pytest.approx(22_239, abs=1)
    assert distance_m(PARK, PARK) == 0


async def test_what_was_at_the_point_before(city: Running, gateway: FieldGateway) -> None:
    await gateway.alarm("now", 1, E.ACT, at_us=city.clock.now, value=3.4, rule="well.level-high")
    alone = await city.get("/alarms/now/earlier")
    assert alone == {"point": "gw-north.well.level", "count": 0, "median_s": None, "items": []}
    now = to_datetime(city.clock.now)
    async with city.centre.database.session() as session:
        row = await session.get(AlarmRow, "now")
        assert row is not None
        same = {column.name: getattr(row, column.name) for column in AlarmRow.__table__.columns}
        for n in range(1, 13):
            began = now - timedelta(hours=n)
            ended = None if n == 1 else began + timedelta(seconds=n)
            more = {"id": f"e{n:02}", "raised_at": began, "cleared_at": ended, "closed_at": ended}
            session.add(AlarmRow(**same | more | {"state": "NORM" if ended else "UNACK"}))
        session.add(AlarmRow(**same | {"id": "later", "raised_at": now + timedelta(hours=1)}))
        session.add(AlarmRow(**same | {"id": "other", "raised_at": now - timedelta(hours=3), "point": "x"}))
        moved = {"id": "moved", "raised_at": now - timedelta(days=9), "site": "air-park"}
        session.add(AlarmRow(**same | moved))
    told = await city.get("/alarms/now/earlier")
    # Eleven have ended, after 2 to 12 s; the one that has not does not count into the median.
    assert (told["count"], told["median_s"]) == (13, 7.0)
    assert [item["id"] for item in told["items"]] == [f"e{n:02}" for n in range(1, 11)]
    first, second = told["items"][:2]
    assert (first["cleared_at"], first["lasted_s"], first["state"]) == (None, None, "UNACK")
    assert (second["lasted_s"], second["name"]["zh"], second["priority"]) == (2.0, "水位高", "P1")
    north = await city.person("of-north", areas=["north"])
    async with city.client(north) as client:
        assert (await client.get(f"{API}/alarms/now/earlier")).json()["count"] == 12
        for path in ("/alarms/moved/earlier", "/alarms/moved/cameras", "/alarms/none/cameras"):
            assert (await client.get(API + path)).status_code == 404, path


async def test_the_nearest_cameras(city: Running, gateway: FieldGateway) -> None:
    await gateway.alarm("now", 1, E.ACT, at_us=city.clock.now, value=3.4, rule="well.level-high")
    assert await city.get("/alarms/now/cameras") == {"items": []}
    # North of the station by so many thousandths of a degree; the gate stands where its site does.
    stand = {"gw-north.far": ("air-park", (121.4, 31.207)), "gw-north.near": (SITE, (121.4, 31.201))}
    stand |= {f"gw-north.c{n}": (SITE, (121.4, 31.2 + n / 1000)) for n in range(2, 6)}
    planned = ("gw-north.plan", (SITE, (121.4, 31.2)))
    async with city.client(Role.ADMIN) as admin:
        for name, (site, at) in [*stand.items(), ("gw-north.gate", (SITE, None)), planned]:
            fields: dict[str, object] = {
                "name_zh": "摄像机",
                "name_en": "Camera",
                "kind": "camera",
                "site": site,
            }
            if at is not None:
                fields |= {"lon": at[0], "lat": at[1]}
            asked = {"id": name, "fields": fields, "lifecycle": "active" if name != planned[0] else "planned"}
            answer = await admin.post(f"{API}/registry/devices", json=asked)
            assert answer.status_code == 201, answer.text
    found = (await city.get("/alarms/now/cameras"))["items"]
    near = ["gw-north.gate", "gw-north.near", "gw-north.c2", "gw-north.c3", "gw-north.c4"]
    assert [item["id"] for item in found] == near
    assert [item["distance_m"] for item in found] == pytest.approx([0, 111.2, 222.4, 333.6, 444.8], abs=0.1)
    assert found[1]["name"] == {"zh": "摄像机", "en": "Camera"}
    # The well gets a place of its own, beside the park's camera: somebody of the north is not told of that.
    async with city.client(Role.ADMIN) as admin:
        moved = {"fields": {"lon": 121.4, "lat": 31.207}}
        answer = await admin.patch(f"{API}/registry/devices/gw-north.well", json=moved)
        assert answer.status_code == 200, answer.text
    assert (await city.get("/alarms/now/cameras"))["items"][0]["id"] == "gw-north.far"
    async with city.client(await city.person("of-north", areas=["north"])) as client:
        seen = (await client.get(f"{API}/alarms/now/cameras")).json()["items"]
    assert [item["id"] for item in seen][:2] == ["gw-north.c5", "gw-north.c4"]
