"""What a snapshot tells about its camera: brightness, likeness to the one before, and its own age."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from protocols.model.clock import from_datetime

SIZE: Final = (128, 72)
"""Pictures are compared at this size: small enough to be cheap, large enough for a car or a clock digit."""
FINE: Final = (640, 360)
"""Blur is judged at this size: what is sharp here is sharp to a person at a wall screen."""
SAME_LEVELS: Final = 3
"""Two pictures are the same where no pixel differs by more, of 255: the same frame, encoded again."""
FROZEN_READS: Final = 3
"""So many pictures in a row like the one before, and the camera counts as frozen."""
MAX_PIXELS: Final = 50_000_000
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP")
_EXIF_IFD, _TIME_ORIGINAL, _OFFSET_ORIGINAL = 0x8769, 0x9003, 0x9011


class NotAPicture(Exception):
    """The bytes are no picture that can be decoded; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded snapshot. luma: shape (72, 128), 0-255. taken_us: EXIF time with its offset, or None.

    fine: luma of at most 640 x 360 dots, in which sharpness is judged.
    """

    digest: bytes
    luma: NDArray[np.uint8]
    taken_us: int | None
    fine: NDArray[np.uint8]

    @property
    def brightness(self) -> float:
        """Mean luma, 0 black to 255 white."""
        return float(self.luma.mean())


def decode(data: bytes) -> Picture:
    """Decode a snapshot; costs some milliseconds, so not in the event loop. Raises NotAPicture."""
    try:
        with warnings.catch_warnings():
            # Our own limit below is lower than the size at which Pillow starts to warn.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise NotAPicture(f"{image.width} x {image.height} pixels are more than {MAX_PIXELS}")
            taken_us = _exif_time(image)
            # A JPEG decoder can scale while it decodes, which saves most of the work.
            image.draft("L", FINE)
            grey = image.convert("L")
            if grey.width > FINE[0] or grey.height > FINE[1]:
                grey = grey.resize(FINE, Image.Resampling.BOX)
            small = grey.resize(SIZE, Image.Resampling.BOX)
        luma, fine = np.asarray(small, np.uint8), np.asarray(grey, np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise NotAPicture(str(error) or type(error).__name__) from error
    return Picture(hashlib.blake2b(data, digest_size=16).digest(), luma, taken_us, fine)


def _exif_time(image: Image.Image) -> int | None:
    """Return DateTimeOriginal; only with an offset, because a camera's zone is anybody's guess."""
    exif = image.getexif().get_ifd(_EXIF_IFD)
    written, offset = exif.get(_TIME_ORIGINAL), exif.get(_OFFSET_ORIGINAL)
    if not isinstance(written, str) or not isinstance(offset, str):
        return None
    try:
        return from_datetime(datetime.strptime(written.strip() + offset.strip(), "%Y:%m:%d %H:%M:%S%z"))
    except ValueError:
        return None


class History:
    """What must be remembered of a camera from read to read."""

    def __init__(self) -> None:
        self._before: Picture | None = None
        self._same = 0
        self._new_at_us = 0

    def add(self, picture: Picture, now_us: int) -> None:
        """Take the newest picture."""
        before, self._before = self._before, picture
        if before is None or before.digest != picture.digest:
            self._new_at_us = now_us
        if before is None:
            return
        difference = np.abs(before.luma.astype(np.int16) - picture.luma)
        self._same = self._same + 1 if int(difference.max()) <= SAME_LEVELS else 0

    @property
    def same(self) -> int:
        """How many pictures in a row were like the one before."""
        return self._same

    @property
    def frozen(self) -> float | None:
        """1 or 0; None before two pictures have been compared."""
        if self._before is None:
            return None
        return float(self._same >= FROZEN_READS)

    def age_s(self, picture: Picture, headers: Mapping[str, str], now_us: int) -> float:
        """Return how old the picture is, in seconds.

        Last-Modified against the camera's own Date (so that its clock does not matter), or against
        ours; else EXIF against ours; else since when these very bytes have been coming.
        """
        modified = _http_time(headers.get("last-modified"))
        if modified is not None:
            reference = _http_time(headers.get("date"))
            return max(0, (now_us if reference is None else reference) - modified) / 1e6
        since = picture.taken_us if picture.taken_us is not None else self._new_at_us
        return max(0, now_us - since) / 1e6


def _http_time(value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return from_datetime(parsedate_to_datetime(value))
    except ValueError:
        return None
