"""What no gateway in order sends is refused by name: nothing of it is stored or tried for ever."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from typing import Any

import httpx2
import msgspec
import numpy as np

from central.security.roles import Role
from central.store.rollups import Roller
from protocols.model.alarm import AlarmEvent, AlarmState, AlarmTransition
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.manifest import declaration_hash
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, Payload, encode
from protocols.wire.channels import BATCHES, DECLARATIONS, ENROL, Stream
from tests.central.systems.field import LEVEL, PUMP, FieldGateway, manifest
from tests.central.systems.running import Running

T0 = 1_795_262_400_000_000
CENTURY = 1 << 62


def transition(gateway: FieldGateway, **changes: Any) -> AlarmTransition:
    """The first step of an alarm, as a gateway in order tells it, with changes."""
    step = AlarmTransition(
        occurrence=uuid.uuid4().hex, rule="well.level-high", point="well.level", number=1,
        event=AlarmEvent.ACT, event_us=T0, sample_us=T0, value=3.5, quality=0,
        declaration=gateway.declaration,
    )  # fmt: skip
    return msgspec.structs.replace(step, **changes)


async def post(gateway: FieldGateway, stream: Stream, payload: Payload) -> httpx2.Response:
    """Post a batch whatever is in it."""
    batch = Batch(stream, secrets.token_hex(8), 1, gateway.declaration, T0, payload)
    return await gateway._client.post(BATCHES, content=encode(batch), headers=gateway.headers)


IMPOSSIBLE_STEPS: list[dict[str, Any]] = [
    {"event_us": CENTURY},
    {"event_us": -CENTURY},
    {"sample_us": CENTURY},
    {"number": 0},
    {"number": -1},
    {"number": 1 << 40},
    {"event": AlarmEvent.ACK},
    {"event": AlarmEvent.RESET},
    {"event": AlarmEvent.CLR},
    {"event": AlarmEvent.SHELVE},
    {"event": AlarmEvent.SHELVE, "occurrence": "", "number": 2},
    {"state": AlarmState.NORM},
    {"number": 2, "event": AlarmEvent.CLR, "state": AlarmState.UNACK},
    {"number": 2, "event": AlarmEvent.ACK, "state": AlarmState.RTNUN},
    {"number": 2, "event": AlarmEvent.RESET, "state": AlarmState.ACKED},
    {"number": 2, "event": AlarmEvent.REALARM, "state": AlarmState.ACKED},
    {"until_us": CENTURY},
    {"actor": "x" * 1001},
    {"quality": -1},
    {"occurrence": ""},
    {"occurrence": "a\0b"},
    {"occurrence": secrets.token_hex(5000)},
    {"declaration": "\0"},
]


async def test_an_impossible_step_of_an_alarm_is_refused(city: Running, gateway: FieldGateway) -> None:
    for changes in IMPOSSIBLE_STEPS:
        answer = await post(gateway, "alarms", (transition(gateway), transition(gateway, **changes)))
        assert answer.status_code == 400, f"{changes}: {answer.text}"
    assert (await city.get("/alarms", state="all"))["total"] == 0


async def test_an_impossible_outcome_is_refused(city: Running, gateway: FieldGateway) -> None:
    sent = await city.centre.outbox.send(PUMP, 1.0, issued_by="test")
    outcome = CommandOutcome(
        command=sent.id, state=CommandState.VERIFIED, reason="", detail="", finished_us=T0
    )
    for changes in ({"finished_us": CENTURY}, {"state": CommandState.PENDING}):
        answer = await post(gateway, "outcomes", (msgspec.structs.replace(outcome, **changes),))
        assert answer.status_code == 400, answer.text
    left = await city.centre.outbox.commands.get(sent.id)
    assert left is not None
    assert left.state == CommandState.PENDING


async def test_what_a_device_told_of_a_command_is_kept_as_far_as_it_can_be(
    city: Running, gateway: FieldGateway
) -> None:
    sent = await city.centre.outbox.send(PUMP, 1.0, issued_by="test")
    outcome = CommandOutcome(
        command=sent.id, state=CommandState.MISMATCH, reason="read-back-differs", detail="shows \0",
        finished_us=T0, read_back=float("inf"),
    )  # fmt: skip
    await gateway.outcome(outcome)
    left = await city.centre.outbox.commands.get(sent.id)
    assert left is not None
    assert (left.state, left.detail, left.read_back) == ("mismatch", "shows \ufffd", None)


async def test_numbers_too_large_to_add_up_stop_neither_rollups_nor_history(
    city: Running, gateway: FieldGateway
) -> None:
    start = city.clock.now - 600_000_000
    huge = [1.7e308, 1.7e308, float("inf"), float("-inf")]
    await gateway.readings(0, [start + i for i in range(6)], [*huge, 2.0, 4.0])
    before = await city.get("/history", point=LEVEL, resolution="1m")
    assert await Roller(city.centre.database, city.clock).roll() == 1
    after = await city.get("/history", point=LEVEL, resolution="1m")
    assert before == after
    assert after["series"][0]["n"] == [2]
    assert after["series"][0]["avg"] == [3.0]
    assert (await city.get("/history", point=LEVEL, resolution="1d"))["series"][0]["n"] == [2]


async def test_a_gateway_that_tells_infinite_figures_does_not_hide_the_others(
    city: Running, gateway: FieldGateway
) -> None:
    declared = manifest()
    own = msgspec.structs.replace(declared.devices[0], key="_gateway")
    point = msgspec.structs.replace(declared.points[1], device="_gateway", key="buffer-batches")
    wider = msgspec.structs.replace(
        declared, devices=(*declared.devices, own), points=(*declared.points, point)
    )
    body = wider.encode()
    gateway.declaration = declaration_hash(body)
    path = DECLARATIONS.format(hash=gateway.declaration)
    assert (await gateway._client.put(path, content=body, headers=gateway.headers)).status_code == 204
    await gateway.readings(len(declared.points), [T0], [float("inf")])
    assert (await city.get("/gateways"))["items"][0]["backlog_batches"] is None
    await city.get("/overview")


async def test_a_value_from_the_far_future_gives_way_to_the_next(
    city: Running, gateway: FieldGateway
) -> None:
    now = city.clock.now
    await gateway.readings(0, [now + 86_400_000_000], [9.0])
    await gateway.readings(0, [now], [1.0])
    await gateway.readings(0, [now - 1_000_000], [0.5])
    assert (await city.get("/latest", point=LEVEL))["items"][0]["value"] == 1.0


IMPOSSIBLE_FIELDS: list[tuple[tuple[str, int, str], Any]] = [
    (("points", 0, "decimals"), 1 << 40),
    (("points", 0, "decimals"), 400),
    (("points", 0, "key"), "level\n"),
    (("devices", 0, "profile_version"), 1 << 40),
    (("rules", 0, "id"), secrets.token_hex(6000)),
]


async def test_a_declaration_that_no_table_can_hold_is_refused_by_field(gateway: FieldGateway) -> None:
    for (kind, place, field), value in IMPOSSIBLE_FIELDS:
        declared = msgspec.json.decode(manifest().encode())
        declared[kind][place][field] = value
        body = msgspec.json.encode(declared)
        path = DECLARATIONS.format(hash=declaration_hash(body))
        answer = await gateway._client.put(path, content=body, headers=gateway.headers)
        assert answer.status_code == 400, answer.text
        assert answer.json()["errors"]


async def test_an_enrolment_with_odd_characters_is_answered_like_any_wrong_one(city: Running) -> None:
    async with city.client(None) as client:
        answer = await client.post(ENROL, content=b'{"code":"x","gateway":"a\\u0000","software":"s"}')
    assert answer.status_code == 401
    assert answer.json()["type"].endswith("/code-spent")


async def test_one_gateways_impossible_batch_does_not_hold_up_the_others_of_its_group(
    city: Running, gateway: FieldGateway
) -> None:
    async with city.gateway("gw-south") as other:
        good = Readings(np.zeros(1, np.int32), np.array([T0]), np.ones(1), np.zeros(1, np.uint32))
        long = (transition(gateway, occurrence=secrets.token_hex(5000)),)
        refused, taken = await asyncio.gather(post(gateway, "alarms", long), post(other, "readings", good))
    assert (refused.status_code, taken.status_code) == (400, 200)


ODD_ADDRESSES = [
    "/alarms/%00",
    "/alarms?site=%00",
    "/alarms?cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAsIngiXQ",
    "/alarms?cursor=WzEsIlx1MDAwMCJd",
    "/audit?cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDBd",
    "/cases/%00",
    "/events/%00",
]


async def test_an_address_with_odd_characters_is_a_mistake_of_the_asker(city: Running) -> None:
    async with city.client(Role.ADMIN) as client:
        for path in ODD_ADDRESSES:
            answer = await client.get("/api/v1" + path)
            assert answer.status_code == 400, path
            assert answer.headers["content-type"] == "application/problem+json"


ODD_BODIES = [
    ("/session", b'{"username":"\\u0000","password":"x"}'),
    ("/session", b'{"username":"a","password":"\\ud800"}'),
    ("/tokens", b'{"name":"\\u0000"}'),
    ("/cases", b'{"title":{"zh":"\\u0000","en":"x"}}'),
    ("/commands", b'{"point":"gw-north.pump1.run","value":1,"expected":NaN}'),
]


async def test_a_body_that_cannot_be_stored_is_refused(city: Running) -> None:
    kind = {"Content-Type": "application/json"}
    async with city.client(Role.ADMIN) as client:
        for path, body in ODD_BODIES:
            answer = await client.post("/api/v1" + path, content=body, headers=kind)
            assert answer.status_code == 422, body
            assert answer.headers["content-type"] == "application/problem+json"


ODD_SPANS = [
    {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"},
    {"from": "0001-01-01T00:00:00+14:00"},
    {"to": "9999-12-31T23:59:59-14:00"},
    {"to": "0001-01-01T00:00:00Z"},
]


async def test_a_span_beyond_all_times_is_answered_with_what_there_is(
    city: Running, gateway: FieldGateway
) -> None:
    await gateway.readings(0, [T0], [1.0])
    for span in ODD_SPANS:
        await city.get("/history", point=LEVEL, **span)
        await city.get("/history", point=LEVEL, resolution="1d", **span)


async def test_guesses_side_by_side_are_counted_before_they_are_judged(city: Running) -> None:
    async with city.client(None) as client:
        answers = await asyncio.gather(
            *(
                client.post("/api/v1/session", json={"username": "nobody", "password": f"guess-{n}"})
                for n in range(12)
            )
        )
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7
