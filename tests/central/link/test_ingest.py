"""Batches at the centre: committed once each, whatever comes twice, late, together or broken."""

from __future__ import annotations

import asyncio
import random

import httpx2
import msgspec
import numpy as np
import psycopg
import pytest
import zstandard

from protocols.model.manifest import Manifest, SiteDecl, declaration_hash
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, encode
from protocols.wire.channels import BATCHES, DECLARATIONS, ENROL, INBOX, MAX_BATCH_BYTES
from protocols.wire.handshake import Enrolment, Problem, Receipt
from tests.central.systems.field import LEVEL, FieldGateway, manifest
from tests.central.systems.running import Running

T0 = 1_795_262_400_000_000


def columns(point: int, times: list[int], value: float = 1.0) -> Readings:
    """Readings of one point, all of one value."""
    n = len(times)
    return Readings(np.full(n, point, np.int32), np.array(times), np.full(n, value), np.zeros(n, np.uint32))


class Wire:
    """Posts encoded batches as one gateway, and reads the answers."""

    def __init__(self, gateway: FieldGateway, client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        self._client = client
        self.headers = headers
        self.boot = gateway.boot
        self.declaration = gateway.declaration

    def batch(self, seq: int, payload: Readings, declaration: str | None = None) -> bytes:
        """Encode a batch of readings."""
        return encode(Batch("readings", self.boot, seq, declaration or self.declaration, T0, payload))

    async def post(self, body: bytes) -> httpx2.Response:
        """Post whatever bytes."""
        return await self._client.post(BATCHES, content=body, headers=self.headers)

    async def accepted(self, body: bytes) -> Receipt:
        """Post a batch that must be taken."""
        answer = await self.post(body)
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=Receipt)

    async def refused(self, body: bytes) -> tuple[int, str]:
        """Post a batch that must be refused; return the status and the code."""
        answer = await self.post(body)
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, msgspec.json.decode(answer.content, type=Problem).code


@pytest.fixture
def wire(gateway: FieldGateway) -> Wire:
    """The gateway's road for raw batches."""
    return Wire(gateway, gateway._client, gateway.headers)


async def stored(city: Running) -> list[tuple[int, int]]:
    """Return every (series, source time) in the table."""
    async with city.centre.database.pool.connection() as connection:
        rows = await connection.execute(
            "SELECT series, (extract(epoch FROM time) * 1000000)::bigint FROM readings ORDER BY 1, 2"
        )
        return [(int(str(series)), int(str(time_us))) for series, time_us in await rows.fetchall()]


async def test_each_batch_once_in_any_order_twice_and_together(city: Running, wire: Wire) -> None:
    bodies = [
        wire.batch(seq, columns(seq % 4, [T0 + seq * 100 + i for i in range(50)])) for seq in range(1, 41)
    ]
    deliveries = bodies * 3
    random.Random(7).shuffle(deliveries)  # noqa: S311 - an order, not a secret
    receipts = await asyncio.gather(*(wire.accepted(body) for body in deliveries))
    assert sum(not receipt.duplicate for receipt in receipts) == 40
    assert sum(receipt.stored for receipt in receipts) == 2000
    rows = await stored(city)
    assert len(rows) == len(set(rows)) == 2000
    assert {time_us for _, time_us in rows} == {T0 + s * 100 + i for s in range(1, 41) for i in range(50)}
    async with city.centre.database.pool.connection() as connection:
        marks = await connection.execute("SELECT committed::text FROM ingest_marks WHERE stream = 'readings'")
        assert await marks.fetchall() == [("{[1,41)}",)]


async def test_a_point_and_time_that_came_before_in_another_batch(city: Running, wire: Wire) -> None:
    await wire.accepted(wire.batch(1, columns(0, [T0, T0 + 1], 1.0)))
    receipt = await wire.accepted(wire.batch(2, columns(0, [T0 + 1, T0 + 2], 2.0)))
    assert not receipt.duplicate
    series = {row[0] for row in await stored(city)}.pop()
    raw = await city.centre.history.raw(series, T0, T0 + 10)
    assert raw.value.tolist() == [1.0, 1.0, 2.0]


async def test_readings_reach_the_live_board_and_late_ones_do_not(city: Running, wire: Wire) -> None:
    now = city.clock.now
    await wire.accepted(wire.batch(1, columns(0, [now], 5.0)))
    await wire.accepted(wire.batch(2, columns(0, [now - 60_000_000], 9.0)))
    value = next(iter(city.centre.latest.get_many(range(1, 10)).values()))
    assert (value.value, value.time_us, value.stale) == (5.0, now, False)
    city.clock.move(16)
    value = next(iter(city.centre.latest.get_many(range(1, 10)).values()))
    assert value.stale


async def test_what_cannot_be_taken_is_refused_whole_and_named(city: Running, wire: Wire) -> None:
    good = wire.batch(1, columns(0, [T0]))
    assert await wire.refused(good[:-3]) == (400, "corrupt")
    assert await wire.refused(b"") == (400, "corrupt")
    assert await wire.refused(zstandard.compress(b"\x93\x01\x02\x03")) == (400, "shape")
    assert await wire.refused(wire.batch(1, columns(5, [T0]))) == (400, "shape")
    assert await wire.refused(wire.batch(1, columns(0, [T0]), "f" * 32)) == (409, "declare-first")
    assert await wire.refused(b"x" * (MAX_BATCH_BYTES + 1)) == (413, "too-large")
    days = [T0 + day * 86_400_000_000 for day in range(40)]
    assert await wire.refused(wire.batch(1, columns(0, days))) == (400, "shape")
    assert await stored(city) == []
    assert not (await wire.accepted(good)).duplicate


