"""Answers found in what comes: split, merged, late, damaged, of others; never a wrong one with a good CRC."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import BadFrame
from protocols.field.modbus.frames import Ascii, Framing, Mbap, Question, Rtu, crc, lrc

READ = Question(1, bytes.fromhex("03 0004 0002"))
ANSWER = bytes.fromhex("03 04 43 66 33 33")


def rtu(unit: int, pdu: bytes) -> bytes:
    return bytes((unit,)) + pdu + crc(bytes((unit,)) + pdu)


@pytest.mark.parametrize(
    ("question", "wire"),
    [
        (Question(1, bytes.fromhex("04 0001 0001")), "01 04 00 01 00 01 60 0A"),
        (Question(1, bytes.fromhex("03 0004 0001")), "01 03 00 04 00 01 C5 CB"),
        (Question(1, bytes.fromhex("04 0000 0002")), "01 04 00 00 00 02 71 CB"),
        (Question(0xFE, bytes.fromhex("04 0003 0001")), "FE 04 00 03 00 01 D5 C5"),
    ],
)
def test_vectors_of_the_reference(question: Question, wire: str) -> None:
    """field_protocols.md 1.1 and 9."""
    assert Rtu().wrap(question, 7) == bytes.fromhex(wire)


noise = st.binary(max_size=12)
others = st.builds(
    rtu,
    st.sampled_from([2, 3, 17]),
    st.sampled_from(
        [ANSWER, bytes.fromhex("83 02"), bytes.fromhex("06 0001 0005"), bytes.fromhex("01 01 05")]
    ),
)
late = st.sampled_from([rtu(1, bytes.fromhex("03 02 0001")), rtu(1, bytes.fromhex("04 04 00000000"))])
"""Of the same unit, but of another length or function: an answer to an older question."""


@given(st.lists(noise | others | late, max_size=4), st.lists(st.integers(0, 80), max_size=6))
def test_the_right_answer_is_found_behind_everything_else(before: list[bytes], cuts: list[int]) -> None:
    """Noise may end with bytes that look like a beginning; the CRC tells."""
    stream = b"".join(before) + rtu(1, ANSWER)
    framing, buffer, found = Rtu(), bytearray(), None
    at = 0
    for cut in [*sorted(cuts), len(stream)]:
        buffer += stream[at:cut]
        at = max(at, cut)
        found = found or framing.take(buffer, READ, 1)
    assert found == ANSWER


def text(unit: int, pdu: bytes) -> bytes:
    frame = bytes((unit,)) + pdu
    return b":" + (frame + lrc(frame)).hex().upper().encode() + b"\r\n"


def test_a_vector_of_ascii() -> None:
    """Serial Line V1.02, 2.5.2: two digits for each byte; the LRC makes the sum of all bytes 0."""
    assert Ascii().wrap(Question(1, bytes.fromhex("03 0004 0001")), 7) == b":010300040001F7\r\n"
    assert len(text(1, ANSWER)) == Ascii().size(len(ANSWER))


@given(
    st.lists(noise | others.map(lambda frame: text(frame[0], frame[1:-2])) | st.just(b":0103"), max_size=4),
    st.lists(st.integers(0, 80), max_size=6),
)
def test_the_right_text_is_found_behind_everything_else(before: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(before) + text(1, ANSWER)
    framing, buffer, found = Ascii(), bytearray(), None
    at = 0
    for cut in [*sorted(cuts), len(stream)]:
        buffer += stream[at:cut]
        at = max(at, cut)
        found = found or framing.take(buffer, READ, 1)
    assert found == ANSWER


@given(st.integers(0, 8 * len(text(1, ANSWER)) - 1))
def test_one_flipped_bit_of_a_text_makes_no_other_value(bit: int) -> None:
    """A digit that only becomes a small letter says the same."""
    wire = bytearray(text(1, ANSWER))
    wire[bit // 8] ^= 1 << bit % 8
    assert Ascii().take(wire, READ, 1) in (None, ANSWER)


@given(st.binary(max_size=300))
def test_noise_never_makes_it_fail(data: bytes) -> None:
    framings: tuple[Framing, ...] = (Rtu(), Mbap(), Ascii())
    for framing in framings:
        buffer = bytearray(data)
        try:
            found = framing.take(buffer, READ, 1)
        except BadFrame:
            continue
        assert found is None or READ.fits(found)


@given(st.integers(0, 8 * 9 - 1))
def test_one_flipped_bit_is_always_seen(bit: int) -> None:
    wire = bytearray(rtu(1, ANSWER))
    wire[bit // 8] ^= 1 << bit % 8
    assert Rtu().take(wire, READ, 1) is None


def test_damage_of_the_unit_that_was_asked_is_told_from_silence() -> None:
    framing, wire = Rtu(), bytearray(rtu(1, ANSWER))
    wire[4] ^= 1
    assert framing.take(wire, READ, 1) is None
    assert framing.damaged


def test_a_late_number_is_passed_over_and_counted() -> None:
    framing = Mbap()
    late_one = struct.pack(">HHHB", 6, 0, len(ANSWER) + 1, 1) + ANSWER
    right = struct.pack(">HHHB", 7, 0, len(ANSWER) + 1, 1) + ANSWER
    buffer = bytearray(late_one + right[:5])
    assert framing.take(buffer, READ, 7) is None
    buffer += right[5:]
    assert framing.take(buffer, READ, 7) == ANSWER
    assert framing.strays == 1
    assert not buffer


@pytest.mark.parametrize(
    "wire", ["0007 0001 0003 01 83 02", "0007 0000 0001 01 83", "0007 0000 00FF 01 83 02"]
)
def test_what_is_no_header_ends_the_stream(wire: str) -> None:
    framing = Mbap()
    with pytest.raises(BadFrame, match="no Modbus TCP frame"):
        framing.take(bytearray.fromhex(wire.replace(" ", "")) + b"\0\0", READ, 7)
    assert framing.damaged


def test_an_identification_tells_its_own_length() -> None:
    question = Question(1, bytes.fromhex("2B 0E 01 00"))
    pdu = bytes.fromhex("2B 0E 01 81 00 00 02") + b"\0\3Acm\1\2X1"
    framing, buffer = Rtu(), bytearray()
    wire = rtu(1, pdu)
    for byte in wire[:-1]:
        buffer.append(byte)
        assert framing.take(buffer, question, 1) is None
    buffer.append(wire[-1])
    assert framing.take(buffer, question, 1) == pdu


def test_the_answer_to_a_write_names_its_place() -> None:
    write = Question(1, bytes.fromhex("06 0001 0005"))
    assert Rtu().take(bytearray(rtu(1, bytes.fromhex("06 0002 0005"))), write, 1) is None
    # A device that does not take the value may say so by the one it keeps; reading back shows it.
    kept = bytes.fromhex("06 0001 0004")
    assert Rtu().take(bytearray(rtu(1, kept)), write, 1) == kept
    assert Rtu().take(bytearray(rtu(1, write.pdu)), write, 1) == write.pdu
