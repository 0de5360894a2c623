"""The ladder of a camera's health: how far one gets, and why not farther.

    0 unreachable → 1 reachable → 2 authenticated → 3 describes → 4 delivers frames → 5 picture alive

Each rung is climbed only after the one below; the first that fails is the level, with a cause. The quality
of figures that could not be had follows from the cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from protocols.errors import FieldError
from protocols.model.quality import Quality


class Level(IntEnum):
    """The highest rung that was reached."""

    UNREACHABLE = 0
    REACHABLE = 1
    AUTHENTICATED = 2
    DESCRIBES = 3
    FRAMES = 4
    ALIVE = 5


class Cause(IntEnum):
    """Why a camera is not on the top rung; profiles name them in both languages."""

    NONE = 0
    UNREACHABLE = 1
    SILENT = 2
    CREDENTIALS = 3
    WRONG_PATH = 4
    TOO_MANY_SESSIONS = 5
    TRANSPORT = 6
    NO_VIDEO = 7
    NO_FRAMES = 8
    NO_KEY_FRAME = 9
    NO_PICTURE = 10
    DEVICE_FAILURE = 11
    PROTOCOL = 12
    BLACK = 13
    FROZEN = 14
    BLURRED = 15
    COVERED = 16
    EXPOSURE = 17


QUALITY: Final[Mapping[Cause, int]] = {
    Cause.UNREACHABLE: Quality.BAD_NO_COMMUNICATION,
    Cause.SILENT: Quality.BAD_TIMEOUT,
    Cause.CREDENTIALS: Quality.BAD_USER_ACCESS_DENIED,
    Cause.WRONG_PATH: Quality.BAD_CONFIGURATION_ERROR,
    Cause.TOO_MANY_SESSIONS: Quality.BAD_OUT_OF_SERVICE,
    Cause.TRANSPORT: Quality.BAD_NOT_SUPPORTED,
    Cause.NO_VIDEO: Quality.BAD_NOT_SUPPORTED,
    Cause.NO_FRAMES: Quality.BAD_TIMEOUT,
    Cause.NO_KEY_FRAME: Quality.BAD_TIMEOUT,
    Cause.NO_PICTURE: Quality.BAD_DECODING_ERROR,
    Cause.DEVICE_FAILURE: Quality.BAD_DEVICE_FAILURE,
    Cause.PROTOCOL: Quality.BAD_DECODING_ERROR,
}


class Fallen(FieldError):
    """A rung did not hold. The sentence says where, what the camera answered, and what to do."""

    def __init__(self, level: Level, cause: Cause, message: str) -> None:
        self.level = level
        self.cause = cause
        super().__init__(message, QUALITY[cause])
