"""The ladder of a stream, rung by rung, against a camera with real frames; afterwards it recovers by
itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from protocols.errors import ConfigError, DeviceRefused
from protocols.field.base import Driver
from protocols.field.camera.ladder import Cause, Level
from protocols.field.camera.picture import decode
from protocols.model.quality import Quality
from sim_devices.faults import Dead, Trouble, parse_fault
from sim_devices.servers.camera import CameraServer
from sim_devices.servers.rtsp import RtspServer
from sim_devices.world import Endpoint
from tests.protocols.field.devices import bind, driver, profile, rows
from tests.protocols.field.proxy import Proxy
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board
from tests.sim_devices.servers.fake_world import profile as sim_profile

MEASURES = [
    "level",
    "cause",
    "online",
    "fps",
    "kbps",
    "key_frame_bytes",
    "loss_percent",
    "brightness",
    "black",
]
STREAM = "/live/sub?channel=1"


class Camera:
    """A simulated camera with a stream, and a driver's way to it through a proxy."""

    def __init__(self, codec: str = "jpeg", credentials: tuple[str, str] | None = None) -> None:
        made = sim_profile("camera", [{"key": "online", "type": "bool", "camera": {"measure": "online"}}])
        endpoint = Endpoint("cams", "camera", 0, ("cam",), {"rtsp_port": 0, "codec": codec})
        world = FakeWorld([FakeDevice("cam", made, {"stream": STREAM})], [endpoint])
        self.faults = board(world)
        self.server = CameraServer(endpoint, world, self.faults, credentials=credentials)
        self.faults.on_change(self.server.follow_faults)

    @property
    def rtsp(self) -> RtspServer:
        assert self.server.rtsp is not None
        return self.server.rtsp


@asynccontextmanager
async def running(codec: str = "jpeg", credentials: tuple[str, str] | None = None) -> AsyncIterator[Camera]:
    camera = Camera(codec, credentials)
    await camera.server.start()
    try:
        yield camera
    finally:
        await camera.server.stop()


@asynccontextmanager
async def watching(port: int, stream: str = STREAM, **settings: Any) -> AsyncIterator[Driver]:
    points = [{"key": measure.replace("_", "-"), "camera": {"measure": measure}} for measure in MEASURES]
    device = bind(profile("camera", points), {"stream": stream})
    # Each read looks at the frames.
    given = {"base_url": f"rtsp://127.0.0.1:{port}", "stream_every_s": 1, "watch_s": 0.5, **settings}
    made = driver("camera", given, device)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def climb(made: Driver) -> dict[str, tuple[float | str, int]]:
    """Read the stream's points, then the picture's."""
    tasks = sorted(made.plan(), key=lambda task: task.plan.part == "picture")
    seen: dict[int, tuple[float | str, int]] = {}
    for task in tasks:
        seen |= rows(await made.read(task))
    return {measure: seen[at] for at, measure in enumerate(MEASURES)}


async def until(made: Driver, level: Level, cause: Cause) -> dict[str, tuple[float | str, int]]:
    """Read until the camera stands on a rung."""
    async with asyncio.timeout(60):
        while True:
            seen = await climb(made)
            if (seen["level"][0], seen["cause"][0]) == (level, cause):
                return seen
            await asyncio.sleep(0.1)


async def test_a_healthy_stream_is_alive_and_left_alone() -> None:
    async with running() as camera, watching(camera.rtsp.port) as made:
        seen = await climb(made)
        assert (seen["level"], seen["cause"], seen["online"]) == ((5.0, 0), (0.0, 0), (1.0, 0))
        assert seen["fps"][0] == pytest.approx(5, abs=0.5)
        assert seen["loss_percent"] == (0.0, Quality.GOOD)
        assert float(seen["brightness"][0]) > 20, "a real picture was decoded"
        assert (seen["black"][0], float(seen["kbps"][0]) > 100) == (0.0, True)
        assert decode((await made.shoot("device1")).data).fine.shape == (360, 640)
        async with asyncio.timeout(60):
            while camera.rtsp.sessions:  # noqa: ASYNC110 - the server under test has no event for it
                await asyncio.sleep(0.02)
        assert camera.rtsp.requests.count("TEARDOWN") == 2, "no session is held"


async def test_between_two_looks_the_camera_is_asked_for_nothing_but_options() -> None:
    async with running() as camera, watching(camera.rtsp.port, stream_every_s=900) as made:
        first = await climb(made)
        [task] = [task for task in made.plan() if task.plan.part == "stream"]
        looked = await made.read(task)
        assert camera.rtsp.opened == 1
        assert camera.rtsp.requests[-1] == "OPTIONS"
        assert rows(looked)[3] == first["fps"]
        assert looked.time_us[3] < looked.time_us[0], "what an earlier look measured keeps its time"


@pytest.mark.parametrize("codec", ["h264", "h265"])
async def test_key_frames_of_video_are_decoded_to_pictures(codec: str) -> None:
    pytest.importorskip("av", reason="citynerve[video] is not installed")
    async with running(codec) as camera, watching(camera.rtsp.port) as made:
        seen = await climb(made)
        assert (seen["level"][0], seen["cause"][0]) == (5.0, 0.0)
        assert float(seen["brightness"][0]) > 20
        camera.faults.set(parse_fault("black:cam"))
        assert (await until(made, Level.FRAMES, Cause.BLACK))["black"][0] == 1.0


