"""Cameras over HTTP: believable pictures, and what their faults do."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import numpy as np
import pytest
from PIL import Image

from sim_devices.faults import parse_fault
from sim_devices.servers.base import PortBusyError
from sim_devices.servers.camera import CameraServer, draw
from sim_devices.world import Endpoint, Scene
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board, profile

CAMERA = profile("camera", [{"key": "online", "type": "bool", "camera": {"measure": "online"}}])


class Site:
    """Two cameras, and a wall clock that stands until it is moved."""

    def __init__(self, credentials: tuple[str, str] | None = None) -> None:
        self.time_us = 1_763_800_000_000_000
        cameras = [FakeDevice("cam-a", CAMERA), FakeDevice("cam-b", CAMERA, {"path": "/b.jpg"})]
        self.endpoint = Endpoint("cams", "camera", 0, ("cam-a", "cam-b"))
        self.world = FakeWorld(cameras, [self.endpoint])
        self.faults = board(self.world)
        self.server = CameraServer(
            self.endpoint, self.world, self.faults, clock=lambda: self.time_us, credentials=credentials
        )
        self.faults.on_change(self.server.follow_faults)

    def second(self) -> None:
        self.time_us += 1_000_000
        self.world.step(self.time_us)


@asynccontextmanager
async def site(
    credentials: tuple[str, str] | None = None,
) -> AsyncIterator[tuple[Site, httpx2.AsyncClient]]:
    made = Site(credentials)
    await made.server.start()
    try:
        async with httpx2.AsyncClient(base_url=made.server.url, timeout=3) as client:
            yield made, client
    finally:
        await made.server.stop()


def pixels(jpeg: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


async def test_a_picture_a_second() -> None:
    async with site() as (s, client):
        first = await client.get("/cam/cam-a/snapshot.jpg")
        assert (first.status_code, first.headers["content-type"]) == (200, "image/jpeg")
        assert pixels(first.content).shape == (360, 640, 3)
        assert (await client.get("/cam/cam-a/snapshot.jpg")).content == first.content
        s.second()
        assert (await client.get("/cam/cam-a/snapshot.jpg")).content != first.content
        assert (await client.get("/b.jpg")).status_code == 200
        assert (await client.get("/cam/cam-x/snapshot.jpg")).status_code == 404
        assert "cam-b" in (await client.get("/")).text


async def test_credentials() -> None:
    async with site(("op", "s3cret")) as (_, client):
        refused = await client.get("/b.jpg")
        assert refused.status_code == 401
        asked = refused.headers.get_list("www-authenticate")
        assert [each.partition(" ")[0] for each in asked] == ["Digest", "Digest", "Basic"]
        assert (await client.get("/b.jpg", auth=("op", "wrong"))).status_code == 401
        assert (await client.get("/b.jpg", auth=("op", "s3cret"))).status_code == 200


async def test_frozen_and_black() -> None:
    async with site() as (s, client):
        first = (await client.get("/b.jpg")).content
        s.faults.set(parse_fault("frozen:cam-b"))
        s.second()
        assert (await client.get("/b.jpg")).content == first
        s.faults.clear_all()
        assert (await client.get("/b.jpg")).content != first
        s.faults.set(parse_fault("black:cam-b"))
        assert pixels((await client.get("/b.jpg")).content)[60:300].mean() < 8
        assert pixels((await client.get("/cam/cam-a/snapshot.jpg")).content).mean() > 30


async def test_dead_slow_broken_and_dropped() -> None:
    async with site() as (s, client):
        s.faults.set(parse_fault("dead:cam-b"))
        with pytest.raises(httpx2.ReadTimeout):
            await client.get("/b.jpg", timeout=0.2)
        waiting = asyncio.create_task(client.get("/b.jpg"))
        await asyncio.sleep(0.05)
        s.faults.clear_all()
        assert (await waiting).status_code == 200
        s.faults.set(parse_fault("slow:cam-b:0.2"))
        start = asyncio.get_running_loop().time()
        await client.get("/b.jpg")
        assert asyncio.get_running_loop().time() - start >= 0.19
        s.faults.clear_all()
        s.faults.set(parse_fault("broken:cam-b"))
        assert (await client.get("/b.jpg")).status_code == 503
        s.faults.clear_all()
        s.faults.set(parse_fault("drop:cams"))
        with pytest.raises(httpx2.TransportError):
            await client.get("/b.jpg")


@pytest.mark.parametrize("kind", ["street", "river"])
def test_the_picture_tells_the_weather(kind: str) -> None:
    def mean(**more: float) -> float:
        scene = Scene(kind=kind, title="River", time_us=1_763_800_000_000_000, **more)  # type: ignore[arg-type]
        return float(pixels(draw(scene, "cam")).mean())

    day, night = mean(), mean(darkness=1.0)
    assert day > 100
    assert 12 < night < 60
    assert mean(rain=1.0) != day


def test_rising_water_changes_the_picture_where_it_stands() -> None:
    def rows(ratio: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        scene = Scene("street", "Dip", 1_763_800_000_000_000, 0.3, 0.2, ratio, 0.0, water_level_m=0.2)
        return pixels(draw(scene, "cam"))

    dry, flooded = rows(0.0).astype(int), rows(0.7).astype(int)
    changed = np.abs(dry - flooded).mean(axis=(1, 2))
    assert changed[190:270].mean() > 6
    assert changed[:100].mean() < 1


def test_the_same_scene_is_the_same_picture() -> None:
    scene = Scene("river", "River", 1_763_800_000_000_000, 0.5, 0.5, 0.5, water_level_m=3.21, sign="STOP")
    assert draw(scene, "cam") == draw(scene, "cam") != draw(scene, "other")


async def test_a_busy_port_is_named() -> None:
    async with site() as (s, _):
        endpoint = Endpoint("more", "camera", s.server.port, ())
        server = CameraServer(endpoint, s.world, s.faults)
        with pytest.raises(PortBusyError, match=f"more: port {s.server.port}"):
            await server.start()
        await server.stop()
