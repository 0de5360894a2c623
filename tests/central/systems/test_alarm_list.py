"""The alarm list with 50,000 open alarms: every filter, both orders, pages by key, counts, and how fast."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql

from central.live import alarm_query
from central.live.alarm_query import AlarmQuery
from central.live.alarm_rows import AlarmRow
from central.live.alarm_unanswered import unanswered
from central.security.principal import Principal
from central.security.roles import Role
from central.security.sight import EVERYTHING, Sight
from central.systems.monitoring import schemas_alarms as schemas
from central.systems.monitoring.alarm_filter import AlarmListQuery
from central.systems.monitoring.parts import parts_in
from protocols.model.clock import SECOND_US, to_datetime
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running

MANY = 50_000
PAGE_S = 0.05

STORM = """
INSERT INTO alarms (id, gateway, declaration, rule_id, point, device, site, name_zh, name_en, kind, priority,
    category, "limit", deadband, unit, state, number, raised_at, closed_at, late, overlays,
    group_key, assignee)
SELECT 'o' || lpad(n::text, 6, '0'), 'gw-north', 'd',
    CASE n %% 3 WHEN 0 THEN 'well.level-high' WHEN 1 THEN 'air.pm25-high' ELSE 'pump1.run-high' END,
    CASE n %% 3 WHEN 0 THEN 'gw-north.well.level' WHEN 1 THEN 'gw-north.air.pm25'
        ELSE 'gw-north.pump1.run' END,
    CASE n %% 3 WHEN 0 THEN 'gw-north.well' WHEN 1 THEN 'gw-north.air' ELSE 'gw-north.pump1' END,
    CASE n %% 3 WHEN 1 THEN 'air-park' ELSE 'ps-riverside' END,
    CASE n %% 3 WHEN 0 THEN '水位高' ELSE '其它' END, 'Alarm ' || n,
    'hi', 'P' || 1 + n %% 4, 'flooding', 3.2, 0.1, 'm',
    CASE n %% 5 WHEN 0 THEN 'ACKED' ELSE 'UNACK' END, 1, %(now)s - n * interval '6 ms', NULL, false,
    CASE n %% 50 WHEN 7 THEN '{DSUPR}'::text[] ELSE '{}' END, '',
    CASE n %% 100 WHEN 3 THEN 'test-operator' END
