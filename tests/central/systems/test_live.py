"""The live feed over a real socket: what is committed is on the stream, in the API's own shapes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn

from central.security.roles import Role
from central.systems.monitoring import live
from central.systems.monitoring.overview import Beat, Rate
from central.systems.monitoring.parts import parts_in
from central.systems.monitoring.schemas import Overview
from protocols.model.alarm import AlarmEvent
from tests.central.systems.field import LEVEL, PM25, PUMP, SITE, FieldGateway
from tests.central.systems.running import API, Hand, Running

PATIENCE_S = 30.0


class Stream:
    """The events of an open stream, read as a browser reads them."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._lines = answer.aiter_lines()

    async def told(self) -> str:
        """Return the next id that the centre tells."""
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                if line.startswith("id: "):
                    return line.removeprefix("id: ")
        raise EOFError

    async def next(self) -> tuple[str, Any]:
        """Return the next event: its name and its data."""
        name, data = "", ""
        async for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = line.removeprefix("data: ")
            elif not line and data:
                return name, json.loads(data)
        raise EOFError

    async def until(self, kind: str) -> Any:
        """Return the data of the next event of that kind."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                name, data = await self.next()
                if name == kind:
                    return data


@asynccontextmanager
async def served(city: Running) -> AsyncIterator[str]:
    """Serve the running application on a free port; its lifespan is the fixture's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings = uvicorn.Config(
            city.app, lifespan="off", log_config=None, timeout_graceful_shutdown=1, ws="none"
        )
        server = uvicorn.Server(settings)
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            city.centre.feed.close()
            server.should_exit = True
            await serving


@asynccontextmanager
async def listening(
    city: Running, address: str, last: str | None = None, **params: Any
) -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {city.tokens[Role.VIEWER]}"}
    if last is not None:
        headers["Last-Event-ID"] = last
    async with (
        httpx2.AsyncClient(base_url=address, headers=headers, timeout=PATIENCE_S) as client,
        client.stream("GET", f"{API}/live", params=params) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        stream = Stream(answer)
        assert set(await stream.until("hello")) == {"server_time"}
        yield stream


async def test_readings_alarm_event_case_and_command_arrive(city: Running, gateway: FieldGateway) -> None:
    async with served(city) as address, listening(city, address, point=[LEVEL, PM25]) as stream:
        now = city.clock()
        await gateway.readings(0, [now - 1_000_000, now], [2.4, 2.5])
        readings = await stream.until("readings")
        assert readings == {"items": (await city.get("/latest", point=LEVEL))["items"]}
        await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=now, value=3.3)
        alarm = await stream.until("alarm")
        assert alarm == (await city.get("/alarms"))["items"][0]
        event = await stream.until("event")
        assert (event["id"], event["alarms"][0]["id"]) == (alarm["event_id"], "a1")
        await city.post("/cases", {"event_id": event["id"]}, expect=201)
        case = await stream.until("case")
        assert case == await city.get(f"/cases/{case['id']}")
        assert (await stream.until("event"))["state"] == "verified"
        sent = await city.post("/commands", {"point": PUMP, "value": 1}, expect=202)
        assert await stream.until("command") == sent


async def test_only_what_was_asked_for_arrives(city: Running, gateway: FieldGateway) -> None:
    async with served(city) as address:
        everything = listening(city, address, site=SITE)
        quiet = listening(city, address, device="gw-north.well", kinds="readings")
        async with everything as loud, quiet as stream:
            await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
            await gateway.readings(2, [city.clock()], [1.0])
            assert (await loud.until("readings"))["items"][0]["point"] == PUMP
            await gateway.readings(1, [city.clock()], [99.0])
            name, data = await asyncio.wait_for(stream.next(), PATIENCE_S)
            assert (name, [item["point"] for item in data["items"]]) == ("readings", ["gw-north.well.flow"])


