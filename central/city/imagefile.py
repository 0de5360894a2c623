"""Takes out of a photo what its camera wrote about place, time and owner; the picture itself stays as it is.

JPEG: segments APP1 (Exif, XMP), APP13 (IPTC) and comments (ITU-T T.81 B.1.1.4, Exif 2.32 4.5); the tag that
says which side is up (0x0112) is written anew. PNG: `eXIf`, `tEXt`, `zTXt`, `iTXt` and `tIME` chunks (W3C PNG
11.3). WebP: `EXIF` and `XMP ` chunks (RFC 9649 2.7).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from central.kernel.problem import Problem

_APP1, _APP13, _COMMENT, _START_OF_SCAN = 0xE1, 0xED, 0xFE, 0xDA
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_PNG_TELLS: Final = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"})
_WEBP_TELLS: Final = frozenset({b"EXIF", b"XMP "})
_ORIENTATION: Final = 0x0112


def without_metadata(media_type: str, body: bytes) -> bytes:
    """Return the file without it. Problem 415 `file-type` for a picture that is cut off or broken."""
    try:
        if media_type == "image/jpeg":
            return b"".join(_jpeg(body))
        if media_type == "image/png":
            return body[:8] + b"".join(_png(body))
        if media_type == "image/webp":
            return _webp(body)
    except (struct.error, IndexError, ValueError) as error:
        raise Problem(
            415,
            "file-type",
            "The picture is broken",
            f"It cannot be read to its end ({error}); take another copy.",
        ) from error
    return body


def _jpeg(body: bytes) -> Iterator[bytes]:
    yield body[:2]
    place, side = 2, 1
    kept: list[bytes] = []
    while True:
        if body[place] != 0xFF:
            raise ValueError(f"no marker at byte {place}")
        marker = body[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in _STANDALONE:
            kept.append(body[place : place + 2])
            place += 2
            continue
        (length,) = struct.unpack_from(">H", body, place + 2)
        segment = body[place : place + 2 + length]
        if len(segment) < 2 + length:
            raise ValueError(f"segment at byte {place} is cut off")
        if marker == _START_OF_SCAN:
            break
        if marker == _APP1 and segment[4:10] == b"Exif\0\0":
            side = _side(segment[10:])
        elif marker not in {_APP1, _APP13, _COMMENT}:
            kept.append(segment)
        place += 2 + length
    first = next((n for n, segment in enumerate(kept) if segment[1] != 0xE0), len(kept))
    yield from kept[:first]
    if side != 1:
        yield _exif(side)
    yield from kept[first:]
    # What a camera hides behind the end (a second, whole photo with its place) is left out too.
    yield body[place : _end(body, place)]


def _end(body: bytes, place: int) -> int:
    """Return where the picture ends whose first scan begins at `place` (T.81 B.1.1.5)."""
    while True:
        (length,) = struct.unpack_from(">H", body, place + 2)
        place += 2 + length
        while True:
            place = body.find(b"\xff", place)
            if place < 0 or place + 1 >= len(body):
                raise ValueError("it has no end")
            marker = body[place + 1]
            if marker == 0xFF:
                place += 1
            elif marker == 0 or marker in _STANDALONE:
                place += 2
            else:
                break
        if marker == 0xD9:
            return place + 2


def _side(tiff: bytes) -> int:
    """Return the orientation, 1 to 8, of an Exif block; 1, upright, where it says none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(count):
            tag, kind, number, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * entry)
            if (tag, kind, number) == (_ORIENTATION, 3, 1) and 1 <= value <= 8:
                return int(value)
    except struct.error:
        return 1
    return 1


def _exif(side: int) -> bytes:
    """Return an APP1 segment that says nothing but which side is up."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, side, 0, 0)
    return b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff


def _png(body: bytes) -> Iterator[bytes]:
    place = 8
    while place < len(body):
        length, name = struct.unpack_from(">I4s", body, place)
        end = place + 12 + length
        if end > len(body):
            raise ValueError(f"chunk {name!r} at byte {place} is cut off")
        if name not in _PNG_TELLS:
            yield body[place:end]
        place = end
        if name == b"IEND":
            return
    raise ValueError("it has no end")


def _webp(body: bytes) -> bytes:
    place, kept = 12, bytearray()
    while place < len(body):
        name, length = struct.unpack_from("<4sI", body, place)
        end = place + 8 + length + (length & 1)
        if place + 8 + length > len(body):
            raise ValueError(f"chunk {name!r} at byte {place} is cut off")
        if name == b"VP8X":
            # Its flags no longer promise Exif (bit 3) and XMP (bit 2).
            kept += body[place : place + 8] + bytes([body[place + 8] & ~0x0C]) + body[place + 9 : end]
        elif name not in _WEBP_TELLS:
            kept += body[place:end]
        place = end
    return b"RIFF" + struct.pack("<I", len(kept) + 4) + b"WEBP" + bytes(kept)
