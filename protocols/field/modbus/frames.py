"""Frames: how a question goes onto the wire, and how its own answer is found in what comes back.

    MBAP   transaction | protocol = 0 | length | unit   PDU               TCP, TLS, UDP; big-endian
           2 bytes     | 2            | 2      | 1      1 … 253
    RTU    unit  PDU      CRC, low byte first                             serial lines, TCP without header
           1     1 … 253  2
    ASCII  :  unit  PDU  LRC  CR LF                                       serial lines; two hex digits a byte

(Messaging on TCP/IP v1.0b 3.1; Serial Line V1.02 2.5.1; Application Protocol V1.1b3.) pymodbus gives the
questions' bytes and the CRC. Its framers are not used: the RTU one throws away a right answer that comes in
one burst with a late one, and a late answer of the same unit it takes for the right one.
"""

from __future__ import annotations

import binascii
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

from pymodbus.framer import FramerRTU
from pymodbus.pdu import ModbusPDU

from protocols.errors import BadFrame
from protocols.model.quality import Quality

_MBAP: Final = struct.Struct(">HHHB")
_MOST: Final = 4096
"""Bytes kept while an answer is waited for; a line that babbles is cut to its newest."""
_READS: Final = frozenset({1, 2, 3, 4})
_WRITES: Final = {5: 5, 6: 5, 15: 5, 16: 5, 22: 7}
"""Function code → bytes of the answering PDU."""
_IDENTIFY: Final = 43
_ANY_UNIT: Final = frozenset({0, 255})