async def test_the_overview_is_told_when_it_changes_and_somebody_listens(
    city: Running, gateway: FieldGateway
) -> None:
    parts = parts_in(city.app)
    listeners = [True]
    beat = Beat(parts.overview, parts.bus, lambda: bool(listeners))
    with parts.bus.subscribe("overview") as told:
        await beat.turn()
        (first,) = told.take()
        await beat.turn()
        assert told.take() == []
        await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
        await beat.turn()
        (second,) = told.take()
        listeners.clear()
        await gateway.alarm("a2", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
        await beat.turn()
        assert told.take() == []
    shown = [Overview.model_validate(message.payload) for message in (first, second)]
    assert [overview.alarms.active for overview in shown] == [0, 1]


async def test_who_is_switched_off_hears_no_more(city: Running, gateway: FieldGateway) -> None:
    async with served(city) as address, listening(city, address) as stream:
        async with city.client(Role.ADMIN) as admin:
            assert (await admin.patch(f"{API}/users/test-viewer", json={"disabled": True})).status_code == 200
        await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
        assert (await stream.until("alarm"))["id"] == "a1"
        city.clock.move(61)
        await gateway.alarm("a1", 2, AlarmEvent.CLR, at_us=city.clock(), value=3.0)
        with pytest.raises(EOFError):
            await stream.until("nothing")


async def test_one_account_cannot_hold_every_stream(
    city: Running, gateway: FieldGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_OF_ONE", 1)
    headers = {"Authorization": f"Bearer {city.tokens[Role.OPERATOR]}"}
    async with served(city) as address, listening(city, address), city.client(Role.VIEWER) as client:
        refused = await client.get(f"{API}/live")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/too-many-streams")
        async with (
            httpx2.AsyncClient(base_url=address, headers=headers) as other,
            other.stream("GET", f"{API}/live") as answer,
        ):
            assert answer.status_code == 200


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    clock = Hand()
    rate = Rate(clock)
    assert rate.per_second(1000) == 0.0
    for second in range(1, 21):
        clock.move(1)
        last = rate.per_second(1000 + 200 * second)
    assert last == 200.0
    clock.move(10)
    assert rate.per_second(5000) == 0.0


async def test_who_comes_back_hears_what_he_missed_and_nothing_twice(
    city: Running, gateway: FieldGateway
) -> None:
    async with served(city) as address:
        async with listening(city, address, point=LEVEL) as stream:
            await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
            await stream.until("event")
            last = await stream.told()
        await gateway.alarm("a2", 1, AlarmEvent.ACT, at_us=city.clock(), value=80.0, rule="air.pm25-high")
        await gateway.readings(0, [city.clock()], [2.5])
        async with listening(city, address, last, point=LEVEL) as stream:
            assert (await stream.until("alarm"))["id"] == "a2"
            assert [item["value"] for item in (await stream.until("readings"))["items"]] == [2.5]
        async with listening(city, address, "another-1", point=LEVEL) as stream:
            name, data = await stream.next()
            assert (name, data) == ("lagged", {"dropped": 1})


async def test_a_stream_tells_of_the_places_and_priorities_that_were_asked_for(
    city: Running, gateway: FieldGateway
) -> None:
    async with served(city) as address:
        north = listening(city, address, area="north", kinds="alarm")
        urgent = listening(city, address, priority=["P1", "P2"], kinds="alarm")
        air = listening(city, address, at="air-park", point=[LEVEL, PM25], kinds="alarm,readings")
        async with north as here, urgent as loud, air as there:
            await gateway.readings(0, [city.clock()], [2.5])
            await gateway.readings(3, [city.clock()], [80.0])
            await gateway.alarm("b1", 1, AlarmEvent.ACT, at_us=city.clock(), value=80.0, rule="air.pm25-high")
            await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=city.clock(), value=3.3)
            assert (await here.until("alarm"))["id"] == "a1"
            assert (await loud.until("alarm"))["id"] == "a1"
            assert [item["point"] for item in (await there.until("readings"))["items"]] == [PM25]
            assert (await there.until("alarm"))["id"] == "b1"
