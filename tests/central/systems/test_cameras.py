"""Cameras at the centre: pictures committed once, kept for their time, seen by those who may; asked for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from central.live.snapshots import Snapshots
from central.security.roles import Role
from protocols.model.alarm import AlarmEvent as E
from protocols.model.clock import SECOND_US
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.manifest import DeviceDecl
from protocols.model.order import TakePicture
from protocols.model.snapshot import Cause, Moment, Snapshot
from protocols.wire.handshake import PicturesStatus
from tests.central.systems.field import AIR, SITE, FieldGateway, manifest
from tests.central.systems.running import API, Running

JPEG = b"\xff\xd8\xff\xe0"
PNG = b"\x89PNG\r\n\x1a\n"
CAM, PARK = "gw-north.cam", "gw-north.park"


@pytest.fixture
async def eyes(city: Running) -> AsyncIterator[FieldGateway]:
    """The gateway with two cameras, one at each of its sites."""
    whole = manifest()
    cameras = tuple(
        DeviceDecl(
            key=key, site=site, name_zh="摄像机", name_en=f"Camera {key}", kind="camera",
            profile="city.camera", profile_version=1, protocol="camera",
        )
        for key, site in (("cam", SITE), ("park", AIR))
    )  # fmt: skip
    declared = msgspec.structs.replace(whole, devices=(*whole.devices, *cameras))
    async with city.gateway(declared=declared) as gateway:
        yield gateway


def shot(
    at_us: int, words: str = "", *, camera: str = "cam", cause: Cause = "wall", moment: Moment = "",
    occurrences: tuple[str, ...] = (), head: bytes = JPEG,
) -> Snapshot:  # fmt: skip
    return Snapshot(
        camera=camera, taken_us=at_us, cause=cause, moment=moment, occurrences=occurrences,
        data=head + (words or str(at_us)).encode(),
    )  # fmt: skip


async def test_a_picture_is_committed_once_and_served_as_it_came(city: Running, eyes: FieldGateway) -> None:
    first = shot(city.clock.now, "first")
    for duplicate in (False, True):
        receipt = (await eyes.picture(first, 1)).json()
        assert (receipt["stream"], receipt["seq"], receipt["duplicate"]) == ("media", 1, duplicate)
    later = city.clock.move(90)
    assert (await eyes.picture(shot(later, "second", head=PNG), 2)).status_code == 200
    city.clock.move(30)
    found = await city.get(f"/cameras/{CAM}")
    assert [one["age_s"] for one in found["snapshots"]] == [30.0, 120.0]
    assert found["snapshot"] == found["snapshots"][0]
    assert found["snapshots"][1]["sha256"] == hashlib.sha256(first.data).hexdigest()
    assert (found["state"], found["site"], found["takes"]) == ("unknown", SITE, False)
    assert [one["id"] for one in found["near"]] == [PARK]
    async with city.client(Role.VIEWER) as client:
        for one, body, kind in zip(
            found["snapshots"],
            (shot(later, "second", head=PNG), first),
            ("image/png", "image/jpeg"),
            strict=True,
        ):
            path = f"{API}/snapshots/{one['id']}/image"
            answer = await client.get(path, headers={"Accept-Encoding": "gzip"})
            assert (answer.status_code, answer.content) == (200, body.data)
            assert answer.headers["content-type"] == kind
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"].startswith("private")
            assert "sandbox" in answer.headers["content-security-policy"]
            again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        for nothing in ("999999", "x", "9" * 40):
            assert (await client.get(f"{API}/snapshots/{nothing}/image")).status_code == 404


async def test_what_is_no_picture_of_this_gateway_is_refused(city: Running, eyes: FieldGateway) -> None:
    now = city.clock.now
    for wrong in (shot(now, camera="nobody"), shot(now, head=b"<svg>"), shot(now, camera="gw-x.cam")):
        answer = await eyes.picture(wrong, 1)
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (400, "shape")
    async with city.client(None) as stranger:
        assert (await stranger.post("/gateway/v1/media", content=b"x")).status_code == 401


async def test_who_sees_a_part_of_the_city_sees_its_cameras(city: Running, eyes: FieldGateway) -> None:
    await eyes.alarm("now", 1, E.ACT, at_us=city.clock.now, value=3.4)
    for seq, camera in enumerate(("cam", "park"), 1):
        seen = shot(city.clock.now, camera, camera=camera, cause="alarm", moment="at", occurrences=("now",))
        assert (await eyes.picture(seen, seq)).status_code == 200
    whole = await city.get("/alarms/now/evidence")
    assert [(one["camera"], len(one["snapshots"])) for one in whole["items"]] == [(CAM, 1), (PARK, 1)]
    assert whole["items"][0]["distance_m"] == 0
    other = whole["items"][1]["snapshots"][0]["id"]
    async with city.client(await city.person("of-north", areas=["north"])) as client:
        assert [one["id"] for one in (await client.get(f"{API}/cameras")).json()["items"]] == [CAM]
        one = (await client.get(f"{API}/cameras/{CAM}")).json()
        assert one["near"] == []
        evidence = (await client.get(f"{API}/alarms/now/evidence")).json()["items"]
        assert [item["camera"] for item in evidence] == [CAM]
        for path in (f"/cameras/{PARK}", f"/snapshots/{other}/image", "/alarms/none/evidence"):
            assert (await client.get(API + path)).status_code == 404, path


async def test_evidence_is_told_in_order_before_and_at(city: Running, eyes: FieldGateway) -> None:
    now = city.clock.now
    await eyes.alarm("now", 1, E.ACT, at_us=now, value=3.4)
    at = shot(now + SECOND_US, cause="alarm", moment="at", occurrences=("now", "else"))
    before = shot(now - 20 * SECOND_US, cause="alarm", moment="before", occurrences=("now",))
    for seq, one in enumerate((at, before), 1):
        assert (await eyes.picture(one, seq)).status_code == 200
    found = (await city.get("/alarms/now/evidence"))["items"][0]["snapshots"]
    assert [one["moment"] for one in found] == ["before", "at"]
    assert (await city.get("/alarms/now/evidence"))["items"][0]["name"]["zh"] == "摄像机"


async def test_a_picture_on_demand(city: Running, eyes: FieldGateway) -> None:
    path = f"/cameras/{CAM}/snapshots"
    refused = await city.post(path, expect=409)  # an older gateway could not read such an order
    assert refused["type"].endswith("no-pictures")
    await city.post(path, role=Role.VIEWER, expect=403)
    await eyes.tell(pictures=PicturesStatus())
    order = await city.post(path, expect=202)
    assert (order["kind"], order["subject"], order["gateway"]) == ("picture", "cam", "gw-north")
    item = (await eyes.inbox())[0].order
    assert isinstance(item, TakePicture)
    assert (item.id, item.camera) == (order["id"], "cam")
    asked = (await city.get(f"/cameras/{CAM}"))["asked"]
    assert (asked["id"], asked["state"]) == (order["id"], "delivered")
    failed = CommandOutcome(
        command=order["id"], state=CommandState.FAILED, finished_us=city.clock.now, reason="no-picture",
        detail="camera http://… gives no picture",
    )  # fmt: skip
    await eyes.outcome(failed)
    asked = (await city.get(f"/cameras/{CAM}"))["asked"]
    assert (asked["state"], asked["reason"]) == ("failed", "no-picture")
    assert (await city.get(f"/cameras/{PARK}"))["asked"] is None


async def test_pictures_go_when_their_time_or_their_room_is_over(city: Running, eyes: FieldGateway) -> None:
    now = city.clock.now
    hour = 3600 * SECOND_US
    taken: list[tuple[int, Cause]] = [
        (now - 95 * 24 * hour, "alarm"), (now - 2 * hour, "wall"), (now - 3 * hour, "order"),
        (now - 4 * hour, "alarm"), (now - 90 * 60 * SECOND_US, "wall"),
    ]  # fmt: skip
    for seq, (at, cause) in enumerate(taken, 1):
        assert (await eyes.picture(shot(at, f"{seq}" * 400_000, cause=cause), seq)).status_code == 200
    database = city.centre.database
    room = {"hours": 1, "days": 90, "mb": 10}

    async def left() -> list[str]:
        return [one["cause"] for one in (await city.get(f"/cameras/{CAM}"))["snapshots"]]

    assert await Snapshots(database, city.clock, room).sweep() == 2
    assert await left() == ["wall", "order", "alarm"]  # the wall keeps a camera's newest
    assert await Snapshots(database, city.clock, room | {"mb": 1}).sweep() == 1
    assert await left() == ["order", "alarm"]
    assert await Snapshots(database, city.clock, room | {"mb": 1}).sweep() == 0
    async with database.pool.connection() as raw:
        rows = await (await raw.execute("SELECT count(*) FROM pictures")).fetchone()
    assert rows == (2,)
