"""A camera's pictures as a stream: JPEG by itself, H.264 and H.265 where the package `av` is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import io
from collections.abc import AsyncGenerator, Awaitable, Callable
from fractions import Fraction
from typing import Any, Final, Literal

from PIL import Image

from protocols.errors import Rejected
from sim_devices.servers.rtp_packets import RATE, h264_payloads, h265_payloads, jpeg_payloads

Codec = Literal["jpeg", "h264", "h265"]
FPS: Final = 5
_KEY_EVERY: Final = 10


def check_codec(codec: str) -> Codec:
    """Return the codec. Raises Rejected (`codec`) for one that is unknown, or cannot be made here."""
    if codec == "jpeg":
        return "jpeg"
    if codec in ("h264", "h265"):
        if importlib.util.find_spec("av") is None:
            raise Rejected(
                "codec", f"codec {codec} needs the package `av`: install citynerve[video], or use jpeg"
            )
        return "h264" if codec == "h264" else "h265"
    raise Rejected("codec", f"{codec!r} is no codec; use jpeg, h264 or h265")


class CameraStream:
    """Implements `sim_devices.servers.rtsp.Source` over what `take` gives: the camera's JPEG of this
    moment.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[bytes]],
        *,
        codec: Codec = "jpeg",
        stalled: Callable[[], bool] = lambda: False,
        busy: Callable[[], bool] = lambda: False,
        dead: Callable[[], bool] = lambda: False,
    ) -> None:
        self.payload_type = 26 if codec == "jpeg" else 96
        self._take, self._codec = take, codec
        self._stalled, self._busy, self._dead = stalled, busy, dead

    def sdp(self) -> str:
        """Return the video's lines."""
        if self._codec == "jpeg":
            return f"m=video 0 RTP/AVP 26\r\na=framerate:{FPS}\r\n"
        name = self._codec.upper()
        return (
            f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {name}/{RATE}\r\n"
            f"a=fmtp:96 packetization-mode=1\r\na=framerate:{FPS}\r\n"
        )

    def refusal(self) -> tuple[int, str] | None:
        """Return 503 while the camera has too many viewers."""
        return (503, "Service Unavailable") if self._busy() else None

    async def speaks(self) -> None:
        """Wait while the camera is dead."""
        while self._dead():  # noqa: ASYNC110 - a fault is a fact of the board, not an event
            await asyncio.sleep(0.05)

    async def pictures(self) -> AsyncGenerator[tuple[int, list[bytes]], None]:
        """Yield a picture each fifth of a second; nothing while it is stalled."""
        loop = asyncio.get_running_loop()
        encoder = None if self._codec == "jpeg" else _Encoder(self._codec)
        began, number = loop.time(), 0
        while True:
            if not self._stalled():
                jpeg = await self._take()
                if encoder is None:
                    payloads = await asyncio.to_thread(jpeg_payloads, jpeg)
                else:
                    payloads = await asyncio.to_thread(encoder.encode, jpeg)
                if payloads:
                    yield number * RATE // FPS, payloads
            number += 1
            await asyncio.sleep(max(0.0, began + number / FPS - loop.time()))


class _Encoder:
    """Pillow's picture in, payloads of H.264 or H.265 out."""

    def __init__(self, codec: Codec) -> None:
        import av  # noqa: PLC0415 - an optional package of a hundred megabytes

        self._av = av
        self._cut = h264_payloads if codec == "h264" else h265_payloads
        made: Any = av.CodecContext.create("libx264" if codec == "h264" else "libx265", "w")
        made.width, made.height, made.pix_fmt = 640, 360, "yuv420p"
        made.time_base, made.framerate = Fraction(1, FPS), Fraction(FPS, 1)
        made.gop_size, made.max_b_frames = _KEY_EVERY, 0
        made.options = {"preset": "ultrafast", "tune": "zerolatency"}
        if codec == "h265":
            made.options |= {"x265-params": "log-level=none:repeat-headers=1:bframes=0"}
        self._context = made

    def encode(self, jpeg: bytes) -> list[bytes]:
        """Return the payloads of one picture."""
        image = Image.open(io.BytesIO(jpeg)).convert("RGB")
        frame = self._av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
        return [payload for part in self._context.encode(frame) for payload in self._cut(bytes(part))]
