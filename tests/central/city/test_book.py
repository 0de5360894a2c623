"""Both layers on a real database: what people wrote stands, what was declared is kept, changes are told."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.errors import RaiseException

from central.city.book import Book, Edit
from central.city.layers import Faults
from central.city.lifecycle import Lifecycle
from central.city.registry import Registry
from central.link.declarations import Declarations
from central.live.latest import LatestBoard
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.clock import now_us
from protocols.model.manifest import Manifest, declaration_hash
from tests.central.systems.field import DEVICE, LEVEL, SITE, manifest

WHO: dict[str, Any] = {"actor": "anna", "reason": "survey"}


async def declare(database: Database, declared: Manifest) -> None:
    async with database.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO gateways (id, name_zh, name_en, state, created_at)"
            " VALUES (%s, 'x', 'x', 'pending', now()) ON CONFLICT DO NOTHING",
            (declared.gateway,),
        )
    body = declared.encode()
    latest = LatestBoard(now_us)
    await Declarations(database, now_us, latest).declare(declared.gateway, declaration_hash(body), body)


def renamed(software: str) -> Manifest:
    """The same city, as another version of the gateway's software declares it."""
    first = manifest()
    return Manifest(
        gateway=first.gateway, name_zh=first.name_zh, name_en=first.name_en, software=software,
        sites=first.sites, devices=first.devices, points=first.points, rules=first.rules,
    )  # fmt: skip


async def row(database: Database, table: str, key: str) -> dict[str, Any]:
    async with database.pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT to_jsonb(t) FROM {table} t WHERE id = %s".encode(),  # noqa: S608
            (key,),
        )
        found: Any = await cursor.fetchone()
    return dict(found[0])


async def test_what_people_wrote_stands_over_every_later_declaration(database: Database) -> None:
    await declare(database, manifest())
    registry, book = Registry(database), Book(database, now_us)
    assert (await registry.city()).sites[SITE].name_zh == "滨江泵站"
    await book.write(
        [
            Edit("site", SITE, {"name_zh": "滨江排涝站", "tags": ["防汛", "A级"], "lon": 121.41}),
            Edit("device", DEVICE, {"name_en": "Wet well", "lon": 121.4, "lat": 31.2}),
            Edit("point", LEVEL, {"name_zh": "前池水位"}),
            Edit("gateway", "gw-north", {"name_zh": "北网关", "site": SITE}),
        ],
        **WHO,
    )
    await declare(database, renamed("citynerve-edge 0.2.0"))
    city = await registry.city()
    site = city.sites[SITE]
    assert (site.name_zh, site.name_en, site.lon, site.tags) == (
        "滨江排涝站",
        "Riverside station",
        121.41,
        ("防汛", "A级"),
    )
    assert (city.devices[DEVICE].name_en, city.points[LEVEL].name_zh) == ("Wet well", "前池水位")
    assert (city.registered_gateways["gw-north"].name_zh, city.registered_gateways["gw-north"].site) == (
        "北网关",
        SITE,
    )
    assert city.place_of(city.devices[DEVICE]) == (121.4, 31.2)
    state, number = await book.state("site", SITE)
    assert (state["declared"]["name_zh"], state["written"]) == (
        "滨江泵站",
        {"name_zh": "滨江排涝站", "lon": 121.41},
    )
    await book.write([Edit("site", SITE, {"name_zh": None, "lon": None})], **WHO, seen=number)
    site = (await registry.city()).sites[SITE]
    assert (site.name_zh, site.lon) == ("滨江泵站", 121.4)


async def test_a_change_is_read_without_reading_the_city_again(database: Database) -> None:
    await declare(database, manifest())
    registry, book = Registry(database), Book(database, now_us)
    before = await registry.city()
    await book.write([Edit("point", LEVEL, {"tags": ["前池"]})], **WHO)
    after = await registry.city()
    assert after.points[LEVEL].tags == ("前池",)
    assert [point.tags for point in after.points_of[DEVICE]] == [("前池",), ()]
    assert all(after.points[key] is before.points[key] for key in before.points if key != LEVEL)
    assert await registry.city() is after


async def test_planned_things_come_into_use_when_a_gateway_declares_them(database: Database) -> None:
    first = manifest()
    async with database.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO gateways (id, name_zh, name_en, state, created_at)"
            " VALUES ('gw-north', 'x', 'x', 'pending', now())"
        )
    registry, book = Registry(database), Book(database, now_us)
    place = {"name_zh": "规划站", "kind": "pumping_station", "lon": 121.0, "lat": 31.0}
    await book.write(
        [
            Edit("device", DEVICE, {"site": SITE, "name_zh": "液位计", "kind": "level"}, new=True),
            Edit("site", SITE, place, new=True),
        ],
        **WHO,
    )
    planned = (await registry.city()).devices[DEVICE]
    assert (planned.lifecycle, planned.retired, planned.declared) == ("planned", True, False)
    await declare(database, first)
    used = (await registry.city()).devices[DEVICE]
    assert (used.lifecycle, used.retired, used.declared, used.name_zh) == ("active", False, True, "液位计")
    entries, following = await book.history("device", DEVICE, limit=10)
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("lifecycle", "gateway:gw-north"),
        ("registered", "anna"),
    ]
    assert following is None


async def test_the_history_tells_what_was_and_is_with_numbers_of_people_masked(
    database: Database,
) -> None:
    await declare(database, manifest())
    book = Book(database, now_us)
    contact = {"name": "张伟", "role": "站长", "phone": "+86 138 0000 1234", "email": "zw@city.example"}
    await book.write([Edit("site", SITE, {"contacts": [contact], "name_zh": "新名"})], **WHO)
    assert await book.write([Edit("site", SITE, {"name_zh": "新名"})], **WHO) == []
    (entry,), _ = await book.history("site", SITE, limit=10)
    assert entry.before == {"name_zh": "滨江泵站", "contacts": []}
    masked = {**contact, "phone": "…34", "email": "…@city.example"}
    assert entry.after == {"name_zh": "新名", "contacts": [masked]}
    assert (await book.state("site", SITE))[0]["contacts"] == [contact]
    async with database.pool.connection() as connection:
        with pytest.raises(RaiseException, match="append-only"):
            await connection.execute("DELETE FROM registry_changes")


async def test_one_mistake_leaves_everything_as_it_was(database: Database) -> None:
    await declare(database, manifest())
    book = Book(database, now_us)
    pump = {"site": SITE, "name_zh": "泵", "kind": "pump"}
    place = {"name_zh": "x", "kind": "x", "lon": 1, "lat": 1}
    good = Edit("site", SITE, {"name_zh": "新名"})
    with pytest.raises(Faults, match="lat"):
        await book.write([good, Edit("device", DEVICE, {"lon": 121.0})], **WHO)
    with pytest.raises(Rejected, match="no gateway 'gw-x'"):
        await book.write([good, Edit("device", "gw-x.p1", pump, new=True)], **WHO)
    with pytest.raises(Rejected, match="active cannot become planned"):
        await book.write([good, Edit("site", "air-park", lifecycle=Lifecycle.PLANNED)], **WHO)
    with pytest.raises(Rejected, match="already"):
        await book.write([good, Edit("site", "air-park", place, new=True)], **WHO)
    assert (await row(database, "sites", SITE))["name_zh"] == "滨江泵站"
    await book.write([good], **WHO, seen=0)
    with pytest.raises(Rejected, match="meanwhile"):
        await book.write([Edit("site", SITE, {"name_zh": "别名"})], **WHO, seen=0)
