"""The stream `media`: pictures, each on its own, on a path of its own.

    msgpack( {v, boot, seq, made_us, sha256, snapshot} )
    snapshot: {camera, taken_us, cause, moment, occurrences, order, data}

(boot, seq) names a picture of a gateway for ever. Numbers rise and may have gaps: pictures are given up
where room is short. A JPEG is not compressed again. A field that this side does not know is passed over.

Old and new: a centre that does not know the path answers 404, and the gateway keeps its pictures within
their budget and asks again later; a gateway that takes pictures says so in its status, and only then is
it sent an order for one.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from protocols.errors import WireError
from protocols.model.clock import LATEST_US
from protocols.model.snapshot import MAX_OCCURRENCES, MAX_PICTURE_BYTES, Snapshot, picture_type
from protocols.wire.batch import MAX_NAME
from protocols.wire.channels import MAX_MEDIA_BYTES

VERSION: Final = 1


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """One picture with its name in the stream; sha256 is that of its bytes."""

    v: int = VERSION
    boot: str
    seq: int
    made_us: int
    sha256: bytes = b""
    snapshot: Snapshot


_decoder = msgspec.msgpack.Decoder(Media)


def encode_media(media: Media) -> bytes:
    """Return the picture as it is stored and sent."""
    digest = hashlib.sha256(media.snapshot.data).digest()
    return msgspec.msgpack.encode(msgspec.structs.replace(media, sha256=digest))


def decode_media(data: bytes) -> Media:
    """Read a picture. Raises WireError: `too-large`, `version`, `corrupt` or `shape`; nothing else."""
    if len(data) > MAX_MEDIA_BYTES:
        raise WireError("too-large", f"{len(data)} bytes; a picture has at most {MAX_PICTURE_BYTES}")
    try:
        media = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("shape", f"these bytes are no picture of the stream: {error}") from error
    if media.v != VERSION:
        raise WireError("version", f"picture version {media.v}; this side reads {VERSION}")
    shot = media.snapshot
    if not _name(media.boot, 64) or not 0 < media.seq < 1 << 62:
        raise WireError("shape", "a picture names its boot (up to 64 characters) and a positive number")
    if not _name(shot.camera, MAX_NAME) or (shot.order and not _name(shot.order, MAX_NAME)):
        raise WireError(
            "shape", f"camera or order is empty, longer than {MAX_NAME}, or holds a zero character"
        )
    if len(shot.occurrences) > MAX_OCCURRENCES or not all(_name(one, MAX_NAME) for one in shot.occurrences):
        raise WireError("shape", f"a picture is evidence of up to {MAX_OCCURRENCES} named alarms")
    if not (0 <= shot.taken_us < LATEST_US and 0 <= media.made_us < LATEST_US):
        raise WireError("shape", "a time lies before 1970 or after 2099")
    if not 0 < len(shot.data) <= MAX_PICTURE_BYTES:
        raise WireError("too-large", f"a picture of {len(shot.data)} bytes; at most {MAX_PICTURE_BYTES}")
    if picture_type(shot.data) is None:
        raise WireError("shape", "by its first bytes the picture is neither JPEG nor PNG")
    if hashlib.sha256(shot.data).digest() != media.sha256:
        raise WireError("corrupt", "the picture's bytes are not those that its digest was made of")
    return media


def _name(text: str, most: int) -> bool:
    return 0 < len(text) <= most and "\0" not in text
