"""ONVIF against cameras of different habits: addresses, clock, sign-in, events, presets; and what goes
wrong.
"""

from __future__ import annotations

import base64
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocols.errors import DeviceRefused, DeviceTimeout
from protocols.field.base import BoundPoint, Driver
from protocols.field.camera.ladder import Cause, Level
from protocols.field.camera.onvif import Onvif
from protocols.field.camera.pullpoint import Event, corrected, events
from protocols.field.camera.settings import CameraSettings
from protocols.field.camera.soap import password_digest
from protocols.model.address.camera import CameraAddress
from protocols.model.clock import SECOND_US, from_datetime, now_us
from protocols.model.quality import Quality
from sim_devices.faults import WrongClock, parse_fault
from sim_devices.servers.camera import CameraServer
from sim_devices.servers.onvif import OnvifHabits
from sim_devices.world import Endpoint
from tests.protocols.field.devices import Listening, bind, driver, profile, rows
from tests.protocols.field.proxy import Proxy
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board
from tests.sim_devices.servers.fake_world import profile as sim_profile

MEASURES = [
    "level", "cause", "online", "brightness", "clock_offset_s", "preset",
    "events", "motion", "tamper", "signal_loss", "digital_input",
]  # fmt: skip


class Camera:
    """A simulated camera that speaks ONVIF; `now_us` is when its world is."""

    def __init__(self, habits: OnvifHabits | None = None, credentials: tuple[str, str] | None = None) -> None:
        made = sim_profile("camera", [{"key": "online", "type": "bool", "camera": {"measure": "online"}}])
        endpoint = Endpoint("cams", "camera", 0, ("cam",), {"rtsp_port": 0})
        self.world = FakeWorld([FakeDevice("cam", made)], [endpoint])
        self.faults = board(self.world)
        self.server = CameraServer(endpoint, self.world, self.faults, credentials=credentials)
        self.server.onvif.habits = habits or OnvifHabits()
        self.faults.on_change(self.server.follow_faults)

    def tell(self, kind: str, state: bool) -> None:
        services = self.server.onvif
        services.subscriptions.set("cam", kind, state, services.now())


@asynccontextmanager
async def running(
    habits: OnvifHabits | None = None, credentials: tuple[str, str] | None = None
) -> AsyncIterator[Camera]:
    camera = Camera(habits, credentials)
    await camera.server.start()
    try:
        yield camera
    finally:
        await camera.server.stop()


def points(made: Driver) -> dict[str, BoundPoint]:
    return {CameraAddress.of(point.profile).measure: point for point in made.devices[0].points}


@asynccontextmanager
async def watching(port: int, params: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Driver]:
    made = profile(
        "camera",
        [
            {"key": m.replace("_", "-"), "camera": {"measure": m}, "writable": m == "preset", "travel_s": 5}
            for m in MEASURES
        ],
    )
    chosen = {
        "base_url": f"http://127.0.0.1:{port}", "onvif": True, "stream_every_s": 1, "watch_s": 0.3,
        "pull_s": 1,
        **settings,
    }  # fmt: skip
    opened = driver("camera", chosen, bind(made, params or {}))
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


async def ask(made: Driver) -> dict[str, tuple[float | str, int]]:
    seen: dict[int, tuple[float | str, int]] = {}
    for task in made.plan():
        seen |= rows(await made.read(task))
    return {measure: seen[point.index] for measure, point in points(made).items() if point.index in seen}


@pytest.mark.parametrize(
    "habits",
    [
        OnvifHabits(),
        OnvifHabits(media2=False),
        OnvifHabits(get_services=False),
        OnvifHabits(host="10.9.8.7:8000"),
    ],
    ids=["media2", "media1", "capabilities", "behind-nat"],
)
async def test_a_camera_introduces_itself_and_is_alive(habits: OnvifHabits) -> None:
    async with running(habits) as camera, watching(camera.server.port) as made:
        seen = await ask(made)
        assert (seen["level"][0], seen["online"][0]) == (5.0, 1.0)
        assert float(seen["brightness"][0]) > 20
        assert abs(float(seen["clock_offset_s"][0])) < 2
        assert {"motion", "events"}.isdisjoint(seen), "events are told, not asked for"
        assert (await made.shoot("device1")).data[:2] == b"\xff\xd8"


