"""Evidence across gateways: the centre asks the nearest camera of a neighbour, once, and not in a flood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.security.roles import Role
from central.systems.monitoring import witness
from central.systems.monitoring.alarm_around import distance_m
from central.systems.monitoring.parts import parts_in
from central.systems.monitoring.witness import Eye, nearest
from protocols.model.alarm import AlarmEvent as E
from protocols.model.alarm import AlarmTransition, Overlay
from protocols.model.clock import SECOND_US
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.manifest import DeviceDecl, Manifest, SiteDecl
from protocols.model.order import TakePicture
from protocols.model.snapshot import Snapshot
from protocols.wire.handshake import PicturesStatus
from tests.central.systems.field import FieldGateway, manifest
from tests.central.systems.running import API, Running

JPEG = b"\xff\xd8\xff\xe0"
NEAR, FAR = "gw-eyes.near", "gw-eyes.far"
HIGH, RUN = "well.level-high", "pump1.run-high"
"""P1 and P4, at one site."""
WANTED = PicturesStatus(alarms="P3", near_m=300)


def camera(key: str, site: str) -> DeviceDecl:
    return DeviceDecl(
        key=key, site=site, name_zh="摄像机", name_en=f"Camera {key}", kind="camera",
        profile="city.camera", profile_version=1, protocol="camera",
    )  # fmt: skip


def eyes_manifest() -> Manifest:
    """A camera 95 m east of the well in another district, one 190 m east, one 5 km away."""
    places = {"near": (121.401, "south"), "far": (121.402, "north"), "away": (121.45, "north")}
    sites = tuple(
        SiteDecl(
            key=f"mast-{key}", name_zh="杆", name_en=f"Mast {key}", kind="street", lon=lon, lat=31.2,
            district=district,
        )
        for key, (lon, district) in places.items()
    )  # fmt: skip
    cameras = tuple(camera(key, f"mast-{key}") for key in places)
    return Manifest(
        gateway="gw-eyes", name_zh="视频网关", name_en="Eyes", software="x", sites=sites, devices=cameras,
        points=(), rules=(),
    )  # fmt: skip


@pytest.fixture
async def eyes(city: Running) -> AsyncIterator[FieldGateway]:
    """A gateway of cameras only, which wants them as witnesses."""
    async with city.gateway("gw-eyes", eyes_manifest()) as gateway:
        await gateway.tell(pictures=WANTED)
        yield gateway


async def turn(city: Running) -> None:
    """Let the centre look, twice: its own timer may hold the first turn."""
    for _ in range(2):
        await parts_in(city.app).witness.turn()
        await asyncio.sleep(0.05)


async def orders(city: Running, eyes: FieldGateway) -> list[TakePicture]:
    await turn(city)
    found = [item.order for item in await eyes.inbox()]
    assert all(isinstance(one, TakePicture) for one in found)
    return [one for one in found if isinstance(one, TakePicture)]


async def answer(eyes: FieldGateway, order: TakePicture, at_us: int, seq: int) -> None:
    taken = Snapshot(
        camera=order.camera, taken_us=at_us, cause="order", order=order.id, data=JPEG + order.id.encode()
    )
    assert (await eyes.picture(taken, seq)).status_code == 200


async def test_a_neighbour_s_nearest_camera_is_asked_once_and_its_picture_is_the_alarm_s(
    city: Running, gateway: FieldGateway, eyes: FieldGateway
) -> None:
    now = city.clock.now
    await gateway.alarm("now", 1, E.ACT, at_us=now, value=3.4)
    (order,) = await orders(city, eyes)
    assert (order.camera, order.issued_by) == ("near", "system")
    waiting = await city.get("/alarms/now/evidence")
    assert waiting["items"] == []
    assert (waiting["asked"]["camera"], waiting["asked"]["order"]["id"]) == (NEAR, order.id)
    assert 90 < waiting["asked"]["distance_m"] < 100

    await answer(eyes, order, city.clock.move(4), 1)
    (found,) = (await city.get("/alarms/now/evidence"))["items"]
    assert (found["camera"], found["neighbour"]) == (NEAR, True)
    assert 90 < found["distance_m"] < 100
    (shot,) = found["snapshots"]
    assert (shot["cause"], shot["moment"], shot["age_s"]) == ("alarm", "at", 0.0)
    async with city.client(Role.VIEWER) as client:
        body = await client.get(f"{API}/snapshots/{shot['id']}/image")
    assert body.content == JPEG + order.id.encode()

    city.clock.move(20)
    await eyes.tell(pictures=WANTED)
    assert await orders(city, eyes) == [order]  # once, also when its rest is over


async def test_who_does_not_see_the_camera_s_area_sees_neither_picture_nor_order(
    city: Running, gateway: FieldGateway, eyes: FieldGateway
) -> None:
    await gateway.alarm("now", 1, E.ACT, at_us=city.clock.now, value=3.4)
    (order,) = await orders(city, eyes)
    person = await city.person("of-north", areas=["north"])  # the alarm is there, the camera is in the south
    async with city.client(person) as client:
        unseen = (await client.get(f"{API}/alarms/now/evidence")).json()
        assert unseen == {"items": [], "asked": None}
        await answer(eyes, order, city.clock.now, 1)
        assert (await client.get(f"{API}/alarms/now/evidence")).json() == unseen
        shot = (await city.get("/alarms/now/evidence"))["items"][0]["snapshots"][0]
        assert (await client.get(f"{API}/snapshots/{shot['id']}/image")).status_code == 404


async def test_its_own_gateway_comes_first_and_a_neighbour_only_when_it_took_none(
    city: Running, gateway: FieldGateway, eyes: FieldGateway
) -> None:
    whole = manifest()
    declared = msgspec.structs.replace(whole, devices=(*whole.devices, camera("cam", whole.sites[0].key)))
    async with city.client(None) as client:
        code = await city.centre.gateways.new_code("gw-north", "admin")
        own = await FieldGateway.enrol(client, code.enrolment_code, "gw-north", declared)
        await own.tell(pictures=WANTED)
        now = city.clock.now
        for name in ("seen", "dark"):
            await own.alarm(name, 1, E.ACT, at_us=now, value=3.4)
        assert await orders(city, eyes) == []
        mine = Snapshot(
            camera="cam", taken_us=now, cause="alarm", moment="at", occurrences=("seen",), data=JPEG
        )
        assert (await own.picture(mine, 1)).status_code == 200
        city.clock.move(16)
        await eyes.tell(pictures=WANTED)
        assert len(await orders(city, eyes)) == 1
        assert (await city.get("/alarms/seen/evidence"))["asked"] is None
        assert (await city.get("/alarms/dark/evidence"))["asked"]["camera"] == NEAR

        # What the own gateway's file wants no evidence of, a neighbour is not asked for.
        await own.tell(pictures=PicturesStatus(alarms="P1", near_m=300))
        await own.alarm("low", 1, E.ACT, at_us=city.clock.move(20), value=3.4, rule=RUN)
        city.clock.move(16)
        await eyes.tell(pictures=PicturesStatus(alarms="P4", near_m=300))
        assert len(await orders(city, eyes)) == 1


@pytest.mark.parametrize(
    ("pictures", "rule"),
    [
        (None, HIGH),
        (PicturesStatus(), HIGH),
        (PicturesStatus(alarms="P3", near_m=50), HIGH),
        (WANTED, RUN),
    ],
    ids=["takes none", "of before", "not so far", "not urgent enough"],
)
async def test_a_camera_whose_gateway_does_not_want_it_is_not_asked(
    city: Running, gateway: FieldGateway, eyes: FieldGateway, pictures: PicturesStatus | None, rule: str
) -> None:
    await eyes.tell(pictures=pictures)
    await gateway.alarm("now", 1, E.ACT, at_us=city.clock.now, value=3.4, rule=rule)
    assert await orders(city, eyes) == []


async def test_what_comes_late_out_of_a_backlog_or_calls_nobody_gets_none(
    city: Running, gateway: FieldGateway, eyes: FieldGateway
) -> None:
    await gateway.alarm("old", 1, E.ACT, at_us=city.clock.now - 90 * SECOND_US, value=3.4)
    hidden = AlarmTransition(
        occurrence="hidden", rule=HIGH, point="well.level", number=1, event=E.ACT, event_us=city.clock.now,
        sample_us=city.clock.now, value=3.4, quality=0, declaration=gateway.declaration,
        overlays=(Overlay.DSUPR,),
    )  # fmt: skip
    await gateway.send("alarms", (hidden,), city.clock.now)
    assert await orders(city, eyes) == []


async def test_alarms_that_come_together_share_a_picture_and_a_camera_rests(
    city: Running, gateway: FieldGateway, eyes: FieldGateway
) -> None:
    await send(gateway, city, 3, "a")
    (first,) = await orders(city, eyes)
    city.clock.move(5)
    await send(gateway, city, 3, "b")
    assert await orders(city, eyes) == [first]  # it rests
    city.clock.move(11)
    await eyes.tell(pictures=WANTED)
    both = await orders(city, eyes)
    assert len(both) == 2
    await answer(eyes, both[1], city.clock.now, 1)
    for name in ("b0", "b2"):
        assert len((await city.get(f"/alarms/{name}/evidence"))["items"]) == 1
    assert (await city.get("/alarms/a0/evidence"))["items"] == []


async def test_in_a_flood_only_the_urgent_ones_and_never_more_than_a_minute_has_room_for(
    city: Running, gateway: FieldGateway, eyes: FieldGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "A_MINUTE", 0)
    await send(gateway, city, 1, "a")
    assert await orders(city, eyes) == []
    monkeypatch.setattr(witness, "A_MINUTE", 30)
    assert len(await orders(city, eyes)) == 1
    city.clock.move(30)
    await send(gateway, city, 12, "flood", RUN)
    await parts_in(city.app).watch.by_rate()
    await eyes.tell(pictures=PicturesStatus(alarms="P4", near_m=300))
    await send(gateway, city, 1, "medium", RUN)
    assert len(await orders(city, eyes)) == 1
    await send(gateway, city, 1, "urgent")
    assert len(await orders(city, eyes)) == 2


async def test_a_refused_or_failed_order_is_told_and_not_tried_again(
    city: Running, gateway: FieldGateway, eyes: FieldGateway
) -> None:
    await gateway.alarm("now", 1, E.ACT, at_us=city.clock.now, value=3.4)
    (order,) = await orders(city, eyes)
    failed = CommandOutcome(
        command=order.id,
        state=CommandState.FAILED,
        finished_us=city.clock.now,
        reason="no-picture",
        detail="dark",
    )
    await eyes.outcome(failed)
    city.clock.move(20)
    await eyes.tell(pictures=WANTED)
    assert await orders(city, eyes) == []
    asked = (await city.get("/alarms/now/evidence"))["asked"]["order"]
    assert (asked["state"], asked["reason"]) == ("failed", "no-picture")


async def test_no_gateway_can_put_its_picture_under_another_s_alarm(
    city: Running, gateway: FieldGateway, eyes: FieldGateway
) -> None:
    await gateway.alarm("now", 1, E.ACT, at_us=city.clock.now, value=3.4)
    (order,) = await orders(city, eyes)
    forged: list[dict[str, Any]] = [
        {"camera": "near", "cause": "alarm", "moment": "at"},
        {"camera": "far", "cause": "alarm", "order": order.id},
        {"camera": "near", "cause": "order", "order": "guess"},
    ]
    for seq, words in enumerate(forged, 1):
        one = Snapshot(taken_us=1, occurrences=("now",), data=JPEG + bytes([seq]), **words)
        assert (await eyes.picture(one, seq)).status_code == 200
    assert (await city.get("/alarms/now/evidence"))["items"] == []


async def send(gateway: FieldGateway, city: Running, count: int, names: str, rule: str = HIGH) -> None:
    """Raise alarms at once."""
    for number in range(count):
        at = city.clock.now - 1000 + number
        await gateway.alarm(f"{names}{number}", 1, E.ACT, at_us=at, value=3.4, rule=rule)


# ---- the choice ----

_eyes = st.lists(
    st.builds(
        Eye,
        camera=st.uuids().map(str),
        gateway=st.sampled_from(["own", "b", "c"]),
        key=st.just("k"),
        at=st.tuples(st.floats(121.39, 121.43), st.floats(31.19, 31.23)),
        least=st.sampled_from(["P1", "P2", "P3", "P4"]),
        near_m=st.floats(0, 1e6),
    ),
    max_size=8,
)


@given(_eyes, st.sampled_from(["P1", "P2", "P3", "P4"]))
def test_the_nearest_that_may_and_never_beyond_its_bounds(found: list[Eye], priority: Any) -> None:
    here = (121.41, 31.21)
    chosen = nearest(here, priority, "own", found)
    may = [
        eye
        for eye in found
        if eye.gateway != "own"
        and priority <= eye.least
        and distance_m(here, eye.at) <= min(eye.near_m, witness.FARTHEST_M)
    ]
    if chosen is None:
        assert not may
        return
    assert chosen in may
    assert distance_m(here, chosen.at) == min(distance_m(here, eye.at) for eye in may)
    assert nearest(here, priority, chosen.gateway, [replace(chosen)]) is None
