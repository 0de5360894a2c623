"""A picture made small enough to travel: smaller in dots first, then in quality; JPEG comes out."""

from __future__ import annotations

import io
import warnings
from typing import Final

from protocols.errors import Rejected
from protocols.model.snapshot import picture_type

_STEPS: Final = ((1920, 80), (1280, 75), (960, 70), (640, 60), (480, 50))
"""(longest side in dots, JPEG quality), tried one after the other."""
_MOST_DOTS: Final = 50_000_000


def fit(data: bytes, max_bytes: int) -> bytes:
    """Return the picture with at most `max_bytes`, byte for byte as it came where it is small enough.

    Costs up to some hundred milliseconds, so not in the event loop. Raises Rejected(`no-picture`,
    `picture-too-large`).
    """
    if len(data) <= max_bytes and picture_type(data) is not None:
        return data
    from PIL import Image  # noqa: PLC0415 - megabytes of memory, for the few pictures that are too large

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "BMP"))
        with image:
            if image.width * image.height > _MOST_DOTS:
                raise Rejected("picture-too-large", f"{image.width} x {image.height} dots are too many")
            image.draft("RGB", (_STEPS[0][0], _STEPS[0][0]))
            whole = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Rejected("no-picture", f"the camera's answer is no picture: {error}") from error
    for side, quality in _STEPS:
        small = whole.copy()
        small.thumbnail((side, side))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality)
        if out.tell() <= max_bytes:
            return out.getvalue()
    raise Rejected(
        "picture-too-large", f"it stays above {max_bytes} bytes at {_STEPS[-1][0]} dots; raise max_bytes"
    )
