"""What the page tells of a running gateway and does for a technician: real doors, a real Modbus device."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from edge.console.overview import SOFTWARE
from protocols.model.quality import Quality
from tests.edge.console.page import OURS, Doors, doors
from tests.edge.field import ModbusField
from tests.edge.house import until
from tests.ports import free_port


@pytest.fixture
async def field() -> AsyncIterator[ModbusField]:
    async with ModbusField(units=2) as opened:
        opened.set(1, 0, 1234)
        yield opened


@pytest.fixture
async def house(tmp_path: Path, field: ModbusField) -> AsyncIterator[Doors]:
    async with doors(tmp_path, field.port, units=2) as opened:
        await until(lambda: opened.gateway.house.pipeline.received > 12)
        yield opened


async def _get(client: httpx2.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _post(client: httpx2.AsyncClient, path: str, body: Any, status: int = 200) -> Any:
    answer = await client.post(path, json=body, headers=OURS)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def test_the_overview_says_how_the_gateway_is(house: Doors) -> None:
    page = await house.sign_in()
    seen = await _get(page, "/api/overview")
    assert seen["name"] == {"zh": "测试网关", "en": "Test gateway"}
    assert seen["software"] == SOFTWARE
    assert seen["devices"] == {"total": 2, "offline": 0}
    assert seen["uplink"] == {"state": "unknown", "url": None, "reason": "", "enrolled": False}
    assert seen["storage"]["used_bytes"] > 0
    assert seen["storage"]["free_bytes"] > 0
    assert 10 < seen["rss_mb"] < 1000
    assert seen["config"]["state"] == "same"
    assert seen["config"]["running"] == 1


async def test_a_device_that_answers_is_online_and_one_that_is_silent_says_what_to_do(
    house: Doors, field: ModbusField
) -> None:
    page = await house.sign_in()
    devices = {device["key"]: device for device in await _get(page, "/api/devices")}
    assert {key: device["state"] for key, device in devices.items()} == {"pump1": "online", "pump2": "online"}
    assert devices["pump1"]["reason"]["code"] == "ok"
    assert devices["pump1"]["latency_ms"] > 0
    field.silent.add(2)
    session = house.gateway.house.sessions["line1"]
    await until(lambda: session.breakers["pump2"].open)
    await until(lambda: house.gateway.house.pipeline.shaper.latest_quality[5] >= Quality.BAD)
    devices = {device["key"]: device for device in await _get(page, "/api/devices")}
    silent = devices["pump2"]
    assert silent["state"] == "resting"
    assert silent["breaker"]["open"] is True
    assert 0 < silent["breaker"]["retry_in_s"] <= 6
    assert silent["reason"]["code"] == "BadTimeout"
    assert "检查" in silent["reason"]["zh"]
    assert "check" in silent["reason"]["en"]
    assert (await _get(page, "/api/overview"))["devices"]["offline"] == 1
    assert devices["pump1"]["state"] == "online"


async def test_a_line_that_cannot_be_opened_is_told_in_words(tmp_path: Path) -> None:
    async with ModbusField() as gone:
        port = gone.port
    async with doors(tmp_path, port) as opened:
        page = await opened.sign_in()
        await until(lambda: opened.gateway.house.sessions["line1"].reason != "not opened yet")
        await until(lambda: opened.gateway.house.pipeline.received > 0)
        await asyncio.sleep(0.2)
        device = (await _get(page, "/api/devices"))[0]
    assert device["state"] == "offline"
    assert device["reason"]["code"] == "BadNoCommunication"
    assert str(port) in device["reason"]["detail"], "the technician sees which address"


async def test_points_come_with_value_unit_words_and_limits(house: Doors) -> None:
    page = await house.sign_in()
    points = {point["key"]: point for point in await _get(page, "/api/points", device="pump1")}
    level, speed, online = points["level"], points["speed"], points["_online"]
    assert (level["value"], level["unit"], level["decimals"]) == (12.34, "m", 2)
    assert level["quality"] == {"code": 0, "name": "Good", "class": "good", "zh": "正常", "en": "Good"}
    assert (speed["writable"], speed["write_min"], speed["write_max"]) == (True, 0, 50)
    assert online["labels"]["1"] == {"zh": "在线", "en": "Online"}
    assert points["count"]["period_s"] == 0.2
    answer = await page.get("/api/points", params={"device": "nobody"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_a_stream_tells_changes_and_the_overview(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    seen: dict[str, Any] = {}
    async with (
        asyncio.timeout(20),
        page.stream("GET", "/api/stream?points=pump1.level,pump2.level") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                for value in data if name == "values" else ():
                    seen[value["point"]] = value["value"]
                seen[name] = data
                if seen.get("pump1.level") == 12.34:
                    field.set(1, 0, 2000)
            if seen.get("pump1.level") == 20.0 and "overview" in seen and "alarms" in seen:
                break
    assert set(seen) == {"pump1.level", "pump2.level", "values", "overview", "alarms"}
    assert seen["overview"]["gateway"] == "gw-test"


async def test_there_are_only_so_many_streams(house: Doors) -> None:
    page = await house.sign_in()
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    open_ones = []
    for _ in range(16):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(house.url.rpartition(":")[2]))
        writer.write(f"GET /api/stream HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
        assert b" 200 " in await reader.readline()
        open_ones.append(writer)
    answer = await page.get("/api/stream")
    assert (answer.status_code, answer.json()["code"]) == (503, "too-many-streams")
    for writer in open_ones:
        writer.close()
    async with asyncio.timeout(20):
        while (await _first(page)) == 503:  # noqa: ASYNC110 - another process' view has no event
            await asyncio.sleep(0.05)


def _without(text: str, device: str) -> str:
    """Return a gateway file's text without one device."""
    data = yaml.safe_load(text)
    data["devices"] = [entry for entry in data["devices"] if entry["key"] != device]
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


