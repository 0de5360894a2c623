"""A stream's key frame as a JPEG: JPEG passes as it is, H.264 and H.265 need the package `av`
(citynerve[video]).

Without it a stream is judged by its bytes: a key frame that shrinks below a fifth of the camera's usual
size has lost its picture, and one that repeats itself byte for byte is frozen.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections import deque
from statistics import median
from typing import Final

from protocols.field.camera.picture import NotAPicture
from protocols.field.camera.stream import Look

COLLAPSED: Final = 0.2
SAME: Final = 2
"""So many key frames in a row like the one before, byte for byte: an encoder that sees anything never does
that.
"""


def can_decode(codec: str) -> bool:
    """Return whether pictures of a coding can be looked at here."""
    return codec == "JPEG" or (codec in ("H264", "H265") and importlib.util.find_spec("av") is not None)


def as_jpeg(look: Look) -> bytes:
    """Return the key frame as a JPEG; costs tens of milliseconds, so not in the event loop. Raises
    NotAPicture.
    """
    if look.codec == "JPEG":
        return look.data
    import av  # noqa: PLC0415 - an optional package, and a hundred megabytes

    try:
        context = av.CodecContext.create("h264" if look.codec == "H264" else "hevc", "r")
        packet = av.Packet(look.data)
        frames = [*context.decode(packet), *context.decode(None)]
    except (av.FFmpegError, ValueError) as error:
        raise NotAPicture(f"a key frame that cannot be decoded: {error}") from error
    for frame in frames:
        if isinstance(frame, av.VideoFrame):
            out = io.BytesIO()
            frame.to_image().save(  # type: ignore[no-untyped-call]
                out, "JPEG", quality=85
            )
            return out.getvalue()
    raise NotAPicture("a key frame without a picture in it")


class KeyFrames:
    """The sizes of a camera's key frames, for judging a stream that cannot be decoded."""

    def __init__(self) -> None:
        self._sizes: deque[int] = deque(maxlen=20)
        self._last = b""
        self._same = 0

    def add(self, look: Look) -> tuple[bool, bool]:
        """Take a look; return (its bytes have collapsed, it repeats itself)."""
        usual = median(self._sizes) if len(self._sizes) >= 3 else None
        collapsed = usual is not None and look.key_bytes < COLLAPSED * usual
        if not collapsed:
            self._sizes.append(look.key_bytes)
        digest = hashlib.blake2b(look.data, digest_size=16).digest()
        self._same = self._same + 1 if digest == self._last else 0
        self._last = digest
        return collapsed, self._same >= SAME
