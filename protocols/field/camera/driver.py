"""Cameras behind one address: by HTTP snapshot, by RTSP stream, or both.

    read(picture task) ─→ GET snapshot ─→ decode in a thread ─→ figures
    read(stream task)  ─→ OPTIONS; every 5 min DESCRIBE; every 15 min a look at the frames ─→ level, cause,
    figures

A camera that cannot be reached is what these points are for, so it is never ConnectionLost: `online` is
then 0, `level` the rung that it still stands on, and the quality of the other points says what is wrong:
BadNoCommunication unreachable, BadTimeout silent, BadUserAccessDenied password, BadConfigurationError wrong
path, BadOutOfService too many sessions, BadDeviceFailure camera error, BadDecodingError no picture,
BadOutOfRange too large. A figure of an earlier look keeps the time of that look.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import httpx2
import numpy as np

from protocols.errors import ConfigError, ConnectionLost, DeviceRefused, DeviceTimeout, Mistake
from protocols.field.base import BoundDevice, BoundPoint, Driver, First, ReadTask, Shot, Sink
from protocols.field.camera.climber import Climber
from protocols.field.camera.ladder import Cause, Level
from protocols.field.camera.onvif_line import OnvifLine
from protocols.field.camera.picture import NotAPicture, decode
from protocols.field.camera.pullpoint import MEASURES
from protocols.field.camera.settings import CameraParams, CameraSettings
from protocols.field.camera.snapshot import AsAsked, fetch
from protocols.field.camera.watched import Figures, Watched
from protocols.field.filling import read_password
from protocols.model.address.camera import CameraAddress
from protocols.model.clock import Clock, now_us
from protocols.model.device import PeriodClass
from protocols.model.quality import Quality, quality_name
from protocols.model.reading import Readings

_FASTEST: Final[tuple[PeriodClass, ...]] = ("fast", "normal", "slow")
STREAM: Final = frozenset(
    ("first_packet_ms", "key_frame_ms", "key_frame_bytes", "fps", "kbps", "loss_percent")
)
LADDER: Final = frozenset(("level", "cause", "online"))
ONVIF: Final = frozenset(("clock_offset_s", "preset"))
PUSHED: Final = MEASURES | {"events"}
Part = Literal["picture", "stream", "onvif"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Inside of a ReadTask: which camera, which of its parts, and what is measured, point by point."""

    watched: Watched
    part: Part
    measures: tuple[str, ...]