async def _shown(house: Doors, level: float) -> None:
    await until(lambda: house.gateway.house.pipeline.shaper.latest_value[0] == level)


async def _ended(page: httpx2.AsyncClient, job: str) -> Any:
    async with asyncio.timeout(60):
        while (seen := await _get(page, f"/api/jobs/{job}"))["state"] == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return seen


async def _first(page: httpx2.AsyncClient) -> int:
    async with page.stream("GET", "/api/stream") as stream:
        return int(stream.status_code)


async def test_the_trend_comes_from_the_log_and_is_thinned_to_what_was_asked(
    house: Doors, field: ModbusField
) -> None:
    page = await house.sign_in()
    values = [1000, 3000, 2000, 500]
    for value in values:
        field.set(1, 0, value)
        await _shown(house, value / 100)
    await until(lambda: house.gateway.house.buffer.depth()["readings"].rows > 30)
    whole = await _get(page, "/api/history", point="pump1.level")
    assert whole["complete"] is True
    assert whole["unit"] == "m"
    assert whole["t"] == sorted(whole["t"])
    assert {12.34, 10.0, 30.0, 20.0, 5.0} <= set(whole["value"])
    thin = await _get(
        page,
        "/api/history",
        point="pump1.level",
        max=2,
        from_us=whole["t"][0],
        to_us=whole["t"][-1],
    )
    assert len(thin["t"]) == 2
    assert min(thin["min"]) == 5.0
    assert max(thin["max"]) == 30.0
    assert thin["value"][-1] == whole["value"][-1]
    answer = await page.get("/api/history", params={"point": "pump1.level", "from_us": 5, "to_us": 5})
    assert answer.json()["code"] == "wrong-query"


