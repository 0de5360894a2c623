"""What a technician does from the page: reads, writes, holds, acknowledges, scans, on a real device."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from tests.edge.console.page import OURS, Doors, get, post
from tests.edge.field import ModbusField
from tests.edge.house import until


async def _ended(page: httpx2.AsyncClient, job: str) -> Any:
    async with asyncio.timeout(60):
        while (seen := await get(page, f"/api/jobs/{job}"))["state"] == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return seen


async def test_a_write_is_verified_and_a_wrong_one_says_why(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    outcome = await post(page, "/api/write", {"point": "pump1.speed", "value": 12.5})
    assert (outcome["state"], outcome["read_back"]) == ("verified", 12.5)
    assert field.get(1, 1) == 125
    outcome = await post(page, "/api/write", {"point": "pump1.speed", "value": 80})
    assert (outcome["state"], outcome["reason"]) == ("rejected", "out-of-limits")
    outcome = await post(page, "/api/write", {"point": "pump1.speed", "value": 20, "expected": 3})
    assert outcome["reason"] == "unexpected-value"
    assert (await post(page, "/api/write", {"point": "pump1.none", "value": 1}, 404))["code"] == "not-found"
    assert (await post(page, "/api/write", {"point": "pump1.speed", "value": None}, 422))[
        "code"
    ] == "wrong-shape"
    trail = (house.state / "audit.jsonl").read_text(encoding="utf-8")
    assert '"actor":"page:127.0.0.1"' in trail
    assert field.get(1, 1) == 125, "nothing else was written"


async def test_a_read_asks_the_device_now(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    field.set(2, 40, 0)
    field.set(2, 41, 77)
    value = await post(page, "/api/read", {"point": "pump2.count"})
    assert (value["value"], value["quality"]["class"]) == (77.0, "good")
    field.set(2, 0, 65535)
    value = await post(page, "/api/read", {"point": "pump2.level"})
    assert (value["value"], value["quality"]["name"]) == (None, "BadSensorFailure")
    own = await post(page, "/api/read", {"point": "_gateway.rss"})
    assert own["point"] == "_gateway.rss"


async def test_local_manual_mode_is_taken_with_a_reason_and_shown(house: Doors) -> None:
    page = await house.sign_in()
    assert (await get(page, "/api/overview"))["local_manual"] == []
    refused = await post(page, "/api/manual", {"device": "pump1", "on": True}, 422)
    assert refused["code"] == "reason-missing"
    held = await post(page, "/api/manual", {"device": "pump1", "on": True, "reason": "seal change"})
    assert held == {"local_manual": ["pump1"]}
    devices = {device["key"]: device["manual"] for device in await get(page, "/api/devices")}
    assert devices == {"pump1": True, "pump2": False}
    assert (await get(page, "/api/overview"))["local_manual"] == ["pump1"]
    await post(page, "/api/manual", {"device": "pump1", "on": False})
    assert (await post(page, "/api/manual", {"device": "x", "on": True, "reason": "y"}, 409))[
        "code"
    ] == "unknown-device"


async def test_an_alarm_is_shown_and_acknowledged_by_name(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    assert await get(page, "/api/alarms") == []
    field.set(1, 0, 3500)
    await until(house.gateway.house.pipeline.alarm_views)
    alarm = (await get(page, "/api/alarms"))[0]
    assert (alarm["rule"], alarm["state"], alarm["value"]) == ("pump1.level-high", "UNACK", 35.0)
    assert alarm["name"] == {"zh": "水位高", "en": "Level high"}
    assert (alarm["unit"], alarm["limit"], alarm["priority"]) == ("m", 30, "P2")
    stale = {"verb": "ack", "rule": alarm["rule"], "occurrence": "another"}
    assert (await post(page, "/api/alarms/act", stale, 409))["code"] == "not-current"
    acked = await post(
        page, "/api/alarms/act", {"verb": "ack", "rule": alarm["rule"], "occurrence": alarm["occurrence"]}
    )
    assert (acked["state"], acked["acked_by"]) == ("ACKED", "page:127.0.0.1")
    unreasoned = {"verb": "shelve", "rule": alarm["rule"], "one_shot": True}
    assert (await post(page, "/api/alarms/act", unreasoned, 409))["code"] == "reason-missing"
    nobody = {"verb": "ack", "rule": "pump1.nothing"}
    assert (await post(page, "/api/alarms/act", nobody, 409))["code"] == "unknown-alarm"
    assert (await post(page, "/api/alarms/act", {"verb": "explode", "rule": "x"}, 422))[
        "code"
    ] == "wrong-shape"


async def test_registers_are_decoded_and_profiles_listed(house: Doors) -> None:
    page = await house.sign_in()
    ranked = await post(page, "/api/decode", {"registers": [0x4366, 0x3333]})
    assert (ranked["guesses"][0]["type"], ranked["guesses"][0]["value"]) == ("f32", 230.2)
    assert (await post(page, "/api/decode", {"registers": [70_000]}, 409))["code"] == "registers"
    assert (await post(page, "/api/decode", {"registers": []}, 422))["code"] == "wrong-shape"
    profiles = {profile["id"]: profile for profile in await get(page, "/api/profiles")}
    assert profiles["test.pump"]["points"] == 3, "the gateway's own profile"
    assert "city.pump" in profiles, "those that are shipped"
    assert (await get(page, "/api/schema"))["title"] == "CityNerve gateway file"
    assert (await get(page, "/api/schema", file="profile"))["title"] == "CityNerve profile file"
    assert (await page.get("/api/schema?file=../../etc/passwd")).status_code == 404


async def test_a_scan_shares_the_line_that_is_polled(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    received = house.gateway.house.pipeline.received
    job = (
        await post(page, "/api/scan", {"protocol": "modbus", "connection": "line1", "units": [1, 2]}, 202)
    )["job"]
    seen = await _ended(page, job)
    assert (seen["state"], seen["done"], seen["total"]) == ("done", 2, 2), seen
    assert [found["key"] for found in seen["found"]] == ["1", "2"]
    assert (await get(page, f"/api/jobs/{job}", after=1))["found"][0]["key"] == "2"
    assert house.gateway.house.sessions["line1"].losses == 0
    await until(lambda: house.gateway.house.pipeline.received > received)


async def test_a_scan_can_be_stopped_and_wrong_ones_are_told(house: Doors) -> None:
    page = await house.sign_in()
    wanted = {"protocol": "mqtt", "host": "127.0.0.1", "port": 9, "seconds": 100}
    failed = (await post(page, "/api/scan", wanted, 202))["job"]
    seen = await _ended(page, failed)
    assert seen["state"] == "failed"
    assert seen["error"]
    slow = {"protocol": "modbus", "connection": "line1", "units": list(range(3, 248)), "timeout_s": 5}
    job = (await post(page, "/api/scan", slow, 202))["job"]
    assert (await page.request("DELETE", f"/api/jobs/{job}", headers=OURS)).status_code == 204
    assert (await get(page, f"/api/jobs/{job}"))["state"] == "stopped"
    assert (await post(page, "/api/scan", {"protocol": "modbus"}, 422))["code"] == "where"
    speeds = {"protocol": "modbus", "connection": "line1", "bauds": [9600], "parities": ["even"]}
    assert (await post(page, "/api/scan", speeds, 422))["code"] == "serial"
    assert (await post(page, "/api/scan", {"protocol": "modbus", "connection": "x"}, 404))[
        "code"
    ] == "not-found"
    assert (await post(page, "/api/scan", {"protocol": "bacnet"}, 422))["code"] == "wrong-shape"
    secret = {"protocol": "opcua", "url": "opc.tcp://127.0.0.1:9", "password_file": "/etc/shadow"}
    assert (await post(page, "/api/scan", secret, 422))["code"] == "wrong-shape", "no file is read for a page"
    assert (await page.get("/api/jobs/none")).status_code == 404
