"""Cameras behind one HTTP address, looked at by fetching a snapshot.

    read(task) ─→ GET snapshot (bounded in time and size) ─→ decode in a thread ─→ figures

A camera that cannot be reached is what these points are for, so it is never ConnectionLost:
`online` is then 0, and the quality of the other points says what is wrong:
BadNoCommunication unreachable, BadTimeout silent, BadUserAccessDenied password, BadConfigurationError
wrong path, BadDeviceFailure camera error, BadDecodingError no picture, BadOutOfRange too large.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import httpx2
import numpy as np
from pydantic import Field

from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout
from protocols.field.base import BoundDevice, BoundPoint, Driver, ReadTask, Shot
from protocols.field.camera.picture import History, NotAPicture, Picture, decode
from protocols.field.filling import read_password
from protocols.model.clock import Clock, now_us
from protocols.model.device import PeriodClass, Strict
from protocols.model.quality import Quality, quality_name
from protocols.model.reading import Readings

MAX_BYTES: Final = 8 * 1024 * 1024
BAD_USER_ACCESS_DENIED: Final = 0x801F_0000
_FASTEST: Final[tuple[PeriodClass, ...]] = ("fast", "normal", "slow")


class CameraSettings(Strict):
    """The address of a camera or recorder. Basic and Digest are both tried, as the camera asks."""

    base_url: str = Field(pattern=r"^https?://[^/?#]+/?$")
    username: str | None = None
    password_file: Path | None = None
    timeout_ms: int = Field(default=3000, ge=50)


class CameraParams(Strict):
    """Where the device's snapshot is, such as `/cam/01/snapshot.jpg`."""

    path: str = Field(pattern=r"^/")


@dataclass(slots=True)
class Camera:
    """Inside of a ReadTask: where to look, what is measured, and what was seen before."""

    path: str
    measures: tuple[str, ...]
    history: History


