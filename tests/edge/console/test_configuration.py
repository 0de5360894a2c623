"""The configuration from the page: checked, applied, taken back, while pages look on."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest
import yaml

from tests.edge.console.page import Doors, get, post
from tests.edge.house import until
from tests.ports import free_port


def _without(text: str, device: str) -> str:
    """Return a gateway file's text without one device."""
    data = yaml.safe_load(text)
    data["devices"] = [entry for entry in data["devices"] if entry["key"] != device]
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


async def test_a_configuration_is_checked_applied_and_taken_back_from_the_page(house: Doors) -> None:
    page = await house.sign_in()
    text = (await get(page, "/api/config/text"))["text"]
    wrong = text.replace("host: 127.0.0.1", "hots: 127.0.0.1")
    checked = await post(page, "/api/config/check", {"text": wrong})
    assert any("hots" in mistake["problem"] for mistake in checked["mistakes"])
    assert all(mistake["line"] > 0 and mistake["repair"] for mistake in checked["mistakes"])
    assert (await post(page, "/api/config/apply", {"text": wrong}, 422))["mistakes"] == checked["mistakes"]
    without = _without(text, "pump2")
    checked = await post(page, "/api/config/check", {"text": without})
    assert checked["mistakes"] == []
    assert checked["diff"]["devices"]["removed"] == ["pump2"]
    assert "-- key: pump2" in checked["diff"]["unified"]
    version = await post(page, "/api/config/apply", {"text": without, "note": "pump 2 is gone"})
    assert (version["number"], version["source"], version["actor"]) == (2, "page", "page:127.0.0.1")
    await until(lambda: len(house.gateway.house.plan.loaded.entry.devices) == 1)
    assert [device["key"] for device in await get(page, "/api/devices")] == ["pump1"]
    assert (await page.get("/api/points?device=pump2")).status_code == 404
    shown = await get(page, "/api/config")
    assert shown["status"]["state"] == "probation"
    assert 0 < shown["left_s"] <= 120
    refused = await post(page, "/api/config/apply", {"text": text}, 409)
    assert refused["code"] == "on-probation"
    await post(page, "/api/config/rollback", {"number": 1, "note": "it was there after all"})
    await until(lambda: len(house.gateway.house.plan.loaded.entry.devices) == 2)
    shown = await get(page, "/api/config")
    assert [version["number"] for version in shown["versions"]][-1] == 1
    assert shown["status"]["running"] == 1
    assert (await get(page, "/api/config/diff", **{"from": 1, "to": 2}))["devices"]["removed"] == ["pump2"]
    assert (await post(page, "/api/config/confirm", {}, 409))["code"] == "no-probation"
    assert (await page.get("/api/config/text?version=99")).json()["code"] == "unknown-version"
    assert (await page.get("/api/config/text?version=../x")).json()["code"] == "wrong-query"


async def test_a_configuration_moves_the_page_to_another_port(house: Doors) -> None:
    port = free_port()
    data = yaml.safe_load((await get(house.local, "/api/config/text"))["text"])
    data["page"] = {"port": port}
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
    version = await post(house.local, "/api/config/apply", {"text": text})
    assert version["source"] == "file", "the command line says so of itself"
    async with asyncio.timeout(20):
        while (await get(house.local, "/api/session"))["url"] != f"http://127.0.0.1:{port}/":  # noqa: ASYNC110
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
    text = (await get(page, "/api/config/text"))["text"]
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
                await post(page, "/api/config/apply", {"text": without})
            elif values and len(numbers) == 2:
                break
    assert len(numbers) == 2