async def test_digest_signs_in_and_a_wrong_password_is_tried_once(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    async with running(credentials=("op", "s3cret")) as camera:
        sign_in = {"username": "op", "password_file": str(password)}
        async with watching(camera.rtsp.port, **sign_in) as made:
            assert (await climb(made))["level"][0] == 5.0
        password.write_text("wrong\n")
        async with watching(camera.rtsp.port, **sign_in) as made:
            before = camera.rtsp.requests.count("DESCRIBE")
            seen = await climb(made)
            assert (seen["level"][0], seen["cause"][0], seen["online"][0]) == (1.0, Cause.CREDENTIALS, 0.0)
            assert seen["fps"][1] == Quality.BAD_USER_ACCESS_DENIED
            assert camera.rtsp.requests.count("DESCRIBE") - before == 2, "the challenge and one answer"
            assert "wrong" not in str(made.remarks())
            with pytest.raises(DeviceRefused, match="password_file"):
                await made.shoot("device1")


async def test_each_refusal_has_its_rung_and_its_words() -> None:
    async with running() as camera:
        async with watching(camera.rtsp.port, "/none") as made:
            seen = await climb(made)
            assert (seen["level"][0], seen["cause"][0]) == (Level.AUTHENTICATED, Cause.WRONG_PATH)
            assert "404" in made.remarks()[0]
        async with watching(camera.rtsp.port) as made:
            camera.faults.set(Trouble("busy", "cam"))
            seen = await climb(made)
            assert (seen["level"][0], seen["cause"][0]) == (Level.DESCRIBES, Cause.TOO_MANY_SESSIONS)
            assert seen["fps"][1] == Quality.BAD_OUT_OF_SERVICE
            assert math.isnan(float(seen["fps"][0]))
            camera.faults.clear(Trouble("busy", "cam"))
            await until(made, Level.ALIVE, Cause.NONE)
            assert made.remarks() == ()


async def test_a_dead_camera_is_told_from_an_absent_one_and_is_back_by_itself() -> None:
    async with running() as camera, watching(camera.rtsp.port, timeout_ms=500) as made:
        camera.faults.set(Dead("cam"))
        seen = await climb(made)
        assert (seen["level"][0], seen["cause"][0]) == (Level.REACHABLE, Cause.SILENT)
        assert seen["brightness"][1] == Quality.BAD_TIMEOUT or math.isnan(float(seen["brightness"][0]))
        await camera.rtsp.stop()
        seen = await until(made, Level.UNREACHABLE, Cause.UNREACHABLE)
        assert seen["fps"][1] == Quality.BAD_NO_COMMUNICATION
        camera.faults.clear_all()
        await camera.rtsp.start()
        await until(made, Level.ALIVE, Cause.NONE)


async def test_a_stream_without_frames_is_no_stream() -> None:
    async with running() as camera, watching(camera.rtsp.port, first_packet_s=0.5) as made:
        camera.faults.set(Trouble("stalled", "cam"))
        seen = await climb(made)
        assert (seen["level"][0], seen["cause"][0]) == (Level.DESCRIBES, Cause.NO_FRAMES)
        camera.faults.clear_all()
        await until(made, Level.ALIVE, Cause.NONE)


async def test_a_half_open_connection_ends_in_time_and_afterwards_all_is_well() -> None:
    async with running() as camera:
        proxy = Proxy(camera.rtsp.port)
        await proxy.start()
        try:
            async with watching(proxy.port, timeout_ms=500) as made:
                await until(made, Level.ALIVE, Cause.NONE)
                proxy.hold()
                await until(made, Level.REACHABLE, Cause.SILENT)
                await proxy.cut()
                await until(made, Level.UNREACHABLE, Cause.UNREACHABLE)
                await proxy.start()
                proxy.flow()
                await until(made, Level.ALIVE, Cause.NONE)
        finally:
            await proxy.cut()


async def test_a_camera_that_refuses_tcp_sends_datagrams() -> None:
    async with running() as camera:
        camera.rtsp.transports = ("udp",)
        async with watching(camera.rtsp.port) as made:
            assert (await climb(made))["level"][0] == 5.0
            assert camera.rtsp.requests.count("SETUP") == 2
        camera.rtsp.transports = ()
        async with watching(camera.rtsp.port) as made:
            seen = await climb(made)
            assert (seen["level"][0], seen["cause"][0]) == (Level.DESCRIBES, Cause.TRANSPORT)


@pytest.mark.parametrize(
    ("base_url", "params", "said"),
    [
        ("http://192.0.2.1", {}, "nothing says where its pictures are"),
        ("rtsp://192.0.2.1", {"path": "/x.jpg"}, "no snapshots"),
    ],
)
def test_a_camera_without_any_address_is_a_mistake(base_url: str, params: dict[str, str], said: str) -> None:
    device = bind(profile("camera", [{"key": "level", "camera": {"measure": "level"}}]), params)
    with pytest.raises(ConfigError, match=said):
        driver("camera", {"base_url": base_url}, device)
