"""What a snapshot tells, and what is wrong when there is none."""

from __future__ import annotations

import base64
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5 as insecure_md5
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from protocols.field.base import Driver
from protocols.field.camera.picture import FROZEN_READS, NotAPicture, decode
from protocols.field.camera.snapshot import MAX_BYTES
from protocols.model.clock import SECOND_US, from_datetime
from protocols.model.quality import Quality
from tests.protocols.field.camera.harness import CameraServer, jpeg
from tests.protocols.field.devices import bind, driver, profile, rows

MEASURES = ["online", "latency_ms", "frame_age_s", "brightness", "frozen", "frame_bytes"]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATH = "/shot.jpg"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_us = from_datetime(NOON)

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
async def camera() -> AsyncIterator[CameraServer]:
    server = CameraServer()
    server.port = await server.start()  # type: ignore[attr-defined]
    try:
        yield server
    finally:
        await server.stop()


def looking(server: CameraServer, clock: Clock | None = None, **settings: Any) -> Driver:
    points = [
        {"key": measure.replace("_", "-"), "period": "fast" if measure == "online" else "slow",
         "camera": {"measure": measure}}
        for measure in MEASURES
    ]  # fmt: skip
    device = bind(profile("camera", points), {"path": PATH})
    given = {"base_url": f"http://127.0.0.1:{server.port}", "timeout_ms": 1000, **settings}  # type: ignore[attr-defined]
    return driver("camera", given, device, clock=clock or Clock())


async def look(made: Driver, times: int = 1) -> dict[str, tuple[float | str, int]]:
    [task] = made.plan() if not hasattr(made, "task") else [made.task]
    made.task = task  # type: ignore[attr-defined]
    for _ in range(times):
        seen = rows(await made.read(task))
    return {measure: seen[at] for at, measure in enumerate(MEASURES)}


@pytest.fixture
async def opened(camera: CameraServer) -> AsyncIterator[Driver]:
    made = looking(camera)
    await made.open()
    yield made
    await made.close()


async def test_one_picture_serves_all_points_at_the_fastest_period(
    opened: Driver, camera: CameraServer
) -> None:
    [task] = opened.plan()
    assert (task.period, task.requests, len(task.points)) == ("fast", 1, len(MEASURES))
    camera.answers[PATH] = (200, {}, jpeg(80))
    got = await look(opened)
    assert got["online"] == (1.0, Quality.GOOD)
    assert got["brightness"][0] == pytest.approx(80, abs=1)
    assert got["frame_bytes"] == (float(len(jpeg(80))), Quality.GOOD)
    assert 0 < float(got["latency_ms"][0]) < 1000
    assert got["frozen"][1] == Quality.BAD_WAITING_FOR_INITIAL_DATA or got["frozen"][0] == 0.0
    assert len(camera.requests) == 1


@pytest.mark.parametrize(
    ("answer", "quality"),
    [
        ((401, {"WWW-Authenticate": 'Basic realm="cam"'}, b""), Quality.BAD_USER_ACCESS_DENIED),
        ((403, {}, b""), Quality.BAD_USER_ACCESS_DENIED),
        ((404, {}, b""), Quality.BAD_CONFIGURATION_ERROR),
        ((302, {"Location": "http://elsewhere.invalid/"}, b""), Quality.BAD_CONFIGURATION_ERROR),
        ((503, {}, b""), Quality.BAD_DEVICE_FAILURE),
        ((200, {}, b"<html>sign in</html>"), Quality.BAD_DECODING_ERROR),
        ((200, {}, b""), Quality.BAD_DECODING_ERROR),
        ((200, {}, jpeg(80)[:300]), Quality.BAD_DECODING_ERROR),
        ((200, {}, b"\xff" * (MAX_BYTES + 1)), Quality.BAD_OUT_OF_RANGE),
    ],
)
async def test_each_failure_has_its_own_quality(
    opened: Driver, camera: CameraServer, answer: tuple[int, dict[str, str], bytes], quality: int
) -> None:
    camera.answers[PATH] = answer
    got = await look(opened)
    assert got["online"] == (0.0, Quality.GOOD)
    assert got["latency_ms"][1] == Quality.GOOD, "it did answer"
    for measure in ("brightness", "frozen", "frame_age_s", "frame_bytes"):
        value, code = got[measure]
        assert math.isnan(float(value))
        assert code == quality


async def test_silence_and_absence_are_told_apart(camera: CameraServer) -> None:
    made = looking(camera, timeout_ms=100)
    await made.open()
    camera.delay_s = 5
    got = await look(made)
    assert (got["online"][0], got["latency_ms"][1]) == (0.0, Quality.BAD_TIMEOUT)
    await camera.stop()
    got = await look(made)
    assert (got["online"][0], got["latency_ms"][1]) == (0.0, Quality.BAD_NO_COMMUNICATION)
    await made.close()


