"""What the page tells of a running gateway: real doors, a real Modbus device."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from edge.config.bind import SOFTWARE
from protocols.model.quality import Quality
from tests.edge.console.page import Doors, doors, get
from tests.edge.field import ModbusField
from tests.edge.house import until


async def test_the_overview_says_how_the_gateway_is(house: Doors) -> None:
    page = await house.sign_in()
    seen = await get(page, "/api/overview")
    assert seen["name"] == {"zh": "测试网关", "en": "Test gateway"}
    assert seen["software"] == SOFTWARE
    assert seen["devices"] == {"total": 2, "offline": 0, "adopted": 0, "refused": 0}
    assert seen["uplink"] == {"state": "unknown", "url": None, "reason": "", "enrolled": False}
    assert seen["storage"]["used_bytes"] > 0
    assert seen["storage"]["free_bytes"] > 0
    assert seen["rss_mb"] == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.2)
    assert seen["config"]["state"] == "same"
    assert seen["config"]["running"] == 1


async def test_a_device_that_answers_is_online_and_one_that_is_silent_says_what_to_do(
    house: Doors, field: ModbusField
) -> None:
    page = await house.sign_in()
    devices = {device["key"]: device for device in await get(page, "/api/devices")}
    assert {key: device["state"] for key, device in devices.items()} == {"pump1": "online", "pump2": "online"}
    assert devices["pump1"]["reason"]["code"] == "ok"
    assert devices["pump1"]["latency_ms"] > 0
    field.silent.add(2)
    session = house.gateway.house.sessions["line1"]
    await until(lambda: session.breakers["pump2"].open)
    await until(lambda: house.gateway.house.pipeline.shaper.latest_quality[5] >= Quality.BAD)
    devices = {device["key"]: device for device in await get(page, "/api/devices")}
    silent = devices["pump2"]
    assert silent["state"] == "resting"
    assert silent["breaker"]["open"] is True
    assert 0 < silent["breaker"]["retry_in_s"] <= 6
    assert silent["reason"]["code"] == "BadTimeout"
    assert "检查" in silent["reason"]["zh"]
    assert "check" in silent["reason"]["en"]
    assert (await get(page, "/api/overview"))["devices"]["offline"] == 1
    assert devices["pump1"]["state"] == "online"


async def test_what_was_learnt_of_a_device_is_shown_and_forgotten(house: Doors) -> None:
    page = await house.sign_in()
    session = house.gateway.house.sessions["line1"]
    record = {
        "version": 1, "profile": "test.pump 1", "max_registers": 60, "max_bits": None, "pause_ms": 20,
        "holes": [{"fc": 3, "address": 7, "count": 2, "exception": 2, "value": False}], "learnt_us": 1,
    }  # fmt: skip
    assert await get(page, "/api/learnt") == {}
    session.notes.put("pump1", record)
    shown = {key: value for key, value in record.items() if key != "version"}
    assert await get(page, "/api/learnt") == {"pump1": shown}
    devices = {device["key"]: device["learnt"] for device in await get(page, "/api/devices")}
    assert devices == {"pump1": shown, "pump2": None}
    before = session.losses
    local = house.local
    gone = await local.delete("/api/learnt/pump1")
    assert gone.status_code == 204
    assert await get(page, "/api/learnt") == {}
    assert (await local.delete("/api/learnt/nobody")).status_code == 404
    await until(lambda: session.state == "online")
    assert session.losses == before, "opened anew, not lost"


async def test_a_line_that_cannot_be_opened_is_told_in_words(tmp_path: Path) -> None:
    async with ModbusField() as gone:
        port = gone.port
    async with doors(tmp_path, port) as opened:
        page = await opened.sign_in()
        await until(lambda: opened.gateway.house.sessions["line1"].reason != "not opened yet")
        await until(lambda: opened.gateway.house.pipeline.received > 0)
        await asyncio.sleep(0.2)
        device = (await get(page, "/api/devices"))[0]
    assert device["state"] == "offline"
    assert device["reason"]["code"] == "BadNoCommunication"
    assert str(port) in device["reason"]["detail"], "the technician sees which address"


async def test_points_come_with_value_unit_words_and_limits(house: Doors) -> None:
    page = await house.sign_in()
    points = {point["key"]: point for point in await get(page, "/api/points", device="pump1")}
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


async def _shown(house: Doors, level: float) -> None:
    await until(lambda: house.gateway.house.pipeline.shaper.latest_value[0] == level)


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
    whole = await get(page, "/api/history", point="pump1.level")
    assert whole["complete"] is True
    assert whole["unit"] == "m"
    assert whole["t"] == sorted(whole["t"])
    assert {12.34, 10.0, 30.0, 20.0, 5.0} <= set(whole["value"])
    thin = await get(
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


async def test_the_queue_says_what_waits(house: Doors) -> None:
    await until(lambda: house.gateway.house.buffer.depth()["readings"].rows > 0)
    seen = await get(await house.sign_in(), "/api/queue")
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
