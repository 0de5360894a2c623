r"""JPEG pictures from RTP (RFC 2435): the headers that the packets leave out are put back.

specific u8 | fragment offset u24 | type u8 | Q u8 | width/8 u8 | height/8 u8
[restart interval u16, F L count u16]                    types 64 to 127
[MBZ u8 | precision u8 | length u16 | tables]            first packet, Q 128 to 255
scan data …
"""

from __future__ import annotations

from typing import Final

_LUMA: Final = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40,
    58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104,
    103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
_CHROMA: Final = (
    17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
)  # fmt: skip
"""Quantization tables of RFC 2435 appendix A (ITU-T T.81 tables K.1 and K.2), in zigzag order."""
_DC_BITS: Final = (
    bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)),
    bytes((0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0)),
)
_AC_BITS: Final = (
    bytes((0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D)),
    bytes((0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77)),
)
_AC_LUMA: Final = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a"
    "3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a929394959697"
    "98999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4"
    "f5f6f7f8f9fa"
)
_AC_CHROMA: Final = bytes.fromhex(
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a2627"
    "28292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a929394"
    "95969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3"
    "f4f5f6f7f8f9fa"
)
"""Huffman codes of ITU-T T.81 annex K.3: RFC 2435 knows no others."""


class JpegAssembler:
    """Takes the payloads of one picture after the other; they must come in order."""

    def __init__(self) -> None:
        self._head: tuple[int, int, int, int] | None = None
        self._tables = b""
        self._restart = 0
        self._scan = bytearray()
        self._known: dict[int, bytes] = {}

    def take(self, payload: bytes) -> bool:
        """Take the next payload; return whether it continues the picture."""
        if len(payload) < 8:
            return False
        offset = int.from_bytes(payload[1:4], "big")
        kind, q, width, height = payload[4:8]
        at = 8
        if offset != len(self._scan) or kind & 0x3F > 1 or kind > 127 or not width or not height or not q:
            return False
        if kind >= 64:
            self._restart = int.from_bytes(payload[at : at + 2], "big")
            at += 4
        if offset == 0:
            self._head = (kind & 0x3F, q, width * 8, height * 8)
            if q >= 128:
                size = int.from_bytes(payload[at + 2 : at + 4], "big")
                tables = payload[at + 4 : at + 4 + size]
                wide = bool(payload[at + 1]) if at + 1 < len(payload) else False
                at += 4 + size
                if size and (wide or size not in (64, 128) or len(tables) != size):
                    return False  # 16-bit tables are not baseline JPEG
                if size and q < 255:
                    self._known[q] = tables
                self._tables = tables or self._known.get(q, b"")
                if not self._tables:
                    return False
            else:
                self._tables = tables_of(q)
        if self._head is None or at > len(payload):
            return False
        self._scan += payload[at:]
        return True

    def picture(self) -> bytes | None:
        """Return the picture as a JPEG file and begin anew; None where nothing was taken."""
        head, scan, restart = self._head, bytes(self._scan), self._restart
        self._head, self._scan, self._restart = None, bytearray(), 0
        if head is None or not scan:
            return None
        kind, _, width, height = head
        scan = scan if scan.endswith(b"\xff\xd9") else scan + b"\xff\xd9"
        return headers(kind, width, height, self._tables, restart) + scan


def tables_of(q: int) -> bytes:
    """Return the quantization tables that a Q of 1 to 99 names (RFC 2435 section 4.2)."""
    factor = max(1, min(99, q))
    scale = 5000 // factor if factor < 50 else 200 - factor * 2
    return bytes(max(1, min(255, (each * scale + 50) // 100)) for each in (*_LUMA, *_CHROMA))


def headers(kind: int, width: int, height: int, tables: bytes, restart: int) -> bytes:
    """Return everything before the scan. kind: 0 is 4:2:2, 1 is 4:2:0; tables: 64 bytes, or 128 for both."""
    halves = [tables[:64], tables[64:128] or tables[:64]]
    out = b"\xff\xd8"
    for number, table in enumerate(halves):
        out += _segment(0xDB, bytes([number]) + table)
    if restart:
        out += _segment(0xDD, restart.to_bytes(2, "big"))
    sampling = 0x21 if kind == 0 else 0x22
    frame = bytes([8]) + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes([3])
    out += _segment(0xC0, frame + bytes([1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1]))
    for number in (0, 1):
        out += _segment(0xC4, bytes([number]) + _DC_BITS[number] + bytes(range(12)))
        out += _segment(0xC4, bytes([0x10 | number]) + _AC_BITS[number] + (_AC_LUMA, _AC_CHROMA)[number])
    return out + _segment(0xDA, bytes([3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]))


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