class AsAsked(httpx2.Auth):
    """Answers a 401 by the scheme that it names; a password never goes out unasked."""

    def __init__(self, username: str, password: str) -> None:
        self._basic = httpx2.BasicAuth(username, password)
        self._digest = httpx2.DigestAuth(username, password)
        self._chosen: httpx2.Auth | None = None

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send the request, with the scheme of the last challenge where there was one."""
        if self._chosen is None:
            response = yield request
            asked = response.headers.get("www-authenticate", "").lower()
            if response.status_code != httpx2.codes.UNAUTHORIZED or not asked:
                return
            self._chosen = self._digest if "digest" in asked else self._basic
        yield from self._chosen.auth_flow(request)


class CameraDriver(Driver):
    """HTTP client for the cameras of one address."""

    protocol = "camera"
    takes_pictures = True
    Settings: ClassVar = CameraSettings
    Params: ClassVar = CameraParams

    def __init__(
        self, settings: CameraSettings, devices: tuple[BoundDevice, ...], clock: Clock = now_us
    ) -> None:
        super().__init__(settings, devices, clock)
        self._camera = settings
        self._paths = {d.key: CameraParams.model_validate(dict(d.params)).path for d in devices}
        self._client: httpx2.AsyncClient | None = None
        self._shots: dict[str, Shot] = {}

    async def open(self) -> None:
        """Get ready; whether the camera is there is for the points to say."""
        password = read_password(self._camera.password_file)
        auth = None
        if self._camera.username is not None:
            auth = AsAsked(self._camera.username, password or "")
        self._client = httpx2.AsyncClient(
            base_url=self._camera.base_url,
            auth=auth,
            timeout=self._camera.timeout_ms / 1000,
            follow_redirects=False,
            # A proxy of the machine's environment is for the internet, not for the camera network.
            trust_env=False,
        )

    def plan(self) -> tuple[ReadTask, ...]:
        """One task per camera, at the period of its fastest point: all points come from one picture."""
        tasks = []
        for device in self.devices:
            points = [point for point in device.points if point.profile.camera and point.profile.readable]
            if not points:
                continue
            measures = tuple(point.profile.camera.measure for point in points if point.profile.camera)
            period = min((point.profile.period for point in points), key=_FASTEST.index)
            indexes = np.array([point.index for point in points], np.int32)
            camera = Camera(self._paths[device.key], measures, History())
            tasks.append(ReadTask(device.key, period, indexes, 1, camera))
        return tuple(tasks)

    def question(self, task: ReadTask) -> dict[str, str | int]:
        """Path of the snapshot."""
        camera: Camera = task.plan
        return {"path": camera.path}

    async def read(self, task: ReadTask) -> Readings:
        """Fetch one picture and measure it."""
        camera: Camera = task.plan
        client = self._client
        if client is None:
            raise ConnectionLost(f"camera {self._camera.base_url} is not open", Quality.BAD_NO_COMMUNICATION)
        figures: dict[str, float] = {"online": 0.0}
        why: int = Quality.GOOD
        try:
            async with asyncio.timeout(self._camera.timeout_ms / 1000):
                why, data, headers = await _fetch(client, camera.path, figures)
            if why == Quality.GOOD:
                picture = await asyncio.to_thread(decode, data)
                _measure(camera, picture, headers, self.clock(), figures)
                figures["frame_bytes"] = float(len(data))
                self._shots[task.device] = Shot(self.clock(), data)
        except NotAPicture:
            why = Quality.BAD_DECODING_ERROR
        except (TimeoutError, httpx2.TimeoutException):
            why = Quality.BAD_TIMEOUT
        except httpx2.HTTPError:
            why = Quality.BAD_NO_COMMUNICATION
        missing = why if why != Quality.GOOD else Quality.BAD_WAITING_FOR_INITIAL_DATA
        values = np.array([figures.get(measure, math.nan) for measure in camera.measures])
        codes = np.where(np.isnan(values), np.uint32(missing), np.uint32(Quality.GOOD))
        return Readings.at(task.points, self.clock(), values, codes)

    def last_shot(self, device: str) -> Shot | None:
        """Return the picture of the last good read: looking at it costs the camera nothing."""
        return self._shots.get(device)

    async def shoot(self, device: str) -> Shot:
        """Fetch a picture now. DeviceTimeout: silent or out of reach; DeviceRefused: its answer is none."""
        client, path = self._client, self._paths[device]
        where = f"camera {self._camera.base_url.rstrip('/')}{path}"
        if client is None:
            raise ConnectionLost(f"{where} is not open", Quality.BAD_NO_COMMUNICATION)
        try:
            async with asyncio.timeout(self._camera.timeout_ms / 1000):
                why, data, _ = await _fetch(client, path, {})
            if why == Quality.GOOD:
                await asyncio.to_thread(decode, data)
        except NotAPicture as error:
            raise DeviceRefused(
                f"{where} answered no picture: {error}", Quality.BAD_DECODING_ERROR
            ) from error
        except (TimeoutError, httpx2.HTTPError) as error:
            said = str(error) or "no answer in time"
            raise DeviceTimeout(f"{where} gives no picture: {said}", Quality.BAD_TIMEOUT) from error
        if why != Quality.GOOD:
            raise DeviceRefused(f"{where} refuses a picture: {quality_name(why)}", why)
        shot = self._shots[device] = Shot(self.clock(), data)
        return shot

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Refuse: a snapshot has nothing to write to."""
        raise DeviceRefused(
            f"{point.device}.{point.profile.key}: a camera snapshot takes no values; nothing was written",
            Quality.BAD_NOT_SUPPORTED,
        )

    async def close(self) -> None:
        """Close the connections; safe at any time."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


async def _fetch(
    client: httpx2.AsyncClient, path: str, figures: dict[str, float]
) -> tuple[int, bytes, Mapping[str, str]]:
    """Return a quality, the body and the headers; the latency is measured whatever the answer is."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with client.stream("GET", path) as response:
        figures["latency_ms"] = (loop.time() - started) * 1000
        why = _status_quality(response.status_code)
        if why != Quality.GOOD:
            return why, b"", response.headers
        data = bytearray()
        async for chunk in response.aiter_bytes():
            data += chunk
            if len(data) > MAX_BYTES:
                return Quality.BAD_OUT_OF_RANGE, b"", response.headers
    return Quality.GOOD, bytes(data), response.headers


def _status_quality(status: int) -> int:
    if status in (401, 403):
        return BAD_USER_ACCESS_DENIED
    if 200 <= status < 300:
        return Quality.GOOD
    return Quality.BAD_DEVICE_FAILURE if status >= 500 else Quality.BAD_CONFIGURATION_ERROR


def _measure(
    camera: Camera, picture: Picture, headers: Mapping[str, str], now: int, figures: dict[str, float]
) -> None:
    camera.history.add(picture, now)
    figures["online"] = 1.0
    figures["brightness"] = picture.brightness
    figures["frame_age_s"] = camera.history.age_s(picture, headers, now)
    if camera.history.frozen is not None:
        figures["frozen"] = camera.history.frozen
