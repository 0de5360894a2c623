r"""RTP as a camera sends it: a coded picture cut into packets (RFC 3550, 2435 for JPEG, 6184 for H.264).

picture ─→ payloads of at most MTU bytes ─→ V2 | M PT | sequence | timestamp | SSRC | payload
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MTU: Final = 1400
RATE: Final = 90_000
"""Ticks of a video's timestamp in a second."""


def packet(
    payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int, payload: bytes
) -> bytes:
    """Return one RTP packet; numbers are cut to their widths."""
    head = bytes([0x80, payload_type | (0x80 if marker else 0)])
    head += (sequence & 0xFFFF).to_bytes(2, "big") + (timestamp & 0xFFFF_FFFF).to_bytes(4, "big")
    return head + ssrc.to_bytes(4, "big") + payload


def jpeg_payloads(jpeg: bytes) -> list[bytes]:
    """Return the payloads of a baseline JPEG with standard Huffman tables (RFC 2435), as Pillow writes
    them.
    """
    tables, width, height, kind, scan = b"", 0, 0, 1, b""
    for marker, body, end in _segments(jpeg):
        if marker == 0xDB:
            tables += _quantization(body)
        elif marker == 0xC0:
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            kind = 0 if body[7] == 0x21 else 1
        elif marker == 0xDA:
            scan = jpeg[end:].removesuffix(b"\xff\xd9")
    head = bytes([kind, 255, width // 8, height // 8])
    first = bytes([0, 0]) + len(tables).to_bytes(2, "big") + tables
    payloads, offset = [], 0
    while offset < len(scan):
        more = first if offset == 0 else b""
        part = scan[offset : offset + MTU - 8 - len(more)]
        payloads.append(b"\0" + offset.to_bytes(3, "big") + head + more + part)
        offset += len(part)
    return payloads


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes, int]]:
    at = 2
    while at + 4 <= len(jpeg):
        size = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        yield jpeg[at + 1], jpeg[at + 4 : at + 2 + size], at + 2 + size
        if jpeg[at + 1] == 0xDA:
            return
        at += 2 + size


def _quantization(body: bytes) -> bytes:
    tables = b""
    for at in range(0, len(body), 65):
        tables += body[at + 1 : at + 65]
    return tables


def units(stream: bytes) -> list[bytes]:
    """Return the NAL units of an Annex B byte stream."""
    found = []
    for part in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1"):
        unit = part.rstrip(b"\0")
        if unit:
            found.append(unit)
    return found


def h264_payloads(stream: bytes) -> list[bytes]:
    """Return single units, and FU-A for those that are too long (RFC 6184 sections 5.6 and 5.8)."""
    payloads = []
    for unit in units(stream):
        if len(unit) <= MTU:
            payloads.append(unit)
            continue
        head, kind = bytes([unit[0] & 0xE0 | 28]), unit[0] & 0x1F
        parts = [unit[at : at + MTU - 2] for at in range(1, len(unit), MTU - 2)]
        for number, part in enumerate(parts):
            flags = (0x80 if number == 0 else 0) | (0x40 if number == len(parts) - 1 else 0)
            payloads.append(head + bytes([flags | kind]) + part)
    return payloads


def h265_payloads(stream: bytes) -> list[bytes]:
    """Return single units, and fragmentation units for those that are too long (RFC 7798 section 4.4)."""
    payloads = []
    for unit in units(stream):
        if len(unit) <= MTU:
            payloads.append(unit)
            continue
        kind = unit[0] >> 1 & 0x3F
        head = bytes([unit[0] & 0x81 | 49 << 1, unit[1]])
        parts = [unit[at : at + MTU - 3] for at in range(2, len(unit), MTU - 3)]
        for number, part in enumerate(parts):
            flags = (0x80 if number == 0 else 0) | (0x40 if number == len(parts) - 1 else 0)
            payloads.append(head + bytes([flags | kind]) + part)
    return payloads
