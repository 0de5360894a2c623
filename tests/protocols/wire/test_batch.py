"""Batches: what goes in comes out, and bytes from a stranger never do harm."""

import msgpack
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import WireError
from protocols.model.alarm import AlarmEvent, AlarmTransition
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, Payload, decode, encode
from protocols.wire.channels import MAX_BATCH_BYTES, MAX_BATCH_DECODED_BYTES, Stream

READINGS = Readings(
    np.array([3, 4, 3], np.int32),
    np.array([1_000_000, 1_000_000, 999_999], np.int64),
    np.array([21.5, np.nan, 21.6]),
    np.array([0, 0x800A_0000, 0x4090_0000], np.uint32),
    {1: "前方积水 Flooded ahead"},
)
TRANSITION = AlarmTransition(
    occurrence="7d9f", rule="pump1.level-high", point="pump1.level", number=1, event=AlarmEvent.ACT,
    event_us=5, sample_us=4, value=3.31, quality=0, declaration="d" * 32,
)  # fmt: skip
OUTCOME = CommandOutcome(
    command="c1", state=CommandState.VERIFIED, reason="verified", detail="", finished_us=9, read_back=1.0
)


ACTED = CommandOutcome(
    command="c2", state=CommandState.REJECTED, reason="interlock", detail="", finished_us=9,
    point="pump1.run", value="on", issued_by="action:drain", issued_us=8,
)  # fmt: skip


def batch(stream: Stream, payload: Payload) -> Batch:
    return Batch(stream, "b" * 32, 7, "d" * 32, 123, payload)


def test_readings_come_back_with_time_quality_and_text() -> None:
    back = decode(encode(batch("readings", READINGS)))
    assert (back.stream, back.boot, back.seq, back.declaration, back.made_us) == (
        "readings", "b" * 32, 7, "d" * 32, 123,
    )  # fmt: skip
    payload = back.payload
    assert isinstance(payload, Readings)
    assert payload.point.tolist() == [3, 4, 3]
    assert payload.time_us.tolist() == [1_000_000, 1_000_000, 999_999]
    assert np.array_equal(payload.value, READINGS.value, equal_nan=True)
    assert payload.quality.tolist() == [0, 0x800A_0000, 0x4090_0000]
    assert payload.text == READINGS.text


@pytest.mark.parametrize(
    ("stream", "payload"), [("alarms", (TRANSITION, TRANSITION)), ("outcomes", (OUTCOME, ACTED))]
)
def test_records_come_back(stream: Stream, payload: Payload) -> None:
    assert decode(encode(batch(stream, payload))) == batch(stream, payload)


def test_equal_batches_are_equal_bytes() -> None:
    assert encode(batch("readings", READINGS)) == encode(batch("readings", READINGS))


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_is_a_wire_error_or_another_valid_batch(place: int, flip: int) -> None:
    data = bytearray(encode(batch("readings", READINGS)))
    data[place % len(data)] ^= flip
    try:
        decode(bytes(data))
    except WireError as error:
        assert error.reason in {"corrupt", "version", "shape", "too-large"}


@given(st.binary(max_size=200))
def test_random_bytes_are_corrupt(data: bytes) -> None:
    with pytest.raises(WireError) as error:
        decode(data)
    assert error.value.reason == "corrupt"


words = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(
    st.sampled_from(
        ["v", "stream", "boot", "seq", "decl", "made", "n", "point", "time", "value", "quality", "text"]
    ),
    words,
)
def test_a_foreign_field_never_crashes_the_reader(name: str, value: object) -> None:
    message = msgpack.unpackb(zstandard.decompress(encode(batch("readings", READINGS))))
    message[name] = value
    try:
        decode(zstandard.compress(msgpack.packb(message)))
    except WireError as error:
        assert error.reason in {"version", "shape"}


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    bomb = zstandard.compress(bytes(MAX_BATCH_DECODED_BYTES + 1))
    assert len(bomb) < 10_000
    with pytest.raises(WireError) as error:
        decode(bomb)
    assert error.value.reason == "too-large"
    with pytest.raises(WireError) as error:
        decode(bytes(MAX_BATCH_BYTES + 1))
    assert error.value.reason == "too-large"


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(WireError) as error:
        decode(zstandard.compress(msgpack.packb({"v": 99})))
    assert error.value.reason == "version"


def test_an_empty_batch_is_never_made() -> None:
    with pytest.raises(ValueError, match="without content"):
        encode(batch("alarms", ()))


def test_an_outcome_of_a_gateway_before_0_2_says_nothing_of_its_command() -> None:
    message = msgpack.unpackb(zstandard.decompress(encode(batch("outcomes", (OUTCOME,)))))
    for name in ("point", "value", "issued_by", "issued_us"):
        del message["rows"][0][name]
    assert decode(zstandard.compress(msgpack.packb(message))).payload == (OUTCOME,)


@pytest.mark.parametrize(
    "change", [{"issued_by": ""}, {"point": "p\0"}, {"issued_by": "x" * 10_000}, {"issued_us": -1}]
)
def test_an_outcome_that_cannot_be_shown_is_refused(change: dict[str, object]) -> None:
    message = msgpack.unpackb(zstandard.decompress(encode(batch("outcomes", (ACTED,)))))
    message["rows"][0].update(change)
    with pytest.raises(WireError) as error:
        decode(zstandard.compress(msgpack.packb(message)))
    assert error.value.reason == "shape"
