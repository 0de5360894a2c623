"""A user of one area hears nothing of another's on the live feed; a stream ends when its sight changes."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete, update

from central.security.models import Grant
from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from tests.central.scope.areas import SHARED, TwoAreas, stir
from tests.central.systems.running import API
from tests.central.systems.test_live import PATIENCE_S, Stream

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_only_what_is_within_sight_is_heard(both: TwoAreas, address: str) -> None:
    city, everything = (
        both.city,
        {"site": ["a-main", "zb-main", "a-both", "zb-both"], "point": both.b["point"]},
    )
    keeper = {"Authorization": f"Bearer {both.keeper}"}
    admin = {"Authorization": f"Bearer {city.tokens[Role.ADMIN]}"}
    async with (
        httpx2.AsyncClient(base_url=address, timeout=PATIENCE_S) as client,
        client.stream("GET", f"{API}/live", params=everything, headers=keeper) as part,
        client.stream("GET", f"{API}/live", params=everything, headers=admin) as whole,
    ):
        narrow, wide = Stream(part), Stream(whole)
        await narrow.until("overview")
        await wide.until("overview")
        await stir(both)
        await asyncio.sleep(2.5)  # the overview's beat, and the gateways'
        now = city.clock()
        await both.gateways["gw-alpha"].readings(0, [now], [2.5])
        await both.gateways[SHARED].readings(0, [now], [2.5])
        await both.gateways["gw-alpha"].alarm(
            "a-later", 1, AlarmEvent.ACT, at_us=now, value=2.5, rule="a-well.flow-high"
        )
        mine, everybodys = await asyncio.gather(heard(narrow, "a-later"), heard(wide, "a-later"))
    assert both.leaks(json.dumps(mine, ensure_ascii=False)) == []
    assert {"alarm"} <= {name for name, _ in mine} <= {"alarm", "readings", "event", "gateway", "overview"}
    assert {data["id"] for name, data in mine if name == "gateway"} <= {"gw-alpha", SHARED}
    points = {item["point"] for name, data in mine if name == "readings" for item in data["items"]}
    assert points <= {"gw-alpha.a-well.level", f"{SHARED}.a-well.level"}
    assert both.leaks(json.dumps(everybodys, ensure_ascii=False)) != []
    kinds = {name for name, _ in everybodys}
    assert {"alarm", "event", "case", "command", "order", "gateway", "overview", "readings"} <= kinds


async def test_a_stream_ends_when_its_sight_changes(both: TwoAreas, address: str) -> None:
    """Within a minute, so that the browser opens it again, with what may be seen now."""
    city, headers = both.city, {}
    for name in ("gains", "loses", "keeps", "moves"):
        headers[name] = {"Authorization": f"Bearer {await city.person(name, areas=['alpha'])}"}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=address, timeout=PATIENCE_S))
        streams = {}
        for name, header in headers.items():
            answer = client.stream("GET", f"{API}/live", params={"kinds": "alarm"}, headers=header)
            streams[name] = Stream(await stack.enter_async_context(answer))
            await streams[name].until("hello")
        await raise_one(both, "a-before")
        assert {
            name: (await stream.until("alarm"))["id"] for name, stream in streams.items()
        } == dict.fromkeys(streams, "a-before")
        async with city.centre.database.session() as session:
            session.add(Grant(username="gains", role="viewer", areas=["bravo"], departments=[]))
            await session.execute(delete(Grant).where(Grant.username == "loses"))
            await session.execute(update(Grant).where(Grant.username == "moves").values(areas=["bravo"]))
        city.clock.move(61)
        await raise_one(both, "a-after")
        assert (await streams["keeps"].until("alarm"))["id"] == "a-after"
        for name in ("gains", "loses", "moves"):
            with pytest.raises(EOFError):
                await streams[name].until("alarm")


async def heard(stream: Stream, until: str) -> list[tuple[str, Any]]:
    """Return what is said until an alarm with that id."""
    said = []
    async with asyncio.timeout(PATIENCE_S):
        while True:
            name, data = await stream.next()
            said.append((name, data))
            if name == "alarm" and data["id"] == until:
                return said


async def raise_one(both: TwoAreas, occurrence: str) -> None:
    """Raise an alarm in area A."""
    await both.gateways["gw-alpha"].alarm(
        occurrence, 1, AlarmEvent.ACT, at_us=both.city.clock(), value=3.5, rule="a-well.level-high"
    )