class CameraDriver(Driver):
    """HTTP and RTSP client for the cameras of one address."""

    protocol = "camera"
    takes_pictures = True
    Settings: ClassVar = CameraSettings
    Params: ClassVar = CameraParams
    first = First("address of the camera", "http://192.0.2.64", "path of the snapshot", "/snapshot.jpg")

    @classmethod
    def settings_at(cls, address: str) -> dict[str, Any]:
        """Return the address, http where it says nothing else."""
        return {"base_url": address if "://" in address else f"http://{address}"}

    @classmethod
    def params_named(cls, identity: str) -> dict[str, Any]:
        """Return the path of the snapshot."""
        return {"path": identity}

    def __init__(
        self, settings: CameraSettings, devices: tuple[BoundDevice, ...], clock: Clock = now_us
    ) -> None:
        super().__init__(settings, devices, clock)
        self._camera = settings
        self._timeout_s = settings.timeout_ms / 1000
        self._watched = {device.key: _watched(settings, device) for device in devices}
        self._profiles = {d.key: CameraParams.model_validate(dict(d.params)).profile for d in devices}
        self._line = OnvifLine(settings, devices, clock) if settings.onvif else None
        self._client: httpx2.AsyncClient | None = None
        self._climber = Climber(settings, clock)

    async def open(self) -> None:
        """Get ready; whether the camera is there is for the points to say."""
        password = read_password(self._camera.password_file) or ""
        self._climber.password = password
        auth = None
        if self._camera.username is not None:
            auth = AsAsked(self._camera.username, password)
        self._client = httpx2.AsyncClient(
            base_url=self._camera.base_url if self._camera.base_url.startswith("http") else "",
            auth=auth,
            timeout=self._timeout_s,
            follow_redirects=False,
            # A proxy of the machine's environment is for the internet, not for the camera network.
            trust_env=False,
        )
        if self._line is not None:
            self._line.open(self._client, password)
        for key, watched in self._watched.items():
            watched.reference = type(watched.reference)(self.notes.get(key))

    def plan(self) -> tuple[ReadTask, ...]:
        """A task for the picture and one for the stream of each camera, at the period of its fastest
        point.
        """
        tasks = []
        for device in self.devices:
            watched = self._watched[device.key]
            parts: dict[Part, list[BoundPoint]] = {}
            for point in device.points:
                asked = CameraAddress.of(point.profile)
                if point.profile.readable and asked.measure not in PUSHED:
                    parts.setdefault(_part(asked.measure, watched), []).append(point)
            for part, points in parts.items():
                measures = tuple(CameraAddress.of(point.profile).measure for point in points)
                period = min((point.profile.period for point in points), key=_FASTEST.index)
                indexes = np.array([point.index for point in points], np.int32)
                tasks.append(ReadTask(device.key, period, indexes, 1, Asked(watched, part, measures)))
        return tuple(tasks)

    def question(self, task: ReadTask) -> dict[str, str | int]:
        """Path of the snapshot, or address of the stream."""
        asked: Asked = task.plan
        if asked.part == "picture" and asked.watched.path is not None:
            return {"path": asked.watched.path}
        return {"stream": asked.watched.stream or ""}

    async def read(self, task: ReadTask) -> Readings:
        """Fetch one picture and measure it, or climb the stream's ladder as far as is due."""
        asked: Asked = task.plan
        watched = asked.watched
        if self._client is None:
            raise ConnectionLost(f"camera {self._camera.base_url} is not open", Quality.BAD_NO_COMMUNICATION)
        if self._line is not None:
            await self._line.introduce(watched, self._profiles[watched.device])
        if asked.part == "onvif":
            figures = Figures(self.clock(), {}, Quality.BAD_NOT_SUPPORTED)
            if self._line is not None:
                figures = await self._line.look(watched, asked.measures)
        elif asked.part == "stream":
            await self._climber.climb(watched)
            figures = watched.streaming
            if self._line is not None and watched.cause is Cause.WRONG_PATH:
                self._line.forget(watched)
        else:
            if watched.path is not None:
                await self._picture(self._client, watched, watched.path)
            elif watched.unknown is not None:
                watched.picture = Figures(self.clock(), {}, watched.unknown.quality)
            figures = watched.picture
        if watched.reference.news:
            self.notes.put(watched.device, watched.reference.kept())
        return _readings(task, asked, figures, self.clock())

    def remarks(self) -> tuple[str, ...]:
        """Say of each camera that is not on the top rung, why."""
        of_line = () if self._line is None else self._line.remarks()
        return of_line + tuple(
            f"camera {watched.device} (level {int(watched.level)} of 5): {watched.words}"
            for watched in self._watched.values()
            if watched.words
        )

    async def listen(self, sink: Sink) -> None:
        """Hand on the events that cameras tell by ONVIF; what is not heard any more becomes uncertain."""
        if self._line is not None:
            await self._line.listen(sink)

    def last_shot(self, device: str) -> Shot | None:
        """Return the picture of the last good read: looking at it costs the camera nothing."""
        return self._watched[device].shot

    async def shoot(self, device: str) -> Shot:
        """Fetch a picture now. DeviceTimeout: silent or out of reach; DeviceRefused: its answer is none."""
        watched = self._watched[device]
        if self._client is None:
            raise ConnectionLost(f"camera {self._camera.base_url} is not open", Quality.BAD_NO_COMMUNICATION)
        if watched.path is None:
            data = await self._climber.shoot(watched)
        else:
            data = await self._shoot_http(self._client, watched.path)
        shot = watched.shot = Shot(self.clock(), data)
        return shot

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Turn to a preset, or forget the reference picture, as the point says; refuse everything else."""
        watched = self._watched[point.device]
        measure = CameraAddress.of(point.profile).measure
        if measure == "relearn" and value:
            watched.reference.forget()
            self.notes.put(watched.device, watched.reference.kept())
            return value
        if measure == "preset" and self._line is not None:
            await self._line.introduce(watched, self._profiles[watched.device])
            return await self._line.goto(watched, point, value)
        raise DeviceRefused(
            f"{point.device}.{point.profile.key}: a camera's picture takes no values; nothing was written",
            Quality.BAD_NOT_SUPPORTED,
        )

    async def close(self) -> None:
        """Close the connections; safe at any time."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    # ---- the picture ----

    async def _picture(self, client: httpx2.AsyncClient, watched: Watched, path: str) -> None:
        answer = await fetch(client, path, self._timeout_s)
        why, now = answer.quality, self.clock()
        figures: dict[str, float] = {"online": 0.0}
        if answer.latency_ms is not None:
            figures["latency_ms"] = answer.latency_ms
        if why == Quality.GOOD:
            try:
                picture = await asyncio.to_thread(decode, answer.data)
                figures |= watched.show(picture, len(answer.data), answer.headers or {}, now)
                watched.shot = Shot(now, answer.data)
            except NotAPicture as error:
                why = Quality.BAD_DECODING_ERROR
                watched.fall(Level.DESCRIBES, Cause.NO_PICTURE, f"its answer is no picture: {error}")
        elif watched.stream is None:
            watched.fall(answer.level, answer.cause, f"gives no snapshot at {path}: {answer.words}")
        watched.ladder(figures)
        watched.picture = Figures(now, figures, why)

    async def _shoot_http(self, client: httpx2.AsyncClient, path: str) -> bytes:
        where = f"camera {self._camera.base_url.rstrip('/')}{path}"
        answer = await fetch(client, path, self._timeout_s)
        if answer.quality in (Quality.BAD_TIMEOUT, Quality.BAD_NO_COMMUNICATION):
            raise DeviceTimeout(f"{where} gives no picture: {answer.words}", Quality.BAD_TIMEOUT)
        if answer.quality != Quality.GOOD:
            raise DeviceRefused(f"{where} refuses a picture: {quality_name(answer.quality)}", answer.quality)
        try:
            await asyncio.to_thread(decode, answer.data)
        except NotAPicture as error:
            raise DeviceRefused(
                f"{where} answered no picture: {error}", Quality.BAD_DECODING_ERROR
            ) from error
        return answer.data


