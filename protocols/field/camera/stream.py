"""A look at a stream: as far up the ladder as it holds, for a few seconds, and off again.

    RtspSession ─→ first packet ≤ 5 s ─→ first key frame ─→ a moment more for rate and loss ─→ TEARDOWN

At most FOUR looks run at the same time in a process, and none holds a session: cameras allow four to ten.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from protocols.errors import BadFrame
from protocols.field.camera.challenge import Account
from protocols.field.camera.frames import Assembler, Frame, assembler
from protocols.field.camera.ladder import Cause, Fallen, Level
from protocols.field.camera.rtp import Loss, read_packet
from protocols.field.camera.rtsp import RtspSession
from protocols.field.camera.sdp import Video

FOUR: Final = 4
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a look waits, in seconds."""

    step_s: float = 3.0
    """For each answer."""
    first_packet_s: float = 5.0
    key_frame_s: float = 10.0
    """For a whole key frame: two groups of pictures, which are rarely longer than 4 s."""
    watch_s: float = 2.0
    """For counting pictures, bytes and losses once there is a key frame."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a stream showed. data: the key frame, with parameter sets (Annex B), or a JPEG."""

    codec: str
    data: bytes
    key_bytes: int
    first_packet_ms: float
    key_frame_ms: float
    fps: float
    kbps: float
    loss_percent: float


def turn() -> asyncio.Semaphore:
    """Return what bounds the looks of this event loop."""
    loop = asyncio.get_running_loop()
    return _turns.setdefault(loop, asyncio.Semaphore(FOUR))


async def look(address: str, account: Account | None, patience: Patience) -> Look:
    """Climb to the frames of a stream and let go of it. Raises Fallen: how far it went, and why not
    farther.
    """
    async with turn():
        session = RtspSession(address, account, patience.step_s)
        try:
            await session.connect()
            await session.options()
            video = await session.describe()
            await session.setup(video)
            await session.play()
            return await _watch(session, video, patience)
        finally:
            await session.close()


async def describe(address: str, account: Account | None, patience: Patience) -> Video:
    """Climb only to the description: cheap enough for every few minutes. Raises Fallen."""
    session = RtspSession(address, account, patience.step_s)
    try:
        await session.connect()
        await session.options()
        return await session.describe()
    finally:
        await session.close()


class _Count:
    """What is counted while a stream is watched. Times are the loop's, in seconds."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.first: float | None = None
        self.key_at: float | None = None
        self.key: Frame | None = None
        self.bytes = 0
        self.times: list[int] = []
        self.loss = Loss()
        self.last = began

    def take(self, data: bytes, video: Video, pictures: Assembler | None, now: float) -> Frame | None:
        """Count a packet; return the picture that it completes."""
        try:
            packet = read_packet(data)
        except BadFrame:
            return None
        if packet.payload_type != video.payload:
            return None
        in_order = self.loss.add(packet.sequence)
        self.bytes += len(data)
        self.last = now
        if self.first is None:
            self.first = now
        frame = None if pictures is None else pictures.add(packet, in_order)
        if frame is not None:
            self.times.append(frame.timestamp)
        return frame


async def _watch(session: RtspSession, video: Video, patience: Patience) -> Look:
    pictures = assembler(video.codec)
    loop = asyncio.get_running_loop()
    count = _Count(loop.time())
    try:
        async with (
            asyncio.timeout(patience.first_packet_s) as limit,
            contextlib.aclosing(session.packets()) as packets,
        ):
            async for data in packets:
                now = loop.time()
                frame = count.take(data, video, pictures, now)
                if count.first == now:
                    limit.reschedule(now + patience.key_frame_s)
                    if pictures is None:
                        raise session.fallen(
                            Level.FRAMES,
                            Cause.NO_VIDEO,
                            f"sends {video.codec}, which is not looked into here",
                        )
                if frame is not None and frame.key and count.key is None:
                    count.key, count.key_at = frame, now
                    limit.reschedule(now + patience.watch_s)
    except TimeoutError:
        pass
    except Fallen:
        if count.key is None:
            raise
        # It had shown its picture already: what it did afterwards is seen at the next look.
    if count.first is None:
        raise session.fallen(
            Level.DESCRIBES, Cause.NO_FRAMES,
            f"sends no video within {patience.first_packet_s:g} s of PLAY; check its encoder and firewalls",
        )  # fmt: skip
    if count.key is None or count.key_at is None:
        raise session.fallen(
            Level.DESCRIBES, Cause.NO_KEY_FRAME,
            f"sends no whole key frame within {patience.key_frame_s:g} s; shorten its key frame interval, "
            "or look for losses on the way",
        )  # fmt: skip
    return _result(count, video, count.key, count.first, count.key_at)


def _result(count: _Count, video: Video, key: Frame, first: float, key_at: float) -> Look:
    ticks = (count.times[-1] - count.times[0]) & 0xFFFF_FFFF if count.times else 0
    fps = (len(count.times) - 1) * video.rate / ticks if 0 < ticks < 0x8000_0000 else 0.0
    seconds = max(count.last - first, 0.001)
    return Look(
        video.codec,
        key.data if video.codec == "JPEG" else video.parameter_sets() + key.data,
        len(key.data),
        (first - count.began) * 1000,
        (key_at - count.began) * 1000,
        fps,
        count.bytes * 8 / 1000 / seconds,
        count.loss.percent,
    )