async def test_a_frozen_picture_is_one_that_does_not_change(opened: Driver, camera: CameraServer) -> None:
    camera.answers[PATH] = (200, {}, jpeg(80, (10, 10, 60, 60)))
    assert (await look(opened, FROZEN_READS))["frozen"] == (0.0, Quality.GOOD)
    # The same frame, encoded again: other bytes, no news.
    camera.answers[PATH] = (200, {}, jpeg(80, (10, 10, 60, 60), quality=97))
    assert (await look(opened))["frozen"] == (1.0, Quality.GOOD)
    # A car has moved by ten pixels.
    camera.answers[PATH] = (200, {}, jpeg(80, (20, 10, 70, 60)))
    assert (await look(opened))["frozen"] == (0.0, Quality.GOOD)


async def test_age_by_last_modified_by_exif_and_by_the_bytes(camera: CameraServer) -> None:
    clock = Clock()
    made = looking(camera, clock)
    await made.open()
    minute_ago = NOON.replace(hour=11, minute=59)
    headers = {"Last-Modified": format_datetime(minute_ago, usegmt=True)}
    camera.answers[PATH] = (200, headers, jpeg(80))
    assert (await look(made))["frame_age_s"][0] == 60.0
    # A camera whose clock is wrong by a year tells the age by its own clock.
    wrong = {
        "Last-Modified": format_datetime(minute_ago.replace(year=2025), usegmt=True),
        "Date": format_datetime(NOON.replace(year=2025), usegmt=True),
    }
    camera.answers[PATH] = (200, wrong, jpeg(80))
    assert (await look(made))["frame_age_s"][0] == 60.0

    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: "2026:11:22 19:58:00", 0x9011: "+08:00"})
    camera.answers[PATH] = (200, {}, jpeg(80, exif=exif))
    assert (await look(made))["frame_age_s"][0] == 120.0

    camera.answers[PATH] = (200, {}, jpeg(90))
    assert (await look(made))["frame_age_s"][0] == 0.0
    clock.now_us += 30 * SECOND_US
    assert (await look(made))["frame_age_s"][0] == 30.0
    await made.close()


def md5(text: str) -> str:
    return insecure_md5(text.encode(), usedforsecurity=False).hexdigest()


class AskingServer(CameraServer):
    """Asks for a password, by one scheme."""

    scheme = "Basic"

    def answer(self, path: str, fields: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        given = fields.get("authorization", "")
        if self.scheme == "Basic":
            good = given == "Basic " + base64.b64encode(b"cam:secret").decode()
            challenge = 'Basic realm="r"'
        else:
            parts = {k.strip(): v.strip('"') for k, _, v in (p.partition("=") for p in given[7:].split(","))}
            ha1, ha2 = md5("cam:r:secret"), md5(f"GET:{path}")
            chain = ":".join([ha1, "n0", parts.get("nc", ""), parts.get("cnonce", ""), "auth", ha2])
            good = parts.get("response") == md5(chain)
            challenge = 'Digest realm="r", nonce="n0", qop="auth"'
        return (200, {}, jpeg(80)) if good else (401, {"WWW-Authenticate": challenge}, b"")


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
async def test_passwords_go_by_the_scheme_that_is_asked_for(scheme: str, tmp_path: Path) -> None:
    server = AskingServer()
    server.scheme = scheme
    server.port = await server.start()  # type: ignore[attr-defined]
    password = tmp_path / "password"
    password.write_text("secret\n")
    made = looking(server, username="cam", password_file=str(password))
    await made.open()
    try:
        assert (await look(made))["online"][0] == 1.0
        assert "authorization" not in server.requests[0], "a password never goes out unasked"
        asked = len(server.requests)
        assert (await look(made))["online"][0] == 1.0
        assert len(server.requests) == asked + 1, "the scheme is remembered"
        password.write_text("wrong")
    finally:
        await made.close()
    again = looking(server, username="cam", password_file=str(password))
    await again.open()
    assert (await look(again))["brightness"][1] == Quality.BAD_USER_ACCESS_DENIED
    await again.close()
    await server.stop()


def test_a_bomb_is_no_picture() -> None:
    bomb = Image.new("1", (9000, 9000))
    out = BytesIO()
    bomb.save(out, "PNG")
    assert len(out.getvalue()) < 100_000
    with pytest.raises(NotAPicture, match="pixels"):
        decode(out.getvalue())