FROM generate_series(0, %(many)s - 1) n
"""


@pytest.fixture
async def storm(city: Running, gateway: FieldGateway) -> Running:
    """A centre in whose list 50,000 alarms are open."""
    async with city.centre.database.pool.connection() as connection:
        await connection.execute(STORM, {"now": to_datetime(city.clock.now), "many": MANY})
        await connection.execute("ANALYZE alarms")
    return city


async def plan(city: Running, query: AlarmQuery) -> str:
    """Return how PostgreSQL finds a page."""
    statement = alarm_query.ordered(select(AlarmRow).where(*alarm_query.conditions(query)), query).limit(
        query.limit
    )
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    literal = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    async with city.centre.database.session() as session:
        rows = await session.execute(text("EXPLAIN " + str(literal).replace(":", "\\:")))
        return "\n".join(row[0] for row in rows)


async def test_fifty_thousand_open_alarms(storm: Running) -> None:
    await _every_filter(storm)
    await _pages(storm)
    await _sight(storm)
    await _waiting(storm)
    for query, index in (
        (AlarmQuery(), "ix_alarms_open_newest"),
        (AlarmQuery(sort="priority"), "ix_alarms_open_priority"),
        (AlarmQuery(site="air-park"), "ix_alarms_open"),
    ):
        found = await plan(storm, query)
        assert index in found, found
        assert "Sort" not in found, found
    await _fast(storm)
    # A word may stand in the name of more devices than a statement has room for as parameters.
    named = AlarmQuery(text="pump", devices_named=[{f"gw-north.pump-{n}" for n in range(70_000)}])
    assert (await storm.centre.alarms.list(named)).items


async def _every_filter(city: Running) -> None:
    since = to_datetime(city.clock.now - 3 * SECOND_US).isoformat()
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, MANY),
        ({"priority": ["P1", "P2"]}, MANY // 2),
        ({"state": "unacked"}, MANY * 4 // 5),
        ({"state": "closed"}, 0),
        ({"site": "air-park"}, 16_667),
        ({"area": "north"}, 33_333),
        ({"device": "gw-north.well"}, 16_667),
        ({"device_kind": "pump"}, 16_666),
        ({"rule": "level-high"}, 16_667),
        ({"rule": "well.level-high"}, 16_667),
        ({"cause": "rule:level-high"}, 16_667),
        ({"overlay": "DSUPR"}, MANY // 50),
        ({"assignee": "me"}, MANY // 100),
        ({"assignee": "-"}, MANY - MANY // 100),
        ({"category": "flooding", "kind": "hi", "gateway": "gw-north"}, MANY),
        ({"since": since}, 501),
        ({"text": "水位"}, 16_667),
        ({"text": "park ALARM 4999"}, 6),
        ({"text": "100%"}, 0),
        ({"folded": True}, 0),
    ]
    for asked, expected in cases:
        page = await city.get("/alarms", Role.OPERATOR, limit=1, **asked)
        assert page["total"] == (expected if expected <= 1000 else None), asked
        counts = await city.get("/alarms/facets", Role.OPERATOR, **asked)
        for facet, values in counts.items():
            if facet != "total":
                assert sum(values.values()) == counts["total"] == expected, (asked, facet)
    counts = await city.get("/alarms/facets", Role.OPERATOR)
    assert counts["priority"] == dict.fromkeys(("P1", "P2", "P3", "P4"), MANY // 4)
    assert counts["overlay"] == {"": MANY - MANY // 50, "DSUPR": MANY // 50}
    assert counts["area"] == {"north": 33_333, "": 16_667}


async def _pages(city: Running) -> None:
    for sort in ("newest", "priority"):
        seen: list[tuple[Any, ...]] = []
        cursor = None
        while True:
            asked = {"sort": sort, "rule": "level-high", "priority": "P1", "limit": 1000}
            page = await city.get("/alarms", Role.VIEWER, **asked, **({"cursor": cursor} if cursor else {}))
            seen += [
                (item["priority"], datetime.fromisoformat(item["raised_at"]), item["id"])
                for item in page["items"]
            ]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) > 4000
        assert seen == sorted(seen, reverse=sort == "newest")
    async with city.client(Role.VIEWER) as client:
        other = await client.get("/api/v1/alarms", params={"sort": "priority", "limit": 1})
        wrong = await client.get("/api/v1/alarms", params={"cursor": other.json()["next_cursor"]})
    assert (wrong.status_code, wrong.json()["type"]) == (400, "/problems/bad-cursor")


async def _sight(city: Running) -> None:
    """Who sees one site counts and lists only its alarms, whatever is asked."""
    desk = parts_in(city.app).alarms
    who = Principal("anna", "Anna", (), "session", sight=Sight(frozenset({"air-park"})))
    for asked, expected in (({}, 16_667), ({"area": "north"}, 0), ({"site": "ps-riverside"}, 0)):
        page = msgspec.json.decode(await desk.page(AlarmListQuery(limit=2, **asked), who))
        assert page["total"] == (None if expected > 1000 else expected)
        assert {item["site"] for item in page["items"]} <= {"air-park"}
        assert (await desk.facets(AlarmListQuery(**asked), who)).total == expected


async def _waiting(city: Running) -> None:
    async with city.centre.database.session() as session:
        found = await unanswered(session, to_datetime(city.clock.now - 299 * SECOND_US), ["P1"])
    assert found
    assert {item.alarm.priority for item in found} == {"P1"}
    assert not any(item.alarm.acked or item.alarm.overlays for item in found)
    assert [item.since for item in found] == sorted(item.since for item in found)


async def _fast(city: Running) -> None:
    """A page of what a screen shows has the shape of the API, and costs little beside its index scan."""
    page = schemas.AlarmPage.model_validate(await city.get("/alarms", limit=100))
    assert len(page.items) == 100
    who = Principal("test-viewer", "Viewer", (), "session", sight=EVERYTHING)
    desk = parts_in(city.app).alarms
    for asked in ({}, {"sort": "priority"}, {"site": "air-park"}, {"priority": ["P1"]}, {"state": "unacked"}):
        took = []
        for _ in range(6):
            began = time.process_time()
            await desk.page(AlarmListQuery(limit=50, **asked), who)
            took.append(time.process_time() - began)
        # The work of this process, the best of a few: how long one waits, the storm measures.
        assert min(took) < PAGE_S, (asked, took)
