"""`pictures:` of the gateway file: whether cameras' pictures leave this gateway, how many, how large.

Without the section no picture is kept or sent: pictures show people, so somebody has to want them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from edge.config.document import Document
from edge.config.mistakes import nearest
from protocols.model.alarm import Priority
from protocols.model.snapshot import MAX_PICTURE_BYTES
from protocols.model.strict import Strict


class PicturesEntry(Strict):
    """What of the cameras' pictures goes to the centre."""

    every_s: Annotated[float, Field(ge=5, le=86_400)] | None = Field(
        default=60, description="seconds between two pictures of a camera for the wall; empty: none"
    )
    max_bytes: Annotated[int, Field(ge=10_000, le=MAX_PICTURE_BYTES)] = Field(
        default=400_000, description="most bytes of one picture; a larger one is made smaller"
    )
    keep_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        default=64 << 20, description="most bytes that wait on this disk; the wall's pictures go first"
    )
    bytes_per_day: Annotated[int, Field(ge=1 << 20)] | None = Field(
        default=None, description="bytes of pictures sent in one UTC day; evidence goes beyond it by half"
    )
    alarms: Priority | None = Field(
        default="P3", description="least priority of alarms that get pictures as evidence; empty: none"
    )
    near_m: Annotated[float, Field(ge=0, le=100_000)] = Field(
        default=300, description="metres within which a camera of another site is near an alarm"
    )
    cameras_per_alarm: Annotated[int, Field(ge=1, le=8)] = Field(
        default=2, description="most cameras that take evidence of one alarm"
    )


def check_cameras(document: Document, devices: Iterable[Any], cameras: Mapping[str, bool]) -> None:
    """Report names under `cameras:` of a device that are none. cameras: device -> whether it is a camera."""
    known = [key for key, is_camera in cameras.items() if is_camera]
    for i, device in enumerate(devices):
        named: Sequence[Any] = device.get("cameras") or () if isinstance(device, Mapping) else ()
        for j, key in enumerate(named if isinstance(named, list) else ()):
            if not isinstance(key, str) or cameras.get(key):
                continue
            problem = f"device {key!r} is no camera" if key in cameras else f"device {key!r} does not exist"
            document.mistake(
                ("devices", i, "cameras", j), problem, "the key of a camera", nearest(key, known)
            )
