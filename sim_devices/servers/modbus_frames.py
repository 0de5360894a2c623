"""Frames as a device reads them: MBAP (TCP, TLS, UDP), RTU (serial, DTUs), ASCII. Each cuts requests out.

    MBAP   transaction | protocol = 0 | length | unit   function | data…      big-endian
           2 bytes     | 2            | 2      | 1      1        | ≤ 252
    RTU    unit  function  data…  CRC (polynomial A001h, low byte first)      lengths follow from the function
    ASCII  ":"  the same in hexadecimal digits, LRC for CRC  CR LF

Written from the specifications, apart from the gateway's: an error in one shows in the other.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_MBAP = struct.Struct(">HHHB")
_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 22: 10, 43: 7}
"""Function code → bytes of a whole RTU request; 15 and 16 say their own."""
_LONGEST = 256


class NotModbus(Exception):
    """What came has no header; a server hangs up on it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: which unit, its PDU, and the transaction id where the frame has one."""

    unit: int
    pdu: bytes
    transaction: int = 0


class Frames(Protocol):
    """One side of a connection."""

    silent_to_strangers: bool
    """Whether a unit that is not there is met by silence, as on a serial line, whoever asks."""

    def cut(self, buffer: bytearray) -> Iterator[Asked]:
        """Take whole requests out of what came. Raises NotModbus."""

    def answer(self, asked: Asked, pdu: bytes) -> bytes:
        """Return the frame of an answer."""


class MbapFrames:
    """Modbus/TCP."""

    silent_to_strangers = False

    def cut(self, buffer: bytearray) -> Iterator[Asked]:
        """Frames may arrive in pieces or several at once."""
        while len(buffer) >= 8:
            transaction, protocol, length, unit = _MBAP.unpack_from(buffer)
            if protocol != 0 or not 2 <= length <= 254:
                raise NotModbus
            if len(buffer) < 6 + length:
                return
            pdu = bytes(buffer[7 : 6 + length])
            del buffer[: 6 + length]
            yield Asked(unit, pdu, transaction)

    def answer(self, asked: Asked, pdu: bytes) -> bytes:
        """Give the transaction id back."""
        return _MBAP.pack(asked.transaction, 0, len(pdu) + 1, asked.unit) + pdu


class RtuFrames:
    """RTU. Noise before a request is passed over byte by byte."""

    silent_to_strangers = True

    def cut(self, buffer: bytearray) -> Iterator[Asked]:
        """Wait for the length that the function code promises, then believe the CRC."""
        while len(buffer) >= 4:
            size = _FIXED.get(buffer[1], 0)
            if buffer[1] in (15, 16):
                if len(buffer) < 7:
                    return
                size = 9 + buffer[6]
            if not 4 <= size <= _LONGEST:
                del buffer[0]
                continue
            if len(buffer) < size:
                return
            frame = bytes(buffer[:size])
            if checksum(frame[:-2]) != frame[-2:]:
                del buffer[0]
                continue
            del buffer[:size]
            yield Asked(frame[0], frame[1:-2])

    def answer(self, asked: Asked, pdu: bytes) -> bytes:
        """Sign the answer with its CRC."""
        body = bytes((asked.unit,)) + pdu
        return body + checksum(body)


class AsciiFrames:
    """ASCII on a serial line. What is no frame between a colon and its CR LF is passed over."""

    silent_to_strangers = True
    _frame = re.compile(rb":((?:[0-9A-F]{2}){3,255})\r\n")

    def cut(self, buffer: bytearray) -> Iterator[Asked]:
        """Believe the LRC: all bytes with it make 0 in eight bits."""
        found = list(self._frame.finditer(bytes(buffer)))
        del buffer[: buffer.rfind(b"\n") + 1]
        for match in found:
            frame = bytes.fromhex(match[1].decode())
            if sum(frame) % 256 == 0:
                yield Asked(frame[0], frame[1:-1])

    def answer(self, asked: Asked, pdu: bytes) -> bytes:
        """Write the digits."""
        body = bytes((asked.unit, *pdu))
        return b":%s%02X\r\n" % (body.hex().upper().encode(), (256 - sum(body) % 256) % 256)


def checksum(body: bytes) -> bytes:
    """Return the CRC-16 of Modbus as it goes onto the wire; of `01 03 00 04 00 01` it is `C5 CB`."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")