@dataclass(frozen=True, slots=True)
class Question:
    """A request of one unit: its PDU, ready to be framed."""

    unit: int
    pdu: bytes

    @classmethod
    def of(cls, request: ModbusPDU) -> Question:
        """Return what a pymodbus request says."""
        return cls(request.dev_id, bytes((request.function_code,)) + request.encode())

    @property
    def fc(self) -> int:
        """Function code."""
        return self.pdu[0]

    @property
    def answer_bytes(self) -> int:
        """Length of the PDU that answers it; for an identification the longest one."""
        if self.fc in _READS:
            count = int.from_bytes(self.pdu[3:5], "big")
            return 2 + (2 * count if self.fc >= 3 else (count + 7) // 8)
        return _WRITES.get(self.fc, 253)

    def fits(self, pdu: bytes) -> bool:
        """Tell whether a PDU of its unit and function can be its answer: of the right length and address.

        The value in the answer to a write may be another one: some devices say there what they hold now.
        Reading back shows it.
        """
        if pdu[0] & 0x80:
            return len(pdu) == 2
        if self.fc in _READS:
            return len(pdu) == self.answer_bytes and pdu[1] == len(pdu) - 2
        if self.fc in _WRITES:
            return len(pdu) == _WRITES[self.fc] and pdu[:3] == self.pdu[:3]
        return True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unit said: the function code without its error bit, and what follows it."""

    unit: int
    fc: int
    data: bytes
    code: int | None
    """The exception's code, or None for an answer."""

    @classmethod
    def of(cls, unit: int, pdu: bytes) -> Answer:
        """Take an answering PDU apart."""
        refused = pdu[0] & 0x80
        return cls(unit, pdu[0] & 0x7F, pdu[1:], pdu[1] if refused and len(pdu) > 1 else None)


class Framing(ABC):
    """Finds answers in a stream. One per connection; `strays` counts frames that nobody had asked for."""

    numbered: ClassVar[bool]
    """Whether an answer carries the number of its question, so that a late one is known."""

    def __init__(self) -> None:
        self.strays = 0
        self.damaged = False
        """Whether bytes of the unit that was asked came and were no frame, or no header where one must be."""

    @abstractmethod
    def size(self, pdu: int) -> int:
        """Return how many bytes go over the wire for a PDU of so many."""

    @abstractmethod
    def wrap(self, question: Question, number: int) -> bytes:
        """Return the frame of a question; `number` is 1 to 65535."""

    @abstractmethod
    def take(self, buffer: bytearray, question: Question, number: int) -> bytes | None:
        """Take the answering PDU out of `buffer`, with all before it; None while it is not there.

        Raises BadFrame where an answer came that cannot be this question's.
        """


class Mbap(Framing):
    """Modbus/TCP: every answer carries the transaction id of its question."""

    numbered = True

    def size(self, pdu: int) -> int:
        """Add the header."""
        return pdu + _MBAP.size

    def wrap(self, question: Question, number: int) -> bytes:
        """Put the header before the PDU."""
        return _MBAP.pack(number, 0, len(question.pdu) + 1, question.unit) + question.pdu

    def take(self, buffer: bytearray, question: Question, number: int) -> bytes | None:
        """Pass over answers with another number; what has no header at all cannot be resynchronised."""
        while len(buffer) >= 8:
            transaction, protocol, length, unit = _MBAP.unpack_from(buffer)
            if protocol or not 2 <= length <= 254:
                said = bytes(buffer[:8]).hex(" ")
                buffer.clear()
                self.damaged = True
                raise BadFrame(f"no Modbus TCP frame: {said} …", Quality.BAD_COMMUNICATION_ERROR)
            if len(buffer) < 6 + length:
                return None
            pdu = bytes(buffer[7 : 6 + length])
            del buffer[: 6 + length]
            if transaction not in (number, 0):
                self.strays += 1
                continue
            if not transaction:
                raise _foreign(f"transaction id 0 instead of {number}")
            if unit != question.unit and question.unit not in _ANY_UNIT:
                raise _foreign(f"unit {unit} instead of {question.unit}")
            if pdu[0] & 0x7F != question.fc:
                raise _foreign(f"function code {pdu[0]} instead of {question.fc}")
            if not question.fits(pdu):
                raise _foreign(f"{len(pdu) - 1} bytes {pdu[1:9].hex(' ')} that do not answer what was asked")
            return pdu
        return None


class Serial(Framing):
    """A serial line's frames: they have no number, and others' answers come by."""

    numbered = False

    def answer(self, question: Question, unit: int, pdu: bytes) -> bytes | None:
        """Return the PDU of a sound frame if it answers the question; else None, and it is counted."""
        own = unit == question.unit and pdu[0] & 0x7F == question.fc
        if own and question.fits(pdu):
            return pdu
        self.strays += 1
        self.damaged |= own
        return None


class Rtu(Serial):
    """RTU: an answer is known by its unit, its function code, its length and its CRC, by nothing else."""

    def size(self, pdu: int) -> int:
        """Add unit and CRC."""
        return pdu + 3

    def wrap(self, question: Question, number: int) -> bytes:
        """Put the unit before the PDU and the CRC behind it."""
        del number
        body = bytes((question.unit,)) + question.pdu
        return body + crc(body)

    def take(self, buffer: bytearray, question: Question, number: int) -> bytes | None:
        """Look for a whole frame at every byte; others' frames and noise before it are passed over."""
        del number
        del buffer[:-_MOST]
        at = 0
        while at + 5 <= len(buffer):
            size = _size(buffer, at)
            if size is None or at + size > len(buffer):
                at += 1  # it may be noise that only looks like a beginning
                continue
            frame = bytes(buffer[at : at + size])
            if crc(frame[:-2]) != frame[-2:]:
                self.damaged |= at == 0 and frame[0] == question.unit and frame[1] & 0x7F == question.fc
                at += 1
                continue
            del buffer[: at + size]
            at = 0
            if (pdu := self.answer(question, frame[0], frame[1:-2])) is not None:
                return pdu
        return None


class Ascii(Serial):
    """ASCII: an answer is known as one of RTU is, by an LRC and no CRC (Serial Line V1.02, 2.5.2)."""

    def size(self, pdu: int) -> int:
        """Two digits for each byte of unit, PDU and LRC, between colon and CR LF."""
        return 2 * (pdu + 2) + 3

    def wrap(self, question: Question, number: int) -> bytes:
        """Write the digits."""
        del number
        body = bytes((question.unit,)) + question.pdu
        return b":" + (body + lrc(body)).hex().upper().encode() + b"\r\n"

    def take(self, buffer: bytearray, question: Question, number: int) -> bytes | None:
        """Look at each line that has ended, from its last colon on: a colon always begins anew."""
        del number
        while (end := buffer.find(b"\r\n")) >= 0:
            digits = bytes(buffer[:end]).rpartition(b":")[2]
            del buffer[: end + 2]
            try:
                frame = binascii.unhexlify(digits)
            except binascii.Error:
                frame = b""
            if len(frame) < 4 or lrc(frame[:-1]) != frame[-1:]:
                self.damaged |= digits[:4].upper() == b"%02X%02X" % (question.unit, question.fc)
                continue
            if (pdu := self.answer(question, frame[0], frame[1:-1])) is not None:
                return pdu
        del buffer[:-_MOST]
        return None


def lrc(body: bytes) -> bytes:
    """Return the checksum of an ASCII frame: the two's complement of the sum of its bytes, in one."""
    return bytes((-sum(body) & 0xFF,))


def crc(body: bytes) -> bytes:
    """Return the CRC-16 of a frame as its two bytes on the wire (polynomial A001h, low byte first)."""
    return FramerRTU.compute_CRC(body).to_bytes(2, "big")


def _size(buffer: bytearray, at: int) -> int | None:
    """Return the length of the RTU answer that would begin at `at`; None where nothing tells it yet."""
    function = buffer[at + 1]
    if function & 0x80:
        return 5
    if function in _READS:
        return 5 + buffer[at + 2]
    if function in _WRITES:
        return 3 + _WRITES[function]
    if function != _IDENTIFY or len(buffer) < at + 8:
        return None
    size = at + 8
    for _ in range(buffer[at + 7]):
        if len(buffer) < size + 2:
            return None
        size += 2 + buffer[size + 1]
    return size + 2 - at


def _foreign(what: str) -> BadFrame:
    return BadFrame(
        f"an answer to another question came: {what}; it was dropped", Quality.BAD_COMMUNICATION_ERROR
    )
