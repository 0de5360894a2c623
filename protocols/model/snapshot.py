"""One picture of a camera, and why it was taken: what the stream `media` carries."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Cause = Literal["alarm", "order", "wall"]
"""`alarm`: evidence; `order`: somebody at the centre asked for it; `wall`: the camera's rhythm."""
CAUSES: Final[tuple[Cause, ...]] = ("alarm", "order", "wall")
"""In order of worth: what is given up first where there is no room is the last."""
Moment = Literal["", "before", "at"]
"""Of evidence: the last picture that the gateway had before the alarm, or the one taken at it."""
MediaType = Literal["image/jpeg", "image/png"]
MAX_PICTURE_BYTES: Final = 2 << 20
MAX_OCCURRENCES: Final = 32
"""Alarms that one picture is evidence of; a storm at one place shares its pictures."""
_MAGIC: Final[tuple[tuple[bytes, MediaType], ...]] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A picture as it was taken. camera is the device's key; taken_us the gateway's clock as it came.

    occurrences are the alarms that it is evidence of; order is the id of the order that asked for it.
    """

    camera: str
    taken_us: int
    cause: Cause
    data: bytes
    moment: Moment = ""
    occurrences: tuple[str, ...] = ()
    order: str = ""


def picture_type(data: bytes) -> MediaType | None:
    """Return what a picture is, by its first bytes and nothing else; None for what is not carried."""
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
