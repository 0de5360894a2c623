r"""Pictures out of RTP payloads: H.264 (RFC 6184), H.265 (RFC 7798), JPEG (RFC 2435).

packets of one timestamp ─→ NAL units (single, aggregated, fragmented) ─→ one picture, marked where it is
a key frame: one that is decoded without any before it (H.264 IDR, H.265 IRAP, every JPEG)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from protocols.field.camera.jpeg import JpegAssembler
from protocols.field.camera.rtp import Packet

MAX_PICTURE: Final = 8 * 1024 * 1024
START: Final = b"\0\0\0\1"


@dataclass(frozen=True, slots=True)
class Frame:
    """One coded picture. data: Annex B byte stream, or a whole JPEG; timestamp in ticks of the stream."""

    timestamp: int
    key: bool
    data: bytes


class Assembler(ABC):
    """Puts packets together; a picture of which a packet is missing is dropped whole."""

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._spoilt = False
        self._size = 0

    def add(self, packet: Packet, in_order: bool) -> Frame | None:
        """Take a packet; return the picture that it completes."""
        before = None
        if packet.timestamp != self._timestamp:
            before = self._finish()  # its marker was forgotten
            self._spoilt = False
        self._timestamp = packet.timestamp
        self._size += len(packet.payload)
        if not in_order or self._size > MAX_PICTURE or not self._take(packet.payload):
            self._spoilt = True
        return (self._finish() if packet.marker else None) or before

    def _finish(self) -> Frame | None:
        made, timestamp, spoilt = self._picture(), self._timestamp, self._spoilt
        self._timestamp, self._size, self._spoilt = None, 0, False
        if made is None or spoilt or timestamp is None:
            return None
        return Frame(timestamp, *made)

    @abstractmethod
    def _take(self, payload: bytes) -> bool:
        """Take a payload; return whether it makes sense."""

    @abstractmethod
    def _picture(self) -> tuple[bool, bytes] | None:
        """Return (is a key frame, bytes) of what was taken, and begin anew."""


class _Nal(Assembler):
    """What H.264 and H.265 share: units, aggregated in one packet or fragmented over many."""

    def __init__(self) -> None:
        super().__init__()
        self._units: list[bytes] = []
        self._part: bytearray | None = None

    def _picture(self) -> tuple[bool, bytes] | None:
        units, whole = self._units, self._part is None
        self._units, self._part = [], None
        if not units or not whole:
            return None
        return any(self.is_key(unit) for unit in units), b"".join(START + unit for unit in units)

    def _several(self, payload: bytes, at: int) -> bool:
        while at + 2 <= len(payload):
            size = int.from_bytes(payload[at : at + 2], "big")
            if not size or at + 2 + size > len(payload):
                return False
            self._units.append(payload[at + 2 : at + 2 + size])
            at += 2 + size
        return at == len(payload)

    def _fragment(self, head: bytes, flags: int, body: bytes) -> bool:
        if flags & 0x80:
            self._part = bytearray(head)
        if self._part is None:
            return False
        self._part += body
        if flags & 0x40:
            self._units.append(bytes(self._part))
            self._part = None
        return True

    @staticmethod
    @abstractmethod
    def is_key(unit: bytes) -> bool:
        """Return whether a unit makes its picture a key frame."""


class H264(_Nal):
    """RFC 6184: single units, STAP-A (24), FU-A (28). Interleaved mode is not used by cameras."""

    @staticmethod
    def is_key(unit: bytes) -> bool:
        """Type 5 is an IDR slice; a sequence parameter set (7) opens a GOP that begins without one."""
        return unit[0] & 0x1F in (5, 7)

    def _take(self, payload: bytes) -> bool:
        if len(payload) < 2:
            return False
        kind = payload[0] & 0x1F
        if 1 <= kind <= 23:
            self._units.append(payload)
            return True
        if kind == 24:
            return self._several(payload, 1)
        if kind == 28:
            flags = payload[1]
            return self._fragment(bytes([payload[0] & 0xE0 | flags & 0x1F]), flags, payload[2:])
        return False


class H265(_Nal):
    """RFC 7798: single units, aggregation (48), fragmentation (49)."""

    @staticmethod
    def is_key(unit: bytes) -> bool:
        """Types 16 to 21 are intra random access points (H.265 table 7-1)."""
        return 16 <= (unit[0] >> 1) & 0x3F <= 21

    def _take(self, payload: bytes) -> bool:
        if len(payload) < 3:
            return False
        kind = (payload[0] >> 1) & 0x3F
        if kind < 48:
            self._units.append(payload)
            return True
        if kind == 48:
            return self._several(payload, 2)
        if kind == 49:
            flags = payload[2]
            head = bytes([payload[0] & 0x81 | (flags & 0x3F) << 1, payload[1]])
            return self._fragment(head, flags, payload[3:])
        return False


class Jpeg(Assembler):
    """RFC 2435: every picture stands for itself."""

    def __init__(self) -> None:
        super().__init__()
        self._inside = JpegAssembler()

    def _take(self, payload: bytes) -> bool:
        return self._inside.take(payload)

    def _picture(self) -> tuple[bool, bytes] | None:
        made = self._inside.picture()
        return None if made is None else (True, made)


def assembler(codec: str) -> Assembler | None:
    """Return what puts a coding's pictures together; None for one that is not known here."""
    kinds: dict[str, type[Assembler]] = {"H264": H264, "H265": H265, "JPEG": Jpeg}
    kind = kinds.get(codec)
    return None if kind is None else kind()
