"""From a camera to the centre: the wall, evidence at an alarm, a picture on demand, an old centre."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edge.app import Gateway
from edge.opening import open_plan
from edge.pictures.fit import fit
from edge.pictures.places import look
from protocols.errors import ConfigError, Rejected
from protocols.model.clock import now_us
from protocols.model.command import CommandState
from protocols.model.order import TakePicture
from protocols.model.snapshot import Snapshot
from tests.edge.centre import FakeCentre
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until
from tests.protocols.field.camera.harness import CameraServer, jpeg

NAME = {"zh": "摄像机", "en": "Camera"}


def site(key: str, lon: float) -> dict[str, Any]:
    return {"key": key, "name": NAME, "kind": "station", "lon": lon, "lat": 31.2}


def camera(key: str, at: str, **more: Any) -> dict[str, Any]:
    params = {"path": f"/{key}.jpg"}
    return {
        "key": key, "site": at, "name": NAME, "connection": "cams", "profile": "city.camera",
        "params": params, **more,
    }  # fmt: skip


def eyes(folder: Path, modbus: int, cameras: int, centre: str | None, **changes: Any) -> Path:
    """A pump at site-a; cameras there (near), 100 m (next) and 2 km (far) away."""
    pump = {
        "key": "pump1", "site": "site-a", "name": NAME, "connection": "line1", "profile": "test.pump",
        "params": {"unit": 1}, **changes.pop("pump", {}),
    }  # fmt: skip
    given: dict[str, Any] = {
        "sites": [site("site-a", 121.4), site("site-b", 121.40105), site("site-c", 121.421)],
        "connections": [
            {"key": "line1", "protocol": "modbus", "settings": {"host": "127.0.0.1", "port": modbus}},
            {"key": "cams", "protocol": "camera", "settings": {"base_url": f"http://127.0.0.1:{cameras}"}},
        ],
        "devices": [pump, camera("far", "site-c"), camera("next", "site-b"), camera("near", "site-a")],
        "pictures": {"every_s": 5},
    }
    return gateway_file(folder, modbus, centre, **{**given, **changes})


@asynccontextmanager
async def watched(
    folder: Path, **changes: Any
) -> AsyncIterator[tuple[Gateway, FakeCentre, ModbusField, CameraServer]]:
    """A gateway with a pump and three cameras, of which the far one is dead."""
    server = CameraServer()
    async with FakeCentre() as centre, ModbusField() as field:
        port = await server.start()
        server.answers = {f"/{key}.jpg": (200, {}, jpeg(100)) for key in ("near", "next")}
        centre.old = changes.pop("old", False)
        try:
            async with running(eyes(folder, field.port, port, centre.url, **changes)) as gateway:
                yield gateway, centre, field, server
        finally:
            await server.stop()


def of(centre: FakeCentre, cause: str) -> list[Snapshot]:
    return [one for one in centre.pictures.values() if one.cause == cause]


async def test_the_wall_evidence_and_a_picture_on_demand(tmp_path: Path) -> None:
    async with watched(tmp_path) as (gateway, centre, field, server):
        await until(lambda: {one.camera for one in of(centre, "wall")} == {"near", "next"})
        assert all(one.data == jpeg(100) for one in of(centre, "wall"))
        await until(lambda: centre.statuses and centre.statuses[-1].pictures is not None)
        told = centre.statuses[-1].pictures  # by this the centre asks it for neighbours' alarms
        assert told is not None
        assert (told.alarms, told.near_m) == ("P3", 300)

        server.answers["/near.jpg"] = (200, {}, jpeg(200))
        field.set(1, 0, 9000)  # 90 m: the level is high
        await until(lambda: len([one for one in of(centre, "alarm") if one.moment == "at"]) == 2)
        raised = next(step.occurrence for step in centre.alarms() if step.rule == "pump1.level-high")
        evidence = of(centre, "alarm")
        assert {one.camera for one in evidence} == {"near", "next"}  # not the one that is 2 km away
        assert all(one.occurrences == (raised,) for one in evidence)
        at = next(one for one in evidence if (one.camera, one.moment) == ("near", "at"))
        assert at.data == jpeg(200)
        before = [one for one in evidence if one.moment == "before"]
        assert {one.camera for one in before} == {"near", "next"}

        for name in ("near", "far", "pump1"):
            now = now_us()
            centre.put(
                TakePicture(
                    id=f"take-{name}", camera=name, issued_us=now, expires_us=now + 60_000_000, issued_by="op"
                )
            )
        await until(lambda: len([one for one in centre.outcomes() if one.command.startswith("take-")]) == 3)
        ended = {one.command: (one.state, one.reason) for one in centre.outcomes()}
        assert ended["take-near"] == (CommandState.VERIFIED, "")
        assert ended["take-far"] == (CommandState.FAILED, "no-picture")
        assert ended["take-pump1"] == (CommandState.REJECTED, "no-camera")
        await until(lambda: of(centre, "order"))
        assert [(one.camera, one.order) for one in of(centre, "order")] == [("near", "take-near")]
        await until(lambda: gateway.house.pictures.shelf.status().waiting == 0)


async def test_an_old_centre_gets_everything_but_pictures(tmp_path: Path) -> None:
    async with watched(tmp_path, old=True) as (gateway, centre, field, _):
        shelf = gateway.house.pictures.shelf
        await until(lambda: shelf.status().waiting == 2)
        field.set(1, 0, 9000)
        await until(lambda: shelf.status().waiting >= 6 and centre.alarms() and centre.readings())
        assert not centre.pictures
        assert gateway.house.road.state == "up"  # nothing is wrong with the road


async def test_a_lost_receipt_doubles_nothing(tmp_path: Path) -> None:
    async with watched(tmp_path) as (gateway, centre, _, _):
        centre.swallow_receipts = 3
        await until(lambda: len(of(centre, "wall")) >= 2)
        await until(lambda: gateway.house.pictures.shelf.status().waiting == 0)
        assert all(seq > 0 for _, seq in centre.pictures)


async def test_without_the_section_no_picture_leaves(tmp_path: Path) -> None:
    async with watched(tmp_path, pictures=None) as (gateway, centre, field, _):
        field.set(1, 0, 9000)
        await until(lambda: centre.alarms() and centre.statuses)
        await asyncio.sleep(0)
        assert gateway.house.pictures.shelf.status().waiting == 0
        assert centre.statuses[-1].pictures is None
        assert not centre.pictures


def test_which_cameras_see_a_device(tmp_path: Path) -> None:
    view = look(open_plan(eyes(tmp_path, 1, 2, None)))
    assert view.witnesses["pump1"] == ("near", "next")
    assert view.witnesses["near"] == ("near",)
    assert view.every_s == {"near": 5, "next": 5, "far": 5}
    assert "pump1.level-high" in view.wanted
    named = open_plan(eyes(tmp_path, 1, 2, None, pump={"cameras": ["far"]}, pictures={"alarms": "P1"}))
    assert look(named).witnesses["pump1"] == ("far",)
    assert "pump1.level-high" not in look(named).wanted
    own = [camera("near", "site-a", picture_s=300)]
    quiet = look(open_plan(eyes(tmp_path, 1, 2, None, devices=own, pictures={"every_s": None})))
    assert quiet.every_s == {"near": 300}


@pytest.mark.parametrize(("name", "said"), [("pump1", "is no camera"), ("neer", "does not exist")])
def test_a_name_that_is_no_camera_is_a_mistake_with_its_line(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        open_plan(eyes(tmp_path, 1, 2, None, pump={"cameras": [name]}))
    mistake = wrong.value.mistakes[0]
    assert said in mistake.problem
    assert mistake.line > 0
    assert mistake.path == "devices[0].cameras[0]"


def test_a_picture_is_made_small_enough_or_refused() -> None:
    small = jpeg(90)
    assert fit(small, len(small)) is small
    noise = Image.effect_noise((1600, 900), 90).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    made = fit(out.getvalue(), 60_000)
    assert len(made) <= 60_000
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.width * 9) == ("JPEG", image.height * 16)
    with pytest.raises(Rejected, match="stays above"):
        fit(out.getvalue(), 1000)
    with pytest.raises(Rejected, match="no picture"):
        fit(b"<html>", 1000)