async def test_a_write_is_verified_and_a_wrong_one_says_why(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    outcome = await _post(page, "/api/write", {"point": "pump1.speed", "value": 12.5})
    assert (outcome["state"], outcome["read_back"]) == ("verified", 12.5)
    assert field.get(1, 1) == 125
    outcome = await _post(page, "/api/write", {"point": "pump1.speed", "value": 80})
    assert (outcome["state"], outcome["reason"]) == ("rejected", "out-of-limits")
    outcome = await _post(page, "/api/write", {"point": "pump1.speed", "value": 20, "expected": 3})
    assert outcome["reason"] == "unexpected-value"
    assert (await _post(page, "/api/write", {"point": "pump1.none", "value": 1}, 404))["code"] == "not-found"
    assert (await _post(page, "/api/write", {"point": "pump1.speed", "value": None}, 422))[
        "code"
    ] == "wrong-shape"
    trail = (house.state / "audit.jsonl").read_text(encoding="utf-8")
    assert '"actor":"page:127.0.0.1"' in trail
    assert field.get(1, 1) == 125, "nothing else was written"


async def test_a_read_asks_the_device_now(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    field.set(2, 40, 0)
    field.set(2, 41, 77)
    value = await _post(page, "/api/read", {"point": "pump2.count"})
    assert (value["value"], value["quality"]["class"]) == (77.0, "good")
    field.set(2, 0, 65535)
    value = await _post(page, "/api/read", {"point": "pump2.level"})
    assert (value["value"], value["quality"]["name"]) == (None, "BadSensorFailure")
    own = await _post(page, "/api/read", {"point": "_gateway.rss"})
    assert own["point"] == "_gateway.rss"


async def test_local_manual_mode_is_taken_with_a_reason_and_shown(house: Doors) -> None:
    page = await house.sign_in()
    refused = await _post(page, "/api/manual", {"device": "pump1", "on": True}, 422)
    assert refused["code"] == "reason-missing"
    held = await _post(page, "/api/manual", {"device": "pump1", "on": True, "reason": "seal change"})
    assert held == {"local_manual": ["pump1"]}
    devices = {device["key"]: device["manual"] for device in await _get(page, "/api/devices")}
    assert devices == {"pump1": True, "pump2": False}
    await asyncio.sleep(1.1)  # the overview is at most a second old
    assert (await _get(page, "/api/overview"))["local_manual"] == ["pump1"]
    await _post(page, "/api/manual", {"device": "pump1", "on": False})
    assert (await _post(page, "/api/manual", {"device": "x", "on": True, "reason": "y"}, 409))[
        "code"
    ] == "unknown-device"


async def test_an_alarm_is_shown_and_acknowledged_by_name(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    assert await _get(page, "/api/alarms") == []
    field.set(1, 0, 3500)
    await until(house.gateway.house.pipeline.alarm_views)
    alarm = (await _get(page, "/api/alarms"))[0]
    assert (alarm["rule"], alarm["state"], alarm["value"]) == ("pump1.level-high", "UNACK", 35.0)
    assert alarm["name"] == {"zh": "水位高", "en": "Level high"}
    assert (alarm["unit"], alarm["limit"], alarm["priority"]) == ("m", 30, "P2")
    stale = {"verb": "ack", "rule": alarm["rule"], "occurrence": "another"}
    assert (await _post(page, "/api/alarms/act", stale, 409))["code"] == "not-current"
    acked = await _post(
        page, "/api/alarms/act", {"verb": "ack", "rule": alarm["rule"], "occurrence": alarm["occurrence"]}
    )
    assert (acked["state"], acked["acked_by"]) == ("ACKED", "page:127.0.0.1")
    unreasoned = {"verb": "shelve", "rule": alarm["rule"], "one_shot": True}
    assert (await _post(page, "/api/alarms/act", unreasoned, 409))["code"] == "reason-missing"
    nobody = {"verb": "ack", "rule": "pump1.nothing"}
    assert (await _post(page, "/api/alarms/act", nobody, 409))["code"] == "unknown-alarm"
    assert (await _post(page, "/api/alarms/act", {"verb": "explode", "rule": "x"}, 422))[
        "code"
    ] == "wrong-shape"


async def test_registers_are_decoded_and_profiles_listed(house: Doors) -> None:
    page = await house.sign_in()
    ranked = await _post(page, "/api/decode", {"registers": [0x4366, 0x3333]})
    assert (ranked["guesses"][0]["type"], ranked["guesses"][0]["value"]) == ("f32", 230.2)
    assert (await _post(page, "/api/decode", {"registers": [70_000]}, 409))["code"] == "registers"
    assert (await _post(page, "/api/decode", {"registers": []}, 422))["code"] == "wrong-shape"
    profiles = {profile["id"]: profile for profile in await _get(page, "/api/profiles")}
    assert profiles["test.pump"]["points"] == 3, "the gateway's own profile"
    assert "city.pump" in profiles, "those that are shipped"
    assert (await _get(page, "/api/schema"))["title"] == "CityNerve gateway file"
    assert (await _get(page, "/api/schema", file="profile"))["title"] == "CityNerve profile file"
    assert (await page.get("/api/schema?file=../../etc/passwd")).status_code == 404


async def test_a_scan_shares_the_line_that_is_polled(house: Doors, field: ModbusField) -> None:
    page = await house.sign_in()
    received = house.gateway.house.pipeline.received
    job = (
        await _post(page, "/api/scan", {"protocol": "modbus", "connection": "line1", "units": [1, 2]}, 202)
    )["job"]
    seen = await _ended(page, job)
    assert (seen["state"], seen["done"], seen["total"]) == ("done", 2, 2), seen
    assert [found["key"] for found in seen["found"]] == ["1", "2"]
    assert (await _get(page, f"/api/jobs/{job}", after=1))["found"][0]["key"] == "2"
    assert house.gateway.house.sessions["line1"].losses == 0
    await until(lambda: house.gateway.house.pipeline.received > received)


async def test_a_scan_can_be_stopped_and_wrong_ones_are_told(house: Doors) -> None:
    page = await house.sign_in()
    wanted = {"protocol": "mqtt", "host": "127.0.0.1", "port": 9, "seconds": 100}
    failed = (await _post(page, "/api/scan", wanted, 202))["job"]
    seen = await _ended(page, failed)
    assert seen["state"] == "failed"
    assert seen["error"]
    slow = {"protocol": "modbus", "connection": "line1", "units": list(range(3, 248)), "timeout_s": 5}
    job = (await _post(page, "/api/scan", slow, 202))["job"]
    assert (await page.request("DELETE", f"/api/jobs/{job}", headers=OURS)).status_code == 204
    assert (await _get(page, f"/api/jobs/{job}"))["state"] == "stopped"
    assert (await _post(page, "/api/scan", {"protocol": "modbus"}, 422))["code"] == "where"
    assert (await _post(page, "/api/scan", {"protocol": "modbus", "connection": "x"}, 404))[
        "code"
    ] == "not-found"
    assert (await _post(page, "/api/scan", {"protocol": "bacnet"}, 422))["code"] == "wrong-shape"
    secret = {"protocol": "opcua", "url": "opc.tcp://127.0.0.1:9", "password_file": "/etc/shadow"}
    assert (await _post(page, "/api/scan", secret, 422))["code"] == "wrong-shape", (
        "no file is read for a page"
    )
    assert (await page.get("/api/jobs/none")).status_code == 404


async def test_the_queue_says_what_waits(house: Doors) -> None:
    seen = await _get(await house.sign_in(), "/api/queue")
    assert seen["streams"]["readings"]["batches"] > 0
    assert seen["set_aside"] == 0
    assert seen["waiting_for_storage"] is None


async def test_the_page_answers_before_it_is_built_and_no_path_leads_out(house: Doors) -> None:
    assert (await house.page.get("/")).headers["content-type"].startswith("text/html")
    assert (await house.page.get("/devices/pump1")).headers["content-type"].startswith("text/html")
    for path in (
        "/../app.py",
        "/..%2fapp.py",
        "/%2e%2e/app.py",
        "/assets/../../app.py",
        "/assets/..%5c..%5capp.py",
        "//etc/passwd.txt",
        "/app.py%00.js",
        "/.hidden.js",
    ):
        answer = await house.page.get(path)
        assert answer.status_code == 404, path
        assert "import" not in answer.text


async def test_a_configuration_is_checked_applied_and_taken_back_from_the_page(house: Doors) -> None:
    page = await house.sign_in()
    text = (await _get(page, "/api/config/text"))["text"]
    wrong = text.replace("host: 127.0.0.1", "hots: 127.0.0.1")
    checked = await _post(page, "/api/config/check", {"text": wrong})
    assert any("hots" in mistake["problem"] for mistake in checked["mistakes"])
    assert all(mistake["line"] > 0 and mistake["repair"] for mistake in checked["mistakes"])
    assert (await _post(page, "/api/config/apply", {"text": wrong}, 422))["mistakes"] == checked["mistakes"]
    without = _without(text, "pump2")
    checked = await _post(page, "/api/config/check", {"text": without})
    assert checked["mistakes"] == []
    assert checked["diff"]["devices"]["removed"] == ["pump2"]
    assert "-- key: pump2" in checked["diff"]["unified"]
    version = await _post(page, "/api/config/apply", {"text": without, "note": "pump 2 is gone"})
    assert (version["number"], version["source"], version["actor"]) == (2, "page", "page:127.0.0.1")
    await until(lambda: len(house.gateway.house.plan.loaded.entry.devices) == 1)
    assert [device["key"] for device in await _get(page, "/api/devices")] == ["pump1"]
    assert (await page.get("/api/points?device=pump2")).status_code == 404
    shown = await _get(page, "/api/config")
    assert shown["status"]["state"] == "probation"
    assert 0 < shown["left_s"] <= 120
    refused = await _post(page, "/api/config/apply", {"text": text}, 409)
    assert refused["code"] == "on-probation"
    await _post(page, "/api/config/rollback", {"number": 1, "note": "it was there after all"})
    await until(lambda: len(house.gateway.house.plan.loaded.entry.devices) == 2)
    shown = await _get(page, "/api/config")
    assert [version["number"] for version in shown["versions"]][-1] == 1
    assert shown["status"]["running"] == 1
    assert (await _get(page, "/api/config/diff", **{"from": 1, "to": 2}))["devices"]["removed"] == ["pump2"]
    assert (await _post(page, "/api/config/confirm", {}, 409))["code"] == "no-probation"
    assert (await page.get("/api/config/text?version=99")).json()["code"] == "unknown-version"
    assert (await page.get("/api/config/text?version=../x")).json()["code"] == "wrong-query"


async def test_a_configuration_moves_the_page_to_another_port(house: Doors) -> None:
    port = free_port()
    data = yaml.safe_load((await _get(house.local, "/api/config/text"))["text"])
    data["page"] = {"port": port}
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
    version = await _post(house.local, "/api/config/apply", {"text": text})
    assert version["source"] == "file", "the command line says so of itself"
    async with asyncio.timeout(20):
        while (await _get(house.local, "/api/session"))["url"] != f"http://127.0.0.1:{port}/":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    with pytest.raises(httpx2.TransportError):
        await house.page.get("/api/session")
    async with httpx2.AsyncClient() as there:
        assert (await there.get(f"http://127.0.0.1:{port}/api/session")).status_code == 200
    # Streams behind the door that stayed go on, and new ones begin.
    async with asyncio.timeout(20), house.local.stream("GET", "/api/stream?device=pump1") as stream:
        events = 0
        async for line in stream.aiter_lines():
            events += line == "event: values"
            if events == 2:
                break
    assert events == 2


async def test_a_stream_outlives_a_change_of_the_configuration(house: Doors) -> None:
    page = await house.sign_in()
    text = (await _get(page, "/api/config/text"))["text"]
    # The first device leaves, so that every point of the second has another number afterwards.
    without = _without(text, "pump1")
    numbers: set[int] = set()
    async with asyncio.timeout(30), page.stream("GET", "/api/stream?device=pump2") as stream:
        applied = False
        async for line in stream.aiter_lines():
            if not line.startswith("data: ["):
                continue
            values = [value for value in json.loads(line.removeprefix("data: ")) if "point" in value]
            assert all(value["point"].startswith("pump2.") for value in values)
            numbers.add(house.gateway.house.plan.indexes["pump2.level"])
            if not applied:
                applied = True
                await _post(page, "/api/config/apply", {"text": without})
            elif values and len(numbers) == 2:
                break
    assert len(numbers) == 2
