"""Up the ladder of a stream, as far as is due: rarely to the frames, often to the door.

each read OPTIONS · every `describe_every_s` DESCRIBE · every `stream_every_s` a look at the frames, and
after a minute again where something is wrong. A refused password waits its whole turn: cameras lock accounts.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from protocols.errors import DeviceRefused, DeviceTimeout
from protocols.field.base import Shot
from protocols.field.camera.challenge import Account
from protocols.field.camera.decoding import as_jpeg, can_decode
from protocols.field.camera.ladder import Cause, Fallen, Level
from protocols.field.camera.picture import NotAPicture, decode
from protocols.field.camera.rtsp import RtspSession
from protocols.field.camera.settings import CameraSettings
from protocols.field.camera.stream import Look, Patience, describe, look, turn
from protocols.field.camera.watched import Figures, Watched
from protocols.model.clock import Clock
from protocols.model.quality import Quality

_AGAIN_S: Final = 60.0
"""After a look that found something wrong; sooner than a healthy camera's turn, so that repairs show."""


class Climber:
    """Looks at the streams of one address."""

    def __init__(self, settings: CameraSettings, clock: Clock) -> None:
        self.password = ""
        self._camera = settings
        self._timeout_s = settings.timeout_ms / 1000
        self._clock = clock

    async def climb(self, watched: Watched) -> None:
        """Climb as far as is due: a reachable camera is looked into rarely, a broken rung shows at once."""
        now = asyncio.get_running_loop().time()
        figures = watched.streaming
        try:
            address = _address(watched)
            if now >= watched.look_at and not turn().locked():
                watched.look_at = now + self._camera.stream_every_s
                figures = await self._look(watched, address)
                watched.describe_at = now + self._camera.describe_every_s
                if watched.suspicious:
                    watched.look_at = now + min(_AGAIN_S, self._camera.stream_every_s)
            elif now >= watched.describe_at:
                watched.describe_at = now + self._camera.describe_every_s
                await describe(address, self._account(), self._patience())
            else:
                await self._ping(address)
        except Fallen as fallen:
            watched.fall(fallen.level, fallen.cause, str(fallen))
            figures = Figures(self._clock(), {}, fallen.quality)
            # A refused password is not tried again soon: cameras lock accounts.
            rest = self._camera.stream_every_s if fallen.cause is Cause.CREDENTIALS else _AGAIN_S
            watched.look_at = now + min(rest, self._camera.stream_every_s)
        if watched.level is Level.UNREACHABLE:
            watched.look_at = 0.0  # as soon as it is back
        watched.ladder(figures.values)
        watched.streaming = figures

    async def _look(self, watched: Watched, address: str) -> Figures:
        seen = await look(address, self._account(), self._patience())
        figures = {
            "first_packet_ms": seen.first_packet_ms,
            "key_frame_ms": seen.key_frame_ms,
            "key_frame_bytes": float(seen.key_bytes),
            "kbps": seen.kbps,
            "loss_percent": seen.loss_percent,
        }
        if seen.fps > 0:
            figures["fps"] = seen.fps
        if watched.path is not None and watched.picture.why == Quality.GOOD:
            # The snapshots are looked at far more often, and have said how alive the picture is.
            if watched.level < Level.FRAMES:
                watched.fall(Level.ALIVE, Cause.NONE, "")
        elif can_decode(seen.codec):
            await self._decode(watched, seen)
        else:
            watched.bytes_only(seen)
        return Figures(self._clock(), figures, Quality.GOOD)

    async def _decode(self, watched: Watched, seen: Look) -> None:
        try:
            data = await asyncio.to_thread(as_jpeg, seen)
            picture = await asyncio.to_thread(decode, data)
        except NotAPicture as error:
            raise Fallen(Level.FRAMES, Cause.NO_PICTURE, f"its key frame is no picture: {error}") from error
        now = self._clock()
        figures = watched.show(picture, len(data), {}, now) | {"latency_ms": seen.first_packet_ms}
        watched.picture, watched.shot = Figures(now, figures, Quality.GOOD), Shot(now, data)

    async def _ping(self, address: str) -> None:
        session = RtspSession(address, self._account(), self._timeout_s)
        try:
            await session.connect()
            await session.options()
        finally:
            await session.close()

    async def shoot(self, watched: Watched) -> bytes:
        try:
            seen = await look(_address(watched), self._account(), replace(self._patience(), watch_s=0.0))
        except Fallen as fallen:
            silent = fallen.cause in (Cause.UNREACHABLE, Cause.SILENT, Cause.NO_FRAMES, Cause.NO_KEY_FRAME)
            raise (DeviceTimeout if silent else DeviceRefused)(str(fallen), fallen.quality) from fallen
        if not can_decode(seen.codec):
            raise DeviceRefused(
                f"camera {watched.device} has no snapshot, and its {seen.codec} cannot be decoded here; "
                "install citynerve[video], or give the path of a snapshot",
                Quality.BAD_NOT_SUPPORTED,
            )
        try:
            return await asyncio.to_thread(as_jpeg, seen)
        except NotAPicture as error:
            raise DeviceRefused(
                f"camera {watched.device} gives no picture: {error}", Quality.BAD_DECODING_ERROR
            ) from error

    def _account(self) -> Account | None:
        name = self._camera.username
        return None if name is None else Account(name, self.password)

    def _patience(self) -> Patience:
        asked = self._camera
        return Patience(self._timeout_s, asked.first_packet_s, asked.key_frame_s, asked.watch_s)


def _address(watched: Watched) -> str:
    if watched.unknown is not None:
        raise watched.unknown
    if watched.stream is None:
        raise Fallen(Level.UNREACHABLE, Cause.WRONG_PATH, f"camera {watched.device} has told no stream yet")
    return watched.stream