async def test_tokens_unknown_and_revoked(city: Running, wire: Wire) -> None:
    good = wire.batch(1, columns(0, [T0]))
    real = dict(wire.headers)
    wire.headers = {}
    assert await wire.refused(good) == (401, "unknown-gateway")
    wire.headers = {"Authorization": "Bearer cng_guess"}
    assert await wire.refused(good) == (401, "unknown-gateway")
    wire.headers = real
    await city.centre.gateways.revoke("gw-north", "admin")
    assert await wire.refused(good) == (403, "revoked")
    assert await stored(city) == []


async def test_an_enrolment_code_works_once_for_its_gateway_until_it_expires(city: Running) -> None:
    code = (await city.centre.gateways.new_code("gw-south", "admin")).enrolment_code

    async def enrol(gateway: str, given: str) -> int:
        async with city.client(None) as client:
            body = msgspec.json.encode(Enrolment(code=given, gateway=gateway, software="test"))
            return (await client.post(ENROL, content=body)).status_code

    assert await enrol("gw-north", code) == 401
    assert await enrol("gw-south", code.lower().replace("-", " ")) == 200
    assert await enrol("gw-south", code) == 401
    late = (await city.centre.gateways.new_code("gw-south", "admin")).enrolment_code
    city.clock.move(24 * 3600 + 1)
    assert await enrol("gw-south", late) == 401
    async with city.centre.database.pool.connection() as connection:
        hashes = await (await connection.execute("SELECT code_hash FROM enrolment_codes")).fetchall()
    assert all(code not in str(row) for row in hashes)


async def declare(wire: Wire, changed: Manifest, name: str | None = None) -> httpx2.Response:
    """Put a declaration."""
    body = changed.encode()
    path = DECLARATIONS.format(hash=name or declaration_hash(body))
    return await wire._client.put(path, content=body, headers=wire.headers)


async def test_a_declaration_that_contradicts_itself_lists_every_mistake(wire: Wire) -> None:
    declared = manifest()
    wrong = msgspec.structs.replace(
        declared,
        devices=(msgspec.structs.replace(declared.devices[0], site="nowhere"), *declared.devices[1:]),
        rules=(msgspec.structs.replace(declared.rules[0], point="well.none"),),
        sites=(*declared.sites, SiteDecl(key="Bad Key", name_zh="x", name_en="x", kind="x", lon=999, lat=0)),
    )
    answer = await declare(wire, wrong)
    assert answer.status_code == 400
    fields = [item["field"] for item in answer.json()["errors"]]
    assert fields == ["sites[2].key", "sites[2]", "devices[0].site", "rules[0].point"]
    assert (await declare(wire, declared, "0" * 32)).status_code == 400
    stranger = msgspec.structs.replace(declared, gateway="gw-other")
    assert (await declare(wire, stranger)).status_code == 400
    assert (await declare(wire, declared)).status_code == 204


async def test_points_are_retired_not_deleted_and_old_batches_do_not_bring_them_back(
    city: Running, wire: Wire
) -> None:
    before = manifest()
    after = msgspec.structs.replace(before, points=before.points[1:], rules=before.rules[1:])
    assert (await declare(wire, after)).status_code == 204

    async def retired() -> list[str]:
        async with city.centre.database.pool.connection() as connection:
            rows = await connection.execute("SELECT id FROM points WHERE retired_at IS NOT NULL")
            return [str(row[0]) for row in await rows.fetchall()]

    assert await retired() == [LEVEL]
    old = wire.batch(1, columns(0, [T0]))
    assert (await wire.accepted(old)).stored == 1
    assert await retired() == [LEVEL]
    city.clock.move(10)
    made = city.clock.move(0)
    newest = encode(Batch("readings", wire.boot, 2, wire.declaration, made, columns(0, [made])))
    await wire.accepted(newest)
    assert await retired() == []


async def test_the_database_goes_away_and_comes_back(city: Running, wire: Wire, database_url: str) -> None:
    name = database_url.split("@/")[1].split("?", maxsplit=1)[0]
    server = database_url.replace(f"@/{name}?", "@/postgres?")
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as admin:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        body = wire.batch(1, columns(0, [T0]))
        answer = await wire.post(body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.json()["type"].endswith("/unavailable")
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    for _ in range(50):
        answer = await wire.post(body)
        if answer.status_code == 200:
            break
        assert answer.status_code == 503
        await asyncio.sleep(0.1)
    assert answer.status_code == 200
    assert len(await stored(city)) == 1


async def test_the_long_poll_answers_when_a_command_arrives(city: Running, wire: Wire) -> None:
    poll = asyncio.create_task(wire._client.get(INBOX, params={"after": 0, "wait": 20}, headers=wire.headers))
    await asyncio.sleep(0.3)
    assert not poll.done()
    sent = await city.centre.outbox.send("gw-north.pump1.run", 1, issued_by="operator")
    answer = (await asyncio.wait_for(poll, 5)).json()
    assert [item["order"]["id"] for item in answer["items"]] == [sent.id]
    assert answer["items"][0]["order"]["point"] == "pump1.run"
    view = await city.centre.outbox.commands.get(sent.id)
    assert view is not None
    assert view.state == "delivered"