@pytest.mark.parametrize("digest", [True, False], ids=["http-digest", "username-token"])
async def test_sign_in_works_with_a_clock_that_is_wrong_by_years(digest: bool, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3 cret&<\n")
    sign_in: dict[str, Any] = {"username": "op", "password_file": str(password)}
    async with running(OnvifHabits(digest=digest), ("op", "s3 cret&<")) as camera:
        camera.faults.set(WrongClock("cam", -94_000_000.0))
        async with watching(camera.server.port, **sign_in) as made:
            seen = await ask(made)
            assert seen["level"][0] == 5.0
            assert seen["clock_offset_s"][0] == pytest.approx(-94_000_000, abs=2)
            assert "behind" in made.remarks()[0]
        password.write_text("wrong\n")
        async with watching(camera.server.port, **sign_in) as made:
            seen = await ask(made)
            assert (seen["level"][0], seen["cause"][0]) == (Level.REACHABLE, Cause.CREDENTIALS)
            assert seen["brightness"][1] == Quality.BAD_USER_ACCESS_DENIED


async def test_the_profile_that_was_asked_for_is_taken_and_an_unknown_one_is_named() -> None:
    async with running() as camera:
        async with watching(camera.server.port, {"profile": "cam-main"}) as made:
            assert (await ask(made))["level"][0] == 5.0
        async with watching(camera.server.port, {"profile": "Profile_1"}) as made:
            assert (await ask(made))["cause"][0] == Cause.WRONG_PATH
            assert "it has cam-main, cam-sub" in made.remarks()[0]


async def test_presets_are_commands_with_a_read_back() -> None:
    async with running() as camera, watching(camera.server.port) as made:
        preset = points(made)["preset"]
        assert (await ask(made))["preset"][0] == 0.0, "it stands at none of them"
        assert await made.write(preset, 2.0) == 2.0
        assert camera.server.onvif.went == [("cam", "2")]
        assert (await ask(made))["preset"] == (2.0, Quality.GOOD)
        assert await made.write(preset, "River") == "River"
        assert camera.server.onvif.went[-1] == ("cam", "7")
        with pytest.raises(DeviceRefused, match="1 Gate, 2 Bridge, 3 River"):
            await made.write(preset, 4.0)
        camera.server.onvif.habits.tells_position = False
        assert await made.write(preset, 1.0) is None, "it cannot say where it stands"
        with pytest.raises(DeviceRefused, match="takes no values"):
            await made.write(points(made)["brightness"], 1.0)
        await camera.server.stop()
        with pytest.raises(DeviceTimeout):
            await made.write(preset, 1.0)


async def test_events_are_heard_and_a_lost_subscription_is_begun_anew() -> None:
    async with running() as camera, watching(camera.server.port) as made:
        camera.tell("tamper", True)
        at = {measure: point.index for measure, point in points(made).items()}
        listening = Listening(made)
        try:
            # The synchronization point tells what was before we listened.
            await listening.until(lambda heard: heard.last().get(at["tamper"]) == (1.0, 0), 60)
            assert math.isnan(float(listening.last()[at["motion"]][0]))
            camera.tell("motion", True)
            await listening.until(lambda heard: heard.last()[at["motion"]] == (1.0, 0), 60)
            assert listening.last()[at["events"]] == (1.0, 0)

            camera.server.onvif.subscriptions.lose()
            uncertain = (1.0, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
            await listening.until(
                lambda heard: (heard.last()[at["motion"]], heard.last()[at["events"]][0]) == (uncertain, 0.0),
                60,
            )
            assert "no events are heard" in " ".join(made.remarks())
            assert listening.last()[at["digital_input"]][1] != Quality.BAD_WAITING_FOR_INITIAL_DATA
            await listening.until(lambda heard: heard.last()[at["motion"]] == (1.0, 0), 60)
            assert camera.server.onvif.subscriptions.opened == 2
            # No camera tells all topics: what it never told is not for ever "cannot be reached".
            assert listening.last()[at["digital_input"]][1] == Quality.BAD_WAITING_FOR_INITIAL_DATA
            assert made.remarks() == ()
        finally:
            await listening.stop()


async def test_events_survive_a_half_open_connection_and_a_restart() -> None:
    async with running() as camera:
        proxy = Proxy(camera.server.port)
        await proxy.start()
        try:
            async with watching(proxy.port, timeout_ms=500) as made:
                at = {measure: point.index for measure, point in points(made).items()}
                listening = Listening(made)
                camera.tell("motion", True)
                await listening.until(lambda heard: heard.last().get(at["motion"]) == (1.0, 0), 60)
                proxy.hold()
                await listening.until(lambda heard: heard.last()[at["events"]][0] == 0.0, 60)
                assert listening.last()[at["motion"]][1] >= Quality.UNCERTAIN
                await proxy.cut()
                camera.server.onvif.subscriptions.lose()
                camera.tell("motion", False)
                proxy.flow()
                await proxy.start()
                await listening.until(lambda heard: heard.last()[at["motion"]] == (0.0, 0), 60)
                await listening.stop()
        finally:
            await proxy.cut()


async def test_the_simulator_tells_what_its_faults_mean() -> None:
    async with running() as camera, watching(camera.server.port) as made:
        at = {measure: point.index for measure, point in points(made).items()}
        listening = Listening(made)
        await camera.server.tick()
        await listening.until(lambda heard: heard.last().get(at["signal_loss"]) == (0.0, 0), 60)
        camera.faults.set(parse_fault("black:cam"))
        await camera.server.tick()
        await listening.until(lambda heard: heard.last()[at["signal_loss"]] == (1.0, 0), 60)
        await listening.stop()


def test_the_token_is_that_of_the_standard() -> None:
    """ONVIF Application Programmer's Guide section 6.1.1.3."""
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    assert password_digest(nonce, "2010-09-16T07:50:45Z", "userpassword") == "tuOSpGlFlIXsozq4HFNeeGeFLEI="


def test_an_event_keeps_its_own_time_where_that_can_be_believed() -> None:
    now = from_datetime(datetime(2026, 11, 22, 12, tzinfo=UTC))
    told = Event("motion", True, {}, now + 90 * SECOND_US)
    assert corrected(told, 100.0, now) == now - 10 * SECOND_US
    assert corrected(told, None, now) == now, "nothing is of the future"
    assert corrected(Event("motion", True, {}, now - 86_400 * SECOND_US), 0.0, now) == now
    assert corrected(Event("motion", True, {}, None), 0.0, now) == now


@given(st.binary(max_size=200), st.text(max_size=40))
def test_events_of_rubbish_are_none(data: bytes, topic: str) -> None:
    root = ElementTree.Element("x")
    message = ElementTree.SubElement(root, "{http://docs.oasis-open.org/wsn/b-2}NotificationMessage")
    ElementTree.SubElement(message, "{http://docs.oasis-open.org/wsn/b-2}Topic").text = topic
    said = ElementTree.SubElement(message, "{http://www.onvif.org/ver10/schema}Message")
    said.set("UtcTime", data.decode("latin-1"))
    assert events(root) == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://192.168.1.108/onvif/media", "http://cam.example:8080/onvif/media"),
        ("http://cam.example/onvif/ptz?x=1", "http://cam.example/onvif/ptz?x=1"),
        ("rtsp://192.168.1.108:554/live?a=1&b=2", "rtsp://cam.example:554/live?a=1&b=2"),
        ("rtsp://op:pw@10.0.0.1/s", "rtsp://cam.example/s"),
    ],
)
def test_addresses_are_rewritten_to_a_host_that_can_be_reached(address: str, expected: str) -> None:
    onvif = Onvif(None, "http://cam.example:8080", "/onvif/device_service", now_us)  # type: ignore[arg-type]
    assert onvif.reachable(address) == expected


def test_onvif_needs_a_web_address() -> None:
    with pytest.raises(ValidationError, match="ONVIF is spoken over http"):
        CameraSettings.model_validate({"base_url": "rtsp://192.0.2.1", "onvif": True})