def _watched(settings: CameraSettings, device: BoundDevice) -> Watched:
    params = CameraParams.model_validate(dict(device.params))
    lacks = params.path is None and params.stream is None and not settings.onvif
    if lacks or (params.path is not None and settings.base_url.startswith("rtsp")):
        raise ConfigError(
            [
                Mistake(
                    f"device {device.key}", 0, 0, "params",
                    "nothing says where its pictures are" if lacks else "an rtsp:// address has no snapshots",
                    "`params: {path: /snapshot.jpg}` with an http:// address, `{stream: /sub}`, or both",
                    "look them up in its manual, or let ONVIF find them (`onvif: true` in the settings)",
                )
            ]
        )  # fmt: skip
    stream = None if params.stream is None else settings.stream_url(params.stream)
    return Watched(device.key, params.path, stream)


def _part(measure: str, watched: Watched) -> Part:
    if measure in ONVIF:
        return "onvif"
    if measure in STREAM:
        return "stream"
    if measure in ("level", "cause"):
        return "picture" if watched.stream is None and watched.path is not None else "stream"
    if measure == "online":
        return "picture" if watched.path is not None else "stream"
    return "picture"


def _readings(task: ReadTask, asked: Asked, figures: Figures, now_us: int) -> Readings:
    """Return the figures as columns; the ladder is of now, what was measured at a look keeps its time."""
    missing = figures.why if figures.why != Quality.GOOD else Quality.BAD_WAITING_FOR_INITIAL_DATA
    values = np.array([figures.values.get(measure, math.nan) for measure in asked.measures])
    codes = np.where(np.isnan(values), np.uint32(missing), np.uint32(Quality.GOOD))
    made = Readings.at(task.points, now_us, values, codes)
    if figures.time_us and figures.why == Quality.GOOD:
        held = np.array([measure not in LADDER for measure in asked.measures])
        made.time_us[held] = figures.time_us
    return made
