"""A picture on the wire: what goes in comes out; whatever else comes is refused with a known code."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import WireError
from protocols.model.snapshot import MAX_PICTURE_BYTES, Snapshot, picture_type
from protocols.wire.media import Media, decode_media, encode_media

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


def media(**changes: object) -> Media:
    fields: dict[str, object] = {"camera": "cam1", "taken_us": 7, "cause": "wall", "data": JPEG}
    head = {name: changes.pop(name) for name in ("v", "boot", "seq", "made_us") if name in changes}
    fields |= changes
    return Media(**{"boot": "b", "seq": 1, "made_us": 8, **head}, snapshot=Snapshot(**fields))  # type: ignore[arg-type]


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=50),
    st.integers(1, 1 << 61),
    st.binary(max_size=500),
    st.lists(st.text("abc", min_size=1, max_size=9), max_size=32),
)
@settings(max_examples=50)
def test_what_goes_in_comes_out(camera: str, seq: int, rest: bytes, occurrences: list[str]) -> None:
    made = media(
        camera=camera, seq=seq, data=JPEG + rest, cause="alarm", moment="at", occurrences=tuple(occurrences)
    )
    found = decode_media(encode_media(made))
    assert found.snapshot == made.snapshot
    assert (found.boot, found.seq, found.made_us) == ("b", seq, 8)


@given(st.binary(max_size=300), st.integers(0, 200), st.integers(0, 255))
@settings(max_examples=200)
def test_damaged_bytes_are_refused_by_a_code_and_nothing_else(noise: bytes, place: int, value: int) -> None:
    whole = encode_media(media())
    damaged = bytearray(whole)
    damaged[place % len(damaged)] = value
    for data in (noise, whole[:place], bytes(damaged)):
        try:
            found = decode_media(data)
        except WireError as error:
            assert error.reason in {"shape", "corrupt", "version", "too-large"}
        else:
            assert found.snapshot.data == JPEG  # only a word beside the picture can have become another


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"v": 2}, "version"),
        ({"seq": 0}, "shape"),
        ({"boot": ""}, "shape"),
        ({"camera": "a\0"}, "shape"),
        ({"occurrences": tuple("a" * 33)}, "shape"),
        ({"taken_us": -1}, "shape"),
        ({"data": b"<svg onload=alert(1)>"}, "shape"),
        ({"data": b"GIF89a"}, "shape"),
        ({"data": b""}, "too-large"),
        ({"data": JPEG + bytes(MAX_PICTURE_BYTES)}, "too-large"),
    ],
)
def test_what_is_no_picture_of_the_stream(changes: dict[str, object], code: str) -> None:
    with pytest.raises(WireError) as refused:
        decode_media(encode_media(media(**changes)))
    assert refused.value.reason == code


def test_a_field_of_a_later_version_is_passed_over() -> None:
    later = msgspec.msgpack.decode(encode_media(media()))
    later["weather"] = "rain"
    later["snapshot"]["lens"] = 35
    assert decode_media(msgspec.msgpack.encode(later)).snapshot == media().snapshot


def test_the_type_is_read_from_the_bytes() -> None:
    assert picture_type(JPEG) == "image/jpeg"
    assert picture_type(b"\x89PNG\r\n\x1a\n...") == "image/png"
    assert picture_type(b"<html>") is None
