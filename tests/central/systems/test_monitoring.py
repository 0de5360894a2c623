"""Monitoring over HTTP: what is where, how fresh and how good it is, and how it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import SECOND_US, to_datetime
from protocols.model.quality import Quality
from tests.central.systems.field import AIR, DEVICE, LEVEL, PM25, PUMP, SITE, FieldGateway
from tests.central.systems.running import API, Running, running_centre

MINUTE_US = 60 * SECOND_US


def iso(time_us: int) -> str:
    return to_datetime(time_us).isoformat().replace("+00:00", "Z")


async def read_all(gateway: FieldGateway, now: int) -> None:
    """One good reading of each point, and one word."""
    for point, value in ((0, 2.5), (1, 120.0), (2, 1.0), (3, 35.0)):
        await gateway.readings(point, [now], [value])
    await gateway.readings(4, [now], [float("nan")], text={0: "正常"})


async def test_a_device_shows_its_points_with_value_age_and_quality(
    city: Running, gateway: FieldGateway
) -> None:
    await read_all(gateway, city.clock())
    city.clock.move(4)
    device = await city.get(f"/devices/{DEVICE}")
    assert (device["name"]["zh"], device["site"], device["gateway"]) == ("设备 well", SITE, "gw-north")
    assert (device["state"], device["last_time"]) == ("active", iso(city.clock() - 4 * SECOND_US))
    level, flow = device["points"]
    assert (level["id"], level["unit"], level["min"], level["max"], level["period_s"]) == (
        LEVEL,
        "m",
        0,
        8,
        5,
    )
    assert level["latest"] == {
        "point": LEVEL,
        "value": 2.5,
        "text": None,
        "time": iso(city.clock() - 4 * SECOND_US),
        "received_at": iso(city.clock() - 4 * SECOND_US),
        "quality": {"code": 0, "class": "good", "name": "Good"},
        "stale": False,
        "age_s": 4.0,
    }
    assert [(rule["id"], rule["limit"], rule["point"]) for rule in level["rules"]] == [
        ("well.level-high", 3.2, LEVEL)
    ]
    assert flow["rules"] == []
    pump = await city.get(f"/points/{PUMP}")
    assert (pump["writable"], pump["write_max"]) == (True, 1)
    assert pump["labels"]["1"] == {"zh": "运行", "en": "Running"}


async def test_what_is_old_is_stale_and_what_is_bad_is_a_fault(city: Running, gateway: FieldGateway) -> None:
    await read_all(gateway, city.clock())
    states = {item["key"]: item["state"] for item in (await city.get("/devices"))["items"]}
    assert {states[key] for key in ("well", "pump1", "air")} == {"active"}
    now = city.clock.move(16)  # three periods of 5 s, and one
    await gateway.readings(2, [now], [float("nan")], Quality.BAD_TIMEOUT)
    await gateway.readings(0, [now], [2.6])
    devices = {item["key"]: item for item in (await city.get("/devices"))["items"]}
    assert [devices[key]["state"] for key in ("well", "pump1", "air")] == ["active", "fault", "stale"]
    sites = {item["id"]: item for item in (await city.get("/sites"))["items"]}
    assert (sites[SITE]["state"], sites[AIR]["state"]) == ("normal", "stale")
    latest = {item["point"]: item for item in (await city.get("/latest", site=SITE))["items"]}
    assert latest[PUMP]["value"] is None
    assert latest[PUMP]["quality"] == {"code": 0x800A0000, "class": "bad", "name": "BadTimeout"}
    assert (latest[LEVEL]["stale"], latest["gw-north.well.flow"]["stale"]) == (False, True)
    city.clock.move(60)
    sites = {item["id"]: item for item in (await city.get("/sites"))["items"]}
    assert {sites[SITE]["state"], sites[AIR]["state"]} == {"offline"}


async def test_lists_narrow_and_page(city: Running, gateway: FieldGateway) -> None:
    await read_all(gateway, city.clock())
    assert [item["key"] for item in (await city.get("/devices", kind="pump"))["items"]] == ["pump1"]
    assert [item["key"] for item in (await city.get("/devices", q="设备 WELL"))["items"]] == ["well"]
    named = await city.get("/devices", id=[DEVICE, "nothing.here"])
    assert ([item["id"] for item in named["items"]], named["total"]) == ([DEVICE], 1)
    assert [item["id"] for item in (await city.get("/points", q="pm25"))["items"]] == [PM25]
    seen, cursor = [], None
    while True:
        page = await city.get("/points", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert len(seen) == page["total"]
    site = await city.get(f"/sites/{SITE}")
    assert [item["key"] for item in site["device_list"]] == ["pump1", "well"]
    latest = (await city.get("/latest", point=[LEVEL, "gw-north.air.status"]))["items"]
    assert {item["point"]: item["text"] for item in latest} == {LEVEL: None, "gw-north.air.status": "正常"}
    async with city.client(Role.VIEWER) as client:
        for path, status, code in (
            ("/latest", 422, "nothing-asked"),
            ("/devices?cursor=%21", 400, "bad-cursor"),
            ("/devices?limit=0", 422, "invalid"),
            ("/devices/nothing.here", 404, "not-found"),
            ("/sites/nothing", 404, "not-found"),
            ("/points/a.b.c", 404, "not-found"),
            ("/alarms/nothing", 404, "not-found"),
            ("/nothing", 404, "not-found"),
            ("/live?kinds=readings,gossip", 422, "bad-kind"),
            (f"/history?point={LEVEL}&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 422, "bad-span"),
            (f"/history?point={LEVEL}&from=2026-01-02T00:00:00", 422, "invalid"),
        ):
            answer = await client.get(API + path)
            assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}"), path
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]


async def test_history_raw_and_rolled_up_with_quality(city: Running, gateway: FieldGateway) -> None:
    start = (city.clock() // MINUTE_US - 10) * MINUTE_US
    times = [start + n * 10 * SECOND_US for n in range(18)]
    values = [float(n) for n in range(18)]
    values[3] = float("nan")
    quality = [0] * 18
    quality[3], quality[4] = Quality.BAD_TIMEOUT, Quality.UNCERTAIN_SENSOR_NOT_ACCURATE
    await gateway.readings(0, times, values, quality)
    span = {"point": LEVEL, "from": iso(start), "to": iso(start + 3 * MINUTE_US)}
    raw = await city.get("/history", **span, resolution="raw")
    (series,) = raw["series"]
    assert (raw["resolution"], series["point"], series["unit"], series["truncated"]) == (
        "raw",
        LEVEL,
        "m",
        False,
    )
    assert series["t"] == [time // 1000 for time in times]
    assert series["value"] == [None if n == 3 else float(n) for n in range(18)]
    assert series["quality"] == quality
    minutes = (await city.get("/history", **span, resolution="1m"))["series"][0]
    assert minutes["t"] == [(start + n * MINUTE_US) // 1000 for n in range(3)]
    assert (minutes["n"], minutes["bad"]) == ([5, 6, 6], [1, 0, 0])
    assert (minutes["min"], minutes["max"], minutes["last"]) == ([0, 6, 12], [5, 11, 17], [5, 11, 17])
    assert minutes["avg"] == [12 / 5, 8.5, 14.5]
    assert minutes["value"] is None
    auto = await city.get("/history", point=[LEVEL, PM25], **{"from": iso(start), "to": span["to"]})
    assert auto["resolution"] == "raw"
    assert [len(item["t"]) for item in auto["series"]] == [18, 0]
    month = {"from": iso(start - 30 * 1440 * MINUTE_US), "to": span["to"]}
    assert (await city.get("/history", point=LEVEL, **month))["resolution"] == "1h"
    cut = (await city.get("/history", **span, resolution="raw", limit=5))["series"][0]
    assert (len(cut["t"]), cut["truncated"]) == (5, True)


async def test_alarms_colour_sites_devices_and_the_overview(city: Running, gateway: FieldGateway) -> None:
    now = city.clock()
    await read_all(gateway, now)
    await gateway.alarm("a-p3", 1, AlarmEvent.ACT, at_us=now, value=80.0, rule="air.pm25-high")
    await gateway.alarm("a-p1", 1, AlarmEvent.ACT, at_us=now + 1, value=3.3)
    assert [item["id"] for item in (await city.get("/alarms"))["items"]] == ["a-p1", "a-p3"]
    assert (await city.get("/alarms", priority="P3"))["total"] == 1
    sites = {item["id"]: item for item in (await city.get("/sites"))["items"]}
    assert (sites[SITE]["state"], sites[SITE]["worst_priority"], sites[SITE]["unacked_alarms"]) == (
        "alarm",
        "P1",
        1,
    )
    assert sites[AIR]["worst_priority"] == "P3"
    device = await city.get(f"/devices/{DEVICE}")
    assert (device["worst_priority"], device["open_alarms"]) == ("P1", 1)
    overview = await city.get("/overview")
    assert overview["alarms"] == {
        "active": 2,
        "unacked": 2,
        "shelved": 0,
        "by_priority": {"P1": 1, "P2": 0, "P3": 1, "P4": 0},
    }
    assert overview["sites"] == {"total": 2, "with_alarm": 2}
    assert overview["gateways"] == {"total": 1, "online": 1}
    assert overview["cases"] == {"open": 0, "overdue": 0}
    assert (overview["points"]["total"], overview["points"]["good"]) == (5, 5)
    assert overview["devices"] == {"total": 3, "online": 3, "stale": 0, "bad": 0}
    # A figure in alarm comes first; then by what it measures.
    assert [(item["point"], item["priority"]) for item in overview["key_figures"]] == [
        (LEVEL, "P1"),
        (PM25, "P3"),
        ("gw-north.well.flow", None),
    ]
    assert overview["key_figures"][0]["value"] == 2.5


async def test_a_listed_alarm_has_the_words_of_its_points_values(
    city: Running, gateway: FieldGateway
) -> None:
    await gateway.alarm("o1", 1, AlarmEvent.ACT, at_us=city.clock(), value=1.0, rule="pump1.run-high")
    (listed,) = (await city.get("/alarms", state="active"))["items"]
    assert listed["labels"]["1"] == {"zh": "运行", "en": "Running"}


async def test_shelving_takes_an_alarm_off_the_screen_and_brings_it_back(
    city: Running, gateway: FieldGateway
) -> None:
    await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
    await city.post("/alarms/a1/shelve", {"minutes": 5}, expect=422)
    await city.post("/alarms/a1/shelve", {"minutes": 1441, "reason": "检修"}, expect=422)
    shelved = await city.post("/alarms/a1/shelve", {"minutes": 5, "reason": "检修"})
    assert shelved["shelved_until"] == iso(city.clock() + 5 * MINUTE_US)
    again = await city.post("/alarms/a1/shelve", {"minutes": 5, "reason": "检修"}, expect=409)
    assert again["type"] == "/problems/already-shelved"
    assert (await city.get("/overview"))["alarms"]["shelved"] == 1
    assert (await city.get("/alarms", shelved=False))["items"] == []
    assert (await city.get(f"/sites/{SITE}"))["worst_priority"] is None
    back = await city.post("/alarms/a1/unshelve")
    assert (back["shelved_until"], back["state"]) == (None, "UNACK")
    assert (await city.post("/alarms/a1/unshelve", expect=409))["type"] == "/problems/not-shelved"
    journal = (await city.get("/alarms/a1"))["journal"]
    assert [(step["event"], step["actor"]) for step in journal][1:] == [
        ("SHELVE", "test-operator"),
        ("UNSHELVE", "test-operator"),
    ]
    assert "检修" in journal[1]["comment"]


async def test_out_of_service_is_for_operators_and_stands_in_the_history(
    city: Running, gateway: FieldGateway
) -> None:
    await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
    await city.post("/alarms/a1/suspend", {"permit": "17"}, Role.VIEWER, expect=403)
    await city.post("/alarms/a1/return", role=Role.VIEWER, expect=403)
    await city.post("/alarms/a1/suspend", {"permit": ""}, expect=422)
    await city.post("/alarms/nothing/suspend", {"permit": "17"}, expect=404)
    assert (await city.post("/alarms/a1/suspend", {"permit": "工作票 17"}))["overlays"] == ["OOSRV"]
    again = await city.post("/alarms/a1/suspend", {"permit": "18"}, expect=409)
    assert again["type"] == "/problems/already-out-of-service"
    back = await city.post("/alarms/a1/return", {"comment": "transmitter changed"})
    assert (back["overlays"], back["state"]) == ([], "UNACK")
    assert (await city.post("/alarms/a1/return", expect=409))["type"] == "/problems/not-out-of-service"
    journal = (await city.get("/alarms/a1"))["journal"]
    assert [(step["event"], step["actor"], step["comment"]) for step in journal][1:] == [
        ("SUSPEND", "test-operator", "工作票 17"),
        ("RETURN", "test-operator", "transmitter changed"),
    ]


async def test_a_latched_alarm_is_acknowledged_before_it_is_reset(
    city: Running, gateway: FieldGateway
) -> None:
    now = city.clock()
    await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=now, value=80.0, rule="air.pm25-high")
    assert (await city.post("/alarms/a1/reset", expect=409))["type"] == "/problems/still-active"
    await gateway.alarm("a1", 2, AlarmEvent.CLR, at_us=now + 1, value=60.0, rule="air.pm25-high")
    assert (await city.post("/alarms/a1/reset", expect=409))["type"] == "/problems/acknowledge-first"
    assert (await city.post("/alarms/a1/acknowledge"))["state"] == "LTACK"
    assert (await city.post("/alarms/a1/reset"))["state"] == "NORM"


async def test_gateways_are_expected_enrolled_and_revoked(city: Running) -> None:
    made = await city.post(
        "/gateways", {"id": "gw-east", "name": {"zh": "城东网关", "en": "East"}}, Role.ADMIN, expect=201
    )
    assert made["id"] == "gw-east"
    assert (await city.get("/gateways"))["items"][0]["state"] == "pending"
    async with city.client(None) as client:
        gateway = await FieldGateway.enrol(client, made["enrolment_code"], "gw-east")
        await gateway.readings(0, [city.clock()], [1.0])
    (shown,) = (await city.get("/gateways"))["items"]
    assert (shown["state"], shown["devices"], shown["points"], shown["software"]) == (
        "online",
        3,
        5,
        "citynerve-edge 0.1.0",
    )
    revoked = await city.post("/gateways/gw-east/revoke", role=Role.ADMIN)
    assert revoked["state"] == "revoked"
    await city.post("/gateways/gw-west/revoke", role=Role.ADMIN, expect=404)
    await city.post("/gateways/gw-west/enrolment-code", role=Role.ADMIN, expect=404)
    await city.post("/gateways/gw-east/enrolment-code", role=Role.ADMIN, expect=201)


async def test_the_map_comes_from_its_folder(database_url: str, tmp_path: Path) -> None:
    shape = {"type": "Polygon", "coordinates": [[[121.0, 31.0], [122.0, 31.0], [122.0, 32.0], [121.0, 31.0]]]}
    feature = {"type": "Feature", "properties": {"key": "north"}, "geometry": shape}
    collection = {"type": "FeatureCollection", "features": [feature]}
    folder = tmp_path / "map"
    folder.mkdir()
    (folder / "districts.geojson").write_text(json.dumps(collection), "utf-8")
    (folder / "city.json").write_text(
        '{"name": {"zh": "临江市", "en": "Linjiang"}, "time_zone": "Asia/Shanghai"}', "utf-8"
    )
    async with running_centre(database_url, tmp_path, folder) as city:
        shown = await city.get("/map")
    assert (shown["name"]["zh"], shown["time_zone"]) == ("临江市", "Asia/Shanghai")
    assert shown["bounds"] == [121.0, 31.0, 122.0, 32.0]
    assert shown["districts"] == collection
    assert shown["roads"]["features"] == []


async def test_without_a_folder_the_map_is_as_large_as_the_sites(
    city: Running, gateway: FieldGateway
) -> None:
    assert (await city.get("/map"))["bounds"] == pytest.approx([121.4, 31.2, 121.5, 31.3])
